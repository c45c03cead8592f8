"""What a member holds: the partitions that it claimed, and from which offset it reads each."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from aiokafka import ConsumerRebalanceListener, TopicPartition

from eventlog.checkpoint import Claim
from eventlog.envelope import Record
from eventlog.progress import Progress


@dataclass(slots=True, eq=False)
class Held:
    """A partition we claimed: the claim as of the last commit, and the offset we expect from the broker next."""

    claim: Claim
    fetched_offset: int
    run_count: int = 0
    hole_count: int = 0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def take_contiguous(self, records: Sequence[Record]) -> Sequence[Record]:
        """Return the records up to the first that is not the next one, and expect what follows them."""
        expected = self.fetched_offset
        length = next((i for i, each in enumerate(records) if each.offset != expected + i), len(records))
        self.fetched_offset += length
        self.hole_count = 0 if length else self.hole_count + 1
        return records[:length]


class Rebalance(ConsumerRebalanceListener):  # type: ignore[misc]
    """Forgets every claim. No I/O here: aiokafka swallows what a callback raises, and goes on consuming."""

    def __init__(self, held: dict[TopicPartition, Held], progress: Progress) -> None:
        self._held = held
        self._progress = progress

    def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        self._held.clear()
        self._progress.is_joined = False

    def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        self._held.clear()
        self._progress.unclaimed_count = len(assigned)
        mine = {tp.partition for tp in assigned}
        self._progress.halts = {each: halt for each, halt in self._progress.halts.items() if each in mine}
        self._progress.is_joined = True
