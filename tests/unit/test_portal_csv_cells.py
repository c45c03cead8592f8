"""What times, registers, states and factors of the portal's file mean."""

from __future__ import annotations

import pytest

from market.quality import GasFactor, Quality
from services.metering.block_input import PortalFile, Refusal
from services.metering.portal_csv import read_portal_csv

POWER = (
    "Van (datum);Van (tijdstip);Tot (datum);Tot (tijdstip);EAN-code;Meter;Metertype;Register;Volume;Eenheid;"
    "Validatiestatus;Omschrijving"
)
GAS = POWER.replace("Omschrijving", "Calorische bovenwaarde;Omschrijving")
EAN = '="541448800000000017"'
GOOD = f"19-11-2026;00:00:00;19-11-2026;00:15:00;{EAN};1SAG0000000001;Digitale meter;Afname Nacht;0,041;kWh;Uitgelezen;"
NEXT = f"19-11-2026;00:15:00;19-11-2026;00:30:00;{EAN};1SAG0000000001;Digitale meter;Afname Nacht;0,042;kWh;Uitgelezen;"
AMR = f"19-11-2026;08:00:00;19-11-2026;08:15:00;{EAN};;AMR-meter;Afname Actief;1,000;kWh;Gevalideerd;"
HOT = f"19-11-2026;06:00:00;19-11-2026;07:00:00;{EAN};7FLO1;Digitale meter;Afname;4,672;kWh;Uitgelezen;Voorlopig;"


def read(*lines: str) -> PortalFile:
    return read_portal_csv("".join(f"{line}\r\n" for line in lines).encode())


def reason_for(row: str, header: str = POWER) -> str:
    """The reason for which `row` is refused, the only row of its file."""
    portal_file = read(header, row)
    assert portal_file.blocks == []
    (refusal,) = portal_file.refusals
    assert refusal.line == 2
    return refusal.reason


def night(start: str, end: str, volume: str) -> str:
    return (
        f'25-10-2026;{start}:00;25-10-2026;{end}:00;{EAN};1SAG0000000001;Digitale meter;Afname Nacht;{volume};'
        "kWh;Uitgelezen;"
    )  # fmt: skip


def test_the_repeated_quarters_are_told_apart_by_order_and_the_last_ones_by_their_end() -> None:
    portal_file = read(
        POWER,
        night("02:45", "03:00", "0,016"),
        night("02:00", "02:15", "0,009"),
        night("02:45", "02:00", "0,012"),
        night("02:00", "02:15", "0,013"),
    )
    (block,) = portal_file.blocks
    assert portal_file.refusals == []
    # Slice 8 is 02:00 summer, 11 is 02:45 summer, 12 is 02:00 winter, 15 is 02:45 winter.
    assert block.first_slice == 8
    assert block.values == (9, None, None, 12, 13, None, None, 16)


def test_a_repeated_quarter_that_stands_once_is_refused_unless_its_end_tells() -> None:
    portal_file = read(POWER, night("02:15", "02:30", "0,010"), night("02:45", "02:00", "0,012"))
    assert [(block.first_slice, block.values) for block in portal_file.blocks] == [(11, (12,))]
    assert portal_file.refusals == [
        Refusal(2, "this start comes twice that night and stands here once: summer and winter time look the same")
    ]


def test_a_repeated_quarter_that_stands_three_times_refuses_its_block() -> None:
    rows = [night("02:15", "02:30", volume) for volume in ("0,001", "0,002", "0,003")]
    portal_file = read(POWER, *rows, night("03:00", "03:15", "0,004"))
    assert portal_file.blocks == []
    assert portal_file.refusals == [Refusal(4, "line 3 has the same slice: nothing of that register and day is taken")]


def test_an_hour_that_the_clocks_skip_does_not_exist() -> None:
    row = GOOD.replace("19-11-2026;00:00:00;19-11-2026;00:15:00", "29-03-2026;02:00:00;29-03-2026;02:15:00")
    assert reason_for(row) == "nothing starts at this time on this day"
    row = GOOD.replace("19-11-2026;00:00:00;19-11-2026;00:15:00", "29-03-2026;01:45:00;29-03-2026;02:00:00")
    assert reason_for(row) == "the end does not fit the start: no quarter, hour, day or month runs like that"


def test_a_row_at_the_wrong_tariff_is_kept_and_counted() -> None:
    portal_file = read(POWER, GOOD, NEXT.replace("Nacht", "Dag"))
    assert [block.values for block in portal_file.blocks] == [(41, 42)]
    assert portal_file.tariff_mismatch_count == 1


def test_missing_rows_and_rows_without_consumption_are_the_same() -> None:
    later = NEXT.replace("00:15:00;19", "01:00:00;19").replace("00:30:00;=", "01:15:00;=")
    empty = NEXT.replace("0,042", "").replace("Uitgelezen", "Geen verbruik")
    (block,) = read(POWER, GOOD, empty, later).blocks
    assert block.values == (41, None, None, None, 42)
    assert block.quality[1:4] == (Quality.MISSING,) * 3


