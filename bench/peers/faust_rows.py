"""The peer: a plain Faust agent that decodes with fastavro and writes a row per value with SQLAlchemy.

Runs as a process of its own: bootstrap, topic, database URL, number of records. It prints the seconds from the first
record in hand to the last row committed, by the clock and of its own processor time, and ends.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any

import faust
import numpy as np
import sqlalchemy
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


def main(bootstrap: str, topic: str, database_url: str, count: int) -> None:
    """Consume `count` records, then leave."""
    engine = sqlalchemy.create_engine(database_url.replace("postgresql://", "postgresql+psycopg://"))
    metadata.create_all(engine)
    app = faust.App(
        f"peer-{os.getpid()}",
        broker=f"kafka://{bootstrap}",
        value_serializer="raw",
        key_serializer="raw",
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        stream_wait_empty=False,
        web_enabled=False,
        worker_redirect_stdouts=False,
        datadir=tempfile.mkdtemp(prefix="kwartier-peer-"),
    )
    source = app.topic(topic, value_type=bytes, key_type=bytes)

    @app.agent(source)
    async def insert_rows(stream: faust.StreamT[bytes]) -> None:
        done, began, cpu_began = 0, 0.0, 0.0
        async for values in stream.take(BATCH, within=0.2):
            if not began:
                began, cpu_began = time.perf_counter(), time.process_time()
            write(engine, values)
            done += len(values)
            if done >= count:
                print(time.perf_counter() - began, time.process_time() - cpu_began, flush=True)
                os._exit(0)

    faust.Worker(app, loglevel="error").execute_from_commandline()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
