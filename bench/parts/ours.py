"""The quarter-hour store as production runs it, from topic to table, in each state that a topic can be in."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
from parts.dataset import ESTIMATES, PARTITIONS, SLICES, VALIDATED, Message, World, make_topic, publish
from parts.pace import Pace, Timed
from parts.servers import Servers
from sqlalchemy import Engine, text

from eventlog.consumer import consume
from eventlog.database import create_engine
from eventlog.kafka import KafkaAccess
from services.metering.migration import create_store
from services.metering.projector import CONCURRENT_RUNS, FETCH_BYTES, BlockProjection, collect_garbage_rarely

SCENARIOS = ("new", "mixed", "redelivered", "resent", "revised")
"""New blocks; new ones with a tenth of revisions; every record again after the checkpoint was lost; messages sent
again; every block revised."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How many blocks: in the topic at first, and in each of the later scenarios (a quarter of them at most)."""

    blocks: int
    revised: int
    run_records: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """The pace of each scenario, and bytes of table and index per value after the first."""

    paces: dict[str, Pace]
    bytes_per_value: float


@dataclass(frozen=True, slots=True)
class Store:
    """A store on a topic of its own."""

    servers: Servers
    name: str
    url: str
    engine: Engine
    plan: Plan

    async def pace_of(self, count: int) -> Pace:
        """Consume what lies on the topic until `count` records are applied, as a process that has just started."""
        projection = BlockProjection(
            engine=self.engine, database_url=self.url, partition_count=PARTITIONS, topic=self.name
        )
        timed = Timed(projection, self.servers, topic=self.name)
        reading = asyncio.create_task(
            consume(
                timed,
                service=self.name,
                kafka=KafkaAccess(self.servers.bootstrap),
                replica="0",
                max_run_records=self.plan.run_records,
                concurrent_run_count=CONCURRENT_RUNS,
                fetch_bytes=FETCH_BYTES,
            )
        )
        waiting = asyncio.create_task(timed.pace_of(count))
        try:
            await asyncio.wait({reading, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if reading.done():
                reading.result()
            return await waiting
        finally:
            waiting.cancel()
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reading
            projection.close()

    def lose_checkpoint(self) -> None:
        """Let the next consumer begin at offset 0."""
        with self.engine.begin() as tx:
            tx.execute(text("update checkpoint set next_offset = 0"))


@contextlib.contextmanager
def opened(servers: Servers, name: str, plan: Plan) -> Iterator[Store]:
    """Lend an empty store."""
    with servers.schema(name.replace("-", "_")) as url:
        engine = create_engine(url, application_name="bench")
        create_store(engine)
        try:
            yield Store(servers, name, url, engine, plan)
        finally:
            engine.dispose()


async def measure_ours(servers: Servers, name: str, plan: Plan) -> Outcome:
    """Return the pace of each scenario, one after the other in the same store."""
    collect_garbage_rarely()
    few, tenth = plan.revised, plan.revised // 10
    world = World(plan.blocks + few)
    await make_topic(servers.bootstrap, name)
    await publish(servers.bootstrap, name, world.messages(ESTIMATES, 0, plan.blocks))
    paces = {}
    with opened(servers, name, plan) as store:
        paces["new"] = await store.pace_of(plan.blocks)
        size = table_bytes(store.url, "block") / (plan.blocks * SLICES)
        store.lose_checkpoint()
        paces["redelivered"] = await store.pace_of(plan.blocks)
        await publish(
            servers.bootstrap,
            name,
            _every_tenth(
                world.messages(ESTIMATES, plan.blocks, plan.blocks + few - tenth),
                world.messages(VALIDATED, 0, tenth),
            ),
        )
        paces["mixed"] = await store.pace_of(few)
        await publish(servers.bootstrap, name, world.messages(ESTIMATES, tenth, tenth + few))
        paces["resent"] = await store.pace_of(few)
        await publish(servers.bootstrap, name, world.messages(VALIDATED, tenth, tenth + few))
        paces["revised"] = await store.pace_of(few)
    return Outcome(paces, size)


def _every_tenth(many: Iterator[Message], few: Iterator[Message]) -> Iterator[Message]:
    """Give one of `few` after each nine of `many`."""
    for place, each in enumerate(many, 1):
        yield each
        if place % 9 == 0:
            yield from (other for other in [next(few, None)] if other is not None)
    yield from few


def table_bytes(url: str, table: str) -> int:
    """Return the bytes of a table with its partitions, indexes included."""
    query = (
        "select pg_total_relation_size(%(name)s::text::regclass) + coalesce((select sum(pg_total_relation_size(relid)) "
        "from pg_partition_tree(%(name)s::text::regclass) where parentrelid is not null), 0)"
    )
    with psycopg.connect(url) as connection:
        row = connection.execute(query, {"name": table}).fetchone()
    return int(row[0]) if row else 0
