"""The portal's file as workbook and as Parquet: the rows of the CSV, each value exact, a missing one never zero."""

from __future__ import annotations

import zipfile
from datetime import UTC, date, datetime, time
from decimal import Decimal
from io import BytesIO
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree as ET

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from market.channel import BY_NAME, Energy, MeterKind
from market.ean import Ean
from market.local_time import slice_bounds
from market.portal_words import Language
from market.quality import GasFactor, Quality
from services.export.domain.question import Found, Question
from services.export.domain.series import Granularity, Series, Slice
from services.export.files.portal_xlsx import write_portal_xlsx
from services.export.portal_files import Format, PortalFile

EAN = Ean("541448800000000017")
QUARTER, HOUR, DAY, MONTH = Granularity.QUARTER, Granularity.HOUR, Granularity.DAY, Granularity.MONTH
TEXT, NUMBER = "s", "n"
READ, GUESSED = Quality.MEASURED, Quality.ESTIMATED


def series(
    name: str,
    days: list[date],
    values: dict[int, int | None],
    *,
    granularity: Granularity = QUARTER,
    kind: MeterKind = MeterKind.DIGITAL,
    meter: str = "1SAG0000000001",
) -> Series:
    """A series over whole days; `values` by number of the slice, 7 where none is given, and every third estimated."""
    channel = BY_NAME[name]
    factor = GasFactor.PROVISIONAL if "GAS_ENERGY" in name else GasFactor.NONE
    bounds = [
        (day, *pair)
        for day in days
        for edges in [slice_bounds(channel.energy, channel.resolution, day)]
        for pair in pairwise(edges)
    ]
    slices = []
    for place, (day, start, end) in enumerate(bounds):
        value = values.get(place, 7)
        quality = Quality.MISSING if value is None else GUESSED if place % 3 == 2 else READ
        slices.append(Slice(start=start, end=end, day=day, value=value, quality=quality, factor=factor))
    return Series(
        channel=channel, meter_id=meter, meter_kind=kind, granularity=granularity, slices=tuple(slices), total=None
    )


def found(*of: Series, first_day: date, last_day: date) -> Found:
    return Found(
        question=Question(ean=EAN, first_day=first_day, last_day=last_day, granularity=of[0].granularity),
        energy=of[0].channel.energy,
        meter_kind=of[0].meter_kind,
        series=list(of),
    )


OCTOBER, MARCH = date(2026, 10, 25), date(2026, 3, 29)
FILES = {
    "october": found(
        series("OFFTAKE_ACTIVE_QUARTER_HOURLY", [OCTOBER], {0: None, 1: 0, 2: 41, 99: 1_234_567}),
        series("INJECTION_ACTIVE_QUARTER_HOURLY", [OCTOBER], {}),
        first_day=OCTOBER,
        last_day=OCTOBER,
    ),
    "march": found(
        series("OFFTAKE_ACTIVE_QUARTER_HOURLY", [MARCH], {}, kind=MeterKind.AMR, meter=""),
        first_day=MARCH,
        last_day=MARCH,
    ),
    "gas": found(
        series("OFFTAKE_GAS_VOLUME_HOURLY", [OCTOBER], {3: None}, granularity=HOUR, meter="7FLO0000000001"),
        series("OFFTAKE_GAS_ENERGY_HOURLY", [OCTOBER], {3: None}, granularity=HOUR, meter="7FLO0000000001"),
        first_day=OCTOBER,
        last_day=OCTOBER,
    ),
}


def written(name: str, file_format: Format, language: Language = Language.NL) -> tuple[bytes, int]:
    return PortalFile(file_format, language).encode(FILES[name])


def csv_rows(name: str, language: Language = Language.NL) -> list[list[str]]:
    text = written(name, Format.CSV, language)[0].decode("utf-8-sig")
    return [line.split(";") for line in text.split("\r\n")[:-1]]


def sheets(data: bytes) -> dict[str, list[tuple[Any, ...]]]:
    """The cells of a workbook by the name of the sheet."""
    workbook = openpyxl.load_workbook(BytesIO(data), read_only=False)
    return {sheet.title: list(sheet.iter_rows()) for sheet in workbook.worksheets}


