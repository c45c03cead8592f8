"""Who waits for events is told when some are written: a trigger on table `event` speaks, at each commit.

The channel is named after the schema. What is said is nothing but "look"; whoever looks asks the table.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from sqlalchemy import Connection, text

_TRIGGER: Final = "event_announced"
_IS_THERE: Final = text(
    "select 1 from pg_trigger where tgrelid = to_regclass(quote_ident(current_schema()) || '.event') "
    "and tgname = :trigger"
)
# A trigger and not a statement of the writers: COPY, INSERT and a hand that mends something are heard alike. Several
# notices of one transaction are one.
_FUNCTION: Final = text(
    "create or replace function announce_event() returns trigger language plpgsql as "
    "'begin perform pg_notify(tg_table_schema, ''''); return null; end'"
)
_CREATE: Final = text(
    f"create trigger {_TRIGGER} after insert on event for each statement execute function announce_event()"
)


def create_announcement(tx: Connection) -> None:
    """Make the table `event` of the current schema announce what is inserted, where it does not yet."""
    if tx.execute(_IS_THERE, {"trigger": _TRIGGER}).first() is None:
        tx.execute(_FUNCTION)
        tx.execute(_CREATE)


class Wakeup:
    """The ear of one session, in autocommit. All but `wait` is called where the session's statements are, one at a
    time; `wait` in the event loop, while the session does nothing."""

    def __init__(self, connection: Connection) -> None:
        driver: Any = connection.connection.driver_connection
        self._driver = driver
        self._is_heard = True
        schema = connection.execute(text("select current_schema()")).scalar_one()
        connection.execute(text(f"listen {connection.dialect.identifier_preparer.quote_identifier(schema)}"))
        self._driver.add_notify_handler(self._hear)

    def _hear(self, _: object) -> None:
        self._is_heard = True

    def clear(self) -> None:
        """Forget what was said until now: the next statement sees what it was about.

        Raises:
            psycopg.OperationalError: the session is gone.
        """
        self._driver.pgconn.consume_input()
        while self._driver.pgconn.notifies() is not None:
            pass
        self._is_heard = False

    async def wait(self, seconds: float) -> None:
        """Return when something is said that was not cleared, the session ends, or `seconds` are over."""
        if self._is_heard:
            return
        loop, said, socket = asyncio.get_running_loop(), asyncio.Event(), self._driver.fileno()
        loop.add_reader(socket, said.set)
        try:
            async with asyncio.timeout(seconds):
                await said.wait()
        except TimeoutError:
            return
        finally:
            loop.remove_reader(socket)
