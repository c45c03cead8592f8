"""The peer: ClickHouse (chdb) with a row per value; the newest of a key is the one. No fsync, which is its default."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from parts.chdb_table import ChdbTable, opened_table
from parts.dataset import SLICES
from parts.serial import Sink, Task, run
from parts.value_rows import value_rows

from eventlog.envelope import Record

_COLUMNS = (
    "ean Int64, channel Int16, day Date, slice Int16, value Nullable(Int32), quality Int16, "
    "source_at DateTime64(6, 'UTC'), recorded_at DateTime64(6, 'UTC')"
)


@dataclass(frozen=True, slots=True)
class Rows:
    """The table; a batch makes about a million rows, which it likes best."""

    table: ChdbTable
    batch: int = 10_000

    def write(self, records: Sequence[Record]) -> None:
        self.table.insert(value_rows(records))

    def finish(self) -> None:
        self.table.finish()

    def clear(self) -> None:
        self.table.clear()

    def block_count(self) -> int:
        return self.table.row_count() // SLICES

    def stored_bytes(self) -> int:
        return self.table.stored_bytes()


@contextmanager
def opened(task: Task) -> Iterator[Sink]:
    """Make the table."""
    with opened_table(task.folder, _COLUMNS, version="source_at", key="ean, channel, day, slice") as table:
        yield Rows(table)


if __name__ == "__main__":
    run(opened)
