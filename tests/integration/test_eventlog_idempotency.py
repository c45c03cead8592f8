"""A command that comes twice takes effect once, also when both come at the same moment."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from threading import Barrier
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, func, select

from eventlog import event_store, idempotency
from eventlog.database import create_engine, create_tables
from eventlog.event_store import event
from eventlog.events import DataAccessContractSigned
from eventlog.idempotency import Answer, RequestKey, answer_once

pytestmark = pytest.mark.integration

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
REQUEST = UUID("00000000-0000-4000-8000-000000000001")
SIGNED = DataAccessContractSigned(contract_number="1000000001", holder_kbo="0123456749", valid_from=date(2026, 1, 1))
KEY = RequestKey(caller="issuer portal", key="once", request_hash="00")


def test_the_same_key_twice_at_once_makes_one_thing_and_both_hear_of_it(database_url: str) -> None:
    engine = create_engine(database_url, application_name="test")
    create_tables(engine, idempotency.metadata)
    both_are_at_work = Barrier(2, timeout=30)
    tries: list[str] = []

    def open_a_session(tx: Connection) -> Answer:
        stream_id = f"session:{uuid4()}"  # a new stream each time: its version keeps nobody out
        event_store.append(tx, stream_id, [SIGNED], expected_version=0, correlation_id=REQUEST, recorded_at=NOW)
        tries.append(stream_id)
        both_are_at_work.wait()
        return Answer(201, {"stream_id": stream_id})

    with ThreadPoolExecutor(2) as pool:
        sent = [pool.submit(answer_once, engine, open_a_session, request=KEY, now=NOW) for _ in range(2)]
        first, second = (each.result() for each in sent)

    with engine.begin() as tx:
        kept = tx.scalars(select(event.c.stream_id)).all()
        answers = tx.scalar(select(func.count()).select_from(idempotency.command_answer))
    engine.dispose()
    assert (len(tries), len(kept), answers) == (2, 1, 1)
    assert first == second == Answer(201, {"stream_id": kept[0]})
