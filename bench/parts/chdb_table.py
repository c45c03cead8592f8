"""One table of ClickHouse, in this process (chdb). Its default durability: no fsync."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

TABLE = "bench.kept"


@dataclass(frozen=True, slots=True)
class ChdbTable:
    """A ReplacingMergeTree: of rows with the same key the newest is the one, read with `final`."""

    session: Any

    def insert(self, rows: pa.Table) -> None:
        """Add `rows`, whose columns are those of the table."""
        self.session.query(f"insert into {TABLE} select * from Python(rows)")  # finds `rows` by its name here

    def finish(self) -> None:
        """Nothing: what is inserted can be queried; rows with the same key are merged when read, or later."""

    def clear(self) -> None:
        """Forget everything."""
        self.session.query(f"truncate table {TABLE}")

    def row_count(self) -> int:
        """Return how many keys there are."""
        return self.number(f"select count() from {TABLE} final")

    def stored_bytes(self) -> int:
        """Return the bytes of what is stored, once all of it is merged."""
        self.session.query(f"optimize table {TABLE} final")
        return self.number("select sum(bytes_on_disk) from system.parts where database = 'bench' and active")

    def number(self, query: str) -> int:
        """Return the only number of an answer."""
        return int(self.session.query(query).data())


@contextmanager
def opened_table(folder: str, columns: str, *, version: str, key: str) -> Iterator[ChdbTable]:
    """Make the table in `folder`, by month of its column `day`; `version` says which of two rows is newer."""
    from chdb.session import Session

    session = Session(folder)
    try:
        session.query("create database bench")
        session.query(
            f"create table {TABLE} ({columns}) engine = ReplacingMergeTree({version}) "
            f"partition by toYYYYMM(day) order by ({key})"
        )
        yield ChdbTable(session)
    finally:
        session.close()
