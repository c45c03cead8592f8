"""A projection made again beside the live one: compared with it, kept up to date, put in its place.

A version never passes the live one: it stops at the live checkpoints, which is where both are compared and switched.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from eventlog import checkpoint
from eventlog.comparison import Comparison
from eventlog.content import read_content, row_differences
from eventlog.database import is_outage
from eventlog.rebuild import Rebuild, RebuildStopped
from eventlog.switch import is_at, lock_checkpoints, switch
from eventlog.versions import Rebuildable, holds_tables

_FOLLOW_SECONDS: Final = 0.5
_SWITCH_SECONDS: Final = 60.0
_UNBOUNDED: Final = text(
    "select set_config('statement_timeout', '0', true), set_config('transaction_timeout', '0', true), "
    "set_config('idle_in_transaction_session_timeout', '0', true)"
)

_SORTS: Final = text("select set_config('work_mem', '64MB', true)")

Show = Callable[[str, int, int], None]
"""Told what goes on: a word for it, how much of it is done, and of how much; 0 of 0 where nobody can say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The live projection and its version: engines on their schemas, and what these are called."""

    what: Rebuildable
    live: Engine
    live_schema: str
    beside: Engine
    schema: str

    def live_offsets(self) -> dict[int, int]:
        """Return how far the live projection is."""
        with self.live.connect() as connection:
            return checkpoint.read(connection, projection=self.what.name, topic=self.what.topic)


async def catch_up(rebuild: Rebuild, ends: Mapping[int, int], show: Show) -> None:
    """Bring the version to `ends`; say how far that is."""
    start = rebuild.applied_count
    total = sum(max(end - rebuild.next_offsets.get(each, 0), 0) for each, end in ends.items())
    await rebuild.reach(ends, note=lambda count: show("rebuilding", count - start, total))


async def follow(pair: Pair, rebuild: Rebuild, show: Show) -> None:
    """Keep the version up to date until cancelled."""
    while True:
        await catch_up(rebuild, pair.live_offsets(), show)
        await asyncio.sleep(_FOLLOW_SECONDS)


async def compare(pair: Pair, rebuild: Rebuild, show: Show) -> Comparison:
    """Bring the version to where the live one stands, and compare the two there; the live one may go on meanwhile.

    Raises:
        RebuildStopped: the log does not give what the live one once had from it, or the version is past it.
    """
    await catch_up(rebuild, pair.live_offsets(), show)
    with _instant(pair.live, pair.what) as there:
        ends = checkpoint.read(there, projection=pair.what.name, topic=pair.what.topic)
        if any(offset > ends.get(each, 0) for each, offset in rebuild.next_offsets.items()):
            raise RebuildStopped("the version is past the live one: wait until that one has caught up")
        await catch_up(rebuild, ends, show)
        with _instant(pair.beside, pair.what) as here:
            show("comparing", 0, 0)
            live, rebuilt = await asyncio.gather(
                asyncio.to_thread(read_content, there, pair.what), asyncio.to_thread(read_content, here, pair.what)
            )
            names = tuple(own.table.name for own in pair.what.tables)
            found = Comparison(tables=names, live=live, rebuilt=rebuilt)
            differing = found.different_partitions
            rows = [await asyncio.to_thread(row_differences, there, here, pair.what, each) for each in differing]
            return replace(found, rows=[each for some in rows for each in some])


@contextmanager
def _instant(engine: Engine, what: Rebuildable) -> Iterator[Connection]:
    """Lend a connection that sees one instant, for as long as it takes. Its tables are locked first (for readers'
    company): tables that were switched after the instant would look empty."""
    quote = engine.dialect.identifier_preparer.quote
    names = ", ".join(quote(own.table.name) for own in what.tables)
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection, connection.begin():
        connection.execute(text(f"lock table {names} in access share mode"))
        connection.execute(_UNBOUNDED)
        connection.execute(_SORTS)
        yield connection


async def put_in_place(pair: Pair, rebuild: Rebuild, *, aside: str, show: Show) -> None:
    """Put the version in the place of the live one, whose tables go to the schema `aside`.

    The live projector waits for as long as the last records take, readers for as long as the tables change places.

    Raises:
        RebuildStopped: it could not be done within a minute; nothing changed.
    """
    show("switching", 0, 0)
    await asyncio.to_thread(_analyse, pair)
    deadline = time.monotonic() + _SWITCH_SECONDS
    while True:
        await rebuild.reach(pair.live_offsets())
        try:
            if await _try_switch(pair, rebuild, aside):
                return
        except DBAPIError as error:
            if not is_outage(error):
                raise
            if holds_tables(pair.live, pair.what, aside):  # committed, and nobody told us
                return
        if time.monotonic() > deadline:
            raise RebuildStopped("readers or records leave no moment for the switch: try again in a quieter hour")
        await asyncio.sleep(random.uniform(0.1, 0.5))  # noqa: S311 - lets waiting readers through


def _analyse(pair: Pair) -> None:
    """Let the planner know the new tables before anybody reads them."""
    quote = pair.beside.dialect.identifier_preparer.quote
    with pair.beside.begin() as tx:
        tx.execute(_UNBOUNDED)
        for own in pair.what.tables:
            tx.execute(text(f"analyze {quote(own.table.name)}"))


async def _try_switch(pair: Pair, rebuild: Rebuild, aside: str) -> bool:
    """Switch in one transaction; return false where too much came since to let the live projector wait for it."""
    with pair.live.begin() as tx:
        ends = lock_checkpoints(tx, pair.what, pair.live_schema)
        gap = sum(end - rebuild.next_offsets.get(each, 0) for each, end in ends.items())
        if gap > pair.what.max_run_records:
            return False
        await rebuild.reach(ends)
        if not is_at(lock_checkpoints(tx, pair.what, pair.schema), ends):
            raise RebuildStopped("the version is not where the live one is: type it again")
        switch(tx, pair.what, live=pair.live_schema, beside=pair.schema, aside=aside)
    return True