def as_printed(cell: Any) -> str:
    """A cell of the workbook as the CSV prints it."""
    match cell.value:
        case None:
            return ""
        case datetime():
            return f"{cell.value:%d-%m-%Y}"
        case time():
            return f"{cell.value:%H:%M:%S}"
        case int() | float():
            return f"{cell.value:.3f}".replace(".", ",")
        case text if text == EAN:
            return f'="{text}"'
        case text:
            return str(text)


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_workbook_says_what_the_csv_says_cell_by_cell(name: str) -> None:
    [(title, rows)] = sheets(written(name, Format.XLSX)[0]).items()
    expected = csv_rows(name)
    assert title == EAN
    assert [cell.value for cell in rows[0]] == expected[0]
    width = len(expected[0]) - 1  # the last column, the customer's own label, is empty in every row
    assert [[as_printed(cell) for cell in row[:width]] for row in rows[1:]] == [row[:width] for row in expected[1:]]
    assert {cell.value for row in rows[1:] for cell in row[width:]} <= {None}


def test_cells_of_a_workbook_are_dates_times_numbers_and_text() -> None:
    [(_, rows)] = sheets(written("october", Format.XLSX)[0]).items()
    missing, zero, third = rows[1], rows[3], rows[5]
    days = (missing[0], missing[2], rows[199][2])
    assert [cell.value.date() for cell in days] == [OCTOBER, OCTOBER, date(2026, 10, 26)]
    assert [cell.value for cell in (missing[1], missing[3], rows[199][1])] == [time(0, 0), time(0, 15), time(23, 45)]
    assert [cell.value for cell in missing[4:8]] == [
        "541448800000000017",
        "1SAG0000000001",
        "Digitale meter",
        "Afname Nacht",
    ]
    assert (missing[8].value, missing[10].value) == (None, "Geen verbruik")
    assert (zero[8].value, zero[8].data_type, zero[8].number_format) == (0, NUMBER, "0.000")
    assert (third[8].value, third[10].value) == (0.041, "Geschat")
    assert rows[199][8].value == 1234.567
    assert {row[4].data_type for row in rows[1:]} == {TEXT}
    assert third[0].number_format == "dd-mm-yyyy"
    assert third[1].number_format == "hh:mm:ss"


@pytest.mark.parametrize("name", sorted(FILES))
def test_parquet_has_the_rows_of_the_csv_typed(name: str) -> None:
    table = pq.read_table(BytesIO(written(name, Format.PARQUET)[0]))
    expected = csv_rows(name)[1:]
    assert len(table) == len(expected)
    volumes = [None if row[8] == "" else Decimal(row[8].replace(",", ".")) for row in expected]
    assert table["value"].to_pylist() == volumes
    for column, place in (("meter", 5), ("meter_type", 6), ("register", 7), ("unit", 9), ("status", 10)):
        assert table[column].to_pylist() == [row[place] for row in expected]
    assert set(table["ean"].to_pylist()) == {"541448800000000017"}
    factors = [row[11] or None for row in expected] if name == "gas" else [None] * len(expected)
    assert table["factor"].to_pylist() == factors


def test_parquet_has_instants_in_utc_and_a_null_where_nothing_was_measured() -> None:
    table = pq.read_table(BytesIO(written("october", Format.PARQUET)[0]))
    assert table.schema.field("start").type == pa.timestamp("us", tz="UTC")
    assert table.schema.field("value").type == pa.decimal128(18, 3)
    first, _, second, *_ = table.to_pylist()
    assert (first["start"], first["end"], first["value"]) == (
        datetime(2026, 10, 24, 22, 0, tzinfo=UTC),
        datetime(2026, 10, 24, 22, 15, tzinfo=UTC),
        None,
    )
    assert second["value"] == Decimal("0.000")
    # The printed 02:00 stands twice in October; the instants do not.
    offtake = [row["start"] for row in table.to_pylist() if row["register"].startswith("Afname")]
    assert len(offtake) == len(set(offtake)) == 100
    assert (offtake[-1], table["end"].to_pylist()[-1]) == (
        datetime(2026, 10, 25, 22, 45, tzinfo=UTC),
        datetime(2026, 10, 25, 23, 0, tzinfo=UTC),
    )


