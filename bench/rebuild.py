"""Rebuild: how many blocks a second the quarter-hour store is made again from its topic, beside the live one.

Live ingest and rebuild in turn, from the same topic in the same run; then both are compared bit by bit. The rebuild is
a process of its own, as `kwartier replay` starts it, so that its peak of memory is its own.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import psycopg
from parts.dataset import ESTIMATES, PARTITIONS, SLICES, VALIDATED, make_topic, messages, publish
from parts.machine import describe
from parts.servers import Servers, started_servers
from parts.spread import spread

from eventlog.consumer import consume
from eventlog.database import create_engine
from eventlog.kafka import KafkaAccess
from services.metering import store
from services.metering.migration import create_store
from services.metering.projector import CONCURRENT_RUNS, FETCH_BYTES, MAX_RUN_RECORDS, BlockProjection

DEADLINE_SECONDS = 3_600.0
PROGRAM = [sys.executable, "-m", "services.metering", "rebuild", store.PROJECTION, "--json"]


@dataclass
class Measured:
    """What each round gave: records a second, live and rebuilt; seconds of hashing both; peaks of memory in bytes."""

    live: list[float] = field(default_factory=list)
    rebuilt: list[float] = field(default_factory=list)
    comparing_seconds: list[float] = field(default_factory=list)
    peak_rss_bytes: list[int] = field(default_factory=list)
    identical: list[bool] = field(default_factory=list)


async def fill(servers: Servers, name: str, url: str, count: int) -> float:
    """Store all `count` records of the topic in the schema of `url`; return records per second, from first to last."""
    engine = create_engine(url, application_name="bench")
    create_store(engine)
    projection = BlockProjection(engine=engine, database_url=url, partition_count=PARTITIONS)
    access = KafkaAccess(servers.bootstrap)
    reading = asyncio.create_task(
        consume(
            projection,
            service=name,
            kafka=access,
            replica="0",
            max_run_records=MAX_RUN_RECORDS,
            concurrent_run_count=CONCURRENT_RUNS,
            fetch_bytes=FETCH_BYTES,
        )
    )
    try:
        return await _pace(url, count)
    finally:
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reading
        projection.close()
        engine.dispose()


async def _pace(url: str, count: int) -> float:
    deadline = time.monotonic() + DEADLINE_SECONDS
    began, first = 0.0, 0
    with psycopg.connect(url, autocommit=True) as connection:
        while time.monotonic() < deadline:
            row = connection.execute("select coalesce(sum(next_offset), 0)::bigint from checkpoint").fetchone()
            done = int(row[0]) if row else 0
            if done and not began:
                began, first = time.perf_counter(), done
            if done >= count:
                return (count - first) / (time.perf_counter() - began)
            await asyncio.sleep(0.02)
    raise TimeoutError(f"not {count} records after {DEADLINE_SECONDS:.0f} s")


def rebuild(servers: Servers, url: str) -> tuple[dict[str, Any], int]:
    """Rebuild and compare in a process; return what it says, and its peak of memory in bytes."""
    environment = {
        "SERVICE": "metering",
        "DATABASE_URL": url,
        **KafkaAccess(servers.bootstrap).environment(),
        "PORT": "0",
        "TOPICS_PROFILE": "local",
        "TZ": "UTC",
    }
    process = subprocess.Popen(
        PROGRAM, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    said = process.stdout.read() if process.stdout else ""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if not said:
        raise RuntimeError(f"the rebuild ended with {process.returncode} and said nothing")
    return json.loads(said), usage.ru_maxrss * 1024


@contextlib.contextmanager
def room(servers: Servers, name: str) -> Iterator[str]:
    """Lend a role with its schema and room for a version beside it."""
    with servers.schema(name) as url:
        with psycopg.connect(servers.admin_url, autocommit=True) as connection:
            connection.execute(f"create schema {name}_block_rebuild authorization {name}".encode())
        yield url


async def measure(servers: Servers, options: argparse.Namespace) -> Measured:
    """Publish once; then in each round fill a live store, and rebuild and compare beside it."""
    await make_topic(servers.bootstrap, store.TOPIC)
    await publish(servers.bootstrap, store.TOPIC, messages(options.blocks, ESTIMATES))
    await publish(servers.bootstrap, store.TOPIC, messages(options.blocks, VALIDATED)[: options.revised])
    count = options.blocks + options.revised
    measured = Measured()
    for number in range(options.rounds):
        with room(servers, f"round_{number}") as url:
            live = await fill(servers, f"live-{number}", url, count)
            said, peak = await asyncio.to_thread(rebuild, servers, url)
        measured.live.append(live)
        measured.rebuilt.append(said["records_per_second"])
        measured.comparing_seconds.append(said["seconds"] - said["applied_records"] / said["records_per_second"])
        measured.peak_rss_bytes.append(peak)
        measured.identical.append(said["identical"])
        word = "identical" if said["identical"] else "DIFFERENT"
        print(f"round {number + 1}: live {live:,.0f}, rebuilt {measured.rebuilt[-1]:,.0f} blocks/s, {word}", flush=True)
    return measured


def report(measured: Measured, options: argparse.Namespace, machine: str) -> None:
    """Print the table."""
    print(f"\nRebuild beside the live store. {machine}")
    print(
        f"{options.rounds} rounds; {options.blocks:,} blocks of {SLICES} values (seed {ESTIMATES.seed}), "
        f"{options.revised:,} of them revised; runs of {MAX_RUN_RECORDS:,}"
    )
    print(f"{'':<24}{'blocks/s':>12}   {'spread':>19}")
    print(f"{'live ingest':<24}{spread(measured.live)}")
    print(f"{'rebuild':<24}{spread(measured.rebuilt)}")
    print(
        f"comparing both: {median(measured.comparing_seconds):.1f} s; peak memory of the rebuild: "
        f"{max(measured.peak_rss_bytes) / 1e6:,.0f} MB; identical: {all(measured.identical)}"
    )


def figures(measured: Measured) -> dict[str, Any]:
    """Return the flat figures, in base units; the ratio is the median of the rounds' own."""
    pairs = zip(measured.rebuilt, measured.live, strict=True)
    return {
        "blocks_per_second": median(measured.rebuilt),
        "values_per_second": median(measured.rebuilt) * SLICES,
        "live_blocks_per_second": median(measured.live),
        "ratio_live": median(rebuilt / live for rebuilt, live in pairs),
        "comparing_seconds": median(measured.comparing_seconds),
        "identical": all(measured.identical),
        "peak_rss_bytes": max(measured.peak_rss_bytes),
    }


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="fewer blocks")
    parser.add_argument("--json", action="store_true", help="the figures as the last line, one JSON object")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--blocks", type=int, help="blocks in the topic")
    parser.add_argument("--revised", type=int, help="blocks that are revised afterwards")
    options = parser.parse_args()
    usual = (40_000, 4_000) if options.short else (1_000_000, 100_000)
    for name, count in zip(("blocks", "revised"), usual, strict=True):
        value = getattr(options, name)
        setattr(options, name, count if value is None else value)
    return options


def main() -> None:
    options = parse_options()
    with started_servers() as servers:
        versions = describe("aiokafka", "polars", "pyarrow", "adbc-driver-postgresql", "numpy")
        machine = f"{versions}, Kafka 4.3.1, PostgreSQL {servers.version()}"
        measured = asyncio.run(measure(servers, options))
    report(measured, options, machine)
    if options.json:
        print(json.dumps(figures(measured)))


if __name__ == "__main__":
    main()
