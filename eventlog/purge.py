"""An outbox that is nobody's source of truth does not grow for ever: what its topic forgets, it forgets too."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection, Engine, func, select, text

from eventlog.database import is_outage
from eventlog.tables import event

_WINDOW: Final = 50_000  # positions looked at by one statement
# The newest event of a stream stays: its version is where the stream goes on.
_DELETE: Final = text(
    "delete from event old where old.position > :after and old.position <= :until "
    "and old.published_at < clock_timestamp() - make_interval(secs => :seconds) "
    "and exists (select 1 from event newer "
    "where newer.stream_id = old.stream_id and newer.stream_version = old.stream_version + 1)"
)

_log = logging.getLogger(__name__)


async def purge_published(engine: Engine, *, kept: timedelta, every_seconds: float = 3_600.0) -> None:
    """Delete events published longer ago than `kept`, each `every_seconds` until cancelled; wait out outages.

    Only for a service whose events are no source of truth. The last event of each stream is kept.
    """
    while True:
        try:
            count = await asyncio.to_thread(purge_once, engine, kept=kept)
        except Exception as error:
            if not is_outage(error):
                raise
            _log.warning("published events cannot be deleted now: %s", type(error).__name__)
        else:
            _log.log(logging.INFO if count else logging.DEBUG, "deleted %d published events", count)
        await asyncio.sleep(every_seconds)


def purge_once(engine: Engine, *, kept: timedelta) -> int:
    """Delete what `purge_published` says, in short transactions; return how many events that were."""
    with engine.begin() as tx:
        after, last = tx.execute(select(func.min(event.c.position) - 1, func.max(event.c.position))).one()
    count = 0
    while after is not None and after < last:
        with engine.begin() as tx:
            count += _delete(tx, after, kept)
        after += _WINDOW
    return count


def _delete(tx: Connection, after: int, kept: timedelta) -> int:
    bounds = {"after": after, "until": after + _WINDOW, "seconds": kept.total_seconds()}
    return tx.execute(_DELETE, bounds).rowcount
