"""What the register says of the points of one net user, as values. Pure.

Days are local (gas: gas days), both ends inside.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from market.channel import Energy
from market.local_time import day_of

_CAN_BE_READ: Final = frozenset({"DIGITAL", "AMR"})


class UnreadableRegister(ValueError):
    """The register answered in a shape that this portal does not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPoint:
    """The time from `first_on` to `last_on` (None: no end is known) of a net user at a point.

    `is_whole` is False where others share the point.
    """

    ean: str
    energy: Energy
    meter_kind: str
    is_whole: bool
    first_on: date
    last_on: date | None

    def is_now(self, now: datetime) -> bool:
        """Whether it is theirs at `now`."""
        today = day_of(self.energy, now)
        return self.first_on <= today and (self.last_on is None or today <= self.last_on)

    def can_be_allowed(self, now: datetime) -> bool:
        """Whether the net user alone may let a holder read it at `now`."""
        return self.is_now(now) and self.is_whole and self.meter_kind in _CAN_BE_READ


def read_own_points(body: bytes) -> list[OwnPoint]:
    """The points in the answer of `POST /net-users/lookup`.

    Raises:
        UnreadableRegister: it is not such an answer.
    """
    try:
        return [_point(each) for each in json.loads(body)["points"]]
    except (ValueError, KeyError, TypeError) as error:
        raise UnreadableRegister("the answer of /net-users/lookup has an unknown shape") from error


def not_allowed_yet(points: Iterable[OwnPoint], now: datetime) -> list[OwnPoint]:
    """Those that are theirs at `now`, and that they cannot let anybody read by themselves."""
    return [each for each in points if each.is_now(now) and not each.can_be_allowed(now)]


def _point(entry: Mapping[str, Any]) -> OwnPoint:
    last = entry["last_on"]
    return OwnPoint(
        ean=str(entry["ean"]),
        energy=Energy(entry["energy"]),
        meter_kind=str(entry["meter_kind"]),
        is_whole=entry["is_whole"] is True,
        first_on=date.fromisoformat(entry["first_on"]),
        last_on=None if last is None else date.fromisoformat(last),
    )
