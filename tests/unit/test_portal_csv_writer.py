"""What the file's writer prints: names of files, states of peaks, meters, and cells that no spreadsheet runs."""

from __future__ import annotations

from datetime import date

import pytest

from market.channel import BY_NAME, Energy, MeterKind
from market.ean import Ean
from market.local_time import slice_bounds
from market.portal_words import Language
from market.quality import Quality
from services.export.domain.series import Granularity, Series, Slice
from services.export.files.portal_csv import file_name, write_portal_csv

EAN = Ean("541448800000000017")
DIGITAL, AMR = MeterKind.DIGITAL, MeterKind.AMR
QUARTER, HOUR, DAY, MONTH = Granularity.QUARTER, Granularity.HOUR, Granularity.DAY, Granularity.MONTH
TOTAL = Granularity.MONTH_TOTAL


def series(name: str, kind: MeterKind, *slices: Slice, granularity: Granularity = QUARTER, meter: str = "") -> Series:
    return Series(
        channel=BY_NAME[name], meter_id=meter, meter_kind=kind, granularity=granularity, slices=slices, total=None
    )


def slice_of(
    name: str, day: date, index: int, value: int | None, quality: Quality, *, is_running: bool = False
) -> Slice:
    bounds = slice_bounds(BY_NAME[name].energy, BY_NAME[name].resolution, day)
    start, end = bounds[index : index + 2]
    return Slice(start=start, end=end, day=day, value=value, quality=quality, is_running=is_running)


def rows(*of: Series, language: Language = Language.NL, last_day: date = date(2026, 12, 31)) -> list[str]:
    energy = of[0].channel.energy
    data = write_portal_csv(of, ean=EAN, energy=energy, language=language, last_day=last_day)
    return data.decode().split("\r\n")[1:-1]


@pytest.mark.parametrize(
    ("name", "kind", "granularity", "language", "expected"),
    [
        ("OFFTAKE_ACTIVE_QUARTER_HOURLY", DIGITAL, QUARTER, "nl", "Verbruikshistoriek_elektriciteit_@_kwartiertotalen"),
        ("OFFTAKE_ACTIVE_DAY_DAILY", DIGITAL, DAY, "nl", "Verbruikshistoriek_elektriciteit_@_dagtotalen"),
        ("OFFTAKE_GAS_VOLUME_HOURLY", DIGITAL, HOUR, "nl", "Verbruikshistoriek_gas_@_uurtotalen"),
        ("OFFTAKE_GAS_VOLUME_DAILY", DIGITAL, DAY, "nl", "Verbruikshistoriek_gas_@_dagtotalen"),
        ("OFFTAKE_PEAK_MONTHLY", DIGITAL, MONTH, "nl", "Verbruikshistoriek_elektriciteit_@_maandpieken"),
        ("OFFTAKE_ACTIVE_QUARTER_HOURLY", AMR, QUARTER, "nl", "Historiek_afname_elektriciteit_@_kwartiertotalen"),
        ("INJECTION_ACTIVE_QUARTER_HOURLY", AMR, QUARTER, "nl", "Historiek_injectie_elektriciteit_@_kwartiertotalen"),
        ("AUXILIARY_ACTIVE_QUARTER_HOURLY", AMR, QUARTER, "nl", "Historiek_submeting_elektriciteit_@_kwartiertotalen"),
        ("OFFTAKE_ACTIVE_QUARTER_HOURLY", DIGITAL, QUARTER, "en", "Consumption_history_electricity_@_15 minute totals"),
        ("OFFTAKE_GAS_ENERGY_HOURLY", DIGITAL, HOUR, "en", "Consumption_history_gas_@_hourly totals"),
        ("OFFTAKE_ACTIVE_DAY_DAILY", DIGITAL, TOTAL, "fr", "Historique_consommation_electricite_@_totaux mensuels"),
    ],
)
def test_a_file_is_named_as_the_portal_names_it(
    name: str, kind: MeterKind, granularity: Granularity, language: str, expected: str
) -> None:
    found = file_name(
        [series(name, kind)],
        ean=EAN,
        energy=BY_NAME[name].energy,
        language=Language(language),
        granularity=granularity,
        first_day=date(2026, 11, 1),
        last_day=date(2026, 11, 30),
    )
    assert found == expected.replace("@", "541448800000000017_20261101_20261130") + ".csv"


def test_a_file_without_series_has_a_header_and_a_name() -> None:
    data = write_portal_csv([], ean=EAN, energy=Energy.GAS, language=Language.NL, last_day=date(2026, 1, 1))
    assert data.startswith(b"\xef\xbb\xbfVan (datum);")
    assert data.endswith(b";Calorische bovenwaarde;Omschrijving\r\n")


