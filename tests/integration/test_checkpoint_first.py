"""Every kind of projection moves its checkpoint before it touches a row: a frozen one then blocks others at the claim,
where they see it and end it (`tests/faults/test_guards.py` shows what happens otherwise)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, date, datetime
from uuid import UUID

import pytest
from sqlalchemy import Column, Connection, Engine, MetaData, String, Table, insert, text

from eventlog.codec import encode
from eventlog.database import create_engine, create_tables
from eventlog.envelope import Envelope, to_headers
from eventlog.events import AccessPointRegistered
from eventlog.projection import EventProjection, Projection, Run
from market.ean import Ean
from tests.effects import Offsets, effects
from tests.faults.guards import TAKEN_OUT
from tests.quarter_store import open_store, records
from tests.readings import LogRecord, reading, run
from tests.topics import until

pytestmark = pytest.mark.integration

HOUSE = Ean("541448800000000017")
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

own = MetaData()
seen = Table("seen", own, Column("ean", String))
_WRITES = text(
    "select count(*) as waiting, coalesce(array_agg(distinct class.relname::text), '{}') as tables "
    "from pg_stat_activity activity join pg_locks lock using (pid) join pg_class class on class.oid = lock.relation "
    "where activity.usename = current_user and activity.wait_event_type = 'Lock' and lock.mode = 'RowExclusiveLock' "
    "and class.relkind in ('r', 'p')"
)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(database_url, application_name="test")
    create_tables(engine, own)
    yield engine
    engine.dispose()


async def written_while_the_checkpoint_is_held(engine: Engine, projection: Projection, one: Run) -> set[str]:
    """Apply `one` while another session holds the checkpoint's row; return which tables it had begun to write then."""
    claim = projection.claim(one.partition, "test")
    found: set[str] = set()

    def waits() -> bool:
        with engine.begin() as tx:
            row = tx.execute(_WRITES).one()
        found.update(row.tables)
        return bool(row.waiting)

    with engine.begin() as other:
        other.execute(text("select from checkpoint for update"))
        applying = asyncio.create_task(asyncio.to_thread(projection.apply, claim, one))
        await until(lambda: waits() or applying.done())
    await applying
    return found


def note(tx: Connection, envelope: Envelope) -> None:
    tx.execute(insert(seen).values(ean=envelope.key.decode()))


async def test_events_one_by_one(engine: Engine) -> None:
    event = AccessPointRegistered(ean=HOUSE, energy="E", meter_kind="DIGITAL", registered_on=date(2026, 1, 2))
    headers = to_headers(
        event_id=UUID(int=1),
        event_type="AccessPointRegistered",
        source="register",
        stream_id=f"point:{HOUSE}",
        stream_version=1,
        recorded_at=NOW,
        correlation_id=UUID(int=2),
    )
    record = LogRecord("register-events", 3, 0, 0, HOUSE.encode(), encode(event), tuple(headers))
    one = Run(topic="register-events", partition=3, first_offset=0, next_offset=1, records=[record])
    points = EventProjection(name="points", topic="register-events", engine=engine, project=note)
    assert await written_while_the_checkpoint_is_held(engine, points, one) == {"checkpoint"}


async def test_readings_as_a_run(database_url: str) -> None:
    with open_store(database_url) as store:
        one = run(records(reading(1, number=1), reading(2, number=2)))
        assert await written_while_the_checkpoint_is_held(store.engine, store.projection, one) == {"checkpoint"}


async def test_a_projection_with_its_rows_first_would_be_seen(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    create_tables(engine, effects)
    TAKEN_OUT["checkpoint first"](monkeypatch.setattr)
    one = Run(topic="t", partition=0, first_offset=0, next_offset=1, records=[LogRecord("t", 0, 0, 0, None, None)])
    assert await written_while_the_checkpoint_is_held(engine, Offsets(engine, "t"), one) == {"applied", "checkpoint"}
