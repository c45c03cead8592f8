"""What a series measures: direction, quantity, register and resolution; one small code and one name each.

Codes are stored in tables and names travel in events: neither ever changes its meaning.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from itertools import product
from typing import Final


class Energy(StrEnum):
    """The two energies, by the letter that the data access API uses."""

    ELECTRICITY = "E"
    GAS = "G"


class MeterKind(IntEnum):
    """What stands at the point; decides tariff calendar, wire states and file labels."""

    UNKNOWN = 0
    DIGITAL = 1
    AMR = 2
    CLASSIC = 3


class Direction(IntEnum):
    """Which way the energy went; production and auxiliary are those of sub head points."""

    OFFTAKE = 0
    INJECTION = 1
    PRODUCTION = 2
    AUXILIARY = 3


class Quantity(IntEnum):
    """The physical quantity. A gas volume and a gas energy are two series, never computed from each other."""

    ACTIVE = 0
    REACTIVE = 1
    INDUCTIVE = 2
    CAPACITIVE = 3
    GAS_VOLUME = 4
    GAS_ENERGY = 5
    PEAK = 6
    GAS_PEAK = 7


class Register(IntEnum):
    """The tariff register of the meter; TOTAL where the series is not split by tariff."""

    TOTAL = 0
    DAY = 1
    NIGHT = 2


class Resolution(IntEnum):
    """How long a slice is: 15 minutes, an hour, a local (gas) day, a local (gas) month."""

    QUARTER_HOURLY = 0
    HOURLY = 1
    DAILY = 2
    MONTHLY = 3


_GAS: Final = frozenset({Quantity.GAS_VOLUME, Quantity.GAS_ENERGY, Quantity.GAS_PEAK})
_STORED_UNIT: Final = {
    Quantity.ACTIVE: "Wh",
    Quantity.REACTIVE: "varh",
    Quantity.INDUCTIVE: "varh",
    Quantity.CAPACITIVE: "varh",
    Quantity.GAS_VOLUME: "dm³",
    Quantity.GAS_ENERGY: "Wh",
    Quantity.PEAK: "W",
    Quantity.GAS_PEAK: "W",
}
_FILE_UNIT: Final = {"Wh": "kWh", "varh": "kVArh", "dm³": "m³", "W": "kW"}


@dataclass(frozen=True, slots=True, order=True)
class Channel:
    """One kind of series. Only the members of `CHANNELS` exist."""

    direction: Direction
    quantity: Quantity
    register: Register
    resolution: Resolution

    @property
    def code(self) -> int:
        """The number that tables hold, 0 to 511."""
        return ((self.direction * 8 + self.quantity) * 4 + self.register) * 4 + self.resolution

    @property
    def name(self) -> str:
        """The symbol that events hold, such as `OFFTAKE_ACTIVE_QUARTER_HOURLY` or `OFFTAKE_ACTIVE_NIGHT_DAILY`."""
        register = () if self.register is Register.TOTAL else (self.register.name,)
        return "_".join((self.direction.name, self.quantity.name, *register, self.resolution.name))

    @property
    def energy(self) -> Energy:
        """Electricity or gas; decides where the channel's day begins (00:00 or 06:00 local)."""
        return Energy.GAS if self.quantity in _GAS else Energy.ELECTRICITY

    @property
    def stored_unit(self) -> str:
        """The unit of the whole numbers in events and tables: Wh, varh, dm³ or W."""
        return _STORED_UNIT[self.quantity]

    @property
    def unit(self) -> str:
        """The unit that people see, 1000 times the stored one: kWh, kVArh, m³ or kW."""
        return _FILE_UNIT[self.stored_unit]


def _all_channels() -> tuple[Channel, ...]:
    """Every channel there is, in the order of their codes."""
    total = Register.TOTAL
    power = (Quantity.ACTIVE, Quantity.REACTIVE, Quantity.INDUCTIVE, Quantity.CAPACITIVE)
    channels = [Channel(d, q, total, Resolution.QUARTER_HOURLY) for d, q in product(Direction, power)]
    channels += [Channel(d, q, total, Resolution.DAILY) for d, q in product(Direction, power)]
    channels += [
        Channel(d, Quantity.ACTIVE, r, Resolution.DAILY) for d, r in product(Direction, (Register.DAY, Register.NIGHT))
    ]
    channels += [
        Channel(d, q, total, resolution)
        for d, q, resolution in product(
            (Direction.OFFTAKE, Direction.INJECTION),
            (Quantity.GAS_VOLUME, Quantity.GAS_ENERGY),
            (Resolution.HOURLY, Resolution.DAILY),
        )
    ]
    channels += [Channel(d, Quantity.PEAK, total, Resolution.MONTHLY) for d in Direction]
    channels += [
        Channel(d, Quantity.GAS_PEAK, total, Resolution.MONTHLY) for d in (Direction.OFFTAKE, Direction.INJECTION)
    ]
    return tuple(sorted(channels, key=lambda channel: channel.code))


CHANNELS: Final = _all_channels()
BY_CODE: Final = {channel.code: channel for channel in CHANNELS}
BY_NAME: Final = {channel.name: channel for channel in CHANNELS}
