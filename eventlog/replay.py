"""Applying parked events after all, once their cause is gone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from eventlog import dead_letter
from eventlog.dead_letter import Unusable
from eventlog.parked import Letter, Wanted, find_letters, in_order, keep_out
from eventlog.projection import EventProjection
from eventlog.reason import Reason, Rule
from eventlog.streams import read_streams, write_streams


class NotReplayed(Exception):
    """It could not be done now; the message says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What a replay came to: records applied, records known already, and why it stopped ("" where nothing is left)."""

    applied_count: int = 0
    redelivered_count: int = 0
    stopped_by: str = ""

    def __add__(self, other: Replayed) -> Replayed:
        return Replayed(
            applied_count=self.applied_count + other.applied_count,
            redelivered_count=self.redelivered_count + other.redelivered_count,
            stopped_by=self.stopped_by or other.stopped_by,
        )


def replay_streams(projection: EventProjection, found: Sequence[Letter]) -> Replayed:
    """`replay_stream` of each stream of which there is an event in `found`; one that names no stream stays parked."""
    streams = dict.fromkeys(letter.stream_id for letter in found)
    outcome = Replayed()
    for stream_id in streams:
        if stream_id is None:
            outcome += Replayed(stopped_by="an event that names no stream cannot be applied")
        else:
            outcome += replay_stream(projection, stream_id)
    return outcome


def replay_stream(projection: EventProjection, stream_id: str) -> Replayed:
    """Apply the parked events of one stream in the order of their versions, up to the first that is still unusable.

    One transaction, which keeps the projection from applying anything of the same topic meanwhile.
    """
    with projection.engine.begin() as tx:
        keep_out(tx, projection.name, projection.topic)
        parked = in_order(find_letters(tx, Wanted(projection=projection.name, stream_id=stream_id)))
        seen = first = read_streams(tx, projection.name, {stream_id}).seen.get(stream_id, 0)
        outcome = Replayed()
        for letter in parked:
            version = letter.stream_version
            if version is not None and version <= seen:
                outcome += Replayed(redelivered_count=1)
            elif reason := _why_not(tx, projection, letter, seen):
                outcome += Replayed(stopped_by=str(reason))
                dead_letter.tell_reason(tx, letter.projection, letter.place, reason)
                break
            else:
                seen, outcome = seen + 1, outcome + Replayed(applied_count=1)
            dead_letter.mark_replayed(tx, letter.projection, letter.place)
        if seen > first:
            write_streams(tx, projection.name, {stream_id: seen})
        return outcome


def _why_not(tx: Connection, projection: EventProjection, letter: Letter, seen: int) -> Reason | None:
    """Apply one parked event; return why that cannot be done, or None."""
    envelope = projection.read(letter)
    if isinstance(envelope, Reason):
        return envelope
    if envelope.stream_version != seen + 1:
        return Reason(Rule.VERSION_GAP, f"version {seen + 1} of the stream is missing")
    try:
        with tx.begin_nested():
            projection.project(tx, envelope)
    except Unusable as error:
        return error.reason
    return None