def test_an_amr_day_is_as_long_in_parquet_as_it_was() -> None:
    day = series("OFFTAKE_ACTIVE_DAY_DAILY", [MARCH], {}, granularity=DAY, kind=MeterKind.AMR, meter="")
    file = PortalFile(Format.PARQUET, Language.NL)
    [row] = pq.read_table(BytesIO(file.encode(found(day, first_day=MARCH, last_day=MARCH))[0])).to_pylist()
    assert (row["start"], row["end"]) == (
        datetime(2026, 3, 28, 23, 0, tzinfo=UTC),
        datetime(2026, 3, 29, 22, 0, tzinfo=UTC),
    )


@pytest.mark.parametrize("language", list(Language))
def test_a_workbook_has_the_columns_of_its_language(language: Language) -> None:
    [(_, rows)] = sheets(written("gas", Format.XLSX, language)[0]).items()
    assert [cell.value for cell in rows[0]] == csv_rows("gas", language)[0]
    assert [cell.value for cell in rows[1][6:8]] == csv_rows("gas", language)[1][6:8]


@pytest.mark.parametrize("name", sorted(FILES))
def test_as_many_values_leave_in_every_format(name: str) -> None:
    assert len({written(name, file_format)[1] for file_format in Format}) == 1


@pytest.mark.parametrize("file_format", list(Format))
def test_the_same_content_gives_the_same_bytes(file_format: Format) -> None:
    assert written("gas", file_format) == written("gas", file_format)


def test_a_workbook_does_not_say_when_it_was_written() -> None:
    with zipfile.ZipFile(BytesIO(written("gas", Format.XLSX)[0])) as archive:
        assert {entry.date_time[0] for entry in archive.infolist()} == {1980}
        properties = ET.fromstring(archive.read("docProps/core.xml"))  # noqa: S314
    dates = [each.text for each in properties if each.tag.endswith(("created", "modified"))]
    assert dates == ["2000-01-01T00:00:00Z", "2000-01-01T00:00:00Z"]


def test_what_does_not_fit_one_sheet_is_split_by_year() -> None:
    days = [date(2025, 12, 31), date(2026, 1, 1)]
    both = series("OFFTAKE_ACTIVE_QUARTER_HOURLY", days, {})
    target = BytesIO()
    arguments = {"ean": EAN, "energy": Energy.ELECTRICITY, "language": Language.NL, "last_day": days[1]}
    write_portal_xlsx(target, [both], sheet_rows=97, **arguments)
    parts = sheets(target.getvalue())
    assert {name: len(rows) for name, rows in parts.items()} == {f"{EAN} 2025": 97, f"{EAN} 2026": 97}
    assert [rows[0][0].value for rows in parts.values()] == ["Van (datum)"] * 2
    assert [rows[1][0].value.date() for rows in parts.values()] == days
    with pytest.raises(ValueError, match="a sheet has room for 95 rows"):
        write_portal_xlsx(BytesIO(), [both], sheet_rows=96, **arguments)


@pytest.mark.parametrize("meter", ["=1+1", "+32", "-1", "@SUM(A1)"])
def test_a_meter_number_is_no_formula_in_any_format(meter: str) -> None:
    one = series("OFFTAKE_ACTIVE_QUARTER_HOURLY", [MARCH], {}, meter=meter)
    asked = found(one, first_day=MARCH, last_day=MARCH)
    [(_, rows)] = sheets(PortalFile(Format.XLSX, Language.NL).encode(asked)[0]).items()
    table = pq.read_table(BytesIO(PortalFile(Format.PARQUET, Language.NL).encode(asked)[0]))
    assert rows[1][5].value == table["meter"][0].as_py() == f"'{meter}"
    assert rows[1][5].data_type != "f"


@pytest.mark.parametrize("file_format", list(Format))
def test_the_name_ends_as_its_format(file_format: Format) -> None:
    name = PortalFile(file_format, Language.NL).name(FILES["october"])
    assert name == f"Verbruikshistoriek_elektriciteit_{EAN}_20261025_20261025_kwartiertotalen.{file_format.value}"
