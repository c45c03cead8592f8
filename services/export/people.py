"""People who read: who they are, and what is known of the points that they ask about."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, Engine, select, union

from eventlog.topics import partition_of
from eventlog.trust import Caller, NotAllowed
from market.ean import Ean
from market.local_time import day_of
from services.export.domain.permissions import PointFacts
from services.export.domain.question import Point
from services.export.domain.readers import HoldersPerson, NetUser, Reader, Right, right_of
from services.export.domain.series import Granularity
from services.export.facts import hold_permissions, read_point
from services.export.freshness import Freshness
from services.export.register_client import RegisterClient
from services.export.tables import mandate, occupancy, sub_head_point

_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one reader may see of a point; `facts` None where register never named it. `reader` has the widest right."""

    facts: PointFacts | None
    reader: Reader
    right: Right


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Finds out who is reading and what they may see, from the same facts as for holders' clients."""

    engine: Engine
    register: RegisterClient
    freshness: Freshness
    partition_count: int
    clock: Callable[[], datetime]

    async def readers(self, caller: Caller) -> Sequence[Reader]:
        """Return what a person reads as: net user, somebody of a holder, or both.

        Raises:
            NotAllowed: neither.
            RegisterUnavailable: the register cannot be asked now.
        """
        found: list[Reader] = []
        if "net_user" in caller.roles and (caller.kbo or caller.person_ref):
            question = {"kbo": caller.kbo} if caller.kbo else {"person_ref": caller.person_ref}
            found.append(NetUser(net_user_ids=await self.register.net_user_ids(question)))
        if "holder" in caller.roles and caller.kbo:
            found.append(HoldersPerson(kbo=caller.kbo))
        if not found:
            raise NotAllowed
        return found

    def look(self, ean: Ean, readers: Sequence[Reader], granularity: Granularity) -> Seen:
        """Return what the readers may see of the point, or of the head point that it lies behind.

        Raises:
            PermissionsStale: what is known is too old.
        """
        with self.engine.begin() as tx:
            return self.look_within(tx, _head_of(tx, ean), readers, granularity)

    def look_within(self, tx: Connection, head: Ean, readers: Sequence[Reader], granularity: Granularity) -> Seen:
        """`look` within a transaction, of a head point."""
        known = read_point(tx, head)
        self.freshness.covered_until(known.checkpoints)
        facts, now = known.facts, self.clock()
        if facts is None:
            return Seen(facts=None, reader=readers[0], right=Right(recipient="", intervals=()))
        rights = [(right_of(facts, reader, granularity, now), reader) for reader in readers]
        right, reader = next((each for each in rights if not each[0].is_nothing), rights[-1])
        return Seen(facts=facts, reader=reader, right=right)

    def hold(self, tx: Connection, facts: PointFacts) -> None:
        """Let nothing that is known of the point change until the end of `tx`."""
        keys = (facts.ean, *(each.contract_number for each in facts.contracts))
        hold_permissions(tx, {partition_of(key.encode(), self.partition_count) for key in keys})

    async def points(self, readers: Sequence[Reader], known: Iterable[Point]) -> list[Point]:
        """Return those of the points `known` that the readers may see something of, cut to the days they may see."""
        by_ean = {point.ean: point for point in known}
        return await asyncio.to_thread(self._points, readers, by_ean)

    def _points(self, readers: Sequence[Reader], by_ean: dict[str, Point]) -> list[Point]:
        found: dict[str, Point] = {}
        with self.engine.begin() as tx:
            for head in sorted(_heads(tx, readers)):
                seen = self.look_within(tx, Ean(head), readers, Granularity.DAY)
                if seen.facts is None or seen.right.is_nothing:
                    continue
                for ean in (head, *(each.ean for each in seen.facts.sub_head_points)):
                    cut = _cut(by_ean[ean], seen) if ean in by_ean else None
                    found |= {ean: cut} if cut else {}
        return list(found.values())


def _cut(point: Point, seen: Seen) -> Point | None:
    start, end = seen.right.intervals[0][0], seen.right.intervals[-1][1]
    first_day = max(point.first_day, day_of(point.energy, start))
    last_day = point.last_day if end.year > point.last_day.year + 1 else day_of(point.energy, end - _MICROSECOND)
    last_day = min(point.last_day, last_day)
    return replace(point, first_day=first_day, last_day=last_day) if first_day <= last_day else None


def _head_of(tx: Connection, ean: Ean) -> Ean:
    head = tx.scalar(select(sub_head_point.c.ean).where(sub_head_point.c.sub_ean == ean))
    return ean if head is None else Ean(head)


def _heads(tx: Connection, readers: Sequence[Reader]) -> set[str]:
    """The head points that the readers have, or had, something to do with."""
    queries = []
    for reader in readers:
        match reader:
            case NetUser():
                queries.append(select(occupancy.c.ean).where(occupancy.c.net_user_id.in_(reader.net_user_ids)))
            case HoldersPerson():
                queries.append(select(mandate.c.ean).where(mandate.c.holder_kbo == reader.kbo))
    return set(tx.scalars(union(*queries)))
