"""Freshness: how long after it was published a block can be queried, while they come at a steady rate.

Published as metering's API does (idempotent, acknowledged by all, the same producer), taken by the role `project` as a
process of its own. The clock of a block runs from the call that publishes it until its checkpoint, which is committed
with its row, was seen; it is looked at every 5 ms, and that is in the figure. Joining the group lies outside. A call
takes the blocks of 20 ms; when it is late, its blocks count from when they were due.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from statistics import median

from parts.dataset import ESTIMATES, SLICES, World
from parts.machine import describe
from parts.metering import CheckpointWatch, running_metering
from parts.servers import Servers, started_servers

from eventlog.database import create_engine
from eventlog.kafka import KafkaAccess
from eventlog.topics import create_topics
from services.metering.migration import create_store
from services.metering.publisher import Message, Publisher
from services.metering.store import TOPIC

TICK_SECONDS = 0.02
LOOK_SECONDS = 0.005
WARM_BLOCKS = 2_000
DEADLINE_SECONDS = 120.0


@dataclass
class Measured:
    """Of each round: seconds until queryable, p50, p99 and most, and blocks a second as published."""

    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    most: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Sent:
    """A block on the topic; `due` is when it was to be published (monotonic seconds)."""

    due: float
    partition: int
    offset: int


async def publish_steadily(publisher: Publisher, messages: Sequence[Message], rate: float) -> list[Sent]:
    """Publish `messages` at `rate` a second, one call per tick, each without waiting for the one before."""
    size = max(1, round(rate * TICK_SECONDS))
    began = time.monotonic()

    async def publish(place: int) -> list[Sent]:
        due = began + place / rate
        await asyncio.sleep(due - time.monotonic())
        positions = await publisher.publish(messages[place : place + size])
        return [Sent(due, each.partition, each.offset) for each in positions]

    calls = [asyncio.create_task(publish(place)) for place in range(0, len(messages), size)]
    return [each for sent in await asyncio.gather(*calls) for each in sent]


def waits(sent: Sequence[Sent], watch: CheckpointWatch) -> list[float]:
    """Return how long each block took until it could be queried, in order of length."""
    taken = []
    for each in sent:
        steps = watch.seen[each.partition]
        taken.append(steps[bisect_right(steps, each.offset, key=itemgetter(1))][0] - each.due)
    return sorted(taken)


async def measure(servers: Servers, options: argparse.Namespace) -> Measured:
    """Run all rounds on one store, each with blocks of its own."""
    access = KafkaAccess(servers.bootstrap)
    await create_topics(access, "local")
    count = round(options.rate * options.seconds)
    world = World(WARM_BLOCKS + options.rounds * count)
    publisher = Publisher(kafka=access, topic=TOPIC, deadline_seconds=DEADLINE_SECONDS)
    measured = Measured()
    with tempfile.TemporaryDirectory(prefix="kwartier-bench-") as folder, servers.schema("metering") as url:
        engine = create_engine(url, application_name="bench")
        create_store(engine)
        engine.dispose()
        watch = CheckpointWatch(url, LOOK_SECONDS)
        with running_metering(servers, "project", url, Path(folder)), watch.running():
            await publisher.publish(_messages(world, 0, WARM_BLOCKS))
            await asyncio.to_thread(watch.wait_for, WARM_BLOCKS, DEADLINE_SECONDS)
            for number in range(options.rounds):
                first = WARM_BLOCKS + number * count
                began = time.monotonic()
                sent = await publish_steadily(publisher, _messages(world, first, first + count), options.rate)
                measured.rates.append(count / (time.monotonic() - began))
                await asyncio.to_thread(watch.wait_for, first + count, DEADLINE_SECONDS)
                taken = waits(sent, watch)
                measured.p50.append(median(taken))
                measured.p99.append(taken[len(taken) * 99 // 100])
                measured.most.append(taken[-1])
                print(f"round {number + 1}: p99 {measured.p99[-1] * 1e3:,.0f} ms", flush=True)
        await publisher.stop()
    return measured


def _messages(world: World, first: int, end: int) -> list[Message]:
    return [Message(key, value, ()) for key, value in world.messages(ESTIMATES, first, end)]


def report(measured: Measured, options: argparse.Namespace, machine: str) -> None:
    """Print the table."""
    print(f"\nFrom published to queryable. {machine}")
    print(
        f"{options.rounds} rounds of {options.seconds:g} s at {options.rate:,.0f} blocks/s of {SLICES} values "
        f"(seed {ESTIMATES.seed}); published {median(measured.rates):,.0f} a second"
    )
    print(f"{'ms':<10}{'median':>10}   {'spread over rounds':<20}")
    for name, figures_ in (("p50", measured.p50), ("p99", measured.p99), ("most", measured.most)):
        bounds = f"{min(figures_) * 1e3:,.0f} to {max(figures_) * 1e3:,.0f}"
        print(f"{name:<10}{median(figures_) * 1e3:>10,.0f}   {bounds:<20}")


def figures(measured: Measured) -> dict[str, float]:
    """Return the flat figures, in base units: medians over the rounds."""
    return {
        "blocks_per_second": median(measured.rates),
        "p50_seconds": median(measured.p50),
        "p99_seconds": median(measured.p99),
        "most_seconds": max(measured.most),
    }


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="5 seconds a round")
    parser.add_argument("--json", action="store_true", help="the figures as the last line, one JSON object")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=float, default=1_000.0, help="blocks a second")
    parser.add_argument("--seconds", type=float, help="how long each round publishes")
    options = parser.parse_args()
    if options.seconds is None:
        options.seconds = 5.0 if options.short else 60.0
    return options


def main() -> None:
    options = parse_options()
    with started_servers() as servers:
        versions = describe("aiokafka", "polars", "adbc-driver-postgresql")
        machine = f"{versions}, Kafka 4.3.1, PostgreSQL {servers.version()}"
        measured = asyncio.run(measure(servers, options))
    report(measured, options, machine)
    if options.json:
        print(json.dumps(figures(measured)))


if __name__ == "__main__":
    main()
