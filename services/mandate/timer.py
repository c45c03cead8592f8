"""The timer of mandate: writes what the calendar asks for, so that a replay never looks at a clock."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Engine

from eventlog.database import is_outage
from eventlog.event_store import StreamChanged
from services.mandate import store
from services.mandate.handlers import Origin, pass_time

BATCH_SIZE: Final = 200
_log: Final = logging.getLogger(__name__)


async def keep_time(
    engine: Engine, *, clock: Callable[[], datetime], new_id: Callable[[], UUID], every_seconds: float
) -> None:
    """Look at the calendar each `every_seconds` until cancelled; wait out outages of the database."""
    while True:
        try:
            while await asyncio.to_thread(tick, engine, now=clock(), new_id=new_id):
                pass
        except StreamChanged:
            continue
        except Exception as error:
            if not is_outage(error):
                raise
            _log.warning("the timer tries again: %s", type(error).__name__)
        await asyncio.sleep(every_seconds)


def tick(engine: Engine, *, now: datetime, new_id: Callable[[], UUID], batch_size: int = BATCH_SIZE) -> bool:
    """Signal and expire what is due at `now` (UTC), at most `batch_size` points; return whether there may be more.

    Nothing happens while another timer is at work.

    Raises:
        StreamChanged: a command came in between; nothing is written, safe to try again.
    """
    with engine.begin() as tx:
        if not store.begin_timer(tx):
            return False
        eans = store.due_eans(tx, now, batch_size)
        events = pass_time(tx, eans, Origin(now=now, correlation_id=new_id()))
    return bool(events) and len(eans) == batch_size
