"""Topic to queryable: how many blocks a second the quarter-hour store takes from Kafka into PostgreSQL.

Beside it, in the same run: a plain Faust + fastavro + SQLAlchemy consumer that inserts a row per value. Both clocks run
from the first record in hand to the last one committed; imports, group joining and a first small run lie outside.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import resource
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import psycopg
from parts.dataset import ESTIMATES, PARTITIONS, SLICES, VALIDATED, Message, make_topic, messages, publish
from parts.machine import describe
from parts.servers import Servers, started_servers
from parts.spread import spread

from eventlog.checkpoint import Claim
from eventlog.consumer import consume
from eventlog.database import create_engine, create_tables
from eventlog.kafka import KafkaAccess
from eventlog.projection import Applied, Run
from services.metering import tables
from services.metering.projector import MAX_RUN_RECORDS, BlockProjection

PEER = Path(__file__).parent / "peers" / "faust_rows.py"
DEADLINE_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class Reading:
    """The clock, and the processor time of this process and of PostgreSQL together; in seconds."""

    clock: float
    cpu: float

    @staticmethod
    def now(servers: Servers) -> Reading:
        return Reading(time.perf_counter(), time.process_time() + servers.postgres_cpu_seconds())


@dataclass(frozen=True, slots=True)
class Pace:
    """Blocks per second by the clock, and processor seconds per block, of the consumer and of PostgreSQL."""

    blocks_per_second: float
    cpu_seconds_per_block: float


@dataclass
class Timed:
    """The projection, and when it began and how many records it has applied."""

    projection: BlockProjection
    servers: Servers
    name: str = "block"
    topic: str = ""
    count: int = 0
    began: Reading | None = None

    def claim(self, partition: int, owner: str) -> Claim:
        return self.projection.claim(partition, owner)

    def apply(self, claim: Claim, run: Run) -> Applied:
        self.began = self.began or Reading.now(self.servers)
        applied = self.projection.apply(claim, run)
        self.count += applied.applied_count
        return applied

    async def pace_of(self, count: int) -> Pace:
        """Wait until `count` records are applied since the last question; return how fast that went."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while self.count < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.count} of {count} records after {DEADLINE_SECONDS:.0f} s")
            await asyncio.sleep(0.02)
        ended, began = Reading.now(self.servers), self.began
        self.count, self.began = 0, None
        if began is None:
            raise RuntimeError("no record was applied")
        return Pace(count / (ended.clock - began.clock), (ended.cpu - began.cpu) / count)


@dataclass
class Measured:
    """What each round gave, and bytes of table and index per value."""

    new: list[Pace] = field(default_factory=list)
    revised: list[Pace] = field(default_factory=list)
    faust: list[Pace] = field(default_factory=list)
    bytes_per_value: list[float] = field(default_factory=list)
    faust_bytes_per_value: list[float] = field(default_factory=list)


async def measure_ours(
    servers: Servers, name: str, estimates: list[Message], validated: list[Message], run_records: int
) -> tuple[Pace, Pace, float]:
    """Return the pace of new blocks and of revised ones, and bytes per value of the new ones."""
    await make_topic(servers.bootstrap, name)
    await publish(servers.bootstrap, name, estimates)
    with servers.schema(name.replace("-", "_")) as url:
        engine = create_engine(url, application_name="bench")
        create_tables(engine, tables.metadata)
        projection = BlockProjection(engine=engine, database_url=url, partition_count=PARTITIONS, topic=name)
        timed = Timed(projection, servers, topic=name)
        reading = asyncio.create_task(
            consume(timed, service=name, kafka=KafkaAccess(servers.bootstrap), replica="0", max_run_records=run_records)
        )
        try:
            new = await timed.pace_of(len(estimates))
            bytes_per_value = _table_bytes(url, "block") / (len(estimates) * SLICES)
            await publish(servers.bootstrap, name, validated)
            revised = await timed.pace_of(len(validated))
        finally:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reading
            projection.close()
            engine.dispose()
    return new, revised, bytes_per_value


async def measure_faust(servers: Servers, name: str, sent: list[Message]) -> tuple[Pace, float]:
    """Return the pace and the bytes per value of the peer."""
    await make_topic(servers.bootstrap, name)
    await publish(servers.bootstrap, name, sent)
    with servers.schema(name.replace("-", "_")) as url:
        before = servers.postgres_cpu_seconds()
        program = [sys.executable, str(PEER), servers.bootstrap, name, url, str(len(sent))]
        done = await asyncio.to_thread(
            subprocess.run, program, capture_output=True, text=True, check=True, timeout=DEADLINE_SECONDS
        )
        clock, own_cpu = map(float, done.stdout.split()[-2:])
        cpu = own_cpu + servers.postgres_cpu_seconds() - before
        return Pace(len(sent) / clock, cpu / len(sent)), _table_bytes(url, "reading") / (len(sent) * SLICES)


