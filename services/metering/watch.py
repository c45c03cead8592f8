"""The live watch: a Faust app over `metering-events`. Its state lives in memory and is made again at every start.

Nothing else may depend on it, and nothing here is for the record. Plain mode: no Table, a group of its own per process,
from the beginning of the topic (which is kept by time), so every replica shows the whole picture.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

import faust
from faust.exceptions import ConsumerNotStarted
from faust.types.auth import CredentialsT

from eventlog.codec import Undecodable
from eventlog.envelope import from_record
from eventlog.events import RunApplied
from eventlog.kafka import KafkaAccess
from eventlog.process import FAULT
from services.metering import watch_metrics as metrics
from services.metering.arrival import Arrivals, Arrived

TOPIC: Final = "metering-events"
_TICK_SECONDS: Final = 1.0
_READY_SECONDS: Final = 10.0
_ALIVE_SECONDS: Final = 60.0
_RUN: Final = RunApplied.__name__.encode()
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Record:
    """What Faust delivers, as an envelope is read from."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


@dataclass(slots=True)
class Watched:
    """What the app has seen, and how it does. `clock` is monotonic seconds."""

    arrivals: Arrivals = field(default_factory=Arrivals)
    clock: Callable[[], float] = time.monotonic
    is_started: bool = False
    is_rebalancing: bool = True
    lag: int | None = None
    handled_offsets: dict[int, int] = field(default_factory=dict)
    _handled_at: float = field(default_factory=time.monotonic)
    _versions: dict[str, int] = field(default_factory=dict)

    def see(self, record: _Record) -> None:
        """Take one record in. What cannot be read is counted and passed over; a re-send changes nothing.

        Only runs count here; another event costs no more than a look at its headers.
        """
        self._handled_at = self.clock()
        self.handled_offsets[record.partition] = record.offset + 1
        if dict(record.headers).get("ce_type") != _RUN:
            metrics.EVENTS.labels("passed").inc()
            return
        try:
            envelope = from_record(record)
        except Undecodable:
            metrics.EVENTS.labels("undecodable").inc()
            return
        if envelope.stream_version <= self._versions.get(envelope.stream_id, 0):
            metrics.EVENTS.labels("resent").inc()
            return
        self._versions[envelope.stream_id] = envelope.stream_version
        metrics.EVENTS.labels("counted").inc()
        for arrived in _arrived(envelope.recorded_at, envelope.event):
            self.arrivals.take(arrived)

    def note_ends(self, begins: dict[int, int], ends: dict[int, int]) -> None:
        """Take what the broker says of the assigned partitions, [begin, end) each; called by the app's own tick."""
        self.lag = sum(
            max(end - max(self.handled_offsets.get(partition, 0), begins.get(partition, 0)), 0)
            for partition, end in ends.items()
        )
        if self.lag == 0:
            self._handled_at = self.clock()

    @property
    def stalled_seconds(self) -> float:
        """How long there has been something to handle and nothing was handled."""
        return self.clock() - self._handled_at

    def unready(self) -> list[str]:
        """Return why the picture is not the current one; empty when it is."""
        if not self.is_started or self.is_rebalancing or self.lag is None:
            return ["the watch has not joined its group"]
        if self.lag and self.stalled_seconds > _READY_SECONDS:
            return [f"nothing was handled for {self.stalled_seconds:.0f} s and {self.lag} events wait"]
        return []

    def stalled(self) -> list[str]:
        """Return why the process had better be started again; empty where it need not."""
        if self.stalled_seconds > _ALIVE_SECONDS:
            return [f"the watch stands still for {self.stalled_seconds:.0f} s: start it again, it keeps nothing"]
        return []


def _arrived(at: Any, event: Any) -> Iterable[Arrived]:
    for each in event.arrivals:
        yield Arrived(
            at=at,
            source=each.source,
            day=each.day,
            energy=each.energy,
            new_count=each.new_count,
            completed_count=each.completed_count,
            late_count=each.late_count,
            revised_count=each.revised_count,
        )


def make_app(kafka: KafkaAccess, watched: Watched, *, datadir: str) -> faust.App:
    """Return the app that feeds `watched`; `datadir` is a folder it may write to. A fault of ours ends the process."""
    app = faust.App(
        f"metering-watch-{uuid4()}",
        broker=[f"kafka://{place}" for place in kafka.bootstrap.split(",")],
        broker_credentials=_credentials(kafka),
        value_serializer="raw",
        key_serializer="raw",
        datadir=datadir,
        topic_disable_leader=True,
        topic_allow_declare=True,
        broker_commit_interval=1.0,
        stream_wait_empty=False,
        web_enabled=False,
        broker_session_timeout=10,
        broker_heartbeat_interval=3,
        broker_rebalance_timeout=20,
        consumer_auto_offset_reset="earliest",
        producer_acks=-1,
        consumer_metadata_max_age_ms=30_000,
        worker_redirect_stdouts=False,
    )
    source = app.topic(TOPIC, key_type=bytes, value_type=bytes)

    @app.agent(source, concurrency=1)
    async def watch(stream: Any) -> None:
        async for event in stream.events():
            message = event.message
            try:
                watched.see(
                    _Record(
                        topic=message.topic,
                        partition=message.partition,
                        offset=message.offset,
                        timestamp=round(message.timestamp * 1000),
                        key=message.key,
                        value=message.value,
                        headers=_headers(message.headers),
                    )
                )
            except Exception:  # an agent that raises loses the record in silence, whatever its supervisor
                _log.critical("the watch ends: a fault of its own", exc_info=True)
                logging.shutdown()
                os._exit(FAULT)

    @app.timer(_TICK_SECONDS, on_leader=False)  # type: ignore[untyped-decorator]
    async def tick() -> None:
        watched.is_rebalancing = app.rebalancing
        try:
            assigned = app.consumer.assignment()
            begins = await app.consumer.earliest_offsets(*assigned)
            ends = {place.partition: app.consumer.highwater(place) or 0 for place in assigned}
        except ConsumerNotStarted:  # the consumer runs later than the app
            return
        watched.note_ends({place.partition: offset for place, offset in begins.items()}, ends)

    @app.task  # type: ignore[untyped-decorator]
    async def begin() -> None:
        watched.is_started = True

    return app


def _headers(given: Any) -> list[tuple[str, bytes]]:
    return list(given.items()) if isinstance(given, dict) else list(given or ())


def _credentials(kafka: KafkaAccess) -> CredentialsT | None:
    arguments = kafka.client_arguments()
    context = arguments.get("ssl_context")
    if mechanism := arguments.get("sasl_mechanism"):
        return faust.SASLCredentials(
            username=arguments["sasl_plain_username"],
            password=arguments["sasl_plain_password"],
            ssl_context=context,
            mechanism=mechanism,
        )
    return faust.SSLCredentials(context=context) if context else None
