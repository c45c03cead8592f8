"""Ours on equal footing: the projection as production runs it, but fetching and writing in turn, a run at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from parts.dataset import PARTITIONS
from parts.ours import table_bytes
from parts.runs import runs_of
from parts.serial import Sink, Task, run
from sqlalchemy import text

from eventlog.checkpoint import Claim
from eventlog.database import create_engine
from eventlog.envelope import Record
from services.metering.migration import create_store
from services.metering.projector import MAX_RUN_RECORDS, BlockProjection, collect_garbage_rarely


@dataclass(slots=True)
class Store:
    """The store and its claims."""

    projection: BlockProjection
    database_url: str
    batch: int = MAX_RUN_RECORDS
    claims: dict[int, Claim] = field(default_factory=dict)

    def write(self, records: Sequence[Record]) -> None:
        for each in runs_of(records):
            if each.partition not in self.claims:
                self.claims[each.partition] = self.projection.claim(each.partition, "bench")
            claim = self.claims[each.partition]
            self.projection.apply(claim, each)
            self.claims[each.partition] = replace(claim, next_offset=each.next_offset)

    def finish(self) -> None:
        """Nothing: what is committed can be queried."""

    def clear(self) -> None:
        self.claims.clear()
        with self.projection.engine.begin() as tx:
            tx.execute(text("truncate block, block_input, event, checkpoint"))

    def block_count(self) -> int:
        with self.projection.engine.connect() as connection:
            return int(connection.scalar(text("select count(*) from block")) or 0)

    def stored_bytes(self) -> int:
        return table_bytes(self.database_url, "block")


@contextmanager
def opened(task: Task) -> Iterator[Sink]:
    """Make the store."""
    engine = create_engine(task.database_url, application_name="bench")
    create_store(engine)
    collect_garbage_rarely()
    projection = BlockProjection(
        engine=engine, database_url=task.database_url, partition_count=PARTITIONS, topic=task.topic
    )
    try:
        yield Store(projection, task.database_url)
    finally:
        projection.close()
        engine.dispose()


if __name__ == "__main__":
    run(opened)
