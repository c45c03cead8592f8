"""The peer: ClickHouse (chdb) given our own rows of `block`, with all checks and the day's algebra; no fsync.

The newest message of a block is the one: no merging of slices, no history, no outbox, no checkpoint with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa
from parts.chdb_table import ChdbTable, opened_table
from parts.dataset import PARTITIONS
from parts.runs import runs_of
from parts.serial import Sink, Task, run
from sqlalchemy import BigInteger, Boolean, Column, Date, DateTime, Integer, LargeBinary, SmallInteger, Text

from eventlog.envelope import Record
from services.metering import block_writer
from services.metering.run_table import read_run
from services.metering.tables import block

_TYPES = {
    BigInteger: "Int64",
    Boolean: "Bool",
    Date: "Date",
    DateTime: "DateTime64(6, 'UTC')",
    Integer: "Int32",
    LargeBinary: "String",
    SmallInteger: "Int16",
    Text: "String",
}


def _declared(column: Column[object]) -> str:
    kind = _TYPES[type(column.type)]
    return f"{column.name} {f'Nullable({kind})' if column.nullable else kind}"


@dataclass(frozen=True, slots=True)
class Blocks:
    """The table."""

    table: ChdbTable
    batch: int = 20_000

    def write(self, records: Sequence[Record]) -> None:
        readings = [read_run(each, partition_count=PARTITIONS) for each in runs_of(records)]
        groups = [group for each in readings for group in each.groups]
        rows = pa.concat_tables([block_writer.prepare(group).alone().rows for group in groups])
        self.table.insert(rows.select([column.name for column in block.columns]))

    def finish(self) -> None:
        self.table.finish()

    def clear(self) -> None:
        self.table.clear()

    def block_count(self) -> int:
        return self.table.row_count()

    def stored_bytes(self) -> int:
        return self.table.stored_bytes()


@contextmanager
def opened(task: Task) -> Iterator[Sink]:
    """Make the table."""
    columns = ", ".join(map(_declared, block.columns))
    with opened_table(task.folder, columns, version="source_at", key="ean, day, channel, meter_id") as table:
        yield Blocks(table)


if __name__ == "__main__":
    run(opened)
