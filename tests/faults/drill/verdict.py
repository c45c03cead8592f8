"""After a round: wait until everything is applied, then look whether it is what it should be."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from aiokafka.errors import KafkaError
from sqlalchemy import Engine, Select, Table, func, select

from eventlog import checkpoint
from eventlog.database import is_outage
from eventlog.relay import count_unpublished
from eventlog.tables import dead_letter
from services.metering.tables import block
from tests.faults.drill import tables
from tests.faults.drill.book import Book
from tests.faults.drill.findings import (
    Findings,
    Place,
    compare_blocks,
    compare_ledger,
    compare_runs,
    compare_streams,
)
from tests.faults.drill.log_scan import LogScan
from tests.faults.drill.world import World

PROJECTIONS: Final = (
    ("register", tables.LEDGER, tables.EVENTS),
    ("register", tables.EFFECTS, tables.EVENTS),
    ("metering", tables.BLOCKS, tables.READINGS),
    ("metering", tables.TIDINGS, tables.TOLD),
)


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """Whether everything was applied in time, how long it took, and what was still missing."""

    is_done: bool
    seconds: float
    rest: str


async def catch_up(world: World, scan: LogScan) -> CaughtUp:
    """Wait until the relays have published everything and the checkpoints are the ends of the topics."""
    began = time.monotonic()
    rest = "nothing was asked"
    while time.monotonic() - began < world.plan.patience_seconds:
        await world.database.ensure()
        try:
            rest = await _rest(world, scan)
        except Exception as error:
            if not (isinstance(error, (KafkaError, TimeoutError)) or is_outage(error)):
                raise
            rest = type(error).__name__
        if ended := [f"{each.name} ended: {each.last_words()}" for each in world.processes if each.has_ended()]:
            return CaughtUp(False, time.monotonic() - began, "; ".join(ended))
        if not rest:
            return CaughtUp(True, time.monotonic() - began, "")
        await asyncio.sleep(0.3)
    return CaughtUp(False, time.monotonic() - began, rest)


async def _rest(world: World, scan: LogScan) -> str:
    """Return what is not applied yet. Checkpoints first, then the outboxes, then the ends: what is at its end now was
    whole before."""
    reached = await asyncio.to_thread(_checkpoints, world)
    for name, engine in world.engines.items():
        if waiting := await asyncio.to_thread(count_unpublished, engine):
            return f"{waiting} events of {name} are not published"
    await scan.read(world.brokers.bootstrap)
    for (_, name, topic), offsets in zip(PROJECTIONS, reached, strict=True):
        behind = sum(end - offsets.get(partition, 0) for partition, end in scan.ends[topic].items())
        if behind:
            return f"{name} is {behind} records behind"
    return ""


def _checkpoints(world: World) -> list[dict[int, int]]:
    found = []
    for service, name, topic in PROJECTIONS:
        with world.engines[service].begin() as tx:
            found.append(checkpoint.read(tx, projection=name, topic=topic))
    return found


def judge(world: World, book: Book, scan: LogScan) -> Findings:
    """Compare book, log and tables; everything is applied."""
    findings = Findings()
    register, metering = world.engines["register"], world.engines["metering"]
    _judge_log(findings, book, scan)
    compare_streams(findings, "event", book.streams, _written(register, tables.effects))
    compare_ledger(findings, scan.ends[tables.EVENTS], _written(register, tables.ledger))
    poison = scan.poison[tables.EVENTS], scan.poison[tables.READINGS]
    findings.compare_places("event", poison[0], _parked(register, tables.EFFECTS))
    findings.compare_places("reading", poison[1], _parked(metering, tables.BLOCKS))
    findings.compare_places("tiding", set(), _parked(metering, tables.TIDINGS))
    compare_blocks(findings, book.blocks, _blocks(metering))
    _judge_tidings(findings, book, scan, metering)
    return findings


def _judge_log(findings: Findings, book: Book, scan: LogScan) -> None:
    findings.note("out_of_order", scan.out_of_order_count)
    if not book.failed_count:
        findings.note("out_of_order", scan.overtaken_count)
    findings.compare_counts("reading on the topic", dict.fromkeys(book.sent, 1), dict.fromkeys(scan.sightings, 1))
    often = {number: count for number, count in scan.sightings.items() if count > book.sent.get(number, 0)}
    findings.compare_counts("reading on the topic", {number: book.sent.get(number, 0) for number in often}, often)
    seen = (
        (stream_id, version, number) for stream_id, each in scan.streams.items() for version, number in enumerate(each)
    )
    compare_streams(findings, "event on the topic", book.streams, seen)


def _judge_tidings(findings: Findings, book: Book, scan: LogScan, metering: Engine) -> None:
    told = tables.tidings.c
    query = select(told.stream_id, told.first_offset, told.next_offset).where(told.message_id.is_(None))
    rows = _rows(metering, query.order_by(told.place))
    runs = [(int(stream_id.rpartition(":")[2]), first, after) for stream_id, first, after in rows]
    compare_runs(findings, scan.ends[tables.READINGS], runs, scan.poison[tables.READINGS])
    counted = select(told.message_id, func.count()).where(told.message_id.is_not(None)).group_by(told.message_id)
    expected = {each: 1 for one in book.blocks.values() for each in one.revised_by}
    findings.compare_counts("revision by", expected, dict(_rows(metering, counted)))


def _written(engine: Engine, table: Table) -> list[tuple[Any, ...]]:
    """Return what is in `table`, in the order of writing, without that order."""
    return _rows(engine, select(*[each for each in table.c if each.name != "place"]).order_by(table.c.place))


def _rows(engine: Engine, query: Select[Any]) -> list[tuple[Any, ...]]:
    with engine.begin() as tx:
        return [tuple(row) for row in tx.execute(query)]


def _parked(engine: Engine, name: str) -> set[Place]:
    letter = dead_letter.c
    query = select(letter.partition, letter.record_offset).where(
        letter.projection == name, letter.replayed_at.is_(None)
    )
    return set(_rows(engine, query))


def _blocks(metering: Engine) -> dict[tuple[int, date], tuple[int, int]]:
    column = block.c
    rows = _rows(metering, select(column.ean, column.day, column.total, column.input_count))
    return {(ean, day): (total, count) for ean, day, total, count in rows}
