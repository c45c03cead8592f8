"""From waiting to stored or parked; what is equal to the store is not published again; export alone reads values."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from aiokafka import AIOKafkaProducer

from services.metering import store
from tests.callers import machine, person
from tests.metering_room import (
    DEADLINE_SECONDS,
    Room,
    end_offsets,
    exporter,
    new_ean,
    open_real_room,
    publisher,
)

pytestmark = pytest.mark.integration

NDJSON, CSV = "application/x-ndjson", "text/csv"
HEADER = (
    "Van (datum);Van (tijdstip);Tot (datum);Tot (tijdstip);EAN-code;Meter;Metertype;Register;Volume;Eenheid;"
    "Validatiestatus;Omschrijving"
)


@pytest.fixture
async def room(database_url: str, kafka_bootstrap: str) -> AsyncIterator[Room]:
    async with open_real_room(database_url, kafka_bootstrap) as room:
        yield room


def line(ean: str, **changes: Any) -> str:
    fields = {
        "source_at": "2026-11-20T04:00:00Z",
        "ean": ean,
        "meter_id": "1SAG1",
        "meter_kind": "DIGITAL",
        "channel": "OFFTAKE_ACTIVE_QUARTER_HOURLY",
        "day": "2026-11-19",
        "values": [*range(95), None],
    }
    return json.dumps({**fields, **changes})


def rows(ean: str, *volumes: str) -> str:
    """The first quarters of 19 November as the portal prints them."""
    times = [f"{quarter // 4:02d}:{quarter % 4 * 15:02d}:00" for quarter in range(len(volumes) + 1)]
    lines = [
        f'19-11-2026;{start};19-11-2026;{end};="{ean}";1SAG1;Digitale meter;Afname Nacht;{volume};kWh;Uitgelezen;'
        for start, end, volume in zip(times[:-1], times[1:], volumes, strict=True)
    ]
    return "\r\n".join([HEADER, *lines, ""])


async def wait_for(room: Room, receipt: dict[str, int], state: str) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while (answer := (await room.receipt(**receipt)).json()) != {"state": state}:
        assert time.monotonic() < deadline, answer
        await asyncio.sleep(0.05)


async def test_a_reading_waits_and_then_is_stored_and_can_be_read_by_export(room: Room) -> None:
    ean = new_ean()
    [receipt] = (await room.post(line(ean), NDJSON)).json()["receipts"]
    assert (await room.receipt(**receipt)).json() == {"state": "waiting"}
    async with room.projecting():
        await wait_for(room, receipt, "stored")
    query = {"ean": ean, "from": "2026-11-19", "to": "2026-11-19"}
    answer = await room.http.get("/blocks", params=query, headers=exporter())
    assert answer.headers["content-type"] == "application/vnd.apache.arrow.stream"
    [block] = pa.ipc.open_stream(answer.content).read_all().to_pylist()
    assert (block["ean"], block["channel"], block["meter_id"], block["slice_count"]) == (ean, 0, "1SAG1", 96)
    assert np.frombuffer(block["values"], "<i4").tolist() == [*range(95), -2147483648]
    assert list(block["quality"]) == [5] * 95 + [0]
    points = (await room.http.get("/points", headers=exporter())).json()["points"]
    assert {
        "ean": ean,
        "energy": "E",
        "meter_kind": "DIGITAL",
        "first_day": "2026-11-19",
        "last_day": "2026-11-19",
    } in (points)


async def test_blocks_are_read_as_of_an_instant_and_the_changes_since_a_position(room: Room) -> None:
    ean, days = new_ean(), {"from": "2026-11-19", "to": "2026-11-19"}
    async with room.projecting():
        [first] = (await room.post(line(ean), NDJSON)).json()["receipts"]
        await wait_for(room, first, "stored")
        between = datetime.now(UTC)
        later = line(ean, source_at="2026-11-20T05:00:00Z", values=[*range(1, 97)])
        [second] = (await room.post(later, NDJSON)).json()["receipts"]
        await wait_for(room, second, "stored")

        async def read(**more: str) -> list[dict[str, Any]]:
            answer = await room.http.get("/blocks", params={"ean": ean, **days, **more}, headers=exporter())
            found: list[dict[str, Any]] = pa.ipc.open_stream(answer.content).read_all().to_pylist()
            return found

        [known] = await read(as_of=between.isoformat())
        assert np.frombuffer(known["values"], "<i4").tolist() == [*range(95), -2147483648]
        [known] = await read(as_of=datetime.now(UTC).isoformat())
        assert np.frombuffer(known["values"], "<i4").tolist() == [*range(1, 97)]
        assert await read(as_of="2026-11-19T00:00:00Z") == []
    both = {"ean": ean, **days, "as_of": "2026-11-20T00:00:00Z", "changed_after": "2026-11-20T00:00:00Z"}
    assert (await room.http.get("/blocks", params=both, headers=exporter())).status_code == 400
    query = {"partition": first["partition"], "offset": first["offset"]}
    answer = await room.http.get("/changes", params=query, headers=exporter())
    assert answer.headers["Is-All"] == "true"
    assert int(answer.headers["Next-Offset"]) > second["offset"]
    changed = [row for row in pa.ipc.open_stream(answer.content).read_all().to_pylist() if row["ean"] == ean]
    assert [(row["meter_id"], row["channel"], row["record_offset"]) for row in changed] == [
        ("1SAG1", 0, second["offset"])
    ]


async def test_a_record_that_the_store_cannot_use_is_parked(room: Room, kafka_bootstrap: str) -> None:
    async with AIOKafkaProducer(bootstrap_servers=kafka_bootstrap) as producer:
        sent = await producer.send_and_wait(store.TOPIC, b"not a reading", key=new_ean().encode())
    async with room.projecting():
        await wait_for(room, {"partition": sent.partition, "offset": sent.offset}, "parked")


async def test_a_receipt_beyond_the_end_of_the_topic_is_a_404(room: Room, kafka_bootstrap: str) -> None:
    end = (await end_offsets(kafka_bootstrap))[3]
    for place in ((3, end), (8, 0), (3, 2**63 - 1)):
        answer = await room.receipt(*place)
        assert answer.status_code == 404
        assert answer.json()["Code"] == "NoSuchReceipt"
    assert (await room.receipt(3, 2**63)).status_code == 400
    assert (await room.receipt(-1, 0)).status_code == 400


async def test_an_operator_with_the_scope_of_receipts_may_ask_and_others_may_not(room: Room) -> None:
    [receipt] = (await room.post(line(new_ean()), NDJSON)).json()["receipts"]
    path = f"/receipts/{receipt['partition']}/{receipt['offset']}"
    operator = machine("kwartier", role="operator", audience="metering", scope="receipts.read")
    assert (await room.http.get(path, headers=operator)).json() == {"state": "waiting"}
    scopeless = machine("kwartier", role="operator", audience="metering", scope="")
    assert (await room.http.get(path, headers=scopeless)).status_code == 403
    assert (await room.http.get(path, headers=exporter())).status_code == 403
    assert (await room.http.get(path)).status_code == 401


async def test_a_second_import_of_a_file_is_unchanged_and_publishes_nothing(room: Room, kafka_bootstrap: str) -> None:
    ean = new_ean()
    async with room.projecting():
        first = (await room.post(rows(ean, "0,041", "0,042"), CSV)).json()
        assert (first["accepted"], first["unchanged"]) == (1, 0)
        ends = await end_offsets(kafka_bootstrap)
        again = (await room.post(rows(ean, "0,041", "0,042"), CSV)).json()
        part = (await room.post(rows(ean, "0,041"), CSV)).json()
        assert (again["accepted"], again["unchanged"], again["receipts"]) == (0, 1, [])
        assert (part["accepted"], part["unchanged"]) == (0, 1)
        assert await end_offsets(kafka_bootstrap) == ends
        corrected = (await room.post(rows(ean, "0,041", "0,043"), CSV)).json()
        assert (corrected["accepted"], corrected["unchanged"]) == (1, 0)
        forced = (await room.post(rows(ean, "0,041", "0,043"), CSV, skip_unchanged="false")).json()
        assert (forced["accepted"], forced["unchanged"]) == (1, 0)


async def test_only_what_is_new_in_a_body_is_published(room: Room) -> None:
    ean = new_ean()
    days = [line(ean, day=day) for day in ("2026-11-17", "2026-11-18", "2026-11-19")]
    async with room.projecting():
        await room.post("\n".join(days[:2]), NDJSON)
        answer = (await room.post("\n".join(days), NDJSON, skip_unchanged="true")).json()
    assert (answer["accepted"], answer["unchanged"]) == (1, 2)


async def test_a_store_that_stands_still_is_a_503_that_says_so(database_url: str, kafka_bootstrap: str) -> None:
    async with open_real_room(database_url, kafka_bootstrap, catch_up_seconds=0.3) as room:
        ean = new_ean()
        assert (await room.post(line(ean), NDJSON)).status_code == 202
        answer = await room.post(rows(ean, "0,041"), CSV)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    assert answer.json()["Code"] == "StoreBehind"


async def test_nobody_but_export_reads_blocks_and_points(room: Room) -> None:
    query = {"ean": new_ean(), "from": "2026-11-19", "to": "2026-11-19", "partition": "0"}
    for path in ("/blocks", "/points", "/changes"):
        nobody = await room.http.get(path, params=query)
        assert (nobody.status_code, nobody.content) == (401, b"")
        for caller in (
            exporter("register"),
            exporter(role="operator"),
            exporter(role="publisher"),
            exporter(scope="readings.write"),
            publisher("export"),
        ):
            answer = await room.http.get(path, params=query, headers=caller)
            assert (answer.status_code, answer.content) == (403, b"")
        signed_in = await room.http.get(path, params=query, headers=person("export", role="operator"))
        assert (signed_in.status_code, signed_in.content) == (403, b"")
        assert (await room.http.get(path, params=query, headers=exporter())).status_code == 200


async def test_a_question_for_blocks_is_checked(room: Room) -> None:
    ean = new_ean()
    empty = await room.http.get(
        "/blocks", params={"ean": ean, "from": "2026-11-19", "to": "2026-11-19"}, headers=exporter()
    )
    assert pa.ipc.open_stream(empty.content).read_all().num_rows == 0
    for query in (
        {"ean": "541448800000000018", "from": "2026-11-19", "to": "2026-11-19"},
        {"ean": ean, "from": "2026-11-20", "to": "2026-11-19"},
        {"ean": ean, "from": "1990-01-01", "to": "2026-11-19"},
        {"ean": ean, "from": "2026-11-19"},
        {"ean": ean, "from": "19-11-2026", "to": "2026-11-19"},
    ):
        answer = await room.http.get("/blocks", params=query, headers=exporter())
        assert answer.status_code == 400
        assert answer.json()["Code"] == "ValidationError"
        assert ean not in answer.text
