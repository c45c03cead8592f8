"""Who may write: the newest epoch, at the offset it expects; the frozen are thrown out, the honest waited for."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace

import adbc_driver_manager
import adbc_driver_postgresql.dbapi
import psycopg
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError, OperationalError

from eventlog import checkpoint
from eventlog.checkpoint import Claim, Fenced
from eventlog.database import create_engine, create_tables, is_outage, libpq_uri

pytestmark = pytest.mark.integration

PLACE = {"projection": "points", "topic": "register-events", "partition": 3}


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(database_url, application_name="test")
    create_tables(engine)
    yield engine
    engine.dispose()


def take(engine: Engine, owner: str = "a") -> Claim:
    return checkpoint.claim_evicting(engine, **PLACE, owner=owner)


def advance(engine: Engine, claim: Claim, after: int) -> Claim:
    with engine.begin() as tx:
        return checkpoint.advance(tx, claim, after)


def test_the_first_claim_begins_at_the_beginning(engine: Engine) -> None:
    assert take(engine) == Claim("points", "register-events", 3, epoch=1, next_offset=0)


def test_a_claim_goes_on_where_the_last_commit_was(engine: Engine) -> None:
    first = advance(engine, take(engine), 40)
    assert first == Claim("points", "register-events", 3, epoch=1, next_offset=40)
    assert take(engine, "b") == Claim("points", "register-events", 3, epoch=2, next_offset=40)


def test_who_was_overtaken_is_fenced(engine: Engine) -> None:
    first = take(engine)
    second = take(engine, "b")
    with pytest.raises(Fenced):
        advance(engine, first, 40)
    assert advance(engine, second, 40).next_offset == 40


def test_a_commit_that_went_through_unseen_is_not_done_twice(engine: Engine) -> None:
    claim = take(engine)
    advance(engine, claim, 40)
    with pytest.raises(Fenced):
        advance(engine, claim, 40)


def test_the_same_through_adbc(engine: Engine, database_url: str) -> None:
    claim = take(engine)
    with adbc_driver_postgresql.dbapi.connect(libpq_uri(database_url, application_name="test")) as connection:
        with connection.cursor() as cursor:
            assert checkpoint.advance_adbc(cursor, claim, 40) == replace(claim, next_offset=40)
        connection.commit()
        with connection.cursor() as cursor, pytest.raises(Fenced):
            checkpoint.advance_adbc(cursor, claim, 40)
        connection.rollback()
    with engine.begin() as tx:
        assert checkpoint.read(tx, projection="points", topic="register-events") == {3: 40}


def test_a_member_frozen_inside_a_copy_is_thrown_out_at_the_claim(engine: Engine, database_url: str) -> None:
    advance(engine, take(engine), 40)
    with psycopg.connect(database_url) as frozen, frozen.cursor() as cursor:
        cursor.execute("create temporary table staging (n int)")
        frozen.commit()
        cursor.execute("update checkpoint set next_offset = 50")
        copying = cursor.copy("copy staging from stdin")
        copying.__enter__().write(b"1\n")
        claim = checkpoint.claim_evicting(engine, **PLACE, owner="b", evict_after_seconds=0.5)  # looks after 1 s
        assert claim == Claim("points", "register-events", 3, epoch=2, next_offset=40)
        with pytest.raises(psycopg.OperationalError):
            copying.__exit__(None, None, None)


def test_an_honest_transaction_is_waited_for_and_not_thrown_out(engine: Engine) -> None:
    with engine.begin() as busy:
        busy.execute(text("update checkpoint set epoch = epoch"))
        assert take(engine).epoch == 1
    with engine.begin() as busy:
        busy.execute(text("update checkpoint set owner = 'busy'"))
        with pytest.raises(OperationalError) as blocked:
            take(engine, "b")
        assert is_outage(blocked.value)
    assert take(engine, "c") == Claim("points", "register-events", 3, epoch=2, next_offset=0)


def test_each_session_has_limits_and_is_in_utc(engine: Engine, database_url: str) -> None:
    names = ("statement_timeout", "idle_in_transaction_session_timeout", "transaction_timeout", "timezone")
    expected = ["15s", "4s", "20s", "UTC"]
    with engine.begin() as tx:
        assert [tx.execute(text(f"show {name}")).scalar_one() for name in names] == expected
    with psycopg.connect(libpq_uri(database_url, application_name="test")) as connection:
        assert [connection.execute(f"show {name}").fetchone()[0] for name in names] == expected


@pytest.mark.parametrize(
    ("statement", "passes"),
    [
        ("select pg_terminate_backend(pg_backend_pid())", True),
        ("select no_such_column", False),
        ("select 1 / 0", False),
        ("select pg_sleep(10)", True),
    ],
)
def test_outages_pass_and_faults_do_not(engine: Engine, statement: str, passes: bool) -> None:
    def run() -> None:
        with engine.begin() as tx:
            tx.execute(text("set local statement_timeout = '100ms'"))
            tx.execute(text(statement))

    with pytest.raises(DBAPIError) as failure:
        run()
    assert is_outage(failure.value) is passes


def test_a_server_that_does_not_answer_in_time_is_an_outage() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = f"host=127.0.0.1 port={silent.getsockname()[1]} connect_timeout=2"
        with pytest.raises(psycopg.errors.ConnectionTimeout) as failure:
            psycopg.connect(place)
    assert is_outage(failure.value)


@pytest.mark.parametrize(
    ("statement", "passes"),
    [("select pg_terminate_backend(pg_backend_pid())", True), ("select no_such_column", False)],
)
def test_outages_are_told_from_faults_through_adbc_too(database_url: str, statement: str, passes: bool) -> None:
    uri = libpq_uri(database_url, application_name="test")

    def run() -> None:
        with adbc_driver_postgresql.dbapi.connect(uri) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            cursor.fetchall()

    with pytest.raises(adbc_driver_manager.Error) as failure:
        run()
    assert is_outage(failure.value) is passes


def test_a_server_that_is_not_there_is_an_outage() -> None:
    gone = create_engine("postgresql://nobody@127.0.0.1:1/nothing", application_name="test")
    with pytest.raises(OperationalError) as failure, gone.begin():
        pass
    assert is_outage(failure.value)
