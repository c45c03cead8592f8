"""Letting answers to people and operators leave, each with its entry in the ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, Engine

from eventlog.trust import Caller
from market.ean import Ean
from market.local_time import BRUSSELS
from services.export.domain.ledger import Delivery, Refusal
from services.export.domain.question import Found, Question
from services.export.domain.readers import HoldersPerson, Reader
from services.export.exchange import PermissionsMoving
from services.export.handlers import Cut, NoData, enter_delivery, enter_refusal, find, write_in_ledger
from services.export.metering_client import MeteringClient
from services.export.people import People, Seen

Encode = Callable[[Found], tuple[bytes, int]]
_TRIES: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliveries:
    """Answers operators with everything (channel `operator`) and people with what is theirs (channel `portal`)."""

    engine: Engine
    metering: MeteringClient
    people: People | None
    clock: Callable[[], datetime]
    new_id: Callable[[], UUID]

    async def deliver(self, question: Question, caller: Caller, encode: Encode) -> tuple[Found, bytes]:
        """Return what answers `question`, encoded whole and entered in the ledger.

        `encode` returns the bytes and how many values are in them.

        Raises:
            NoData: nothing is known, or nothing that the caller may see; that too is in the ledger.
        """
        if "operator" in caller.roles or self.people is None:
            return await self._to_operator(question, caller, encode)
        return await self._to_person(self.people, question, await self.people.readers(caller), encode)

    async def _to_operator(self, question: Question, caller: Caller, encode: Encode) -> tuple[Found, bytes]:
        found = await find(self.metering, question, today=self._now().astimezone(BRUSSELS).date())
        body, value_count = await asyncio.to_thread(encode, found) if found else (b"", 0)
        entry = self._entry(found.question if found else question, question.ean, value_count)
        delivery = Delivery(channel="operator", recipient=caller.subject, **entry)
        await asyncio.to_thread(write_in_ledger, self.engine, delivery, correlation_id=self.new_id())
        if found is None:
            raise NoData
        return found, body

    async def _to_person(
        self, people: People, question: Question, readers: Sequence[Reader], encode: Encode
    ) -> tuple[Found, bytes]:
        for _ in range(_TRIES):
            seen = await asyncio.to_thread(people.look, question.ean, readers, question.granularity)
            found = None
            if seen.facts is not None and not seen.right.is_nothing:
                cut = Cut(energy=seen.facts.energy, intervals=seen.right.intervals)
                today = self._now().astimezone(BRUSSELS).date()
                found = await find(self.metering, question, today=today, cut=cut)
            body, value_count = await asyncio.to_thread(encode, found) if found else (b"", 0)
            asked = found.question if found else question
            if await asyncio.to_thread(self._let_go, people, asked, seen, readers, value_count):
                if found is None:
                    raise NoData
                return found, body
        raise PermissionsMoving

    def _let_go(
        self, people: People, question: Question, seen: Seen, readers: Sequence[Reader], value_count: int
    ) -> bool:
        """Enter the answer where its right still holds; False where what may be seen has changed meanwhile."""
        with self.engine.begin() as tx:
            if seen.facts is not None:
                people.hold(tx, seen.facts)
                now = people.look_within(tx, seen.facts.ean, readers, question.granularity)
                if now.right != seen.right:
                    return False
            self._enter(tx, question, seen, value_count)
        return True

    def _enter(self, tx: Connection, question: Question, seen: Seen, value_count: int) -> None:
        """In the ledger of the head point; without a right, in the holder's own. A stranger, or anybody at an
        unknown point, leaves no trace, for there is nobody to show it to."""
        head = seen.facts.ean if seen.facts else question.ean
        entry = self._entry(question, head, value_count)
        reader = seen.reader
        if isinstance(reader, HoldersPerson) and not seen.right.mandate_ids:
            refused_at = entry.pop("delivered_at")
            del entry["value_count"]
            refusal = Refusal(holder_kbo=reader.kbo, channel="portal", refused_at=refused_at, **entry)
            enter_refusal(tx, refusal, correlation_id=self.new_id())
        elif seen.facts is not None and seen.right.recipient:
            right = seen.right
            delivery = Delivery(channel="portal", recipient=right.recipient, mandate_ids=right.mandate_ids, **entry)
            enter_delivery(tx, delivery, correlation_id=self.new_id())

    def _entry(self, question: Question, ean: Ean, value_count: int) -> dict[str, Any]:
        return {
            "exchange_id": self.new_id(),
            "ean": ean,
            "granularity": question.granularity.value,
            "first_day": question.first_day,
            "last_day": question.last_day,
            "value_count": value_count,
            "delivered_at": self._now().astimezone(UTC),
        }

    def _now(self) -> datetime:
        return self.clock()
