"""A member of all the drill's groups, as a process: python -m tests.faults.drill.member.

The consumer, the event projection and the quarter-hour store are the platform's own.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from functools import partial
from typing import Final

from sqlalchemy import Connection, Engine, insert, text

from eventlog import checkpoint
from eventlog.checkpoint import Claim
from eventlog.consumer import consume
from eventlog.database import create_engine
from eventlog.envelope import Envelope
from eventlog.events import BlockRevised, MeterInstalled, RunApplied
from eventlog.kafka import KafkaAccess
from eventlog.logs import setup_logging
from eventlog.projection import Applied, EventProjection, Projection, Run
from services.metering.projector import BlockProjection
from tests.faults.drill import seams, tables

MAX_RUN_RECORDS: Final = 500

_UNGUARDED: Final = text(
    "update checkpoint set next_offset = greatest(next_offset, :after) "
    "where projection = :projection and topic = :topic and partition = :partition"
)


@dataclass
class Ledger:
    """Writes down each record's place, and knows nothing of what it holds: the checkpoint alone keeps it exact."""

    engine: Engine
    name: str = tables.LEDGER
    topic: str = tables.EVENTS

    def claim(self, partition: int, owner: str) -> Claim:
        return checkpoint.claim_evicting(
            self.engine, projection=self.name, topic=self.topic, partition=partition, owner=owner
        )

    def apply(self, claim: Claim, run: Run) -> Applied:
        with self.engine.begin() as tx:
            checkpoint.advance(tx, claim, run.next_offset)
            places = [{"partition": each.partition, "record_offset": each.offset} for each in run.records]
            tx.execute(insert(tables.ledger), places)
        return Applied(applied_count=len(run.records))


def note_event(tx: Connection, envelope: Envelope) -> None:
    """Write down one event of the drill's load."""
    assert isinstance(envelope.event, MeterInstalled)
    row = {"stream_id": envelope.stream_id, "stream_version": envelope.stream_version}
    tx.execute(insert(tables.effects).values(row | {"number": int(envelope.event.meter_id)}))


def note_tiding(tx: Connection, envelope: Envelope) -> None:
    """Write down what metering told."""
    row: dict[str, object] = {"stream_id": envelope.stream_id, "stream_version": envelope.stream_version}
    match envelope.event:
        case RunApplied() as told:
            row |= {"first_offset": told.first_offset, "next_offset": told.next_offset}
        case BlockRevised() as told:
            row |= {"message_id": told.message_id}
    tx.execute(insert(tables.tidings).values(row))


def projections(register: Engine, metering: Engine, metering_url: str) -> list[Projection]:
    """Return what this member keeps up to date."""
    count = tables.PARTITIONS
    return [
        Ledger(register),
        EventProjection(
            name=tables.EFFECTS, topic=tables.EVENTS, engine=register, project=note_event, partition_count=count
        ),
        BlockProjection(engine=metering, database_url=metering_url, partition_count=count),
        EventProjection(
            name=tables.TIDINGS, topic=tables.TOLD, engine=metering, project=note_tiding, partition_count=count
        ),
    ]


def take_out_epoch() -> None:
    """Leave out the check of epoch and offset, as a consumer that trusts the broker alone would."""

    def advance(tx: Connection, claim: Claim, after: int) -> Claim:
        place = {"projection": claim.projection, "topic": claim.topic, "partition": claim.partition}
        tx.execute(_UNGUARDED, {**place, "after": after})
        return claim

    checkpoint.advance = advance


async def work(register_url: str, metering_url: str, bootstrap: str, replica: str) -> None:
    """Keep everything up to date until killed."""
    register = create_engine(register_url, application_name=f"drill-{replica}", pool_size=8)
    metering = create_engine(metering_url, application_name=f"drill-{replica}", pool_size=8)
    for engine in (register, metering):
        seams.watch_engine(engine)
    seams.watch_adbc(tables.BLOCKS)
    async with asyncio.TaskGroup() as group:
        for each in projections(register, metering, metering_url):
            group.create_task(
                consume(
                    each,
                    service="drill",
                    kafka=KafkaAccess(bootstrap),
                    replica=replica,
                    max_run_records=MAX_RUN_RECORDS,
                    concurrent_run_count=2,
                )
            )


def main() -> None:
    """Arguments: URLs of the register's and of metering's schema, bootstrap, replica, `guarded` or `unguarded`, and the
    seconds after which the session of a frozen member is ended."""
    register_url, metering_url, bootstrap, replica, guard, evict_after_seconds = sys.argv[1:]
    setup_logging("drill")
    checkpoint.claim_evicting = partial(checkpoint.claim_evicting, evict_after_seconds=float(evict_after_seconds))
    if guard == "unguarded":
        take_out_epoch()
    seams.obey()
    asyncio.run(work(register_url, metering_url, bootstrap, replica))


if __name__ == "__main__":
    main()
