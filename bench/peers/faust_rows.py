"""The peer: a plain Faust agent that decodes with fastavro and writes a row per value with SQLAlchemy.

A process of its own, as `parts.serial` describes them; what its framework fetches beside its writes, it may.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import faust
import numpy as np
import sqlalchemy
from parts.cpu import cpu_seconds
from parts.dataset import SLICES
from parts.ours import table_bytes
from parts.serial import Done, Task
from sqlalchemy import BigInteger, Column, Date, DateTime, Integer, MetaData, SmallInteger, Table, func
from sqlalchemy.dialects.postgresql import insert

from eventlog.codec import decode
from eventlog.events import ReadingsRecorded
from market.channel import BY_NAME

BATCH = 100
metadata = MetaData()
reading = Table(
    "reading",
    metadata,
    Column("ean", BigInteger, primary_key=True, autoincrement=False),
    Column("channel", SmallInteger, primary_key=True, autoincrement=False),
    Column("day", Date, primary_key=True),
    Column("slice", SmallInteger, primary_key=True, autoincrement=False),
    Column("value", Integer),
    Column("quality", SmallInteger, nullable=False),
    Column("source_at", DateTime(timezone=True), nullable=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False),
)


def rows_of(event: ReadingsRecorded) -> list[dict[str, Any]]:
    """Return a row per value."""
    quality = np.repeat(event.quality[0::2], event.quality[1::2]).tolist()
    values = np.frombuffer(event.values, dtype="<i4").tolist()
    shared = {
        "ean": int(event.ean),
        "channel": BY_NAME[event.channel].code,
        "day": event.day,
        "source_at": event.source_at,
        "recorded_at": func.now(),
    }
    places = range(event.first_slice, event.first_slice + len(values))
    return [
        {**shared, "slice": place, "value": value, "quality": code}
        for place, value, code in zip(places, values, quality, strict=True)
    ]


def write(engine: sqlalchemy.Engine, values: Sequence[bytes]) -> None:
    """Write the readings in `values` over what is older."""
    rows = [row for value in values for row in rows_of(decode(value))]  # type: ignore[arg-type]
    for row in rows:
        del row["recorded_at"]
    new = insert(reading).values(recorded_at=func.now())
    latest = new.on_conflict_do_update(
        index_elements=list(reading.primary_key.columns),
        set_={name: new.excluded[name] for name in ("value", "quality", "source_at", "recorded_at")},
        where=new.excluded.source_at > reading.c.source_at,
    )
    with engine.begin() as tx:
        tx.execute(latest, rows)


def main(task: Task) -> None:
    """Consume what the task says, say how it went, and leave."""
    engine = sqlalchemy.create_engine(task.database_url.replace("postgresql://", "postgresql+psycopg://"))
    metadata.create_all(engine)
    app = faust.App(
        f"peer-{os.getpid()}",
        broker=f"kafka://{task.bootstrap}",
        value_serializer="raw",
        key_serializer="raw",
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        stream_wait_empty=False,
        web_enabled=False,
        worker_redirect_stdouts=False,
        datadir=task.folder,
    )
    source = app.topic(task.topic, value_type=bytes, key_type=bytes)

    @app.agent(source)
    async def insert_rows(stream: faust.StreamT[bytes]) -> None:
        done, began = 0, _clocks(task)
        async for values in stream.take(BATCH, within=0.2):
            if not done:
                warm_up(engine, values)
                began = _clocks(task)
            write(engine, values)
            done += len(values)
            if done >= task.block_count:
                clock, own, postgres = (end - begin for end, begin in zip(_clocks(task), began, strict=True))
                _demand_all(engine, task)
                size = table_bytes(task.database_url, "reading")
                print(json.dumps(asdict(Done(clock, own, postgres, size))), flush=True)
                os._exit(0)

    faust.Worker(app, loglevel="error").execute_from_commandline()


def warm_up(engine: sqlalchemy.Engine, values: Sequence[bytes]) -> None:
    """Let decoder, statement and connection be used once, and leave the table empty."""
    write(engine, values)
    with engine.begin() as tx:
        tx.execute(sqlalchemy.text("truncate reading"))


def _clocks(task: Task) -> tuple[float, float, float]:
    return time.perf_counter(), cpu_seconds(os.getpid()), cpu_seconds(task.postgres_pid)


def _demand_all(engine: sqlalchemy.Engine, task: Task) -> None:
    with engine.connect() as connection:
        count = connection.scalar(sqlalchemy.select(func.count()).select_from(reading)) or 0
    if count != task.block_count * SLICES:
        os.write(2, f"{count} rows are there, not those of {task.block_count} blocks\n".encode())
        os._exit(1)


if __name__ == "__main__":
    argument = sys.argv.pop()  # Faust reads what is left
    main(Task(**json.loads(argument)))
