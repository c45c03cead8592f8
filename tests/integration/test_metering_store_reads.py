"""What export and ingest read from the quarter-hour store."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any

import numpy as np
import psycopg
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from eventlog.database import create_engine, create_tables, is_outage
from market.channel import Energy, MeterKind
from services.metering import store, tables
from services.metering.arrow_blocks import SCHEMA
from services.metering.projector import BlockProjection
from services.metering.store import Point
from tests.examples import GAS_HOUSE, HOUSE, ORDINARY_DAY
from tests.readings import APPENDED_AT, PARTITION_COUNT, reading, record, run, withdrawal

pytestmark = pytest.mark.integration

INJECTION = "INJECTION_ACTIVE_QUARTER_HOURLY"
NEXT_DAY = ORDINARY_DAY + timedelta(days=1)
MISSING = -(2**31)
WAITS = "application_name = 'test' and wait_event_type = 'Lock'"
END_WHO_WAITS = f"select pg_terminate_backend(pid) from pg_stat_activity where {WAITS}"


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """A store with three days of a house, of two meters, and one gas day."""
    engine = create_engine(database_url, application_name="test")
    create_tables(engine, tables.metadata)
    projection = BlockProjection(engine=engine, database_url=database_url, partition_count=PARTITION_COUNT)
    house = [
        reading(1, meter_id="B"),
        reading(70_000, day=NEXT_DAY, meter_id="B", meter_kind="AMR"),
        reading([2] * 48, meter_id="A", channel=INJECTION, number=2),
        reading([None, 4], meter_id="A", channel=INJECTION, number=3, first_slice=47, sent_after=timedelta(hours=1)),
        withdrawal(1, meter_id="A", channel=INJECTION, number=4, sent_after=timedelta(hours=2)),
        reading(3, meter_id="A", day=ORDINARY_DAY - timedelta(days=40)),
    ]
    gas = reading(6, ean=GAS_HOUSE, channel="OFFTAKE_GAS_ENERGY_HOURLY", gas_factor=(1, 20, 2, 4))
    for records in ([record(each, place) for place, each in enumerate(house)], [record(gas, 0)]):
        projection.apply(projection.claim(records[0].partition, "test"), run(records))
    projection.close()
    yield engine
    engine.dispose()


def numbers(row: dict[str, Any], name: str, kind: str) -> list[int]:
    return np.frombuffer(row[name], dtype=kind).tolist()


def test_blocks_come_by_channel_day_and_meter_with_every_slice_spelled_out(engine: Engine) -> None:
    table = store.read_blocks(engine, HOUSE, ORDINARY_DAY, NEXT_DAY)
    assert table.schema == SCHEMA
    first, second, third = table.to_pylist()
    assert [(row["channel"], row["day"], row["meter_id"], row["meter_kind"]) for row in (first, second, third)] == [
        (0, ORDINARY_DAY, "B", MeterKind.DIGITAL),
        (0, NEXT_DAY, "B", MeterKind.AMR),
        (128, ORDINARY_DAY, "A", MeterKind.DIGITAL),
    ]
    assert {row["ean"] for row in (first, second, third)} == {HOUSE}
    assert numbers(first, "values", "<i4") == [1] * 96
    assert numbers(second, "values", "<i4") == [70_000] * 96
    assert numbers(third, "values", "<i4") == [MISSING, *[2] * 47, 4, *[MISSING] * 47]
    assert numbers(third, "quality", "u1") == [0, *[5] * 48, *[0] * 47]
    assert first["gas_factor"] == b""
    instants = [int((APPENDED_AT + timedelta(seconds=offset)).timestamp()) * 1_000_000 for offset in range(6)]
    assert numbers(first, "recorded_at", "<i8") == [instants[0]] * 96
    assert numbers(third, "recorded_at", "<i8") == [0, *[instants[2]] * 47, instants[3], *[0] * 47]


def test_gas_has_its_factors_and_nothing_of_another_point(engine: Engine) -> None:
    (row,) = store.read_blocks(engine, GAS_HOUSE, date(2020, 1, 1), date(2030, 1, 1)).to_pylist()
    assert (row["slice_count"], row["day"]) == (24, ORDINARY_DAY)
    assert numbers(row, "gas_factor", "u1") == [1] * 20 + [2] * 4


def test_days_without_blocks_give_an_empty_table_of_the_same_columns(engine: Engine) -> None:
    table = store.read_blocks(engine, HOUSE, date(2020, 1, 1), date(2020, 12, 31))
    assert (table.num_rows, table.schema) == (0, SCHEMA)


def test_current_blocks_are_those_that_are_asked_for(engine: Engine) -> None:
    present = (HOUSE, 128, ORDINARY_DAY, "A")
    asked = [present, (HOUSE, 128, ORDINARY_DAY, "B"), (GAS_HOUSE, 0, ORDINARY_DAY, "")]
    (row,) = store.current_blocks(engine, asked).to_pylist()
    assert (row["ean"], row["channel"], row["day"], row["meter_id"]) == present
    assert store.current_blocks(engine, []).num_rows == 0


def test_points_have_the_bounds_of_their_days_and_the_kind_of_their_newest(engine: Engine) -> None:
    assert store.points(engine) == [
        Point(HOUSE, Energy.ELECTRICITY, MeterKind.AMR, ORDINARY_DAY - timedelta(days=40), NEXT_DAY),
        Point(GAS_HOUSE, Energy.GAS, MeterKind.DIGITAL, ORDINARY_DAY, ORDINARY_DAY),
    ]


def test_a_read_that_the_server_ends_is_an_outage_and_the_next_one_answers(engine: Engine, database_url: str) -> None:
    """Nothing of SQLAlchemy stands between a read of blocks and its connection: the pool must not keep a dead one."""
    with psycopg.connect(database_url) as other, ThreadPoolExecutor(1) as pool:
        other.execute("lock table block in access exclusive mode")
        reading_ = pool.submit(store.read_blocks, engine, HOUSE, ORDINARY_DAY, NEXT_DAY)
        deadline = time.monotonic() + 10
        ended = 0
        while not ended and time.monotonic() < deadline:
            ended = other.execute(END_WHO_WAITS).rowcount
        with pytest.raises(SQLAlchemyError) as error:
            reading_.result(timeout=10)
    assert is_outage(error.value)
    assert store.read_blocks(engine, HOUSE, ORDINARY_DAY, NEXT_DAY).num_rows == 3


def test_reads_of_blocks_leave_no_transaction_open_and_hinder_none(engine: Engine, database_url: str) -> None:
    for _ in range(8):
        store.read_blocks(engine, HOUSE, ORDINARY_DAY, NEXT_DAY)
    with psycopg.connect(database_url) as other:
        other.execute("lock table block in access exclusive mode nowait")
    with engine.connect() as connection:
        connection.execute(text("create temporary table made_and_rolled_back (number integer)"))
        connection.rollback()
        assert connection.scalar(text("select to_regclass('made_and_rolled_back')")) is None
