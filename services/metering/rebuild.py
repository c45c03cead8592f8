"""The quarter-hour store made again from offset 0, beside the live one, and compared with it bit by bit.

Live rows are hashed first, each partition at the checkpoint where it stood at that instant; the rebuild stops at just
these offsets. So the live store may go on meanwhile, and both hashes are at equal checkpoints.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Engine, text

from eventlog.database import create_engine, create_tables, in_schema, metadata
from eventlog.kafka import KafkaAccess
from eventlog.rebuild import apply_until
from services.metering import tables
from services.metering.digest import PartitionDigest, count_strays, digest
from services.metering.projector import MAX_RUN_RECORDS, BlockProjection

_NAME: Final = "metering-rebuild"
Note = Callable[[str], None]


class NoRoom(Exception):
    """There is no schema for the rebuild; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Both stores by partition, at equal checkpoints; `stray_count` live rows are of no partition of the topic."""

    live: dict[int, PartitionDigest]
    rebuilt: dict[int, PartitionDigest]
    stray_count: int

    @property
    def is_identical(self) -> bool:
        return self.live == self.rebuilt and not self.stray_count

    def lines(self) -> list[str]:
        """What there is to say: one line where all is well, else one for each difference."""
        if self.is_identical:
            blocks = sum(each.block_count for each in self.live.values())
            inputs = sum(each.input_count for each in self.live.values())
            records = sum(each.next_offset for each in self.live.values())
            return [
                f"identical: {blocks} blocks and {inputs} inputs in {len(self.live)} partitions, of {records} records"
            ]
        strays = [f"{self.stray_count} live rows are of no partition of the topic"] if self.stray_count else []
        pairs = [(number, live, self.rebuilt[number]) for number, live in self.live.items()]
        return [_difference(*pair) for pair in pairs if pair[1] != pair[2]] + strays


def _difference(partition: int, live: PartitionDigest, rebuilt: PartitionDigest) -> str:
    return (
        f"partition {partition} differs at offset {live.next_offset}: live {live.block_count} blocks and "
        f"{live.input_count} inputs, rebuilt {rebuilt.block_count} and {rebuilt.input_count}"
    )


@contextmanager
def empty_store(database_url: str, schema: str) -> Iterator[Engine]:
    """Lend an engine on `schema` of the database, with the tables of the store made anew; they are gone afterwards.

    Raises:
        NoRoom: there is no such schema, or it is the live one; nothing is touched.
    """
    beside = create_engine(in_schema(database_url, schema), application_name=_NAME)
    try:
        _demand_room(beside, database_url, schema)
        _drop_tables(beside)
        create_tables(beside, tables.metadata)
        yield beside
        _drop_tables(beside)
    finally:
        beside.dispose()


def _demand_room(beside: Engine, database_url: str, schema: str) -> None:
    live = create_engine(database_url, application_name=_NAME)
    with beside.connect() as there, live.connect() as here:
        found, own = (each.scalar(text("select current_schema()")) for each in (there, here))
    live.dispose()
    if found != schema or found == own:
        raise NoRoom(f"make a schema {schema} first, beside the live one, that belongs to the role of metering")


def _drop_tables(beside: Engine) -> None:
    for each in (tables.metadata, metadata):
        each.drop_all(beside)


async def rebuild(live: Engine, beside: BlockProjection, *, kafka: KafkaAccess, note: Note) -> Comparison:
    """Fill the empty store of `beside` with all that the store on `live` has applied by now, and compare the two.

    `note` is told what goes on.

    Raises:
        RebuildStopped: the log does not give what the live store once had from it.
    """
    partitions = range(beside.partition_count)
    before = await _digests(live, beside, lambda number: note(f"hashing the live store, partition {number}"))
    ends = {number: each.next_offset for number, each in before.items()}
    total = sum(ends.values())
    await apply_until(
        beside,
        kafka=kafka,
        ends=ends,
        max_run_records=MAX_RUN_RECORDS,
        note=lambda count: note(f"rebuilding: {count} of {total} records"),
    )
    after = await _digests(beside.engine, beside, lambda number: note(f"hashing the rebuilt store, partition {number}"))
    return Comparison(
        live=before, rebuilt=after, stray_count=await asyncio.to_thread(count_strays, live, len(partitions))
    )


async def _digests(engine: Engine, of: BlockProjection, note: Callable[[int], None]) -> dict[int, PartitionDigest]:
    digests = {}
    for number in range(of.partition_count):
        note(number)
        digests[number] = await asyncio.to_thread(digest, engine, number, projection=of.name, topic=of.topic)
    return digests
