"""A version of a projection, from the room that it needs to what is left of it."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from sqlalchemy import Engine, text

from eventlog.comparison import Comparison
from eventlog.database import create_engine, create_tables, in_schema
from eventlog.kafka import KafkaAccess
from eventlog.rebuild import Rebuild, RebuildStopped
from eventlog.rebuilding import Pair, Show, compare, follow, put_in_place
from eventlog.switch import take_given_up
from eventlog.versions import REBUILD, NoRoom, Rebuildable, clear, demand_room, holds_tables, schema_of
from eventlog.wish import Outcome, Wish


def carry_out(wish: Wish, what: Rebuildable, url: str, kafka: KafkaAccess, *, show: Show) -> Outcome:
    """Do what is wished with a version of `what`, beside the live one on `url`.

    Raises:
        NoRoom: there is no schema for it, or none for what the switch replaces.
        RebuildStopped: the log does not give what it has to, or another one is at work.
        ProjectionStopped: the projection halts at a record, as the live one would.
    """
    began = time.monotonic()
    with ExitStack() as stack:
        pair, beside_url = _open(stack, wish.version, what, url)
        stack.enter_context(_alone(pair.live, pair.schema))
        if wish.drops:
            _demand_version(wish, pair)
            clear(pair.beside, pair.schema)
            return Outcome(projection=what.name, wish=wish)
        _prepare(wish, pair)
        aside = schema_of(pair.live_schema, what.name, wish.aside)
        if wish.switches:
            _make_aside(pair, url, aside)
        comparison, rebuild = asyncio.run(_work(wish, pair, beside_url, kafka, aside, show))
        has_switched = wish.switches and (wish.accepts_differences or bool(comparison and comparison.is_identical))
        if has_switched or wish.version == REBUILD:
            clear(pair.beside, pair.schema)
    return Outcome(
        projection=what.name,
        wish=wish,
        comparison=comparison,
        has_switched=has_switched,
        applied_count=rebuild.applied_count,
        applying_seconds=rebuild.seconds,
        seconds=time.monotonic() - began,
    )


def _open(stack: ExitStack, version: str, what: Rebuildable, url: str) -> tuple[Pair, str]:
    live = create_engine(url, application_name=f"rebuild-{what.name}")
    stack.callback(live.dispose)
    with live.connect() as connection:
        live_schema = str(connection.scalar(text("select current_schema()")))
    schema = schema_of(live_schema, what.name, version)
    beside_url = in_schema(url, schema)
    beside = create_engine(beside_url, application_name=f"rebuild-{what.name}")
    stack.callback(beside.dispose)
    demand_room(beside, schema)
    return Pair(what=what, live=live, live_schema=live_schema, beside=beside, schema=schema), beside_url


@contextmanager
def _alone(engine: Engine, schema: str) -> Iterator[None]:
    """Keep everybody else away from the version in `schema`; whoever dies lets go of it."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        key = {"key": f"version in {schema}"}
        if not connection.scalar(text("select pg_try_advisory_lock(hashtextextended(:key, 0))"), key):
            raise RebuildStopped(f"another process works on {schema}: wait for its end")
        try:
            yield
        finally:
            connection.execute(text("select pg_advisory_unlock(hashtextextended(:key, 0))"), key)


def _prepare(wish: Wish, pair: Pair) -> None:
    if not holds_tables(pair.live, pair.what, pair.live_schema):
        raise NoRoom(f"there is no live {pair.what.name} yet: start its service first")
    if wish.must_exist:
        _demand_version(wish, pair)
    if wish.version == REBUILD:
        clear(pair.beside, pair.schema)
    pair.what.create(pair.beside)
    with pair.live.begin() as tx:
        take_given_up(tx, pair.what, live=pair.live_schema, beside=pair.schema)


def _demand_version(wish: Wish, pair: Pair) -> None:
    if not holds_tables(pair.live, pair.what, pair.schema):
        raise NoRoom(f"there is no {pair.what.name}@{wish.version}: give one that kwartier status shows")


def _make_aside(pair: Pair, url: str, schema: str) -> None:
    """Make room in `schema` for what the switch replaces: the log's tables, and none of the projection's."""
    name = f"{pair.what.name}@{schema.rpartition('_')[2]}"
    if holds_tables(pair.live, pair.what, schema):
        version = schema.rpartition("_")[2]
        raise NoRoom(f"{name} lies there still: type kwartier replay {pair.what.name} --drop {version} first")
    aside = create_engine(in_schema(url, schema), application_name=f"rebuild-{pair.what.name}")
    try:
        demand_room(aside, schema)
        create_tables(aside)
    finally:
        aside.dispose()


async def _work(
    wish: Wish, pair: Pair, beside_url: str, kafka: KafkaAccess, aside: str, show: Show
) -> tuple[Comparison | None, Rebuild]:
    """Return how both compare (None where the version was followed), and what applied the records."""
    what = pair.what
    with what.open(pair.beside, beside_url) as projection:
        rebuild = Rebuild(
            projection,
            kafka=kafka,
            partition_count=what.partition_count,
            max_run_records=what.max_run_records,
            concurrent_run_count=what.concurrent_run_count,
            fetch_bytes=what.fetch_bytes,
        )
        async with rebuild:
            if wish.follows:
                await _follow(pair, rebuild, show)
                return None, rebuild
            comparison = await compare(pair, rebuild, show)
            if wish.switches and (comparison.is_identical or wish.accepts_differences):
                await put_in_place(pair, rebuild, aside=aside, show=show)
            return comparison, rebuild


async def _follow(pair: Pair, rebuild: Rebuild, show: Show) -> None:
    """Follow until SIGTERM or SIGINT."""
    following = asyncio.create_task(follow(pair, rebuild, show))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, following.cancel)
    with suppress(asyncio.CancelledError):
        await following
