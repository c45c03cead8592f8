"""Each guard of the consumer, and how to take it out: by one statement or one function, so that a test shows what it is
there for. `setattr` of the function's argument is a monkeypatch's, or Python's own in a process made for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from eventlog import checkpoint
from eventlog.checkpoint import Claim
from eventlog.envelope import Record
from eventlog.held import Held, Rebalance
from eventlog.hints import Hints
from eventlog.member import Member
from eventlog.projection import Run
from tests.effects import Offsets

SetAttribute = Callable[[Any, str, Any], None]


def _any_epoch(set_attribute: SetAttribute) -> None:
    """Whoever was overtaken may still write."""
    set_attribute(checkpoint, "ADVANCE", checkpoint.ADVANCE.replace("epoch = $5", "cast($5 as bigint) is not null"))


def _any_offset(set_attribute: SetAttribute) -> None:
    """A run is written wherever the checkpoint is."""
    set_attribute(
        checkpoint, "ADVANCE", checkpoint.ADVANCE.replace("next_offset = $6", "cast($6 as bigint) is not null")
    )


def _rows_first(set_attribute: SetAttribute) -> None:
    """The checkpoint moves at the end of the transaction."""

    def write(self: Offsets, tx: Any, claim: Claim, run: Run) -> None:
        self.write_rows(tx, run)
        checkpoint.advance(tx, claim, run.next_offset)

    set_attribute(Offsets, "_write", write)


def _no_eviction(set_attribute: SetAttribute) -> None:
    """A claim waits for whoever holds the checkpoint, and ends nobody."""
    set_attribute(checkpoint, "_evict", lambda *_: None)


def _no_seek(set_attribute: SetAttribute) -> None:
    """The broker's group says where to go on."""
    set_attribute(AIOKafkaConsumer, "seek", lambda *_: None)


def _any_position(set_attribute: SetAttribute) -> None:
    """Nobody looks whether the consumer went where the claim is."""

    async def demand(self: Member, tp: TopicPartition) -> None: ...

    set_attribute(Member, "_demand_position", demand)


def _holes_are_stepped_over(set_attribute: SetAttribute) -> None:
    """Whatever the broker delivers is taken for what comes next."""

    def take(self: Held, records: Sequence[Record]) -> Sequence[Record]:
        self.fetched_offset += len(records)
        return records

    set_attribute(Held, "take_contiguous", take)


def _claims_outlive_a_rebalance(set_attribute: SetAttribute) -> None:
    """A partition that comes back is taken for still claimed."""

    def note_assigned(self: Rebalance, assigned: set[TopicPartition]) -> None:
        self._progress.is_joined = True

    set_attribute(Rebalance, "on_partitions_revoked", lambda *_: None)
    set_attribute(Rebalance, "on_partitions_assigned", note_assigned)


def _claims_outlive_an_error(set_attribute: SetAttribute) -> None:
    """After a run that failed the next one goes on."""
    set_attribute(Member, "_forget", lambda *_: None)


def _no_hints(set_attribute: SetAttribute) -> None:
    """The broker's group knows nothing; no guard, since a hint may be lost at any time."""
    set_attribute(Hints, "tell", lambda _: None)


TAKEN_OUT: dict[str, Callable[[SetAttribute], None]] = {
    "epoch": _any_epoch,
    "offset": _any_offset,
    "checkpoint first": _rows_first,
    "eviction": _no_eviction,
    "seek": _no_seek,
    "position": _any_position,
    "no holes": _holes_are_stepped_over,
    "claims end with a rebalance": _claims_outlive_a_rebalance,
    "claims end with an error": _claims_outlive_an_error,
    "hints": _no_hints,
}
