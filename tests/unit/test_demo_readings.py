"""The readings of the demo world, looked at as somebody who knows meters would."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from uuid import UUID

import fastavro
import numpy as np
import pytest

from market.channel import Direction, MeterKind, Quantity, Register, Resolution
from market.quality import GasFactor, Quality
from services.metering.draft import Sender
from services.metering.forms import AVRO, Delivery, Limits, read_delivery
from services.metering.rules import Bounds, check_all
from stack.demo.plan import DemoPoint, Plan, make_plan
from stack.demo.readings import chunk_count, chunks, make_series, to_container
from stack.demo.series import MISSING, Series

LAST_DAY = date(2026, 11, 23)
LIMITS = Limits(max_unpacked_bytes=2**26, max_record_count=100_000, max_line_count=1, max_line_bytes=1)
Key = tuple[str, str]


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan(LAST_DAY)


@pytest.fixture(scope="module")
def series(plan: Plan) -> Mapping[Key, list[Series]]:
    found: dict[Key, list[Series]] = {}
    for each in make_series(plan):
        found.setdefault((each.ean, each.channel.name), []).append(each)
    return found


def of_day(series: Series, day: date) -> list[int]:
    number = series.days.index(day)
    return [int(value) for value in series.values[series.first[number] : series.first[number + 1]]]


def year_kwh(series: Mapping[Key, list[Series]], point: DemoPoint, channel: str) -> float:
    values = [each.values[each.values != MISSING] for each in series[point.ean, channel] if each.sent_at is None]
    present = np.concatenate(values)
    return float(present.mean()) * (96 if "QUARTER" in channel else 24) * 365 / 1000


def test_every_home_uses_1500_to_6000_kwh_of_electricity_a_year(plan: Plan, series: Mapping[Key, list[Series]]) -> None:
    homes = [point for point in plan.points if point.is_household and not point.sun_kwp and point.habit != "boiler"]
    for point in homes:
        # Half a year of a new or a changed meter is not a year: those are judged by the plan alone.
        assert 1_500 < point.yearly_kwh < 6_000
        if not point.is_new and not point.is_closed and point.quarters_from is None:
            assert 1_500 < year_kwh(series, point, "OFFTAKE_ACTIVE_QUARTER_HOURLY") < 6_000
    assert len(homes) == 17


def test_a_home_never_draws_more_than_its_fuse(plan: Plan, series: Mapping[Key, list[Series]]) -> None:
    for point in plan.points:
        if point.is_household and point.habit != "boiler":
            (first, *_) = series[point.ean, "OFFTAKE_ACTIVE_QUARTER_HOURLY"]
            assert first.values.max() <= 2_300


def test_a_home_heated_with_gas_uses_8000_to_21000_kwh_a_year_most_of_it_in_winter(
    plan: Plan, series: Mapping[Key, list[Series]]
) -> None:
    for point in plan.points:
        if point.habit == "boiler":
            assert 7_500 < year_kwh(series, point, "OFFTAKE_GAS_ENERGY_HOURLY") < 21_500
        if point.habit == "boiler" and point.is_whole:
            (volume,) = series[point.ean, "OFFTAKE_GAS_VOLUME_HOURLY"]
            january = sum(sum(of_day(volume, date(2026, 1, day))) for day in range(5, 9))
            july = sum(sum(of_day(volume, date(2026, 7, day))) for day in range(6, 10))
            assert january > 4 * july


def test_panels_make_nothing_between_sunset_and_sunrise(plan: Plan, series: Mapping[Key, list[Series]]) -> None:
    # Brussels, 21 December: up 08:42 to 16:38; 21 June: up 05:29 to 22:00 (local).
    for sub in (point.sub for point in plan.points if point.sub is not None and point.is_whole):
        (made,) = series[sub.ean, "PRODUCTION_ACTIVE_QUARTER_HOURLY"]
        december, june = of_day(made, date(2025, 12, 21)), of_day(made, date(2026, 6, 21))
        assert sum(december[:34]) + sum(december[67:]) == 0  # up to 08:30, from 16:45
        assert min(december[44:56]) > 0  # 11:00 to 14:00
        assert sum(june[:21]) + sum(june[88:]) == 0  # up to 05:15, from 22:00
        assert min(june[32:80]) > 0  # 08:00 to 20:00


def test_a_kilowatt_peak_makes_800_to_1100_kwh_a_year_and_five_times_as_much_in_june_as_in_december(
    plan: Plan, series: Mapping[Key, list[Series]]
) -> None:
    for point in plan.points:
        if point.sub is not None:
            (made,) = series[point.sub.ean, "PRODUCTION_ACTIVE_QUARTER_HOURLY"]
            present = made.values[made.values != MISSING]
            assert 800 < present.mean() * 96 * 365 / 1000 / point.sun_kwp < 1_100
            june = sum(sum(of_day(made, date(2026, 6, day))) for day in range(1, 31))
            december = sum(sum(of_day(made, date(2025, 12, day))) for day in range(1, 31))
            if point.is_whole:
                assert 4 < june / december < 12


def test_a_meter_does_not_draw_and_inject_in_one_quarter_of_this_world(
    plan: Plan, series: Mapping[Key, list[Series]]
) -> None:
    point = next(each for each in plan.points if each.sun_kwp and each.sub is None)
    (offtake,) = series[point.ean, "OFFTAKE_ACTIVE_QUARTER_HOURLY"]
    (injection,) = series[point.ean, "INJECTION_ACTIVE_QUARTER_HOURLY"]
    assert not np.any((offtake.values > 0) & (injection.values > 0))
    assert injection.values.sum() > 0


def test_behind_a_large_meter_use_is_offtake_plus_production_minus_injection(
    plan: Plan, series: Mapping[Key, list[Series]]
) -> None:
    point = next(each for each in plan.points if each.sub is not None)
    assert point.sub is not None
    (offtake,) = series[point.ean, "OFFTAKE_ACTIVE_QUARTER_HOURLY"]
    (injection,) = series[point.ean, "INJECTION_ACTIVE_QUARTER_HOURLY"]
    (made,) = series[point.sub.ean, "PRODUCTION_ACTIVE_QUARTER_HOURLY"]
    used = offtake.values + made.values - injection.values
    assert used.min() > 0
    assert used.mean() * 96 * 365.2425 / 1000 == pytest.approx(1_250_000, rel=0.001)


@pytest.mark.parametrize(
    ("day", "quarters", "hours"),
    [
        (date(2025, 10, 26), 100, 24),
        (date(2025, 10, 25), 96, 25),
        (date(2026, 3, 29), 92, 24),
        (date(2026, 3, 28), 96, 23),
        (date(2026, 10, 25), 100, 24),
        (date(2026, 7, 1), 96, 24),
    ],
)
def test_days_of_changed_clocks_have_their_length(
    plan: Plan, series: Mapping[Key, list[Series]], day: date, quarters: int, hours: int
) -> None:
    whole = {each.channel.resolution: each for found in series.values() for each in found if each.sent_at is None}
    assert len(of_day(whole[Resolution.QUARTER_HOURLY], day)) == quarters
    assert len(of_day(whole[Resolution.HOURLY], day)) == hours


def test_a_shop_rests_on_sundays(plan: Plan, series: Mapping[Key, list[Series]]) -> None:
    shop = next(point for point in plan.points if point.habit == "shop")
    (offtake,) = series[shop.ean, "OFFTAKE_ACTIVE_QUARTER_HOURLY"]
    assert sum(of_day(offtake, date(2026, 9, 15))) > 2 * sum(of_day(offtake, date(2026, 9, 13)))  # Tuesday, Sunday


def test_a_home_is_busier_in_the_evening_than_at_night(plan: Plan, series: Mapping[Key, list[Series]]) -> None:
    home = next(point for point in plan.points if point.habit == "home" and not point.sun_kwp)
    (offtake,) = series[home.ean, "OFFTAKE_ACTIVE_QUARTER_HOURLY"]
    days = [of_day(offtake, date(2026, 2, day)) for day in range(1, 28)]
    assert sum(sum(day[72:84]) for day in days) > 2 * sum(sum(day[4:16]) for day in days)


def test_the_first_three_points_of_each_kind_have_no_hole_and_no_estimate(
    plan: Plan, series: Mapping[Key, list[Series]]
) -> None:
    eans = {point.ean for point in plan.points if point.is_whole}
    found = [each for (ean, _), many in series.items() if ean in eans for each in many if each.sent_at is None]
    assert len(eans) == 12
    assert all(each.values.min() >= 0 for each in found)
    assert {int(code) for each in found for code in np.unique(each.quality)} == {
        Quality.MEASURED,
        Quality.MEASURED_NOT_VALIDATED,
        Quality.MEASURED_VALIDATED,
    }


def test_somewhere_there_are_holes_and_estimates_and_missing_is_never_zero(
    series: Mapping[Key, list[Series]],
) -> None:
    found = [each for many in series.values() for each in many]
    assert any(np.any(each.quality == Quality.ESTIMATED) for each in found)
    assert any(0 < np.count_nonzero(each.values == MISSING) < 500 for each in found)
    for each in found:
        np.testing.assert_array_equal(each.values == MISSING, each.quality == Quality.MISSING)
        assert each.values[each.values != MISSING].min(initial=0) >= 0


def test_large_meters_are_validated_up_to_the_tenth_working_day_before_the_end(
    plan: Plan, series: Mapping[Key, list[Series]]
) -> None:
    # Working days before Tuesday 24 November 2026: 23, 20, 19, 18, 17, 16, 13, 12, 10, 9 (the 11th is a holiday).
    point = next(each for each in plan.points if each.meter_kind is MeterKind.AMR)
    (offtake,) = series[point.ean, "OFFTAKE_ACTIVE_QUARTER_HOURLY"]
    number = offtake.days.index(date(2026, 11, 9))
    assert offtake.quality[offtake.first[number + 1] - 1] == Quality.MEASURED_VALIDATED
    assert offtake.quality[offtake.first[number + 1]] == Quality.MEASURED_NOT_VALIDATED


def test_the_gas_factor_is_provisional_in_the_running_month_and_definitive_before(
    plan: Plan, series: Mapping[Key, list[Series]]
) -> None:
    point = next(each for each in plan.points if each.habit == "boiler")
    (volume,) = series[point.ean, "OFFTAKE_GAS_VOLUME_HOURLY"]
    first_sent, revision = series[point.ean, "OFFTAKE_GAS_ENERGY_HOURLY"]
    assert first_sent.factor is not None
    assert revision.factor is not None
    november = first_sent.first[first_sent.days.index(date(2026, 11, 1))]
    october = first_sent.first[first_sent.days.index(date(2026, 10, 1))]
    assert set(first_sent.factor[:october].tolist()) == {GasFactor.DEFINITIVE}
    assert set(first_sent.factor[october:].tolist()) == {GasFactor.PROVISIONAL}
    assert set(revision.factor[october:november].tolist()) == {GasFactor.DEFINITIVE}
    assert revision.sent_at == datetime(2026, 11, 4, 5, 0, tzinfo=UTC)
    assert np.all(revision.values[november:] == MISSING)
    assert np.all(revision.values[:october] == MISSING)
    dm3, wh = int(volume.values[november]), int(first_sent.values[november])
    assert wh == round(dm3 * 11.35)


def test_a_swap_inside_a_day_is_two_meters_of_which_each_has_its_part(
    plan: Plan, series: Mapping[Key, list[Series]]
) -> None:
    point = next(each for each in plan.points if each.swap is not None)
    old, new = series[point.ean, "OFFTAKE_ACTIVE_QUARTER_HOURLY"]
    day = date(2026, 10, 6)  # 48 days before 23 November, at 10:30
    assert old.meter_id != new.meter_id
    assert [value == MISSING for value in of_day(old, day)] == [False] * 42 + [True] * 54
    assert [value == MISSING for value in of_day(new, day)] == [True] * 42 + [False] * 54


def test_before_the_regime_changed_there_are_day_and_night_totals_only(
    plan: Plan, series: Mapping[Key, list[Series]]
) -> None:
    point = next(each for each in plan.points if each.quarters_from is not None)
    (day,) = series[point.ean, "OFFTAKE_ACTIVE_DAY_DAILY"]
    (night,) = series[point.ean, "OFFTAKE_ACTIVE_NIGHT_DAILY"]
    (quarters,) = series[point.ean, "OFFTAKE_ACTIVE_QUARTER_HOURLY"]
    assert day.channel.direction is Direction.OFFTAKE
    assert (day.channel.quantity, night.channel.register) == (Quantity.ACTIVE, Register.NIGHT)
    sunday, monday = date(2026, 2, 1), date(2026, 2, 2)
    assert of_day(day, sunday) == [0]
    assert of_day(day, monday)[0] > 0
    assert of_day(night, sunday)[0] > 1_000
    assert set(of_day(quarters, monday)) == {MISSING}
    assert of_day(day, date(2026, 11, 2)) == [MISSING]


def test_the_same_seed_and_last_day_give_the_same_bytes() -> None:
    plan = make_plan(LAST_DAY)
    once, again = (to_container(next(chunks(plan, source="demo-publisher")).records)[-5_000:-16] for _ in range(2))
    assert once == again


def test_another_seed_gives_another_world(plan: Plan) -> None:
    other = make_plan(LAST_DAY, seed=1)
    assert [each.ean for each in other.points] == [each.ean for each in plan.points]
    assert [each.yearly_kwh for each in other.points] != [each.yearly_kwh for each in plan.points]


def test_metering_takes_every_reading_and_no_id_comes_twice(plan: Plan) -> None:
    now = datetime(2026, 11, 24, 0, 5, tzinfo=UTC)
    sender = Sender(client_id="demo-publisher", speaks_for_others=False)
    ids: list[str] = []
    for chunk in chunks(plan, source="demo-publisher"):
        body = to_container(chunk.records)
        delivery = Delivery(media_type=AVRO, body=body, sender=sender, is_part=False, source_at=now)
        read = read_delivery(delivery, LIMITS)
        taken, refusals = check_all(read.drafts, sender, now=now, bounds=Bounds(source_ahead=timedelta(0)))
        assert [*read.refusals, *refusals] == []
        ids += [str(UUID(draft.event.message_id)) for draft in taken]
    assert len(ids) == len(set(ids)) > 40_000


def test_chunks_that_are_in_already_are_left_out_and_the_others_stay_the_same(plan: Plan) -> None:
    whole = list(chunks(plan, source="demo-publisher"))
    rest = list(chunks(plan, source="demo-publisher", without=frozenset(range(18))))
    assert [chunk.number for chunk in whole] == list(range(20)) == list(range(chunk_count(plan)))
    assert [chunk.number for chunk in rest] == [18, 19]
    assert rest[1].records == whole[19].records
    assert (whole[0].first_day, whole[19].last_day) == (date(2025, 10, 20), date(2026, 11, 23))


def test_a_container_holds_readings_in_the_newest_schema(plan: Plan) -> None:
    chunk = next(chunks(plan, source="demo-publisher", without=frozenset(range(19))))
    first = next(iter(fastavro.reader(BytesIO(to_container(chunk.records)))))
    assert first["ean"] == "541448800000910019"
    assert first["day"] == date(2026, 11, 4)
    assert first["source"] == "demo-publisher"
    assert first["source_at"] == datetime(2026, 11, 4, 23, 0, tzinfo=UTC)
    assert len(first["values"]) == 384
