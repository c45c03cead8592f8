"""An answer to a holder: cut by what is allowed, encoded whole, and let go in the transaction that says it left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, Engine

from eventlog.problems import Problem
from eventlog.topics import partition_of
from market.channel import Energy
from market.ean import Ean
from market.local_time import BRUSSELS, day_of
from services.export.domain.access import Allowed, Asked, allowed
from services.export.domain.ledger import Delivery, Refusal
from services.export.domain.permissions import PointFacts
from services.export.energy.columns import Block, DamagedBlocks
from services.export.energy.headpoint import write_energy
from services.export.energy.series import Body, Wanted
from services.export.energy_query import EnergyQuery
from services.export.facts import Known, hold_permissions, read_point
from services.export.freshness import Freshness
from services.export.handlers import NoData, enter_delivery, enter_refusal
from services.export.holders import Holder
from services.export.metering_client import MeteringClient, MeteringUnavailable

CHANNEL: Final = "api"
_TRIES: Final = 4
_MICROSECOND: Final = timedelta(microseconds=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class PermissionsMoving(Problem):
    """What may leave changed each time just before it left: 503."""

    def __init__(self) -> None:
        super().__init__(
            503,
            "PermissionsMoving",
            "the permissions of this point change now; try again",
            headers={"Retry-After": "1"},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ask:
    """One request of one holder; `fetched_at` in whole seconds (UTC) is the end of what an answer can hold."""

    holder: Holder
    query: EnergyQuery
    fetched_at: datetime

    def granted(self, known: Known, now: datetime) -> Allowed:
        if known.facts is None:
            return Allowed(intervals={})
        query = self.query
        asked = Asked(
            holder_kbo=self.holder.kbo,
            start=None if query.is_insert_time else query.start,
            end=None if query.is_insert_time else query.end,
            details=query.details,
            reference_number=query.reference_number,
        )
        return allowed(known.facts, asked, now)

    @property
    def changed(self) -> tuple[datetime, datetime] | None:
        """When values were recorded that are asked for: after the one, and not after the other."""
        query = self.query
        return (query.start, min(query.end, self.fetched_at)) if query.is_insert_time else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """Answers holders. One per process."""

    engine: Engine
    metering: MeteringClient
    freshness: Freshness
    partition_count: int
    clock: Callable[[], datetime]
    new_id: Callable[[], UUID]

    async def answer(self, holder: Holder, query: EnergyQuery) -> Body:
        """Return what `holder` may have; it is in the ledger when this returns.

        Raises:
            NoData: there is nothing for it, whatever the reason; that is in a ledger too.
            PermissionsStale, PermissionsMoving, MeteringUnavailable, AnswerTooLarge: not now, or not so much.
        """
        ask = _Ask(holder=holder, query=query, fetched_at=self.clock().astimezone(UTC).replace(microsecond=0))
        for _ in range(_TRIES):
            known = await asyncio.to_thread(self._look, query.ean)
            granted = ask.granted(known, self.clock())
            body = None
            if known.facts is not None and not granted.is_nothing:
                body = await self._body(ask, known.facts, granted)
            if await asyncio.to_thread(self._let_go, ask, known, granted, body):
                if body is None:
                    raise NoData
                return body
        raise PermissionsMoving

    def _look(self, ean: Ean) -> Known:
        with self.engine.begin() as tx:
            known = read_point(tx, ean)
        self.freshness.covered_until(known.checkpoints)
        return known

    async def _body(self, ask: _Ask, facts: PointFacts, granted: Allowed) -> Body | None:
        first_day, last_day = _days(facts.energy, granted, self.clock())
        changed = ask.changed
        if last_day < first_day or (changed is not None and changed[0] >= changed[1]):
            return None
        eans = [facts.ean, *(each.ean for each in facts.sub_head_points)]
        after = None if changed is None else changed[0]
        found = await asyncio.gather(
            *(self.metering.energy_blocks(each, first_day, last_day, changed_after=after) for each in eans)
        )
        wanted = Wanted(
            intervals=granted.intervals,
            first_day=first_day,
            last_day=last_day,
            has_active=ask.query.has_active,
            has_reactive=ask.query.has_reactive,
            changed=None if changed is None else (_micros(changed[0]), _micros(changed[1])),
        )
        blocks: Mapping[Ean, Sequence[Block]] = dict(zip(eans, found, strict=True))
        try:
            return await asyncio.to_thread(write_energy, facts, blocks, wanted, fetched_at=ask.fetched_at)
        except DamagedBlocks as error:
            raise MeteringUnavailable from error

    def _let_go(self, ask: _Ask, before: Known, granted: Allowed, body: Body | None) -> bool:
        """Enter the answer where its right still holds; False where what may leave has changed meanwhile."""
        now = self.clock().astimezone(UTC)
        with self.engine.begin() as tx:
            hold_permissions(tx, self._partitions(ask, before))
            known = read_point(tx, ask.query.ean)
            self.freshness.covered_until(known.checkpoints)
            if ask.granted(known, now) != granted:
                return False
            self._enter(tx, ask, known, granted, body, now)
        return True

    def _partitions(self, ask: _Ask, known: Known) -> set[int]:
        """The partitions on which events of the point and of the contracts of its mandates come."""
        contracts = [each.contract_number for each in known.facts.contracts] if known.facts else []
        return {partition_of(key.encode(), self.partition_count) for key in (ask.query.ean, *contracts)}

    def _enter(
        self, tx: Connection, ask: _Ask, known: Known, granted: Allowed, body: Body | None, now: datetime
    ) -> None:
        first_day, last_day = _days_asked(ask.query, known.facts, granted, now)
        asked_for: dict[str, Any] = {
            "exchange_id": self.new_id(),
            "ean": ask.query.ean,
            "channel": CHANNEL,
            "granularity": ask.query.granularity,
            "first_day": first_day,
            "last_day": last_day,
        }
        if not granted.mandate_ids:
            refusal = Refusal(holder_kbo=ask.holder.kbo, refused_at=now, **asked_for)
            enter_refusal(tx, refusal, correlation_id=self.new_id())
            return
        delivery = Delivery(
            recipient=ask.holder.kbo,
            value_count=body.value_count if body else 0,
            delivered_at=now,
            mandate_ids=granted.mandate_ids,
            **asked_for,
        )
        enter_delivery(tx, delivery, correlation_id=self.new_id())


def _days_asked(query: EnergyQuery, facts: PointFacts | None, granted: Allowed, now: datetime) -> tuple[date, date]:
    """The days a ledger names: those between the bounds; of a question by time of recording, all that may leave."""
    energy = facts.energy if facts else Energy.ELECTRICITY
    if query.is_insert_time and not granted.is_nothing:
        return _days(energy, granted, now)
    return day_of(energy, query.start), day_of(energy, max(query.start, query.end - _MICROSECOND))


def _days(energy: Energy, granted: Allowed, now: datetime) -> tuple[date, date]:
    """The days (gas: gas days, both inside) on which something may leave, up to tomorrow."""
    spans = [each for intervals in granted.intervals.values() for each in intervals]
    first = day_of(energy, min(start for start, _ in spans))
    tomorrow = now.astimezone(BRUSSELS).date() + timedelta(days=1)
    end = max(end for _, end in spans)
    return first, tomorrow if end.year > tomorrow.year + 1 else min(tomorrow, day_of(energy, end - _MICROSECOND))


def _micros(instant: datetime) -> int:
    return (instant - _EPOCH) // _MICROSECOND
