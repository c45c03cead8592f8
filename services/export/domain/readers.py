"""People who read on the portal's pages, and what of a point each may see. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from services.export.domain.access import Asked, Detail, allowed, own
from services.export.domain.intervals import NEVER, Intervals
from services.export.domain.permissions import PointFacts
from services.export.domain.series import Granularity

_DETAIL: Final = {
    Granularity.QUARTER: Detail.SLICES,
    Granularity.HOUR: Detail.SLICES,
    Granularity.DAY: Detail.DAILY,
    Granularity.MONTH: Detail.SLICES,  # a peak is a quarter-hour
    Granularity.MONTH_TOTAL: Detail.DAILY,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NetUser:
    """Somebody who uses the network, under any of these ids: sees the own stays."""

    net_user_ids: frozenset[UUID]


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldersPerson:
    """Somebody of a data access holder: sees what its mandates open, on pages as by the API."""

    kbo: str


Reader = NetUser | HoldersPerson


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """What a reader may see of a point: values of slices wholly within `intervals`. `recipient` is the reader's id."""

    recipient: str
    intervals: Intervals
    mandate_ids: tuple[UUID, ...] = ()

    @property
    def is_nothing(self) -> bool:
        return not self.intervals


def right_of(facts: PointFacts, reader: Reader, granularity: Granularity, now: datetime) -> Right:
    """Return what `reader` may see of the point, at that granularity, at the instant `now`."""
    match reader:
        case NetUser():
            return _of_net_user(facts, reader, now)
        case HoldersPerson():
            detail = _DETAIL[granularity]
            found = allowed(facts, Asked(holder_kbo=reader.kbo, details=frozenset({detail})), now)
            return Right(
                recipient=reader.kbo,
                intervals=found.intervals.get(detail, NEVER),
                mandate_ids=found.mandate_ids,
            )


def _of_net_user(facts: PointFacts, reader: NetUser, now: datetime) -> Right:
    """Under the id of the newest stay, where one person has several."""
    there = [each for each in facts.occupancies if each.net_user_id in reader.net_user_ids]
    newest = max(there, key=lambda stay: stay.first_on, default=None)
    known = newest.net_user_id if newest else min(reader.net_user_ids, default=None)
    return Right(recipient=str(known or ""), intervals=own(facts, reader.net_user_ids, now))
