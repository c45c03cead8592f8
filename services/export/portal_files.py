"""The portal's file of one point in each of its formats, ready to be sent."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from io import BytesIO
from typing import Final

from market.local_time import BRUSSELS
from market.portal_words import Language
from services.export.domain.question import Found
from services.export.files.portal_csv import file_name, write_portal_csv
from services.export.files.portal_parquet import write_portal_parquet
from services.export.files.portal_xlsx import write_portal_xlsx


class Format(StrEnum):
    """How the file is written; the value is the extension of its name."""

    CSV = "csv"
    XLSX = "xlsx"
    PARQUET = "parquet"


MEDIA_TYPES: Final = {
    Format.CSV: "text/csv; charset=utf-8",
    Format.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    Format.PARQUET: "application/vnd.apache.parquet",
}


@dataclass(frozen=True, slots=True)
class PortalFile:
    """Writes what was found, in one format and language."""

    format: Format
    language: Language

    def encode(self, found: Found) -> tuple[bytes, int]:
        """Return the file and how many values are in it: the same number in every format."""
        last_day = found.question.last_day
        leaving = sum(
            entry.value is not None and entry.start.astimezone(BRUSSELS).date() <= last_day
            for series in found.series
            for entry in series.slices
        )
        return self._content(found), leaving

    def name(self, found: Found) -> str:
        """Return the name under which it is offered."""
        question = found.question
        return file_name(
            found.series,
            ean=question.ean,
            energy=found.energy,
            language=self.language,
            granularity=question.granularity,
            first_day=question.first_day,
            last_day=question.last_day,
            extension=self.format.value,
        )

    def _content(self, found: Found) -> bytes:
        series, ean, energy = found.series, found.question.ean, found.energy
        language, last_day = self.language, found.question.last_day
        if self.format is Format.CSV:
            return write_portal_csv(series, ean=ean, energy=energy, language=language, last_day=last_day)
        target = BytesIO()
        if self.format is Format.XLSX:
            write_portal_xlsx(target, series, ean=ean, energy=energy, language=language, last_day=last_day)
        else:
            write_portal_parquet(target, series, ean=ean, language=language, last_day=last_day)
        return target.getvalue()
