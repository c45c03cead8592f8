"""The gas of one point: m³ as the meter counts, and kWh with a factor that is provisional first, definitive later."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Final

import numpy as np

from market.channel import Channel, Direction, Quantity, Register, Resolution
from market.local_time import BRUSSELS, month_start
from market.quality import GasFactor, Quality
from stack.demo.blemishes import estimate, no_blemishes, some_blemishes
from stack.demo.habits import bump
from stack.demo.plan import DemoPoint, Plan
from stack.demo.series import MISSING, Series
from stack.demo.timeline import Floats, Ints, Timeline
from stack.demo.weather import Weather

PROVISIONAL_KWH_PER_M3: Final = 11.35
KNOWN_AFTER_DAYS: Final = 3
_VOLUME: Final = Channel(Direction.OFFTAKE, Quantity.GAS_VOLUME, Register.TOTAL, Resolution.HOURLY)
_ENERGY: Final = Channel(Direction.OFFTAKE, Quantity.GAS_ENERGY, Register.TOTAL, Resolution.HOURLY)


def gas(point: DemoPoint, plan: Plan, timeline: Timeline, weather: Weather) -> list[Series]:
    """Return the m³ and the kWh of the point; the kWh of the last settled month twice, provisional and definitive."""
    random = plan.random_of(point.ean)
    volume = used_dm3(point, timeline, weather, random)
    blemishes = no_blemishes(timeline) if point.is_whole else some_blemishes(timeline, random)
    volume = estimate(volume, blemishes.is_estimated, timeline)
    quality = np.where(blemishes.is_estimated, Quality.ESTIMATED, Quality.MEASURED).astype(np.uint8)
    whole = Series(
        ean=point.ean,
        meter_kind=point.meter_kind,
        meter_id=point.meter_id,
        channel=_VOLUME,
        days=timeline.days,
        first=timeline.first,
        values=volume,
        quality=quality,
    )
    m3 = whole.only(~blemishes.is_missing)
    return [m3, *_energy(m3, plan, timeline)]


def used_dm3(point: DemoPoint, timeline: Timeline, weather: Weather, random: np.random.Generator) -> Ints:
    """Return what is burnt per hour in whole dm³; over a year about `yearly_kwh`."""
    curve = _ovens(timeline) if point.habit == "gas_oven" else _boiler(timeline, weather, random)
    wanted = point.yearly_kwh / PROVISIONAL_KWH_PER_M3 * 1000 * len(timeline.days) / 365.2425
    noise = random.gamma(8.0, 1 / 8, timeline.slice_count)
    used = curve * noise
    return np.asarray(np.rint(used * (wanted / used.sum())), dtype=np.int64)


def first_provisional_day(plan: Plan) -> date:
    """Return the first day of the oldest month whose factor is not yet settled: it is some days into the next one."""
    return month_start(plan.last_day - timedelta(days=KNOWN_AFTER_DAYS))


def definitive_factor(month: date) -> float:
    """Return the settled kWh per m³ of the month that begins on `month`; it moves a little through the year."""
    return round(
        PROVISIONAL_KWH_PER_M3 + 0.12 * float(np.cos(2 * np.pi * month.month / 12)) + 0.01 * (month.year % 3), 4
    )


def _energy(m3: Series, plan: Plan, timeline: Timeline) -> list[Series]:
    unsettled = first_provisional_day(plan)
    last_settled = month_start(unsettled - timedelta(days=1))
    counts = np.diff(timeline.first)
    factors = np.repeat([definitive_factor(month_start(day)) for day in timeline.days], counts)
    is_provisional = np.repeat([day >= last_settled for day in timeline.days], counts)
    is_revised = np.repeat([last_settled <= day < unsettled for day in timeline.days], counts)
    first_sent = _kwh(m3, np.where(is_provisional, PROVISIONAL_KWH_PER_M3, factors), is_provisional)
    settled_at = datetime.combine(unsettled + timedelta(days=KNOWN_AFTER_DAYS), time(6), BRUSSELS)
    revision = _kwh(m3, factors, np.zeros_like(is_provisional)).only(is_revised & (m3.values != MISSING))
    return [first_sent, replace(revision, sent_at=settled_at)]


def _kwh(m3: Series, factors: Floats, is_provisional: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Series:
    """Return the energy in whole Wh of volumes in dm³."""
    energy = np.rint(m3.values * factors).astype(np.int64)
    states = np.where(is_provisional, GasFactor.PROVISIONAL, GasFactor.DEFINITIVE).astype(np.uint8)
    whole = replace(m3, channel=_ENERGY, values=energy, factor=states)
    return whole.only(m3.values != MISSING)


def _boiler(timeline: Timeline, weather: Weather, random: np.random.Generator) -> Floats:
    """Heating below 16 °C, less at night, and warm water all year."""
    hour = timeline.hour
    cold = np.maximum(16 - weather.temperature_of(timeline), 0)
    awake = 0.25 + 1.0 * bump(hour, 7, 1.2) + 0.55 * bump(hour, 13, 3.5) + 0.9 * bump(hour, 19, 2.3)
    water = 0.9 * bump(hour, 7.3, 0.7) + 0.6 * bump(hour, 20, 1.4)
    return np.asarray(cold * awake + random.uniform(0.8, 1.6) * water)


def _ovens(timeline: Timeline) -> Floats:
    """A bakery, cold on Mondays."""
    return np.asarray(np.where(timeline.weekday == 0, 0.02, 0.05 + bump(timeline.hour, 5, 1.8)))
