"""The peer: PostgreSQL with a row per value, written as fast as it goes: COPY in binary to a temporary table, then one
`insert … on conflict do update` where newer, a transaction per batch, with the server's default durability."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import adbc_driver_postgresql.dbapi as adbc
from parts.dataset import SLICES
from parts.serial import Sink, Task, run
from parts.value_rows import value_rows

from eventlog.envelope import Record

_COLUMNS = (
    "ean bigint not null, channel smallint not null, day date not null, slice smallint not null, value integer, "
    "quality smallint not null, source_at timestamptz not null, recorded_at timestamptz not null"
)
_UPSERT = (
    "insert into reading select * from staged on conflict (ean, channel, day, slice) do update set value = "
    "excluded.value, quality = excluded.quality, source_at = excluded.source_at, recorded_at = excluded.recorded_at "
    "where excluded.source_at > reading.source_at"
)


@dataclass(frozen=True, slots=True)
class Rows:
    """The table, on one connection."""

    connection: Any
    batch: int = 2_000

    def write(self, records: Sequence[Record]) -> None:
        with self.connection.cursor() as cursor:
            cursor.adbc_ingest("staged", value_rows(records), mode="append", temporary=True)
            cursor.execute(_UPSERT)
        self.connection.commit()

    def finish(self) -> None:
        """Nothing: what is committed can be queried."""

    def clear(self) -> None:
        self.execute("truncate reading")

    def block_count(self) -> int:
        return self._number("select count(*) from reading") // SLICES

    def stored_bytes(self) -> int:
        return self._number("select pg_total_relation_size('reading')")

    def execute(self, statement: str) -> None:
        with self.connection.cursor() as cursor:
            cursor.execute(statement)
        self.connection.commit()

    def _number(self, query: str) -> int:
        with self.connection.cursor() as cursor:
            cursor.execute(query)
            return int(cursor.fetchone()[0])


@contextmanager
def opened(task: Task) -> Iterator[Sink]:
    """Make the table."""
    with adbc.connect(task.database_url) as connection:
        rows = Rows(connection)
        rows.execute(f"create table reading ({_COLUMNS}, primary key (ean, channel, day, slice))")
        rows.execute(f"create temporary table staged ({_COLUMNS}) on commit delete rows")
        yield rows


if __name__ == "__main__":
    run(opened)
