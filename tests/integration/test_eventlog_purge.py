"""Published events of an outbox go when the topic has forgotten them; streams go on with the next version."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Engine, select, text

from eventlog.database import create_engine, create_tables
from eventlog.event_store import event
from eventlog.purge import purge_once
from tests.faults.relay import STREAMS, append

pytestmark = pytest.mark.integration

TWO_WEEKS = timedelta(days=14)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(database_url, application_name="test")
    create_tables(engine)
    yield engine
    engine.dispose()


def kept(engine: Engine) -> set[tuple[str, int]]:
    with engine.begin() as tx:
        return {(row.stream_id, row.stream_version) for row in tx.execute(select(event))}


def published(engine: Engine, stream_id: str, *, days_ago: int, versions: str) -> None:
    with engine.begin() as tx:
        tx.execute(
            text(
                "update event set published_at = now() - make_interval(days => :days) "
                f"where stream_id = :stream and stream_version in ({versions})"
            ),
            {"days": days_ago, "stream": stream_id},
        )


def test_old_ones_go_but_for_the_last_of_each_stream_and_those_not_published(engine: Engine) -> None:
    for stream_id in STREAMS[:3]:
        append(engine, stream_id, 3)
    published(engine, STREAMS[0], days_ago=15, versions="1, 2, 3")
    published(engine, STREAMS[1], days_ago=15, versions="1")
    published(engine, STREAMS[1], days_ago=13, versions="2, 3")
    published(engine, STREAMS[2], days_ago=15, versions="1, 3")  # the second never came out
    assert purge_once(engine, kept=TWO_WEEKS) == 4
    assert kept(engine) == {
        (STREAMS[0], 3),
        (STREAMS[1], 2),
        (STREAMS[1], 3),
        (STREAMS[2], 2),
        (STREAMS[2], 3),
    }


def test_a_stream_goes_on_with_the_next_version(engine: Engine) -> None:
    append(engine, STREAMS[0], 3)
    published(engine, STREAMS[0], days_ago=15, versions="1, 2, 3")
    purge_once(engine, kept=TWO_WEEKS)
    with engine.begin() as tx:
        tx.execute(
            text(
                "insert into event (stream_id, stream_version, event_id, event_type, key, payload, correlation_id, "
                "recorded_at) select stream_id, max(stream_version) + 1, gen_random_uuid(), 'X', '', '', "
                "gen_random_uuid(), now() from event group by stream_id"
            )
        )
    assert kept(engine) == {(STREAMS[0], 3), (STREAMS[0], 4)}
    assert purge_once(engine, kept=TWO_WEEKS) == 1


def test_an_empty_outbox_has_nothing_to_lose(engine: Engine) -> None:
    assert purge_once(engine, kept=TWO_WEEKS) == 0