@pytest.mark.parametrize(
    ("status", "quality"),
    [
        ("Uitgelezen", Quality.MEASURED),
        ("Geschat", Quality.ESTIMATED),
        ("Gevalideerd", Quality.MEASURED_VALIDATED),
    ],
)
def test_states_of_a_digital_meter(status: str, quality: Quality) -> None:
    assert read(POWER, GOOD.replace("Uitgelezen", status)).blocks[0].quality == (quality,)


def test_states_of_an_amr_meter() -> None:
    assert read(POWER, AMR).blocks[0].quality == (Quality.MEASURED_VALIDATED,)
    open_row = AMR.replace("Gevalideerd", "Ongevalideerd")
    assert read(POWER, open_row).blocks[0].quality == (Quality.MEASURED_NOT_VALIDATED,)
    empty = AMR.replace("1,000", "").replace("Gevalideerd", "Geen gegevens")
    assert read(POWER, empty).blocks[0].values == (None,)
    assert reason_for(AMR.replace("Gevalideerd", "Uitgelezen")).startswith("the validation status 'Uitgelezen'")


@pytest.mark.parametrize(
    ("cell", "factor"),
    [("Voorlopig", GasFactor.PROVISIONAL), ("Definitief", GasFactor.DEFINITIVE), ("", GasFactor.NONE)],
)
def test_the_factor_of_a_kwh_row_is_kept_also_when_it_is_empty(cell: str, factor: GasFactor) -> None:
    assert read(GAS, HOT.replace("Voorlopig", cell)).blocks[0].gas_factor == (factor,)


def test_a_factor_belongs_to_kwh_and_is_one_of_the_known_words() -> None:
    assert reason_for(HOT.replace("kWh", "m³"), GAS) == "a caloric value belongs to a kWh row only"
    assert reason_for(HOT.replace("Voorlopig", "Misschien"), GAS) == "the caloric value 'Misschien' is not known"


def test_gas_of_an_amr_meter_is_kwh_only() -> None:
    row = HOT.replace("Digitale meter", "AMR-meter").replace("Uitgelezen", "Gevalideerd")
    assert read(GAS, row).blocks[0].channel.name == "OFFTAKE_GAS_ENERGY_HOURLY"
    cubic = row.replace("kWh", "m³").replace("Voorlopig", "")
    assert reason_for(cubic, GAS) == "the unit 'm³' does not fit the register 'Afname'"


def test_the_end_of_an_amr_day_is_24_hours_of_utc_after_its_start_and_of_a_digital_day_midnight() -> None:
    amr = AMR.replace("Afname Actief", "Afname Actief Nacht")
    utc_day = "25-10-2026;00:00:00;25-10-2026;23:00:00"
    local_day = "25-10-2026;00:00:00;26-10-2026;00:00:00"
    span = "19-11-2026;08:00:00;19-11-2026;08:15:00"
    assert read(POWER, amr.replace(span, utc_day)).blocks[0].channel.name == "OFFTAKE_ACTIVE_NIGHT_DAILY"
    assert reason_for(amr.replace(span, local_day)).startswith("the end does not fit the start")
    digital = GOOD.replace("19-11-2026;00:00:00;19-11-2026;00:15:00", local_day)
    assert read(POWER, digital).blocks[0].channel.name == "OFFTAKE_ACTIVE_NIGHT_DAILY"


@pytest.mark.parametrize(
    ("register", "unit", "channel"),
    [
        ("Productie Actief", "kWh", "PRODUCTION_ACTIVE_QUARTER_HOURLY"),
        ("Productie Capacitief", "kVArh", "PRODUCTION_CAPACITIVE_QUARTER_HOURLY"),
        ("Productie Inductief", "kVArh", "PRODUCTION_INDUCTIVE_QUARTER_HOURLY"),
        ("Hulpverbruik Actief", "kWh", "AUXILIARY_ACTIVE_QUARTER_HOURLY"),
        ("Injectie Reactief", "kVArh", "INJECTION_REACTIVE_QUARTER_HOURLY"),
    ],
)
def test_registers_of_amr_meters_and_sub_head_points(register: str, unit: str, channel: str) -> None:
    label = "4711 - Submeting 1 | Productie"
    row = AMR.replace("Afname Actief", register).replace("kWh", unit) + label
    assert [block.channel.name for block in read(POWER, row).blocks] == [channel]


def test_a_month_peak_is_read_in_watt_and_a_month_of_energy_is_not_a_reading() -> None:
    span = "01-10-2026;00:00:00;01-11-2026;00:00:00"
    month = GOOD.replace("19-11-2026;00:00:00;19-11-2026;00:15:00", span)
    peak = month.replace("Afname Nacht", "Piekvermogen").replace("kWh", "kW").replace("0,041", "3,412")
    (block,) = read(POWER, peak).blocks
    assert (block.channel.name, block.day.isoformat(), block.values) == ("OFFTAKE_PEAK_MONTHLY", "2026-10-01", (3412,))
    running = peak.replace("Uitgelezen", "Voorlopig")
    assert read(POWER, running).blocks[0].quality == (Quality.MEASURED,)
    assert reason_for(month).startswith("the register 'Afname Nacht' is not one of")
