"""Metering as one process of all its roles: ready, measured, and silent about whose readings they are."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Iterator

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import Engine

from eventlog.database import create_engine
from eventlog.kafka import KafkaAccess
from eventlog.topics import create_topics
from services.metering.app import build
from services.metering.settings import MeteringSettings
from tests.metering_room import DEADLINE_SECONDS, new_ean, open_room

pytestmark = pytest.mark.integration


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(database_url, application_name="test")
    yield engine
    engine.dispose()


async def test_the_roles_of_metering_run_together_until_they_are_stopped(
    engine: Engine, database_url: str, kafka_bootstrap: str
) -> None:
    await create_topics(KafkaAccess(kafka_bootstrap), "local")
    settings = MeteringSettings(database_url=SecretStr(database_url), kafka_bootstrap=kafka_bootstrap, port=0)
    app, tasks = build(settings, ["api", "relay", "project"], engine)
    assert {task.__name__ for task in tasks} >= {"watch", "publish", "purge", "make_partitions"}
    running = [asyncio.ensure_future(task()) for task in tasks]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://metering.test") as http:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while (answer := await http.get("/readyz")).status_code != 200:
            assert time.monotonic() < deadline, answer.text
            await asyncio.sleep(0.05)
        progress = (await http.get("/projections")).json()
        assert progress["unpublished"] == 0
        [block] = [each for each in progress["projections"] if each["name"] == "block"]
        assert (block["name"], block["topic"]) == ("block", "meter-readings")  # others may have parked on the topic
        assert (await http.get("/livez")).status_code == 200
        assert (await http.post("/readings")).status_code == 401
    for each in running:
        assert not each.done()
        each.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await each


def test_a_process_of_the_store_alone_has_no_readings_to_offer(engine: Engine, database_url: str) -> None:
    settings = MeteringSettings(database_url=SecretStr(database_url), kafka_bootstrap="127.0.0.1:1", port=0)
    app, tasks = build(settings, ["project"], engine)
    names = {task.__name__ for task in tasks}
    assert names >= {"watch", "make_partitions"}
    assert not names & {"publish", "purge"}
    assert {route.path for route in app.routes} >= {"/livez", "/readyz", "/metrics", "/projections"}  # type: ignore[attr-defined]
    assert "/readings" not in {route.path for route in app.routes}  # type: ignore[attr-defined]


async def test_neither_logs_nor_metrics_say_whose_readings_they_are(
    engine: Engine, database_url: str, kafka_bootstrap: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("aiokafka").setLevel(logging.INFO)
    await create_topics(KafkaAccess(kafka_bootstrap), "local")
    ean = new_ean()
    fields = {"source_at": "2026-11-20T04:00:00Z", "ean": ean, "meter_kind": "DIGITAL", "day": "2026-11-19"}
    good = json.dumps({**fields, "channel": "OFFTAKE_ACTIVE_DAILY", "values": [1]})
    bad = json.dumps({**fields, "channel": "OFFTAKE_ACTIVE_DAILY", "values": [-1]})
    async with open_room(database_url, kafka_bootstrap) as room:
        answer = await room.post(f"{good}\n{bad}", "application/x-ndjson")
    assert (answer.json()["accepted"], answer.json()["refused"]) == (1, 1)
    app, _ = build(room.settings, ["project"], engine)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://metering.test") as http:
        metrics = (await http.get("/metrics")).text
    assert 'ingest_readings_total{media_type="application/x-ndjson",outcome="accepted"}' in metrics
    assert 'ingest_readings_total{media_type="application/x-ndjson",outcome="refused"}' in metrics
    assert ean not in metrics
    assert ean not in caplog.text
