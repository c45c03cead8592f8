"""A national day: one day of two channels (offtake and injection) for each of many points, from topic to queryable.

The day is published first, by batches, so that the load takes no memory with its size; that is timed by itself. The
clock runs from the start of the role `project`, a process of its own, until its last checkpoint, which is committed
with the last row: its imports and the joining of its group are in it. The peak of memory is that process's. Bytes on
disk: blocks with their index, the whole database, its write-ahead log, and what Kafka keeps.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import psycopg
from parts.dataset import BATCH, ESTIMATES, SLICES, Message, World, publish
from parts.machine import describe
from parts.metering import CheckpointWatch, running_metering
from parts.ours import table_bytes
from parts.servers import Servers, started_servers

from eventlog.database import create_engine
from eventlog.kafka import KafkaAccess
from eventlog.topics import create_topics
from services.metering.migration import create_store
from services.metering.store import TOPIC

DAY = date(2026, 11, 19)
CHANNELS = ("OFFTAKE_ACTIVE_QUARTER_HOURLY", "INJECTION_ACTIVE_QUARTER_HOURLY")
SECONDS_PER_BLOCK = 0.002
JOIN_SECONDS = 120.0
LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds and bytes, as the docstring above has them."""

    publish_seconds: float
    wall_seconds: float
    first_seconds: float
    peak_rss_bytes: int
    block_bytes: int
    database_bytes: int
    wal_bytes: int
    log_bytes: int


def the_day(point_count: int) -> Iterator[Message]:
    """Give both channels of all points, in turn by batches of points."""
    world = World(point_count, (DAY,))
    deliveries = [
        replace(ESTIMATES, channel=channel, seed=ESTIMATES.seed + place) for place, channel in enumerate(CHANNELS)
    ]
    for first in range(0, point_count, BATCH):
        for delivery in deliveries:
            yield from world.messages(delivery, first, min(first + BATCH, point_count))


def told(messages: Iterator[Message], count: int) -> Iterator[Message]:
    """Give `messages` and say on a terminal how far they are."""
    for place, each in enumerate(messages, 1):
        if place % BATCH == 0:
            say(f"published {place:,} of {count:,}")
        yield each
    say("")


def say(text: str) -> None:
    """Show `text` in place of the last one, on a terminal only."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


async def fill_topic(servers: Servers, point_count: int) -> float:
    """Publish the day; return the seconds it took."""
    await create_topics(KafkaAccess(servers.bootstrap), "local")
    began = time.perf_counter()
    await publish(servers.bootstrap, TOPIC, told(the_day(point_count), 2 * point_count))
    return time.perf_counter() - began


def measure(servers: Servers, point_count: int) -> Measured:
    """Publish the day, then let the projector take all of it."""
    count = 2 * point_count
    publish_seconds = asyncio.run(fill_topic(servers, point_count))
    with tempfile.TemporaryDirectory(prefix="kwartier-bench-") as folder, servers.schema("metering") as url:
        engine = create_engine(url, application_name="bench")
        create_store(engine)
        engine.dispose()
        watch = CheckpointWatch(url, LOOK_SECONDS)
        began = time.monotonic()
        with watch.running(), running_metering(servers, "project", url, Path(folder)) as metering:
            wait_telling(watch, count)
            ended = max(steps[-1][0] for steps in watch.seen.values())
            first = min(steps[0][0] for steps in watch.seen.values())
            peak = metering.peak_rss_bytes()
        demand_all(url, count)
        return Measured(
            publish_seconds=publish_seconds,
            wall_seconds=ended - began,
            first_seconds=first - began,
            peak_rss_bytes=peak,
            block_bytes=table_bytes(url, "block"),
            database_bytes=number(servers.admin_url, "select pg_database_size(current_database())"),
            wal_bytes=number(servers.admin_url, "select sum(size) from pg_ls_waldir()"),
            log_bytes=servers.log_bytes(),
        )


def wait_telling(watch: CheckpointWatch, count: int) -> None:
    """Return when `count` records are stored; say on a terminal how far they are.

    Raises:
        TimeoutError: it takes far too long.
    """
    deadline = time.monotonic() + JOIN_SECONDS + count * SECONDS_PER_BLOCK
    while (done := watch.stored_count()) < count:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{done} of {count} blocks")
        say(f"stored {done:,} of {count:,}")
        time.sleep(0.1)
    say("")


def demand_all(url: str, count: int) -> None:
    """Raise RuntimeError unless `count` blocks are there, and nothing is parked."""
    found = number(url, "select count(*) from block"), number(url, "select count(*) from dead_letter")
    if found != (count, 0):
        raise RuntimeError(f"{found[0]} blocks and {found[1]} parked records, not {count} blocks")


def number(url: str, query: str) -> int:
    """Return the only number of an answer."""
    with psycopg.connect(url) as connection:
        row = connection.execute(query.encode()).fetchone()
    return int(row[0]) if row else 0


def report(measured: Measured, point_count: int, machine: str) -> None:
    """Print the table."""
    count = 2 * point_count
    print(f"\nA national day. {machine}")
    print(
        f"{count:,} blocks of {SLICES} values: two channels of {point_count:,} points on {DAY} (seed {ESTIMATES.seed})"
    )
    rows = [
        ("published in", f"{measured.publish_seconds:,.1f} s"),
        ("stored in", f"{measured.wall_seconds:,.1f} s, {count / measured.wall_seconds:,.0f} blocks/s"),
        ("of it until the first run", f"{measured.first_seconds:,.1f} s"),
        ("peak memory of the projector", f"{measured.peak_rss_bytes / 2**20:,.0f} MiB"),
        (
            "blocks and index",
            f"{megabytes(measured.block_bytes)}, {measured.block_bytes / count / SLICES:.2f} B/value",
        ),
        ("whole database", megabytes(measured.database_bytes)),
        ("write-ahead log kept", megabytes(measured.wal_bytes)),
        ("Kafka", megabytes(measured.log_bytes)),
    ]
    for name, figure in rows:
        print(f"{name:<30}{figure}")


def megabytes(count: int) -> str:
    return f"{count / 1e6:,.0f} MB"


def figures(measured: Measured, point_count: int) -> dict[str, float]:
    """Return the flat figures, in base units."""
    count = 2 * point_count
    return {
        "blocks": count,
        "points": point_count,
        "wall_seconds": measured.wall_seconds,
        "publish_seconds": measured.publish_seconds,
        "blocks_per_second": count / measured.wall_seconds,
        "values_per_second": count * SLICES / measured.wall_seconds,
        "bytes_per_value": measured.block_bytes / count / SLICES,
        "disk_bytes": measured.database_bytes + measured.wal_bytes + measured.log_bytes,
        "database_bytes": measured.database_bytes,
        "log_bytes": measured.log_bytes,
        "peak_rss_bytes": measured.peak_rss_bytes,
    }


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="10,000 points")
    parser.add_argument("--json", action="store_true", help="the figures as the last line, one JSON object")
    parser.add_argument("--points", type=int, help="100,000; a nation has 5,000,000 (ten million blocks, 9 GB of disk)")
    options = parser.parse_args()
    if options.points is None:
        options.points = 10_000 if options.short else 100_000
    return options


def main() -> None:
    options = parse_options()
    with started_servers() as servers:
        versions = describe("aiokafka", "polars", "pyarrow", "adbc-driver-postgresql", "numpy")
        machine = f"{versions}, Kafka 4.3.1, PostgreSQL {servers.version()}"
        measured = measure(servers, options.points)
    report(measured, options.points, machine)
    if options.json:
        print(json.dumps(figures(measured, options.points)))


if __name__ == "__main__":
    main()
