"""The portal's file as it leaves: UTF-8 with byte order mark, CRLF, semicolons, decimal comma. Pure.

The customer's own label is personal and not kept: its column stays empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final

from market.channel import Energy, MeterKind
from market.ean import Ean
from market.portal_file import header
from market.portal_names import portal_file_name
from market.portal_words import WORDS, Language
from services.export.domain.series import Granularity, Series
from services.export.files.portal_cells import PortalCells, portal_cells

_BYTE_ORDER_MARK: Final = "\ufeff"
_LINE_END: Final = "\r\n"


def write_portal_csv(
    series: Sequence[Series], *, ean: Ean, energy: Energy, language: Language, last_day: date
) -> bytes:
    """Return the file over `series` of one point and one granularity, up to local midnight of `last_day`.

    `series` are those of `assemble`: every slice of the period is there, of each meter in the order in which they
    began. A missing slice is a row without volume.
    """
    printer = _Printer(ean=ean, energy=energy, language=language)
    rows = portal_cells(series, language=language, last_day=last_day)
    lines = [header(language, energy), *map(printer.line, rows), ""]
    return (_BYTE_ORDER_MARK + _LINE_END.join(lines)).encode()


def file_name(
    series: Sequence[Series],
    *,
    ean: Ean,
    energy: Energy,
    language: Language,
    granularity: Granularity,
    first_day: date,
    last_day: date,
    extension: str = "csv",
) -> str:
    """The name under which the portal offers the file; days are inclusive."""
    return portal_file_name(
        ean=ean,
        energy=energy,
        meter_kind=series[-1].meter_kind if series else MeterKind.UNKNOWN,
        directions={entry.channel.direction for entry in series},
        granularity=granularity.value,
        language=language,
        first_day=first_day,
        last_day=last_day,
        extension=extension,
    )


class _Printer:
    """Prints the rows of one file."""

    def __init__(self, *, ean: Ean, energy: Energy, language: Language) -> None:
        self._date_separator = WORDS[language].date_separator
        self._has_factor = energy is Energy.GAS
        self._ean = f'="{ean}"'

    def line(self, row: PortalCells) -> str:
        """The row without its line end."""
        cells = [
            *_moment(row.printed_start, self._date_separator),
            *_moment(row.printed_end, self._date_separator),
            self._ean,
            row.meter,
            row.meter_kind,
            row.register,
            "" if row.value is None else f"{row.value // 1000},{row.value % 1000:03}",
            row.unit,
            row.status,
        ]
        if self._has_factor:
            cells.append(row.factor)
        return ";".join((*cells, ""))


def _moment(moment: datetime, separator: str) -> tuple[str, str]:
    """The two cells of a printed instant."""
    return f"{moment.day:02}{separator}{moment.month:02}{separator}{moment.year:04}", moment.strftime("%H:%M:%S")
