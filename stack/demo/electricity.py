"""The electricity of one point: what it draws, what its panels make, and what the meter saw of that."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

import numpy as np

from market.channel import Channel, Direction, MeterKind, Quantity, Register, Resolution
from market.quality import Quality
from market.tariff import day_tariff_mask
from market.working_days import add_working_days
from stack.demo.blemishes import Blemishes, estimate, no_blemishes, some_blemishes
from stack.demo.habits import HABITS
from stack.demo.plan import DemoPoint, Plan
from stack.demo.series import MISSING, Codes, Series
from stack.demo.timeline import Floats, Ints, Timeline
from stack.demo.weather import Weather

LARGEST_FUSE_WH: Final = 2_300
"""What a home can draw in a quarter: 9.2 kW."""
VALIDATED_AFTER_WORKING_DAYS: Final = 10


def electricity(point: DemoPoint, plan: Plan, timeline: Timeline, weather: Weather, sun: Floats) -> list[Series]:
    """Return all series of the point and of its sub head point over the whole timeline.

    `sun` is the power of one kW peak of panels, in kW per slice.
    """
    random = plan.random_of(point.ean)
    used = used_wh(point, timeline, weather, random)
    made = made_wh(point, timeline, sun, random)
    net = used - made
    offtake = np.maximum(net, 0)
    flows = {_quarter(Direction.OFFTAKE, Quantity.ACTIVE): offtake}
    if point.meter_kind is MeterKind.AMR:
        flows |= _reactive(Direction.OFFTAKE, offtake, used, random)
    if point.sun_kwp:
        flows[_quarter(Direction.INJECTION, Quantity.ACTIVE)] = np.maximum(-net, 0)
    blemishes = no_blemishes(timeline) if point.is_whole else some_blemishes(timeline, random)
    quality = _quality(point, plan, timeline, blemishes)
    series = [_series(point, timeline, channel, flow, blemishes, quality) for channel, flow in flows.items()]
    if point.sub is not None:
        own = _series(point, timeline, _quarter(Direction.PRODUCTION, Quantity.ACTIVE), made, blemishes, quality)
        series.append(replace(own, ean=point.sub.ean))
    return [part for each in series for part in _as_metered(point, timeline, each)]


def used_wh(point: DemoPoint, timeline: Timeline, weather: Weather, random: np.random.Generator) -> Ints:
    """Return what the place uses per quarter in whole Wh; over a year about `yearly_kwh`."""
    curve = HABITS[point.habit](timeline, weather, random)
    wanted = point.yearly_kwh * 1000 * len(timeline.days) / 365.2425
    used = curve * (wanted / curve.sum())
    if point.is_household:
        used = np.minimum(used, LARGEST_FUSE_WH)
    return np.asarray(np.rint(used), dtype=np.int64)


def made_wh(point: DemoPoint, timeline: Timeline, sun: Floats, random: np.random.Generator) -> Ints:
    """Return what the panels make per quarter in whole Wh; at night nothing."""
    passing_clouds = np.clip(random.normal(1, 0.13, timeline.slice_count), 0.3, 1.15)
    return np.rint(point.sun_kwp * sun * passing_clouds * timeline.slice_hours * 1000).astype(np.int64)


def _reactive(direction: Direction, active: Ints, used: Ints, random: np.random.Generator) -> dict[Channel, Ints]:
    """Return inductive and capacitive energy in varh: motors while it works, cables and lamps while it rests."""
    tangent = random.uniform(0.30, 0.62)
    noise = random.normal(1, 0.06, len(active))
    rest = np.quantile(used, 0.9)
    inductive: Floats = np.maximum(active * tangent * noise, 0)
    capacitive: Floats = 0.015 * np.maximum(rest - active, 0) * random.uniform(0.5, 1.5, len(active))
    return {
        _quarter(direction, Quantity.INDUCTIVE): np.rint(inductive).astype(np.int64),
        _quarter(direction, Quantity.CAPACITIVE): np.rint(capacitive).astype(np.int64),
    }


def _quality(point: DemoPoint, plan: Plan, timeline: Timeline, blemishes: Blemishes) -> Codes:
    """Return the quality per slice; large meters are validated up to ten working days before the world's end."""
    is_estimated = blemishes.is_estimated
    if point.meter_kind is MeterKind.DIGITAL:
        return np.where(is_estimated, Quality.ESTIMATED, Quality.MEASURED).astype(np.uint8)
    validated = add_working_days(plan.last_day + timedelta(days=1), -VALIDATED_AFTER_WORKING_DAYS)
    is_validated = np.arange(timeline.slice_count) < timeline.slices_of(validated).stop
    measured = np.where(is_validated, Quality.MEASURED_VALIDATED, Quality.MEASURED_NOT_VALIDATED)
    estimated = np.where(is_validated, Quality.ESTIMATED_VALIDATED, Quality.ESTIMATED_NOT_VALIDATED)
    return np.where(is_estimated, estimated, measured).astype(np.uint8)


def _series(
    point: DemoPoint, timeline: Timeline, channel: Channel, flow: Ints, blemishes: Blemishes, quality: Codes
) -> Series:
    whole = Series(
        ean=point.ean,
        meter_kind=point.meter_kind,
        meter_id=point.meter_id,
        channel=channel,
        days=timeline.days,
        first=timeline.first,
        values=estimate(flow, blemishes.is_estimated, timeline),
        quality=quality,
    )
    places = np.arange(timeline.slice_count)
    starts, ends = timeline.slices_of(point.first_day).start, timeline.slices_of(point.last_day).stop
    return whole.only((places >= starts) & (places < ends) & ~blemishes.is_missing)


def _as_metered(point: DemoPoint, timeline: Timeline, series: Series) -> list[Series]:
    """Return the series as metered: by two meters where one was swapped, as totals before the regime changed."""
    places = np.arange(timeline.slice_count)
    if point.swap is not None:
        swapped = timeline.slice_at(point.swap.at)
        return [series.only(places < swapped), replace(series.only(places >= swapped), meter_id=point.swap.meter_id)]
    if point.quarters_from is not None:
        begins = timeline.slices_of(point.quarters_from).start
        quarters = series.only(places >= begins)
        return [*_day_and_night(series.only(places < begins), timeline), quarters]
    return [series]


def _day_and_night(series: Series, timeline: Timeline) -> list[Series]:
    """Return the daily totals of the day register and of the night register; a day with a hole has none."""
    is_day = np.concatenate([day_tariff_mask(series.meter_kind, day) for day in timeline.days])
    starts = np.asarray(timeline.first[:-1])
    is_whole = np.minimum.reduceat(series.values, starts) != MISSING
    found = []
    for register, is_on in ((Register.DAY, is_day), (Register.NIGHT, ~is_day)):
        totals = np.add.reduceat(np.where(is_on & (series.values != MISSING), series.values, 0), starts)
        found.append(
            replace(
                series,
                channel=Channel(series.channel.direction, Quantity.ACTIVE, register, Resolution.DAILY),
                first=tuple(range(len(timeline.days) + 1)),
                values=np.where(is_whole, totals, MISSING),
                quality=np.minimum.reduceat(series.quality, starts),
            )
        )
    return found


def _quarter(direction: Direction, quantity: Quantity) -> Channel:
    return Channel(direction, quantity, Register.TOTAL, Resolution.QUARTER_HOURLY)
