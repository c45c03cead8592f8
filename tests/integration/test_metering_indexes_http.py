"""Indexes and period volumes from a body over Kafka into their tables and out again."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from eventlog.kafka import KafkaAccess
from eventlog.replaying import carry_out
from eventlog.wish import Wish
from services.metering.projecting import Projecting
from services.metering.rebuild_app import indexes
from tests.examples import HOUSE
from tests.meter_indexes import NIGHT
from tests.metering_room import Room, exporter, new_ean, open_real_room, publisher
from tests.versions import make_rooms

pytestmark = pytest.mark.integration


async def test_indexes_go_in_over_http_come_out_for_register_and_are_rebuilt_to_the_same_bits(
    database_url: str, kafka_bootstrap: str, postgres_admin_url: str
) -> None:
    async with open_real_room(database_url, kafka_bootstrap) as room, projecting(room):
        ean = new_ean()
        body = [line(ean), line(ean, index=-1), period_line(ean)]
        answer = await room.http.post("/indexes", content="\n".join(body), headers=ndjson(publisher("publisher-1")))
        assert answer.status_code == 202
        told = answer.json()
        assert (told["accepted"], told["refused"], [each["line"] for each in told["refusals"]]) == (2, 1, [2])
        assert len({receipt["partition"] for receipt in told["receipts"]}) == 1

        async def found() -> Any:
            reader = exporter("register", scope="indexes.read")
            answer = await room.http.get("/indexes", params={"ean": ean}, headers=reader)
            return answer.raise_for_status().json()

        async with asyncio.timeout(60):
            while not (await found())["periods"]:
                await asyncio.sleep(0.1)
        got = await found()
        for receipt in told["receipts"]:
            path = f"/indexes/receipts/{receipt['partition']}/{receipt['offset']}"
            answer = await room.http.get(path, headers=publisher("publisher-1"))
            assert (answer.status_code, answer.json()) == (200, {"state": "stored"})
        beyond = f"/indexes/receipts/{receipt['partition']}/{2**40}"
        assert (await room.http.get(beyond, headers=publisher("publisher-1"))).status_code == 404
        [reading], [volume] = got["readings"], got["periods"]
        assert (reading["index"], reading["unit"], reading["register"], reading["read_on"]) == (
            12_345_000,
            "Wh",
            NIGHT,
            "2025-11-19",
        )
        assert (volume["volume"], volume["unit"], volume["last_day"]) == (1_234_567, "dm³", "2025-10-31")
    make_rooms(postgres_admin_url, database_url, "index", "rebuild")
    kafka = KafkaAccess(kafka_bootstrap)
    outcome = await asyncio.to_thread(carry_out, Wish(), indexes(8), database_url, kafka, show=lambda *_: None)
    assert outcome.comparison is not None
    assert outcome.comparison.is_identical
    assert min(outcome.comparison.row_counts().values()) > 0


async def test_only_publishers_write_indexes_and_only_register_and_export_read_them(
    database_url: str, kafka_bootstrap: str
) -> None:
    async with open_real_room(database_url, kafka_bootstrap) as room:

        async def read(headers: dict[str, str], **query: str) -> int:
            return (await room.http.get("/indexes", params={"ean": HOUSE, **query}, headers=headers)).status_code

        async def write(headers: dict[str, str]) -> int:
            return (await room.http.post("/indexes", content=line(new_ean()), headers=headers)).status_code

        assert await read(exporter("export", scope="indexes.read")) == 200
        assert await read(exporter("portal", scope="indexes.read")) == 403
        assert await read(exporter("export")) == 403
        assert await read({}) == 401
        reader = exporter("register", scope="indexes.read")
        assert await read(reader, **{"from": "2026-01-02", "to": "2026-01-01"}) == 400
        assert await read(reader, **{"from": "2026-01-02"}) == 400
        assert await write(ndjson({})) == 401
        assert await write(ndjson(reader)) == 403
        assert await write({**publisher("publisher-1"), "Content-Type": "text/csv"}) == 415


def line(ean: str, **changes: Any) -> str:
    fields = {
        "event": "MeterIndexRead",
        "source_at": "2025-11-20T04:00:00Z",
        "ean": ean,
        "meter_id": "1CLA1",
        "meter_kind": "CLASSIC",
        "register": NIGHT,
        "read_on": "2025-11-19",
        "index": 12_345_000,
        "kind": "PERIODIC",
    }
    return json.dumps({**fields, **changes})


def period_line(ean: str) -> str:
    fields = {
        "event": "ConsumptionPeriodRecorded",
        "source_at": "2025-11-20T04:00:00Z",
        "ean": ean,
        "meter_kind": "CLASSIC",
        "register": "OFFTAKE_GAS_VOLUME",
        "first_day": "2024-11-01",
        "last_day": "2025-10-31",
        "volume": 1_234_567,
    }
    return json.dumps(fields)


def ndjson(headers: dict[str, str]) -> dict[str, str]:
    return {**headers, "Content-Type": "application/x-ndjson"}


@contextlib.asynccontextmanager
async def projecting(room: Room) -> AsyncIterator[None]:
    task = asyncio.create_task(Projecting(room.settings, room.engine).project_indexes())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
