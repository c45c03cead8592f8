"""The portal's file as it leaves: UTF-8 with byte order mark, CRLF, semicolons, decimal comma. Pure.

The customer's own label is personal and not kept: its column stays empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Final

from market.channel import Energy, MeterKind, Quantity, Register
from market.ean import Ean
from market.local_time import BRUSSELS, day_start
from market.portal_file import header, is_split_by_tariff, peak_status_of, register_label, status_of
from market.portal_names import portal_file_name
from market.portal_words import WORDS, Language, Status
from market.quality import Quality
from market.tariff import day_tariff_mask
from services.export.domain.series import Granularity, Series
from services.export.files.portal_rows import PortalRow, portal_rows

_BYTE_ORDER_MARK: Final = "\ufeff"
_LINE_END: Final = "\r\n"
_ONE_DAY: Final = timedelta(days=1)
_QUARTER: Final = timedelta(minutes=15)


def write_portal_csv(
    series: Sequence[Series], *, ean: Ean, energy: Energy, language: Language, last_day: date
) -> bytes:
    """Return the file over `series` of one point and one granularity, up to local midnight of `last_day`.

    `series` are those of `assemble`: every slice of the period is there, of each meter in the order in which they
    began. A missing slice is a row without volume.
    """
    printer = _Printer(ean=ean, energy=energy, language=language)
    lines = [header(language, energy), *map(printer.line, portal_rows(series, last_day)), ""]
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
    )


class _Printer:
    """Prints the rows of one file."""

    def __init__(self, *, ean: Ean, energy: Energy, language: Language) -> None:
        self._words = WORDS[language]
        self._language = language
        self._has_factor = energy is Energy.GAS
        self._ean = f'="{ean}"'

    def line(self, row: PortalRow) -> str:
        """The row without its line end."""
        series, slice_ = row.series, row.slice
        cells = [
            *_moment(row.printed_start, self._words.date_separator),
            *_moment(_printed_end(row), self._words.date_separator),
            self._ean,
            _safe(series.meter_id),
            self._words.meter_kinds.get(series.meter_kind, self._words.meter_kinds[MeterKind.DIGITAL]),
            self._register(row),
            "" if slice_.value is None else f"{slice_.value // 1000},{slice_.value % 1000:03}",
            series.channel.unit,
            self._words.statuses[_status(row)],
        ]
        if self._has_factor:
            is_energy = series.channel.quantity is Quantity.GAS_ENERGY
            cells.append(self._words.factors[slice_.factor] if is_energy else "")
        return ";".join((*cells, ""))

    def _register(self, row: PortalRow) -> str:
        series = row.series
        tariff = series.channel.register
        if is_split_by_tariff(series.meter_kind, series.channel):
            tariff = _tariff_at(row)
        return register_label(self._language, series.meter_kind, series.channel, tariff)


def _tariff_at(row: PortalRow) -> Register:
    mask = day_tariff_mask(row.series.meter_kind, row.slice.day)
    index = (row.slice.start - day_start(Energy.ELECTRICITY, row.slice.day)) // _QUARTER
    return Register.DAY if mask[index] else Register.NIGHT


def _status(row: PortalRow) -> Status:
    slice_, kind = row.slice, row.series.meter_kind
    quality = Quality.MISSING if slice_.value is None else slice_.quality
    if row.series.granularity is not Granularity.MONTH:
        return status_of(quality, kind)
    if slice_.is_running and slice_.value is not None:
        return Status.PROVISIONAL
    return peak_status_of(quality, kind)


def _printed_end(row: PortalRow) -> datetime:
    """The end as printed; an AMR day row ends 24 hours of UTC after its start."""
    series = row.series
    is_amr_day = series.meter_kind is MeterKind.AMR and series.granularity is Granularity.DAY
    if is_amr_day and series.channel.energy is Energy.ELECTRICITY:
        return (row.slice.start + _ONE_DAY).astimezone(BRUSSELS)
    return row.slice.end.astimezone(BRUSSELS)


def _moment(moment: datetime, separator: str) -> tuple[str, str]:
    """The two cells of a printed instant."""
    return f"{moment.day:02}{separator}{moment.month:02}{separator}{moment.year:04}", moment.strftime("%H:%M:%S")


def _safe(meter_id: str) -> str:
    """The meter number as one cell that no spreadsheet takes for a formula."""
    cell = "".join(sign if sign.isprintable() and sign not in ';"' else " " for sign in meter_id)
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@")) else cell
