"""What export answers, as values: points, and the series of one point over a period. Pure.

Instants are UTC; slices are half-open; values are in the unit that people see (kWh, kVArh, m³, kW), exact decimals.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from market.channel import BY_NAME, Channel, Direction, Energy, Resolution
from market.local_time import day_of


class Unreadable(ValueError):
    """Export answered in a shape that this portal does not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A point that has readings: from the local (gas) day `first_on` to `last_on`, both inside."""

    ean: str
    energy: Energy
    meter_kind: str
    first_on: date
    last_on: date


@dataclass(frozen=True, slots=True)
class Partial:
    """What there is of a day that is not complete: the sum of `present` of its `expected` quarters or hours."""

    value: Decimal
    present: int
    expected: int
    resolution: Resolution


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """One value over [start, end); `value` None is missing, and then `state` is empty too.

    `state` is READ, EST, VAL or NVAL; `factor` P, D, C or empty. `partial` is there for some missing days only.
    """

    start: datetime
    end: datetime
    value: Decimal | None
    state: str
    factor: str
    partial: Partial | None = None

    @property
    def is_estimated(self) -> bool:
        return self.state == "EST"


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """All slices of one channel and meter in the period, in order of time; counts are those of its slices."""

    channel: Channel
    meter_id: str
    unit: str
    total: Decimal | None
    expected: int
    present: int
    missing: int
    estimated: int
    slices: tuple[Slice, ...]

    @property
    def is_complete(self) -> bool:
        return self.expected > 0 and self.missing == 0

    @property
    def points_down(self) -> bool:
        """Whether a chart draws it below the zero line."""
        return self.channel.direction is Direction.INJECTION


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """The series of one point over a period."""

    energy: Energy
    meter_kind: str
    series: tuple[Series, ...]

    @property
    def is_empty(self) -> bool:
        return not any(entry.present for entry in self.series)

    def day_of(self, instant: datetime) -> date:
        """The local (gas) day that holds `instant`."""
        return day_of(self.energy, instant)


def read_points(body: bytes) -> list[Point]:
    """The points in the answer of `GET /points`.

    Raises:
        Unreadable: it is not such an answer.
    """
    try:
        return [_point(entry) for entry in json.loads(body)["points"]]
    except (ValueError, KeyError, TypeError) as error:
        raise Unreadable("the answer of /points has an unknown shape") from error


def read_readings(body: bytes) -> Readings:
    """The series in the answer of `GET /readings`.

    Raises:
        Unreadable: it is not such an answer.
    """
    try:
        answer = json.loads(body, parse_float=Decimal)
        return Readings(
            energy=Energy(answer["energy"]),
            meter_kind=str(answer["meter_kind"]),
            series=tuple(_series(entry) for entry in answer["series"]),
        )
    except (ValueError, KeyError, TypeError, ArithmeticError) as error:
        raise Unreadable("the answer of /readings has an unknown shape") from error


def _point(entry: Mapping[str, Any]) -> Point:
    return Point(
        ean=str(entry["ean"]),
        energy=Energy(entry["energy"]),
        meter_kind=str(entry["meter_kind"]),
        first_on=date.fromisoformat(entry["first_day"]),
        last_on=date.fromisoformat(entry["last_day"]),
    )


def _series(entry: Mapping[str, Any]) -> Series:
    return Series(
        channel=BY_NAME[entry["channel"]],
        meter_id=str(entry["meter_id"]),
        unit=str(entry["unit"]),
        total=_decimal(entry["total"]),
        expected=int(entry["expected"]),
        present=int(entry["present"]),
        missing=int(entry["missing"]),
        estimated=int(entry["estimated"]),
        slices=tuple(_slice(item) for item in entry["slices"]),
    )


def _slice(item: Mapping[str, Any]) -> Slice:
    return Slice(
        start=datetime.fromisoformat(item["start"]),
        end=datetime.fromisoformat(item["end"]),
        value=_decimal(item["value"]),
        state=item["state"] or "",
        factor=item["factor"] or "",
    )


def _decimal(number: Decimal | int | None) -> Decimal | None:
    return None if number is None else Decimal(number)
