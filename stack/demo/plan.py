"""Which points the demo world has. Pure: everything follows from the seed and the last day.

Every number is made up: EANs lie in one range of a thousand, meters are called `DEMO...`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

import numpy as np

from market.channel import Energy, MeterKind
from market.ean import Ean, check_digit, parse_ean
from market.local_time import BRUSSELS

SEED: Final = 20_260_101
DAY_COUNT: Final = 400
_PREFIX: Final = "5414488000009"

DIGITAL, SUNNY, GAS, AMR, SUB = range(1, 6)
_HOME_HABITS: Final = ("home", "at_home", "home", "home", "at_home", "heat_pump", "home", "car")
_FIRMS: Final = (("shop", 14_000.0), ("bakery", 38_000.0), ("shop", 9_500.0))
_PLANTS: Final = (
    ("factory", 1_250_000.0, 480.0),
    ("office", 320_000.0, 0.0),
    ("cold_store", 640_000.0, 260.0),
    ("office", 180_000.0, 90.0),
    ("factory", 2_400_000.0, 0.0),
    ("cold_store", 410_000.0, 0.0),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubPoint:
    """A production sub head point behind an AMR head point: all of the head point's sun, measured by itself."""

    ean: Ean
    installation_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap:
    """Another meter from `at` (UTC) on."""

    at: datetime
    meter_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoPoint:
    """A head point: what stands there and how it is used.

    It has readings from `first_day` to `last_day`, both inclusive (gas: gas days). `yearly_kwh` is what is used in a
    year, `sun_kwp` the peak power of its panels. Before `quarters_from` its meter sends day and night totals only.
    Of a point that `is_whole` nothing is missing or estimated.
    """

    ean: Ean
    energy: Energy
    meter_kind: MeterKind
    meter_id: str
    habit: str
    yearly_kwh: float
    first_day: date
    last_day: date
    sun_kwp: float = 0.0
    is_whole: bool = False
    is_new: bool = False
    is_closed: bool = False
    quarters_from: date | None = None
    swap: Swap | None = None
    sub: SubPoint | None = None

    @property
    def registered_on(self) -> date:
        """The first day on which the register knows it: long before the readings, or the day they begin."""
        return self.first_day if self.is_new else date(2019, 1, 1)

    @property
    def is_household(self) -> bool:
        return self.habit in {"home", "at_home", "heat_pump", "car", "boiler"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All points; readings lie between `first_day` and `last_day` (local days, both inclusive)."""

    seed: int
    first_day: date
    last_day: date
    points: tuple[DemoPoint, ...]

    def random_of(self, *place: int | str) -> np.random.Generator:
        """Return the source of chance of one place of the world; the same for the same seed and place."""
        numbers = [int.from_bytes(each.encode(), "big") if isinstance(each, str) else each for each in place]
        return np.random.default_rng([self.seed, *numbers])


def make_plan(last_day: date, *, seed: int = SEED) -> Plan:
    """Return the demo world's points with `DAY_COUNT` days up to `last_day`."""
    first_day = last_day - timedelta(days=DAY_COUNT - 1)
    random = np.random.default_rng(seed)
    points = (*_digital(first_day, last_day, random), *_sunny(first_day, last_day, random))
    points += (*_gas(first_day, last_day, random), *_amr(first_day, last_day))
    return Plan(seed=seed, first_day=first_day, last_day=last_day, points=points)


def demo_ean(kind: int, number: int) -> Ean:
    """Return the EAN of the `number`-th point (from 1) of a kind."""
    first = f"{_PREFIX}{kind}{number:03d}"
    return parse_ean(f"{first}{check_digit(first)}")


def _digital(first_day: date, last_day: date, random: np.random.Generator) -> list[DemoPoint]:
    """Digital meters without sun: 17 homes, 3 firms; one with a swap, one new, one closed, one whose regime changed."""
    uses = [(_HOME_HABITS[number % 8], _home_kwh(random, _HOME_HABITS[number % 8])) for number in range(17)]
    points = [_point(DIGITAL, n, use, first_day, last_day) for n, use in enumerate((*uses, *_FIRMS), start=1)]
    swapped_at = datetime.combine(last_day - timedelta(days=48), time(10, 30), BRUSSELS).astimezone(UTC)
    points[3] = replace(points[3], swap=Swap(at=swapped_at, meter_id=_meter("DEMO1SAG", 904)))
    points[4] = replace(points[4], first_day=last_day - timedelta(days=149), is_new=True)
    points[5] = replace(points[5], last_day=last_day - timedelta(days=60), is_closed=True)
    points[6] = replace(points[6], quarters_from=last_day - timedelta(days=119))
    return points


def _sunny(first_day: date, last_day: date, random: np.random.Generator) -> list[DemoPoint]:
    """Digital meters with panels: 15 homes."""
    points = []
    for number in range(1, 16):
        habit = _HOME_HABITS[(number + 2) % 8]
        use = habit, _home_kwh(random, habit)
        peak = round(float(random.uniform(2.4, 7.5)), 1)
        points.append(replace(_point(SUNNY, number, use, first_day, last_day), sun_kwp=peak))
    return points


def _gas(first_day: date, last_day: date, random: np.random.Generator) -> list[DemoPoint]:
    """Digital gas meters: 15 homes and a bakery. A gas day arrives up to 72 hours later, so the newest is not here."""
    uses = [("boiler", float(random.uniform(8_000, 21_000))) for _ in range(15)] + [("gas_oven", 60_000.0)]
    return [_point(GAS, n, use, first_day, last_day - timedelta(days=1)) for n, use in enumerate(uses, start=1)]


def _amr(first_day: date, last_day: date) -> list[DemoPoint]:
    """Large meters; those with panels have a production sub head point."""
    points = []
    for number, (habit, yearly_kwh, peak) in enumerate(_PLANTS, start=1):
        sub = SubPoint(ean=demo_ean(SUB, number), installation_id=f"DEMO-{number:05d}") if peak else None
        point = _point(AMR, number, (habit, yearly_kwh), first_day, last_day)
        points.append(replace(point, sun_kwp=peak, sub=sub))
    return points


def _point(kind: int, number: int, use: tuple[str, float], first_day: date, last_day: date) -> DemoPoint:
    habit, yearly_kwh = use
    serial = "" if kind == AMR else _meter("DEMO7FLO" if kind == GAS else "DEMO1SAG", kind * 100 + number - 100)
    return DemoPoint(
        ean=demo_ean(kind, number),
        energy=Energy.GAS if kind == GAS else Energy.ELECTRICITY,
        meter_kind=MeterKind.AMR if kind == AMR else MeterKind.DIGITAL,
        meter_id=serial,
        habit=habit,
        yearly_kwh=yearly_kwh,
        first_day=first_day,
        last_day=last_day,
        is_whole=number <= 3,
    )


def _home_kwh(random: np.random.Generator, habit: str) -> float:
    low, high = (4_200.0, 5_900.0) if habit in {"heat_pump", "car"} else (1_700.0, 4_600.0)
    return float(random.uniform(low, high))


def _meter(kind: str, number: int) -> str:
    return f"{kind}{number:06d}"
