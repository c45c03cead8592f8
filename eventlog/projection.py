"""Applying records to tables: what a projection is, and the one that takes them event by event."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from sqlalchemy import Connection, Engine, select
from sqlalchemy.dialects.postgresql import insert

from eventlog import checkpoint, dead_letter
from eventlog.checkpoint import Claim
from eventlog.codec import Undecodable
from eventlog.dead_letter import Unusable
from eventlog.envelope import Envelope, Record, from_record
from eventlog.reason import Reason, Rule
from eventlog.tables import stream_position
from eventlog.topics import partition_of

_VERSION_DIGITS: Final = 10  # fewer of them fit into the column
_BEHIND: Final = Reason(Rule.BEHIND_PARKED, "an earlier event of its stream is parked")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Consecutive records of one partition: offsets [first_offset, next_offset). Nothing depends on where it ends."""

    topic: str
    partition: int
    first_offset: int
    next_offset: int
    records: Sequence[Record]


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What became of the records of a run; the counts add up to its length."""

    applied_count: int
    redelivered_count: int = 0
    parked: Mapping[Rule, int] = field(default_factory=dict)

    @property
    def parked_count(self) -> int:
        return sum(self.parked.values())


class Projection(Protocol):
    """A read model: a function of the records of one topic, alone. Both methods are called in threads."""

    @property
    def name(self) -> str: ...
    @property
    def topic(self) -> str: ...

    def claim(self, partition: int, owner: str) -> Claim:
        """Take the partition over, in a short transaction of its own (`checkpoint.claim_evicting`)."""

    def apply(self, claim: Claim, run: Run) -> Applied:
        """Apply `run` in one transaction: first the checkpoint (`checkpoint.advance`), then the rows.

        Raises:
            Fenced: the claim is not the newest; nothing was written.
        """


class ProjectionStopped(RuntimeError):
    """The projection may not go on by itself: a human has to look. The message says at what."""


Project = Callable[[Connection, Envelope], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventProjection:
    """A projection that takes events one by one: `project(tx, envelope)` writes the rows of one event.

    A bad event (undecodable, on the wrong partition, or `project` raises `Unusable`) parks the rest of its stream
    behind it; with `halts` (whatever decides about permissions) it stops the projection instead. Events sent twice are
    ignored; a gap in a stream stops the projection. `partition_count` is the topic's, to see records on a wrong one.
    """

    name: str
    topic: str
    engine: Engine
    project: Project
    halts: bool = False
    partition_count: int | None = None

    def claim(self, partition: int, owner: str) -> Claim:
        return checkpoint.claim_evicting(
            self.engine, projection=self.name, topic=self.topic, partition=partition, owner=owner
        )

    def apply(self, claim: Claim, run: Run) -> Applied:
        bad: dict[int, Reason] = {}
        while True:
            try:
                with self.engine.begin() as tx:
                    checkpoint.advance(tx, claim, run.next_offset)
                    return apply_records(tx, self, run.records, bad)
            except _BadEvent as found:  # rows of this event may be half written: roll back, and go again without it
                bad[found.offset] = found.reason


class _BadEvent(Exception):
    def __init__(self, offset: int, reason: Reason) -> None:
        super().__init__(str(reason))
        self.offset, self.reason = offset, reason


@dataclass(slots=True)
class Streams:
    """What is known of the streams of a run: the highest version seen of each, and which have a parked event."""

    seen: dict[str, int]
    parked: set[str]
    changed: dict[str, int] = field(default_factory=dict)


def apply_records(
    tx: Connection, projection: EventProjection, records: Sequence[Record], bad: dict[int, Reason] | None = None
) -> Applied:
    """Apply `records` in order, in the transaction of their checkpoint. Those in `bad` (offset to reason) are unusable.

    Raises:
        ProjectionStopped: a gap in a stream, or a bad event where the projection halts.
    """
    streams = read_streams(tx, projection.name, {_stream_id(each) for each in records} - {""})
    outcomes = Counter(
        _apply_one(tx, projection, record, streams, (bad or {}).get(record.offset)) for record in records
    )
    write_streams(tx, projection.name, streams.changed)
    return Applied(
        applied_count=outcomes.pop("applied", 0),
        redelivered_count=outcomes.pop("redelivered", 0),
        parked={Rule(name): count for name, count in outcomes.items()},
    )


def _apply_one(
    tx: Connection, projection: EventProjection, record: Record, streams: Streams, reason: Reason | None
) -> str:
    """Return what became of it: "applied", "redelivered", or the rule it was parked by."""
    envelope = reason or _read(record, projection.partition_count)
    stream_id = _stream_id(record)
    if isinstance(envelope, Envelope):
        if envelope.stream_version <= streams.seen.get(stream_id, 0):
            return "redelivered"
        if stream_id in streams.parked:
            envelope = _BEHIND
    if isinstance(envelope, Reason):
        _park(tx, projection, record, streams, envelope)
        return envelope.rule
    _demand_next(projection, envelope, streams.seen.get(stream_id, 0))
    try:
        projection.project(tx, envelope)
    except Unusable as error:
        raise _BadEvent(record.offset, error.reason) from error
    streams.seen[stream_id] = streams.changed[stream_id] = envelope.stream_version
    return "applied"


def _read(record: Record, partition_count: int | None) -> Envelope | Reason:
    """Return the envelope of `record`, or why it is bad."""
    try:
        envelope = from_record(record)
    except Undecodable as error:
        return error.reason
    if envelope.stream_version < 1 or "\0" in envelope.stream_id:
        return Reason(Rule.BAD_STREAM, "no stream has such a name or version")
    if partition_count is not None and partition_of(envelope.key, partition_count) != record.partition:
        return Reason(Rule.WRONG_PARTITION, "its key belongs to another partition")
    return envelope


def _park(tx: Connection, projection: EventProjection, record: Record, streams: Streams, reason: Reason) -> None:
    if projection.halts:
        where = f"{record.topic}/{record.partition} at offset {record.offset}"
        raise ProjectionStopped(f"{projection.name} halts at {where}: {reason}")
    stream_id = _stream_id(record)
    version = dict(record.headers).get("stream_version", b"").decode("latin-1")
    dead_letter.park(
        tx,
        projection.name,
        record,
        reason,
        stream_id=stream_id or None,
        stream_version=int(version) if version.isdecimal() and len(version) < _VERSION_DIGITS else None,
    )
    streams.parked.add(stream_id)


def _demand_next(projection: EventProjection, envelope: Envelope, seen: int) -> None:
    if envelope.stream_version > seen + 1:
        where = f"{envelope.topic}/{envelope.partition} at offset {envelope.offset}"
        raise ProjectionStopped(
            f"{projection.name} stops at {where}: a stream goes from version {seen} to {envelope.stream_version}"
        )


def _stream_id(record: Record) -> str:
    """Return the stream that the headers name, "" for none. Without one an event cannot hold up the rest of its stream,
    but then the next version of it is a gap. PostgreSQL keeps no NUL."""
    return dict(record.headers).get("ce_subject", b"").decode("utf-8", "replace").replace("\0", "\ufffd")


def read_streams(tx: Connection, name: str, stream_ids: set[str]) -> Streams:
    place = stream_position.c
    rows = tx.execute(
        select(place.stream_id, place.stream_version).where(place.projection == name, place.stream_id.in_(stream_ids))
    )
    return Streams(
        seen={row.stream_id: row.stream_version for row in rows},
        parked=dead_letter.parked_streams(tx, name, stream_ids),
    )


def write_streams(tx: Connection, name: str, changed: dict[str, int]) -> None:
    if not changed:
        return
    rows = insert(stream_position).values(
        [
            {"projection": name, "stream_id": stream_id, "stream_version": version}
            for stream_id, version in sorted(changed.items())
        ]
    )
    tx.execute(
        rows.on_conflict_do_update(
            index_elements=[stream_position.c.projection, stream_position.c.stream_id],
            set_={"stream_version": rows.excluded.stream_version},
        )
    )
