"""What a service has written and not published yet, and how long that has been so."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, Engine, func, select

from eventlog import metrics
from eventlog.database import is_outage
from eventlog.tables import event

_EVERY_SECONDS: Final = 5.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """Events that are not published: how many, and the age of the oldest in seconds (0.0 without one)."""

    event_count: int
    oldest_seconds: float


def read_backlog(tx: Connection) -> Backlog:
    """Return what the relay has not published yet."""
    age = func.extract("epoch", func.clock_timestamp() - func.min(event.c.recorded_at))
    count, seconds = tx.execute(select(func.count(), age).where(event.c.published_at.is_(None))).one()
    return Backlog(event_count=count, oldest_seconds=max(float(seconds or 0.0), 0.0))


def count_unpublished(engine: Engine) -> int:
    """Return how many events the relay has not published yet."""
    with engine.begin() as tx:
        return read_backlog(tx).event_count


async def measure_backlog(engine: Engine, *, topic: str, every_seconds: float = _EVERY_SECONDS) -> None:
    """Keep the gauges of the backlog right until cancelled, whatever the relay itself is waiting for."""
    while True:
        try:
            backlog = await asyncio.to_thread(_read, engine)
        except Exception as error:
            if not is_outage(error):
                raise
            _log.warning("the backlog of %s cannot be measured: %s", topic, type(error).__name__)
        else:
            metrics.UNPUBLISHED.labels(topic).set(backlog.event_count)
            metrics.OLDEST_UNPUBLISHED.labels(topic).set(backlog.oldest_seconds)
        await asyncio.sleep(every_seconds)


def _read(engine: Engine) -> Backlog:
    with engine.begin() as tx:
        return read_backlog(tx)
