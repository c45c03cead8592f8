"""The event table: one version per number, whoever comes first; many streams or none."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from threading import Barrier
from uuid import UUID

import adbc_driver_postgresql.dbapi
import pytest
from sqlalchemy import Engine, func, select

from eventlog import event_store
from eventlog.database import create_engine, create_tables, libpq_uri
from eventlog.event_store import StreamChanged, event, key_of
from eventlog.events import AccessPointRegistered
from market.ean import Ean

pytestmark = pytest.mark.integration

EAN = Ean("541448800000000017")
POINT = f"point:{EAN}"
OTHER = "point:541448800000000024"
REGISTERED = AccessPointRegistered(ean=EAN, energy="E", meter_kind="DIGITAL", registered_on=date(2026, 1, 1))
LATER = replace(REGISTERED, registered_on=date(2026, 2, 1))
LATEST = replace(REGISTERED, registered_on=date(2026, 3, 1))
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
REQUEST = UUID("00000000-0000-4000-8000-000000000001")


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(database_url, application_name="test")
    create_tables(engine)
    yield engine
    engine.dispose()


def append(engine: Engine, stream_id: str, *events: AccessPointRegistered, after: int) -> None:
    with engine.begin() as tx:
        event_store.append(tx, stream_id, events, expected_version=after, correlation_id=REQUEST, recorded_at=NOW)


def test_events_come_back_in_their_order_with_the_version_of_the_stream(engine: Engine) -> None:
    append(engine, POINT, REGISTERED, LATER, after=0)
    append(engine, POINT, LATEST, after=2)
    with engine.begin() as tx:
        assert event_store.load(tx, POINT) == ([REGISTERED, LATER, LATEST], 3)
        assert event_store.load(tx, OTHER) == ([], 0)


def test_many_streams_are_read_at_once(engine: Engine) -> None:
    append(engine, POINT, REGISTERED, after=0)
    with engine.begin() as tx:
        assert event_store.load_many(tx, [POINT, OTHER]) == {POINT: ([REGISTERED], 1), OTHER: ([], 0)}


def test_a_stream_that_went_on_refuses_what_was_decided_before(engine: Engine) -> None:
    append(engine, POINT, REGISTERED, after=0)
    with pytest.raises(StreamChanged):
        append(engine, POINT, LATER, after=0)
    with engine.begin() as tx:
        assert event_store.load(tx, POINT) == ([REGISTERED], 1)


def test_a_version_cannot_be_left_out(engine: Engine) -> None:
    append(engine, POINT, REGISTERED, after=0)
    with pytest.raises(StreamChanged):
        append(engine, POINT, LATER, after=2)


def test_of_many_at_once_one_comes_through(engine: Engine) -> None:
    barrier = Barrier(4)

    def contend(number: int) -> bool:
        with engine.begin() as tx:
            _, version = event_store.load(tx, POINT)
            barrier.wait()
            mine = replace(REGISTERED, registered_on=date(2026, 1, number))
            event_store.append(tx, POINT, [mine], expected_version=version, correlation_id=REQUEST, recorded_at=NOW)
        return True

    with ThreadPoolExecutor(4) as pool:
        outcomes = [pool.submit(contend, number) for number in range(1, 5)]
    refused = [each.exception() for each in outcomes if each.exception() is not None]
    assert len(refused) == 3
    assert all(isinstance(each, StreamChanged) for each in refused)
    with engine.begin() as tx:
        assert event_store.load(tx, POINT)[1] == 1


def test_several_streams_change_together_or_not_at_all(engine: Engine) -> None:
    append(engine, OTHER, REGISTERED, after=0)

    def append_both() -> None:
        with engine.begin() as tx:
            event_store.append(tx, POINT, [REGISTERED], expected_version=0, correlation_id=REQUEST, recorded_at=NOW)
            event_store.append(tx, OTHER, [LATER], expected_version=0, correlation_id=REQUEST, recorded_at=NOW)

    with pytest.raises(StreamChanged):
        append_both()
    with engine.begin() as tx:
        assert event_store.load(tx, POINT) == ([], 0)


def test_two_commands_that_wait_for_each_other_do_not_wait_for_ever(engine: Engine) -> None:
    barrier = Barrier(2)

    def append_in_order(first: str, second: str) -> None:
        with engine.begin() as tx:
            event_store.append(tx, first, [REGISTERED], expected_version=0, correlation_id=REQUEST, recorded_at=NOW)
            barrier.wait()
            event_store.append(tx, second, [REGISTERED], expected_version=0, correlation_id=REQUEST, recorded_at=NOW)

    with ThreadPoolExecutor(2) as pool:
        outcomes = [pool.submit(append_in_order, POINT, OTHER), pool.submit(append_in_order, OTHER, POINT)]
    assert sorted(str(type(each.exception()).__name__) for each in outcomes) == ["NoneType", "StreamChanged"]


def test_a_row_says_what_the_relay_needs_without_decoding(engine: Engine) -> None:
    with engine.begin() as tx:
        (event_id,) = event_store.append(
            tx, POINT, [REGISTERED], expected_version=0, correlation_id=REQUEST, recorded_at=NOW
        )
        row = tx.execute(select(event)).one()
    assert (row.event_id, row.event_type, row.key) == (event_id, "AccessPointRegistered", b"541448800000000017")
    assert (row.correlation_id, row.causation_id, row.recorded_at, row.published_at) == (REQUEST, None, NOW, None)


def test_the_key_is_the_ean_or_the_contract_number_else_the_stream() -> None:
    assert key_of("ledger:541448800000000017") == b"541448800000000017"
    assert key_of("contract:1000000001") == b"1000000001"
    assert key_of("run:meter-readings:3") == b"run:meter-readings:3"
    assert key_of("net-user:00000000-0000-4000-8000-000000000001") == b"net-user:00000000-0000-4000-8000-000000000001"


def test_events_go_in_through_adbc_behind_what_is_there(engine: Engine, database_url: str) -> None:
    with adbc_driver_postgresql.dbapi.connect(libpq_uri(database_url, application_name="test")) as connection:
        for events in ([REGISTERED, LATER], [LATEST]):
            with connection.cursor() as cursor:
                event_store.append_adbc(cursor, POINT, events, correlation_id=REQUEST, recorded_at=NOW)
            connection.commit()
    with engine.begin() as tx:
        assert event_store.load(tx, POINT) == ([REGISTERED, LATER, LATEST], 3)
        row = tx.execute(select(event).where(event.c.stream_version == 3)).one()
        assert (row.event_type, row.key, row.recorded_at) == ("AccessPointRegistered", b"541448800000000017", NOW)
        assert tx.execute(select(func.count(func.distinct(event.c.event_id)))).scalar_one() == 3


def test_tables_are_made_once_by_all_who_try(database_url: str) -> None:
    engine = create_engine(database_url, application_name="test", pool_size=4)
    with ThreadPoolExecutor(4) as pool:
        for each in [pool.submit(create_tables, engine) for _ in range(4)]:
            each.result()
    engine.dispose()