def test_the_running_month_is_provisional_and_a_month_with_holes_is_empty() -> None:
    name = "OFFTAKE_PEAK_MONTHLY"
    peak = series(
        name,
        DIGITAL,
        slice_of(name, date(2026, 9, 1), 0, None, Quality.MISSING),
        slice_of(name, date(2026, 10, 1), 0, 3412, Quality.MEASURED),
        slice_of(name, date(2026, 11, 1), 0, 1204, Quality.MEASURED, is_running=True),
        granularity=MONTH,
    )
    start = f'="{EAN}";;Digitale meter;Piekvermogen'
    assert rows(peak) == [
        f"01-09-2026;00:00:00;01-10-2026;00:00:00;{start};;kW;Geen verbruik;",
        f"01-10-2026;00:00:00;01-11-2026;00:00:00;{start};3,412;kW;Uitgelezen;",
        f"01-11-2026;00:00:00;01-12-2026;00:00:00;{start};1,204;kW;Voorlopig;",
    ]


def test_a_month_total_prints_the_registers_of_its_days() -> None:
    name = "OFFTAKE_ACTIVE_NIGHT_DAILY"
    month = slice_bounds(Energy.ELECTRICITY, BY_NAME["OFFTAKE_PEAK_MONTHLY"].resolution, date(2026, 10, 1))
    total = Slice(start=month[0], end=month[1], day=date(2026, 10, 1), value=123_456, quality=Quality.MEASURED)
    assert rows(series(name, DIGITAL, total, granularity=TOTAL), language=Language.EN) == [
        f'01/10/2026;00:00:00;01/11/2026;00:00:00;="{EAN}";;Digital meter;Offtake Night;123,456;kWh;Read;'
    ]


def test_a_delivered_value_keeps_its_state() -> None:
    name, day = "OFFTAKE_ACTIVE_QUARTER_HOURLY", date(2026, 11, 19)
    states = (Quality.MEASURED, Quality.ESTIMATED, Quality.MEASURED_VALIDATED, Quality.MISSING)
    slices = [slice_of(name, day, i, None if not state else i, state) for i, state in enumerate(states)]
    assert [row.split(";")[10] for row in rows(series(name, DIGITAL, *slices))] == [
        "Uitgelezen",
        "Geschat",
        "Gevalideerd",
        "Geen verbruik",
    ]


def test_a_list_ends_at_local_midnight_of_its_last_day() -> None:
    name, day = "OFFTAKE_GAS_ENERGY_HOURLY", date(2026, 11, 19)
    slices = [slice_of(name, day, i, i, Quality.MEASURED) for i in range(24)]
    found = rows(series(name, DIGITAL, *slices), last_day=day)
    assert len(found) == 18
    assert found[-1].startswith("19-11-2026;23:00:00;20-11-2026;00:00:00;")


def test_a_slice_that_two_meters_share_is_printed_for_the_one_that_measured() -> None:
    name, day = "OFFTAKE_ACTIVE_QUARTER_HOURLY", date(2026, 11, 19)
    old = [slice_of(name, day, i, value, Quality.MEASURED) for i, value in enumerate((1, None, None, None))]
    new = [slice_of(name, day, i, value, Quality.MEASURED) for i, value in enumerate((None, None, 3, None))]
    found = rows(series(name, DIGITAL, *old, meter="OLD"), series(name, DIGITAL, *new, meter="NEW"))
    assert [(row.split(";")[5], row.split(";")[8]) for row in found] == [
        ("OLD", "0,001"),
        ("OLD", ""),
        ("NEW", "0,003"),
        ("NEW", ""),
    ]


@pytest.mark.parametrize(
    ("meter", "cell"), [("=1+1", "'=1+1"), ("@a", "'@a"), ('1;2"\r\n3', "1 2   3"), ("1SAG-7", "1SAG-7")]
)
def test_no_meter_number_becomes_a_formula_or_a_second_cell(meter: str, cell: str) -> None:
    name = "OFFTAKE_ACTIVE_QUARTER_HOURLY"
    entry = slice_of(name, date(2026, 11, 19), 0, 1, Quality.MEASURED)
    (row,) = rows(series(name, DIGITAL, entry, meter=meter))
    assert row.split(";")[5] == cell
    assert row.count(";") == 11


def test_volumes_have_three_decimals_and_no_thousands_separator() -> None:
    name, day = "OFFTAKE_ACTIVE_QUARTER_HOURLY", date(2026, 11, 19)
    values = (0, 7, 1000, 2_147_483_647)
    slices = [slice_of(name, day, i, value, Quality.MEASURED) for i, value in enumerate(values)]
    assert [row.split(";")[8] for row in rows(series(name, DIGITAL, *slices))] == [
        "0,000",
        "0,007",
        "1,000",
        "2147483,647",
    ]
