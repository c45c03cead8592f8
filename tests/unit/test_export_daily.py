"""Day values: what was delivered, else the complete sum of quarters or hours."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given as for_all
from hypothesis import strategies as st

from market.channel import BY_NAME, Direction, MeterKind
from market.quality import GasFactor, Quality
from market.tariff import day_tariff_mask
from services.export.domain.assembly import assemble
from services.export.domain.series import Block, Granularity, Series
from tests.examples import GAS_METER, MARCH_DAY, OCTOBER_DAY, ORDINARY_DAY, SUNDAY, block

QUARTERS = "OFFTAKE_ACTIVE_QUARTER_HOURLY"
DAY, NIGHT = "OFFTAKE_ACTIVE_DAY_DAILY", "OFFTAKE_ACTIVE_NIGHT_DAILY"
MIDDAY_QUARTER = 48


def days(*blocks: Block, first: date | None = None, last: date | None = None) -> dict[str, Series]:
    on = [entry.day for entry in blocks]
    series = assemble(
        blocks,
        granularity=Granularity.DAY,
        first_day=first or min(on),
        last_day=last or max(on),
        today=date(2027, 1, 1),
    )
    assert len({entry.channel for entry in series}) == len(series)
    return {entry.channel.name: entry for entry in series}


def values(series: Series) -> list[int | None]:
    return [entry.value for entry in series.slices]


def test_a_weekday_has_fifteen_hours_of_day_tariff() -> None:
    found = days(block(QUARTERS, ORDINARY_DAY, 10))
    assert values(found[DAY]) == [600]
    assert values(found[NIGHT]) == [360]
    assert [found[DAY].channel.unit, found[NIGHT].weakest] == ["kWh", Quality.MEASURED]


def test_a_sunday_is_all_night_and_its_day_register_is_zero() -> None:
    found = days(block(QUARTERS, SUNDAY, 10))
    assert values(found[DAY]) == [0]
    assert values(found[NIGHT]) == [960]


def test_the_october_day_sums_a_hundred_quarters() -> None:
    found = days(block(QUARTERS, OCTOBER_DAY, list(range(1, 101))))
    assert values(found[NIGHT]) == [5050]
    [entry] = found[NIGHT].slices
    assert (entry.start, entry.end) == (
        datetime(2026, 10, 24, 22, tzinfo=UTC),
        datetime(2026, 10, 25, 23, tzinfo=UTC),
    )


def test_the_march_day_sums_ninety_two_quarters() -> None:
    found = days(block(QUARTERS, MARCH_DAY, list(range(1, 93))))
    assert values(found[NIGHT]) == [4278]


def test_a_hole_empties_both_registers_of_that_day_alone() -> None:
    holed: list[int | None] = [10] * 96
    holed[MIDDAY_QUARTER] = None
    found = days(block(QUARTERS, ORDINARY_DAY, holed), block(QUARTERS, ORDINARY_DAY + timedelta(days=1), 10))
    assert values(found[DAY]) == [None, 600]
    assert values(found[NIGHT]) == [None, 360]
    assert (found[DAY].expected, found[DAY].present, found[DAY].missing) == (2, 1, 1)
    assert found[DAY].total == 600


def test_the_delivered_pair_wins_over_the_quarters() -> None:
    found = days(block(QUARTERS, ORDINARY_DAY, 10), block(DAY, ORDINARY_DAY, 601), block(NIGHT, ORDINARY_DAY, 361))
    assert values(found[DAY]) == [601]
    assert values(found[NIGHT]) == [361]


def test_half_a_pair_gives_way_to_complete_quarters() -> None:
    found = days(block(QUARTERS, ORDINARY_DAY, 10), block(DAY, ORDINARY_DAY, 601))
    assert values(found[DAY]) == [600]
    assert values(found[NIGHT]) == [360]


def test_half_a_pair_stays_where_the_quarters_have_a_hole() -> None:
    found = days(block(QUARTERS, ORDINARY_DAY, [None] * 96), block(DAY, ORDINARY_DAY, 601))
    assert values(found[DAY]) == [601]
    assert values(found[NIGHT]) == [None]


def test_a_derived_day_is_as_weak_as_its_weakest_quarter() -> None:
    mixed = block(QUARTERS, ORDINARY_DAY, 10)
    quality = list(mixed.quality)
    quality[MIDDAY_QUARTER] = Quality.ESTIMATED
    found = days(
        Block(
            channel=mixed.channel,
            meter_id=mixed.meter_id,
            meter_kind=mixed.meter_kind,
            day=mixed.day,
            values=mixed.values,
            quality=tuple(quality),
        )
    )
    assert (found[DAY].weakest, found[DAY].estimated) == (Quality.ESTIMATED, 1)
    assert (found[NIGHT].weakest, found[NIGHT].estimated) == (Quality.MEASURED, 0)


def test_a_legal_holiday_is_night_for_amr_and_day_for_a_digital_meter() -> None:
    armistice = date(2026, 11, 11)
    assert values(days(block(QUARTERS, armistice, 10, meter_kind=MeterKind.AMR, meter_id=""))[DAY]) == [0]
    assert values(days(block(QUARTERS, armistice, 10))[DAY]) == [600]


def test_gas_days_sum_their_hours_in_both_units() -> None:
    found = days(
        block("OFFTAKE_GAS_VOLUME_HOURLY", ORDINARY_DAY, 412, meter_id=GAS_METER),
        block("OFFTAKE_GAS_ENERGY_HOURLY", ORDINARY_DAY, 4672, meter_id=GAS_METER, factor=GasFactor.PROVISIONAL),
    )
    volume, energy = found["OFFTAKE_GAS_VOLUME_DAILY"], found["OFFTAKE_GAS_ENERGY_DAILY"]
    assert values(volume) == [9888]
    assert values(energy) == [112128]
    assert [volume.slices[0].factor, energy.slices[0].factor] == [GasFactor.NONE, GasFactor.PROVISIONAL]
    assert energy.slices[0].start == datetime(2026, 11, 19, 5, tzinfo=UTC)


def test_the_gas_day_before_the_october_change_has_twenty_five_hours() -> None:
    found = days(block("OFFTAKE_GAS_VOLUME_HOURLY", date(2026, 10, 24), 100, meter_id=GAS_METER))
    assert values(found["OFFTAKE_GAS_VOLUME_DAILY"]) == [2500]


def test_the_gas_day_before_the_march_change_has_twenty_three_hours() -> None:
    found = days(block("OFFTAKE_GAS_VOLUME_HOURLY", date(2026, 3, 28), 100, meter_id=GAS_METER))
    assert values(found["OFFTAKE_GAS_VOLUME_DAILY"]) == [2300]


def amr(channel: str, day: date, given: list[int | None] | int) -> Block:
    return block(channel, day, given, meter_id="", meter_kind=MeterKind.AMR, quality=Quality.MEASURED_VALIDATED)


def test_amr_days_list_their_registers_in_the_order_of_the_file() -> None:
    found = days(
        amr("OFFTAKE_INDUCTIVE_QUARTER_HOURLY", ORDINARY_DAY, 30),
        amr("OFFTAKE_CAPACITIVE_QUARTER_HOURLY", ORDINARY_DAY, 20),
        amr(QUARTERS, ORDINARY_DAY, 100),
    )
    assert list(found) == [
        "OFFTAKE_ACTIVE_DAY_DAILY",
        "OFFTAKE_ACTIVE_NIGHT_DAILY",
        "OFFTAKE_REACTIVE_DAILY",
        "OFFTAKE_CAPACITIVE_DAILY",
        "OFFTAKE_INDUCTIVE_DAILY",
    ]


def test_excess_reactive_is_rounded_once_at_the_end_of_the_day() -> None:
    # Per quarter 30 + 20 - 0.484 x 100 = 1.6 varh; 96 of them are 153.6, rounded 154; rounded each they would be 192.
    found = days(
        amr("OFFTAKE_INDUCTIVE_QUARTER_HOURLY", ORDINARY_DAY, 30),
        amr("OFFTAKE_CAPACITIVE_QUARTER_HOURLY", ORDINARY_DAY, 20),
        amr(QUARTERS, ORDINARY_DAY, 100),
    )
    assert values(found["OFFTAKE_REACTIVE_DAILY"]) == [154]
    assert found["OFFTAKE_REACTIVE_DAILY"].weakest is Quality.MEASURED_VALIDATED


def test_a_quarter_within_the_free_reactive_does_not_offset_another() -> None:
    # Quarter 0: 500 - 48.4 = 451.6; all others 0 - 48.4, which is no excess.
    inductive: list[int | None] = [500] + [0] * 95
    found = days(
        amr("OFFTAKE_INDUCTIVE_QUARTER_HOURLY", ORDINARY_DAY, inductive),
        amr("OFFTAKE_CAPACITIVE_QUARTER_HOURLY", ORDINARY_DAY, 0),
        amr(QUARTERS, ORDINARY_DAY, 100),
    )
    assert values(found["OFFTAKE_REACTIVE_DAILY"]) == [452]


def test_a_delivered_reactive_wins() -> None:
    found = days(
        amr("OFFTAKE_INDUCTIVE_QUARTER_HOURLY", ORDINARY_DAY, 30),
        amr("OFFTAKE_CAPACITIVE_QUARTER_HOURLY", ORDINARY_DAY, 20),
        amr(QUARTERS, ORDINARY_DAY, 100),
        amr("OFFTAKE_REACTIVE_DAILY", ORDINARY_DAY, 150),
    )
    assert values(found["OFFTAKE_REACTIVE_DAILY"]) == [150]


def test_production_has_one_register_a_day() -> None:
    found = days(amr("PRODUCTION_ACTIVE_QUARTER_HOURLY", ORDINARY_DAY, 5))
    assert {name: values(series) for name, series in found.items()} == {"PRODUCTION_ACTIVE_DAILY": [480]}


@for_all(
    st.sampled_from([ORDINARY_DAY, SUNDAY, MARCH_DAY, OCTOBER_DAY, date(2026, 11, 11)]),
    st.sampled_from([MeterKind.DIGITAL, MeterKind.AMR]),
    st.data(),
)
def test_day_and_night_are_together_the_sum_of_the_quarters(day: date, kind: MeterKind, data: st.DataObject) -> None:
    count = len(day_tariff_mask(kind, day))
    quarters = data.draw(st.lists(st.integers(0, 2**31 - 1), min_size=count, max_size=count))
    found = days(block(QUARTERS, day, [*quarters], meter_kind=kind))
    assert (found[DAY].total or 0) + (found[NIGHT].total or 0) == sum(quarters)


def test_two_directions_are_kept_apart() -> None:
    found = days(block(QUARTERS, ORDINARY_DAY, 10), block("INJECTION_ACTIVE_QUARTER_HOURLY", ORDINARY_DAY, 1))
    assert [entry.total for entry in found.values()] == [600, 360, 60, 36]
    assert found["INJECTION_ACTIVE_DAY_DAILY"].channel.direction is Direction.INJECTION
    assert BY_NAME["INJECTION_ACTIVE_DAY_DAILY"] == found["INJECTION_ACTIVE_DAY_DAILY"].channel
