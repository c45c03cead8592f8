"""The registers of a meter that only count on, and why somebody read one.

A register has the name of what it counts: direction, quantity, and the tariff where it is split by one. It is written
as the daily channel that shares all of these, whose unit and code are its own too. Names and codes never change.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from market.channel import CHANNELS, Channel, Resolution

_SUFFIX: Final = f"_{Resolution.DAILY.name}"

REGISTERS: Final[dict[str, Channel]] = {
    channel.name.removesuffix(_SUFFIX): channel for channel in CHANNELS if channel.resolution is Resolution.DAILY
}
"""By name, such as `OFFTAKE_ACTIVE`, `OFFTAKE_ACTIVE_NIGHT` or `OFFTAKE_GAS_VOLUME`."""


def register_name(channel: Channel) -> str:
    """Return the name of the register that stands behind a daily channel."""
    return channel.name.removesuffix(_SUFFIX)


class ReadingKind(StrEnum):
    """Why an index was read. UNKNOWN is what a reader of today sees of a kind of tomorrow."""

    UNKNOWN = "UNKNOWN"
    PERIODIC = "PERIODIC"
    INSTALLED = "INSTALLED"
    REMOVED = "REMOVED"
    NET_USER_CHANGED = "NET_USER_CHANGED"
    ACCESS_HOLDER_CHANGED = "ACCESS_HOLDER_CHANGED"
    CHECK = "CHECK"
