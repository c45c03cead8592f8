"""The peer: QuestDB with a row per value and dedup keys: of messages about the same slice the one that arrives last is
the one, whatever its order at the source. No fsync, which is its default.

Sent by its own client over HTTP; the clock runs until its write-ahead log is applied.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd  # type: ignore[import-untyped]
import pyarrow as pa
import pyarrow.compute as pc
from parts.dataset import SLICES
from parts.questdb_server import QuestDb, started_questdb
from parts.serial import Sink, Task, run
from parts.value_rows import value_rows
from questdb import Sender

from eventlog.envelope import Record

_TABLE = (
    "create table reading (ts timestamp, ean long, channel short, value int, quality short, source_at timestamp, "
    "recorded_at timestamp) timestamp(ts) partition by month wal dedup upsert keys (ts, ean, channel)"
)
_SLICE_MICROSECONDS = 15 * 60 * 1_000_000
_DAY_MICROSECONDS = 96 * _SLICE_MICROSECONDS
_PAUSE_SECONDS = 0.01


@dataclass(slots=True)
class Rows:
    """The table."""

    server: QuestDb
    sender: Any
    batch: int = 5_000

    def write(self, records: Sequence[Record]) -> None:
        self.sender.dataframe(_frame(value_rows(records)), table_name="reading", at="ts")
        self.sender.flush()

    def finish(self) -> None:
        """Wait until the write-ahead log is applied."""
        while self._pending():
            time.sleep(_PAUSE_SECONDS)

    def clear(self) -> None:
        self.server.execute("truncate table reading")
        self.finish()

    def block_count(self) -> int:
        return int(self.server.execute("select count() from reading")[0][0]) // SLICES

    def stored_bytes(self) -> int:
        return self.server.table_bytes("reading")

    def _pending(self) -> bool:
        query = "select sequencerTxn - writerTxn, suspended from wal_tables() where name = 'reading'"
        ((behind, is_suspended),) = self.server.execute(query)
        if is_suspended:
            raise RuntimeError("QuestDB has stopped applying its write-ahead log")
        return bool(behind)


def _frame(rows: pa.Table) -> pd.DataFrame:
    """Return `rows` with one instant for day and slice: the day's own clock, as if it were UTC."""
    days = rows["day"].cast(pa.int32()).cast(pa.int64())
    at = pc.add(pc.multiply(days, _DAY_MICROSECONDS), pc.multiply(rows["slice"].cast(pa.int64()), _SLICE_MICROSECONDS))
    instants = at.cast(pa.timestamp("us"))
    kept = rows.drop_columns(["day", "slice"]).append_column("ts", instants)
    return kept.to_pandas(types_mapper=pd.ArrowDtype)


@contextmanager
def opened(task: Task) -> Iterator[Sink]:
    """Start a server and make the table."""
    with started_questdb(Path(task.folder)) as server:
        server.execute(_TABLE)
        with Sender.from_conf(f"http::addr={server.address};auto_flush=off;request_timeout=120000;") as sender:
            yield Rows(server, sender)


if __name__ == "__main__":
    run(opened)
