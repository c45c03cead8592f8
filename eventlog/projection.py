"""Applying records to tables: what a projection is, and the one that takes them event by event."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from sqlalchemy import Connection, Engine

from eventlog import checkpoint, dead_letter, park_limit
from eventlog.checkpoint import Claim
from eventlog.codec import Undecodable
from eventlog.dead_letter import Unusable
from eventlog.envelope import Envelope, Record, from_record
from eventlog.halt import Coordinates, ProjectionStopped
from eventlog.passed_over import NOTHING, PassedOver
from eventlog.reason import Reason, Rule
from eventlog.streams import Streams, read_streams, write_streams
from eventlog.topics import partition_of
from eventlog.tracing import applying

_VERSION_DIGITS: Final = 10  # fewer of them fit into the column
_APPLIED: Final = "applied"
_REDELIVERED: Final = "redelivered"
_BEHIND: Final = Reason(Rule.BEHIND_PARKED, "an earlier event of its stream is parked")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Consecutive records of one partition: offsets [first_offset, next_offset). Nothing depends on where it ends."""

    topic: str
    partition: int
    first_offset: int
    next_offset: int
    records: Sequence[Record]

    def before(self, place: Coordinates) -> Run | None:
        """Return the run as far as the record at `place`, which is in it; None where that is the first."""
        records = [record for record in self.records if record.offset < place.offset]
        return replace(self, next_offset=place.offset, records=records) if records else None


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


