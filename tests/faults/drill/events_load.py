"""Events of the load: appended to the event table by several writers at once, through every outage exactly once."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, Engine, func, select

from eventlog import event_store
from eventlog.database import is_outage
from eventlog.events import MeterInstalled
from eventlog.tables import event
from market.ean import Ean
from tests.faults.drill.book import POINTS, Book, point

WRITERS: Final = 3
INSTALLED_AT: Final = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
REQUEST: Final = UUID("00000000-0000-4000-8000-000000000001")
_MOST_STREAMS: Final = 20
_MOST_EVENTS: Final = 8
_RETRY_SECONDS: Final = 0.5

Batch = dict[str, list[int]]
"""Streams and the numbers of the events that one transaction adds to each."""


def installed(stream_id: str, number: int) -> MeterInstalled:
    """Return the event that carries `number`."""
    return MeterInstalled(
        ean=Ean(stream_id.removeprefix("point:")),
        meter_id=str(number),
        meter_kind="DIGITAL",
        sequence_number=1,
        installed_at=INSTALLED_AT,
    )


def write_events(engine: Engine, book: Book, chance: random.Random, writer: int, count: int) -> None:
    """Add at least `count` events to streams of this `writer` alone. Returns when all are committed.

    Now and then a transaction stays open for a while, so that its positions become visible behind later ones.
    """
    written = 0
    while written < count:
        batch = _choose(book, chance, writer)
        _write(engine, book, batch, linger_seconds=chance.choice((0.0, 0.0, 0.0, 0.5)))
        written += sum(map(len, batch.values()))
    book.event_count += written


def _choose(book: Book, chance: random.Random, writer: int) -> Batch:
    own = range(writer, POINTS, WRITERS)
    chosen = chance.sample(own, chance.randint(1, _MOST_STREAMS))
    return {f"point:{point(each)}": _numbers(book, chance.randint(1, _MOST_EVENTS)) for each in chosen}


def _numbers(book: Book, count: int) -> list[int]:
    return [next(book.numbers) for _ in range(count)]


def _write(engine: Engine, book: Book, batch: Batch, *, linger_seconds: float) -> None:
    before = {stream_id: len(book.streams.get(stream_id, ())) for stream_id in batch}
    while not _try(engine, batch, before, linger_seconds):
        time.sleep(_RETRY_SECONDS)
    for stream_id, numbers in batch.items():
        book.streams.setdefault(stream_id, []).extend(numbers)


def _try(engine: Engine, batch: Batch, before: dict[str, int], linger_seconds: float) -> bool:
    """Return whether the batch is in: committed now, or by an earlier try whose outcome was not known."""
    try:
        with engine.begin() as tx:
            versions = _versions(tx, list(batch))
            if versions != before:
                after = {stream_id: before[stream_id] + len(numbers) for stream_id, numbers in batch.items()}
                assert versions == after, "a transaction of the load was committed in part"
                return True
            for stream_id, numbers in sorted(batch.items()):
                events = [installed(stream_id, number) for number in numbers]
                event_store.append(
                    tx,
                    stream_id,
                    events,
                    expected_version=before[stream_id],
                    correlation_id=REQUEST,
                    recorded_at=datetime.now(UTC),
                )
            time.sleep(linger_seconds)
    except Exception as error:
        if not is_outage(error):
            raise
        return False
    return True


def _versions(tx: Connection, stream_ids: Sequence[str]) -> dict[str, int]:
    query = (
        select(event.c.stream_id, func.max(event.c.stream_version).label("stream_version"))
        .where(event.c.stream_id.in_(stream_ids))
        .group_by(event.c.stream_id)
    )
    found = {row.stream_id: row.stream_version for row in tx.execute(query)}
    return {stream_id: found.get(stream_id, 0) for stream_id in stream_ids}
