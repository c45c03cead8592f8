"""The portal's file as a workbook: the columns of the CSV, with real dates, times and numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from itertools import groupby
from typing import Any, BinaryIO, Final

import xlsxwriter

from market.channel import Energy
from market.ean import Ean
from market.portal_file import header
from market.portal_words import Language
from services.export.domain.series import Series
from services.export.files.portal_cells import PortalCells, portal_cells

SHEET_ROWS: Final = 1_048_576
"""How many rows a sheet has, the header among them."""

_MADE_AT: Final = datetime(2000, 1, 1)  # noqa: DTZ001 - the same content gives the same bytes
_DAY_ZERO: Final = date(1899, 12, 30).toordinal()
_SECONDS_A_DAY: Final = 86_400
_WIDTHS: Final = (12, 12, 12, 12, 20, 16, 16, 28, 12, 9, 18, 22, 16)


def write_portal_xlsx(
    target: BinaryIO,
    series: Sequence[Series],
    *,
    ean: Ean,
    energy: Energy,
    language: Language,
    last_day: date,
    sheet_rows: int = SHEET_ROWS,
) -> None:
    """Write the workbook over `series`, as `write_portal_csv` takes them, to `target`; the same rows in the same order.

    Dates and times are Brussels wall time, volumes numbers with three decimals, the EAN text; of a missing slice the
    cell is empty. All rows are on one sheet where they fit, else on one per year of the printed start.

    Raises:
        ValueError: the rows of one year do not fit a sheet.
    """
    rows = list(portal_cells(series, language=language, last_day=last_day))
    options = {"constant_memory": True, "strings_to_urls": False}
    with xlsxwriter.Workbook(target, options) as workbook:
        workbook.set_properties({"created": _MADE_AT})
        sheet = _Sheets(workbook, header(language, energy).split(";"), ean=ean, energy=energy)
        for name, part in _parts(ean, rows, sheet_rows - 1):
            sheet.write(name, part)


def _parts(ean: Ean, rows: Sequence[PortalCells], room: int) -> Iterable[tuple[str, Sequence[PortalCells]]]:
    if len(rows) <= room:
        return [(ean, rows)]
    years = groupby(rows, key=lambda row: row.printed_start.year)
    parts = [(f"{ean} {year}", list(part)) for year, part in years]
    if any(len(part) > room for _, part in parts):
        raise ValueError(f"a sheet has room for {room} rows, and a year has more")
    return parts


class _Sheets:
    """Writes the sheets of one workbook, one after the other."""

    def __init__(self, workbook: Any, columns: Sequence[str], *, ean: Ean, energy: Energy) -> None:
        self._workbook = workbook
        self._columns = columns
        self._ean = ean
        self._has_factor = energy is Energy.GAS
        self._head = workbook.add_format({"bold": True})
        self._date = workbook.add_format({"num_format": "dd-mm-yyyy"})
        self._time = workbook.add_format({"num_format": "hh:mm:ss"})
        self._volume = workbook.add_format({"num_format": "0.000"})

    def write(self, name: str, rows: Iterable[PortalCells]) -> None:
        """Add a sheet with a header and `rows`."""
        sheet = self._workbook.add_worksheet(name)
        sheet.freeze_panes(1, 0)
        for place, width in enumerate(_WIDTHS[: len(self._columns)]):
            sheet.set_column(place, place, width)
        for place, column in enumerate(self._columns):
            sheet.write_string(0, place, column, self._head)
        for number, row in enumerate(rows, start=1):
            self._write_row(sheet, number, row)

    def _write_row(self, sheet: Any, number: int, row: PortalCells) -> None:
        for place, moment in ((0, row.printed_start), (2, row.printed_end)):
            seconds = moment.hour * 3600 + moment.minute * 60 + moment.second
            sheet.write_number(number, place, moment.toordinal() - _DAY_ZERO, self._date)
            sheet.write_number(number, place + 1, seconds / _SECONDS_A_DAY, self._time)
        for place, text in enumerate((self._ean, row.meter, row.meter_kind, row.register), start=4):
            sheet.write_string(number, place, text)
        if row.value is not None:
            sheet.write_number(number, 8, row.value / 1000, self._volume)
        sheet.write_string(number, 9, row.unit)
        sheet.write_string(number, 10, row.status)
        if self._has_factor:
            sheet.write_string(number, 11, row.factor)