def _table_bytes(url: str, table: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("select pg_total_relation_size(%s::text::regclass)", [table]).fetchone()
    return int(row[0]) if row else 0


async def measure(servers: Servers, options: argparse.Namespace) -> Measured:
    """Run all rounds, ours and the peer in turn."""
    estimates = messages(options.blocks, ESTIMATES)
    validated = messages(options.blocks, VALIDATED)[: options.revised]
    await measure_ours(servers, "warm", estimates[:2000], validated[:2000], options.run_records)
    measured = Measured()
    for number in range(options.rounds):
        new, revised, size = await measure_ours(servers, f"ours-{number}", estimates, validated, options.run_records)
        faust, faust_size = await measure_faust(servers, f"faust-{number}", estimates[: options.peer_blocks])
        measured.new.append(new)
        measured.revised.append(revised)
        measured.bytes_per_value.append(size)
        measured.faust.append(faust)
        measured.faust_bytes_per_value.append(faust_size)
        paces = ", ".join(f"{each.blocks_per_second:,.0f}" for each in (new, revised, faust))
        print(f"round {number + 1}: new, revised, Faust: {paces} blocks/s", flush=True)
    return measured


def report(measured: Measured, options: argparse.Namespace, machine: str) -> None:
    """Print the table."""
    print(f"\nTopic to queryable. {machine}")
    print(
        f"{options.rounds} rounds; {options.blocks:,} blocks of {SLICES} values (seed {ESTIMATES.seed}), "
        f"{options.revised:,} of them revised, {options.peer_blocks:,} for the peer; runs of {options.run_records:,}"
    )
    print(f"{'':<24}{'blocks/s':>12}   {'spread':>19}{'CPU µs/block':>16}")
    for name, paces in (
        ("ours, new", measured.new),
        ("ours, all revised", measured.revised),
        ("Faust, a row per value", measured.faust),
    ):
        print(f"{name:<24}{spread([each.blocks_per_second for each in paces])}{cpu(paces) * 1e6:>16,.1f}")
    print(
        f"bytes/value (table and index): ours {median(measured.bytes_per_value):.2f}, "
        f"peer {median(measured.faust_bytes_per_value):.0f}"
    )
    ratios = figures(measured)
    print(f"ours to peer: {ratios['ratio_faust']:.0f} by the clock, {ratios['ratio_faust_cpu']:.0f} by processor time")


def cpu(paces: list[Pace]) -> float:
    """Return the median of the processor seconds per block."""
    return median(each.cpu_seconds_per_block for each in paces)


def figures(measured: Measured) -> dict[str, float]:
    """Return the flat figures, in base units. The ratio by the clock is the median of the rounds' own ratios."""
    blocks = median(each.blocks_per_second for each in measured.new)
    pairs = zip(measured.new, measured.faust, strict=True)
    return {
        "blocks_per_second": blocks,
        "values_per_second": blocks * SLICES,
        "cpu_seconds_per_block": cpu(measured.new),
        "revised_blocks_per_second": median(each.blocks_per_second for each in measured.revised),
        "revised_cpu_seconds_per_block": cpu(measured.revised),
        "bytes_per_value": median(measured.bytes_per_value),
        "faust_blocks_per_second": median(each.blocks_per_second for each in measured.faust),
        "faust_cpu_seconds_per_block": cpu(measured.faust),
        "faust_bytes_per_value": median(measured.faust_bytes_per_value),
        "ratio_faust": median(ours.blocks_per_second / peer.blocks_per_second for ours, peer in pairs),
        "ratio_faust_cpu": cpu(measured.faust) / cpu(measured.new),
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="fewer blocks")
    parser.add_argument("--json", action="store_true", help="the figures as the last line, one JSON object")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--blocks", type=int, help="blocks in the topic")
    parser.add_argument("--revised", type=int, help="blocks that are revised afterwards")
    parser.add_argument("--peer-blocks", type=int, help="blocks for the peer")
    parser.add_argument("--run-records", type=int, default=MAX_RUN_RECORDS, help="greatest run that is applied at once")
    options = parser.parse_args()
    usual = (40_000, 10_000, 1_000) if options.short else (400_000, 100_000, 5_000)
    for name, count in zip(("blocks", "revised", "peer_blocks"), usual, strict=True):
        setattr(options, name, getattr(options, name) or count)
    return options


def main() -> None:
    options = parse_options()
    with started_servers() as servers:
        versions = describe("aiokafka", "polars", "pyarrow", "adbc-driver-postgresql", "numpy", "faust-streaming")
        machine = f"{versions}, Kafka 4.3.1, PostgreSQL {servers.version()}"
        measured = asyncio.run(measure(servers, options))
    report(measured, options, machine)
    if options.json:
        print(json.dumps({name: round(figure, 9) for name, figure in figures(measured).items()}))


if __name__ == "__main__":
    main()
