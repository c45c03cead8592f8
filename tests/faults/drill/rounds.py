"""A drill from beginning to end: rounds of load and faults, each with its verdict."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stack.jars import Report
from tests.faults.drill.book import Book
from tests.faults.drill.fault import Fault, NothingHappened
from tests.faults.drill.faults import BY_NAME, FAULTS
from tests.faults.drill.findings import Findings
from tests.faults.drill.load import Load
from tests.faults.drill.log_scan import LogScan
from tests.faults.drill.plan import Plan
from tests.faults.drill.verdict import CaughtUp, catch_up, judge
from tests.faults.drill.world import World, start_world

_ROUND_SECONDS: Final = 12.0
_LENGTH_OF_ROUND: Final = 22.0  # with what comes after the load: what a round of the long drill takes, about
_TRICKLE: Final = 100
SHORT: Final = (
    ("zombie", "relay killed", "clock"),
    ("in transaction", "broker"),
    ("in copy", "relay frozen"),
    ("kill", "database"),
    ("metering", "disk"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one round did and how it ended."""

    number: int
    done: str
    findings: Findings
    caught_up: CaughtUp
    record_count: int
    resent_count: int
    poison_count: int

    @property
    def is_good(self) -> bool:
        return self.caught_up.is_done and self.findings.is_clean


async def run_rounds(plan: Plan, folder: Path, report: Report) -> AsyncGenerator[Row, None]:
    """Yield a row per round. The caller stops at the first that is not good."""
    report("starting brokers, database and members")
    world = await start_world(plan, folder)
    book, scan, chance = Book(), LogScan(), random.Random(plan.seed)
    load = Load(book, world.engines["register"], world.brokers.bootstrap, random.Random(plan.seed + 1))
    try:
        async with load.producing():
            began = time.monotonic()
            for number, faults in enumerate(_chosen(plan, book, chance), 1):
                past = f"{(time.monotonic() - began) / 60:.1f} of {plan.seconds / 60:.0f} min"
                report(f"round {number}, {past}: {', '.join(each.name for each in faults)}")
                yield await _run_round(number, faults, world, load, scan, chance)
    finally:
        world.stop()


def _chosen(plan: Plan, book: Book, chance: random.Random) -> Iterator[Sequence[Fault]]:
    """Yield the faults of each round: all of them in a random order, again and again, often two at once."""
    if plan.is_short:
        yield from ([BY_NAME[name] for name in names] for names in SHORT)
        return
    began = time.monotonic()
    bag: list[Fault] = []
    while time.monotonic() - began < plan.seconds or book.record_count < plan.record_count:
        if plan.only:
            yield [BY_NAME[plan.only]]
            continue
        if not bag:
            bag = list(FAULTS)
            chance.shuffle(bag)
        first = bag.pop()
        others = [each for each in FAULTS if not each.targets & first.targets]
        yield [first, chance.choice(others)] if chance.random() < 0.5 else [first]


async def _run_round(
    number: int, faults: Sequence[Fault], world: World, load: Load, scan: LogScan, chance: random.Random
) -> Row:
    resent = scan.resent_count
    has_struck = asyncio.Event()
    loading = asyncio.create_task(_load(load, world.plan, scan, has_struck))
    strikes = [asyncio.create_task(each.strike(world, random.Random(chance.random()))) for each in faults]
    findings = Findings()
    done = []
    for outcome in await asyncio.gather(*strikes, return_exceptions=True):
        if isinstance(outcome, BaseException) and not isinstance(outcome, NothingHappened):
            raise outcome
        findings.demand(not isinstance(outcome, NothingHappened), str(outcome))
        done.append(str(outcome))
    has_struck.set()
    await world.database.ensure()
    await asyncio.wait_for(loading, world.plan.patience_seconds)
    caught_up = await catch_up(world, scan)
    judged = await asyncio.to_thread(judge, world, load.book, scan) if caught_up.is_done else Findings()
    judged.wrong += findings.wrong
    judged.notes[:0] = findings.notes
    return Row(
        number=number,
        done="; ".join(done),
        findings=judged,
        caught_up=caught_up,
        record_count=scan.end_count(),
        resent_count=scan.resent_count - resent,
        poison_count=sum(map(len, scan.poison.values())),
    )


async def _load(load: Load, plan: Plan, scan: LogScan, has_struck: asyncio.Event) -> None:
    """Bring in the round's part, and a little more until the faults have struck: something has to be under way."""
    await load.run(_count(plan), _seconds(plan), scan.sample)
    while not has_struck.is_set():
        await load.run(_TRICKLE, 1.0, None)


def _count(plan: Plan) -> int:
    rounds = len(SHORT) if plan.is_short else max(int(plan.seconds / _LENGTH_OF_ROUND), 1)
    return plan.record_count // rounds + 1


def _seconds(plan: Plan) -> float:
    return plan.seconds / len(SHORT) / 2 if plan.is_short else _ROUND_SECONDS
