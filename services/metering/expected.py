"""Which series a point is to deliver on a day: by what the register says is installed, and by the calendar. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from market.channel import Channel, Direction, Energy, MeterKind, Quantity, Register, Resolution
from market.ean import Ean

_TOTAL: Final = Register.TOTAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A point as the register has it. `kind` is "" for a head point, else what the sub head point measures; the days
    are local (gas: gas days), inclusive; `directions` says since when each direction of a head point is used."""

    ean: Ean
    energy: Energy
    meter_kind: MeterKind
    kind: str
    first_on: date
    last_on: date | None
    directions: Mapping[str, date]

    def is_there(self, day: date) -> bool:
        """Whether the point exists on `day`."""
        return self.first_on <= day and (self.last_on is None or day <= self.last_on)


def expected_channels(installed: Installed, day: date, delivered: Collection[Channel] = ()) -> frozenset[Channel]:
    """Return the series that the point is to deliver on `day`; none where it does not exist, or has a classic meter.

    A digital electricity meter delivers quarter-hours, or day values where its regime is the monthly one. The register
    does not publish regimes yet: a direction of which day values and no quarter-hours were `delivered` lately (on that
    day and a few before it) is taken to be in that regime.
    """
    if not installed.is_there(day) or installed.meter_kind is MeterKind.CLASSIC:
        return frozenset()
    if installed.kind:
        return frozenset({Channel(Direction[installed.kind], Quantity.ACTIVE, _TOTAL, Resolution.QUARTER_HOURLY)})
    used = [Direction[name] for name, first_on in installed.directions.items() if first_on <= day]
    if installed.energy is Energy.GAS:
        return frozenset(_gas(installed.meter_kind, used))
    return frozenset(channel for direction in used for channel in _electricity(direction, installed, delivered))


def _gas(kind: MeterKind, used: Collection[Direction]) -> list[Channel]:
    energy = [Channel(direction, Quantity.GAS_ENERGY, _TOTAL, Resolution.HOURLY) for direction in used]
    if kind is MeterKind.AMR:
        return energy
    return energy + [Channel(direction, Quantity.GAS_VOLUME, _TOTAL, Resolution.HOURLY) for direction in used]


def _electricity(direction: Direction, installed: Installed, delivered: Collection[Channel]) -> list[Channel]:
    quarters = Channel(direction, Quantity.ACTIVE, _TOTAL, Resolution.QUARTER_HOURLY)
    days = [
        Channel(direction, Quantity.ACTIVE, register, Resolution.DAILY) for register in (Register.DAY, Register.NIGHT)
    ]
    has_days_alone = quarters not in delivered and any(each in delivered for each in days)
    return days if installed.meter_kind is MeterKind.DIGITAL and has_days_alone else [quarters]