Project = Callable[[Connection, Envelope], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventProjection:
    """A projection that takes events one by one: `project(tx, envelope)` writes the rows of one event.

    A bad event (undecodable, on the wrong partition, or `project` raises `Unusable`) parks the rest of its stream
    behind it; with `halts` (whatever decides about permissions) it stops the projection instead, unless it is foreign
    and named in `passed_over`. Events sent twice are ignored; a gap in a stream stops the projection, and so does the
    bad event after `park_limit` others in a row (None: as many as come). `partition_count` is the topic's, to see
    records on a wrong one.
    """

    name: str
    topic: str
    engine: Engine
    project: Project
    halts: bool = False
    partition_count: int | None = None
    park_limit: int | None = 100
    passed_over: PassedOver = NOTHING

    def claim(self, partition: int, owner: str) -> Claim:
        return checkpoint.claim_evicting(
            self.engine, projection=self.name, topic=self.topic, partition=partition, owner=owner
        )

    def apply(self, claim: Claim, run: Run) -> Applied:
        """As `Projection.apply`. Where it has to stop, everything before the record it stops at is applied.

        Raises:
            ProjectionStopped: a gap in a stream, a bad event where the projection halts, or too many in a row.
        """
        try:
            return self._apply(claim, run)
        except ProjectionStopped as stopped:
            if before := run.before(stopped.place):
                self._apply(claim, before)
            raise

    def read(self, record: Record) -> Envelope | Reason:
        """Return the envelope of `record`, or why it is bad."""
        try:
            envelope = from_record(record)
        except Undecodable as error:
            return error.reason
        if envelope.stream_version < 1 or "\0" in envelope.stream_id:
            return Reason(Rule.BAD_STREAM, "no stream has such a name or version")
        count = self.partition_count
        if count is not None and partition_of(envelope.key, count) != record.partition:
            return Reason(Rule.WRONG_PARTITION, "its key belongs to another partition")
        return envelope

    def _apply(self, claim: Claim, run: Run) -> Applied:
        try:
            return self._attempt(claim, run, careful=False)
        except Unusable:  # rows of that event may be half written: all is rolled back, and done again with savepoints
            return self._attempt(claim, run, careful=True)

    def _attempt(self, claim: Claim, run: Run, *, careful: bool) -> Applied:
        with self.engine.begin() as tx:
            checkpoint.advance(tx, claim, run.next_offset)
            return _apply_records(tx, self, run.records, careful=careful)


def _apply_records(tx: Connection, projection: EventProjection, records: Sequence[Record], *, careful: bool) -> Applied:
    """Apply `records` in order, in the transaction of their checkpoint. With `careful` an unusable one leaves nothing.

    Raises:
        Unusable: one is, and `careful` is not set: roll back.
        ProjectionStopped: as `EventProjection.apply`.
    """
    streams = read_streams(tx, projection.name, {_stream_id(each) for each in records} - {""})
    outcomes = [_apply_one(tx, projection, record, streams, careful=careful) for record in records]
    write_streams(tx, projection.name, streams.changed)
    parked = {record.offset: each for record, each in zip(records, outcomes, strict=True) if isinstance(each, Reason)}
    if not projection.halts:
        park_limit.demand(tx, projection.name, records, parked, projection.park_limit)
    return Applied(
        applied_count=outcomes.count(_APPLIED),
        redelivered_count=outcomes.count(_REDELIVERED),
        parked=Counter(reason.rule for reason in parked.values()),
    )


def _apply_one(
    tx: Connection, projection: EventProjection, record: Record, streams: Streams, *, careful: bool
) -> str | Reason:
    """Return what became of it: applied, redelivered, or the reason why it was parked."""
    envelope = projection.read(record)
    stream_id = _stream_id(record)
    if isinstance(envelope, Envelope):
        if envelope.stream_version <= streams.seen.get(stream_id, 0):
            return _REDELIVERED
        if stream_id in streams.parked:
            envelope = _BEHIND
    if isinstance(envelope, Reason):
        _put_aside(tx, projection, record, streams, envelope)
        return envelope
    _demand_next(projection, envelope, streams.seen.get(stream_id, 0))
    try:
        with applying(projection.name, envelope), tx.begin_nested() if careful else nullcontext():
            projection.project(tx, envelope)
    except Unusable as error:
        if not careful:
            raise
        _put_aside(tx, projection, record, streams, error.reason)
        return error.reason
    streams.move(stream_id, envelope.stream_version)
    return _APPLIED


def _put_aside(tx: Connection, projection: EventProjection, record: Record, streams: Streams, reason: Reason) -> None:
    """Park the record, with its stream where it names one; or stop where that is not allowed."""
    stream_id, version = _stream_id(record), _version(record)
    is_next = version is not None and version > streams.seen.get(stream_id, 0)
    if projection.halts and (is_next or not projection.passed_over.holds(record)):
        raise ProjectionStopped(projection.name, _place(record), reason)
    dead_letter.park(tx, projection.name, record, reason, stream_id=stream_id or None, stream_version=version)
    if projection.halts:
        dead_letter.give_up(tx, projection.name, _place(record), "passed over, as the settings say")
    elif dead_letter.is_given_up(tx, projection.name, _place(record)):  # in an earlier life of the projection
        if version == streams.seen.get(stream_id, 0) + 1:  # as `parked.discard` does
            streams.move(stream_id, version)
    else:
        streams.parked.add(stream_id)


def _demand_next(projection: EventProjection, envelope: Envelope, seen: int) -> None:
    if envelope.stream_version > seen + 1:
        words = f"a stream goes from version {seen} to {envelope.stream_version}"
        place = Coordinates(envelope.topic, envelope.partition, envelope.offset)
        raise ProjectionStopped(projection.name, place, Reason(Rule.VERSION_GAP, words))


def _place(record: Record) -> Coordinates:
    return Coordinates(record.topic, record.partition, record.offset)


def _version(record: Record) -> int | None:
    """Return the version in the stream that the headers name, None where they name none that could be."""
    text = dict(record.headers).get("stream_version", b"").decode("latin-1")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < _VERSION_DIGITS else None


def _stream_id(record: Record) -> str:
    """Return the stream that the headers name, "" for none. Without one an event cannot hold up the rest of its stream,
    but then the next version of it is a gap. PostgreSQL keeps no NUL."""
    return dict(record.headers).get("ce_subject", b"").decode("utf-8", "replace").replace("\0", "\ufffd")
