"""What each row of a portal file says, whatever the format: CSV, xlsx and Parquet are written from these. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from market.channel import Energy, MeterKind, Quantity, Register
from market.local_time import BRUSSELS, day_start
from market.portal_file import is_split_by_tariff, peak_status_of, register_label, status_of
from market.portal_words import WORDS, Language, Status
from market.quality import Quality
from market.tariff import day_tariff_mask
from services.export.domain.series import Granularity, Series
from services.export.files.portal_rows import PortalRow, portal_rows

_ONE_DAY: Final = timedelta(days=1)
_QUARTER: Final = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalCells:
    """One row. The slice is [start, end), UTC; the printed instants are Brussels wall time without offset.

    `value` is in thousandths of `unit`, None where missing. Texts are in the language of the file, and no spreadsheet
    takes one for a formula; `factor` is empty where there is none.
    """

    start: datetime
    end: datetime
    printed_start: datetime
    printed_end: datetime
    meter: str
    meter_kind: str
    register: str
    value: int | None
    unit: str
    status: str
    factor: str


def portal_cells(series: Sequence[Series], *, language: Language, last_day: date) -> Iterator[PortalCells]:
    """The rows of `series` in the order of the file, up to local midnight of `last_day`.

    `series` are those of `assemble`: every slice of the period is there, of each meter in the order in which they
    began. A missing slice is a row without value.
    """
    words = WORDS[language]
    for row in portal_rows(series, last_day):
        channel, slice_ = row.series.channel, row.slice
        yield PortalCells(
            start=slice_.start,
            end=slice_.end,
            printed_start=row.printed_start,
            printed_end=_printed_end(row),
            meter=_safe(row.series.meter_id),
            meter_kind=words.meter_kinds.get(row.series.meter_kind, words.meter_kinds[MeterKind.DIGITAL]),
            register=_register(row, language),
            value=slice_.value,
            unit=channel.unit,
            status=words.statuses[_status(row)],
            factor=words.factors[slice_.factor] if channel.quantity is Quantity.GAS_ENERGY else "",
        )


def _register(row: PortalRow, language: Language) -> str:
    series = row.series
    tariff = series.channel.register
    if is_split_by_tariff(series.meter_kind, series.channel):
        tariff = _tariff_at(row)
    return register_label(language, series.meter_kind, series.channel, tariff)


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
    end = row.slice.start + _ONE_DAY if is_amr_day and series.channel.energy is Energy.ELECTRICITY else row.slice.end
    return end.astimezone(BRUSSELS).replace(tzinfo=None)


def _safe(meter_id: str) -> str:
    """The meter number as one cell that no spreadsheet takes for a formula."""
    cell = "".join(sign if sign.isprintable() and sign not in ';"' else " " for sign in meter_id)
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@")) else cell
