"""Readings over HTTP onto the real topic: each form, what is refused, and who may send."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from io import BytesIO
from typing import Any
from uuid import UUID

import fastavro
import numpy as np
import polars as pl
import pytest

from eventlog.envelope import from_record
from eventlog.events import ReadingsRecorded
from eventlog.registry import published
from eventlog.topics import partition_of
from tests.callers import machine
from tests.metering_room import Room, end_offsets, new_ean, open_real_room, publisher, read_record

pytestmark = pytest.mark.integration

NDJSON, AVRO, CSV = "application/x-ndjson", "avro/binary", "text/csv"
ARROW = "application/vnd.apache.arrow.stream"
HEADER = (
    "Van (datum);Van (tijdstip);Tot (datum);Tot (tijdstip);EAN-code;Meter;Metertype;Register;Volume;Eenheid;"
    "Validatiestatus;Omschrijving"
)


@pytest.fixture
async def room(database_url: str, kafka_bootstrap: str) -> AsyncIterator[Room]:
    async with open_real_room(database_url, kafka_bootstrap, max_body_bytes=100_000, max_line_count=1_000) as room:
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


def record(ean: str, **changes: Any) -> dict[str, Any]:
    fields = {
        "message_id": "3F2504E0-4F89-11D3-9A0C-0305E82C3301",
        "source": "publisher-1",
        "source_at": datetime(2026, 11, 20, 4, tzinfo=UTC),
        "source_sequence": 3,
        "ean": ean,
        "meter_id": "",
        "meter_kind": "AMR",
        "channel": "OFFTAKE_ACTIVE_DAILY",
        "day": date(2026, 11, 19),
        "first_slice": 0,
        "values": np.array([7], "<i4").tobytes(),
        "quality": [6, 1],
        "gas_factor": [],
        "withdraws": False,
    }
    return {**fields, **changes}


def container(*records: dict[str, Any], codec: str = "deflate") -> bytes:
    out = BytesIO()
    fastavro.writer(out, published().newest("ReadingsRecorded").parsed, records, codec=codec)
    return out.getvalue()


async def test_a_json_line_is_on_the_topic_before_the_answer(room: Room, kafka_bootstrap: str) -> None:
    ean = new_ean()
    answer = await room.post(line(ean), NDJSON)
    assert answer.status_code == 202
    body = answer.json()
    [receipt] = body.pop("receipts")
    assert body == {"accepted": 1, "unchanged": 0, "refused": 0, "refusals": []}
    envelope = from_record(await read_record(kafka_bootstrap, **receipt))
    assert envelope.partition == partition_of(ean.encode(), 8)
    assert (envelope.key, envelope.stream_id, envelope.source) == (ean.encode(), f"point:{ean}", "metering")
    event = envelope.event
    assert isinstance(event, ReadingsRecorded)
    assert envelope.event_id == UUID(event.message_id)
    assert (event.source, event.ean, event.day, event.first_slice) == ("publisher-1", ean, date(2026, 11, 19), 0)
    assert np.frombuffer(event.values, "<i4").tolist() == [*range(95), -2147483648]
    assert event.quality == (5, 95, 0, 1)


async def test_a_retry_of_the_same_body_is_the_same_message(room: Room, kafka_bootstrap: str) -> None:
    body = line(new_ean())
    answers = [(await room.post(body, NDJSON)).json()["receipts"][0] for _ in range(2)]
    assert answers[0]["offset"] < answers[1]["offset"]
    first, second = [from_record(await read_record(kafka_bootstrap, **each)) for each in answers]
    assert first.event == second.event
    assert first.event_id == second.event_id


async def test_a_table_is_taken_row_by_row(room: Room, kafka_bootstrap: str) -> None:
    good, bad = new_ean(), "541448800000000018"
    rows = [json.loads(line(ean)) for ean in (good, bad)]
    frame = pl.DataFrame(rows).with_columns(
        pl.col("source_at").str.to_datetime(time_zone="UTC"), pl.col("day").str.to_date()
    )
    out = BytesIO()
    frame.write_ipc_stream(out, compression="zstd")
    answer = await room.post(out.getvalue(), ARROW)
    assert answer.status_code == 202
    body = answer.json()
    [receipt] = body.pop("receipts")
    assert (body["accepted"], body["refused"], [each["line"] for each in body["refusals"]]) == (1, 1, [2])
    event = from_record(await read_record(kafka_bootstrap, **receipt)).event
    assert isinstance(event, ReadingsRecorded)
    assert (event.ean, event.quality) == (good, (5, 95, 0, 1))
    assert np.frombuffer(event.values, "<i4").tolist() == [*range(95), -2147483648]


async def test_a_container_is_taken_record_by_record(room: Room, kafka_bootstrap: str) -> None:
    good, bad = new_ean(), "541448800000000018"
    answer = await room.post(container(record(good), record(bad), record(good, source="publisher-2")), AVRO)
    assert answer.status_code == 202
    body = answer.json()
    assert (body["accepted"], body["unchanged"], body["refused"]) == (1, 0, 2)
    assert body["refusals"] == [
        {"line": 2, "reason": "the check digit of the EAN is wrong"},
        {"line": 3, "reason": "source must be your own client id, or left out"},
    ]
    event = from_record(await read_record(kafka_bootstrap, **body["receipts"][0])).event
    assert isinstance(event, ReadingsRecorded)
    assert event.message_id == "3f2504e0-4f89-11d3-9a0c-0305e82c3301"
    assert (event.source_sequence, event.meter_kind, event.quality) == (3, "AMR", (6, 1))


async def test_an_operator_may_name_another_source(room: Room) -> None:
    operator = publisher("kwartier", role="operator")
    answer = await room.post(line(new_ean(), source="meters"), NDJSON, headers=operator)
    assert answer.json()["accepted"] == 1


async def test_every_broken_line_is_named_and_the_rest_is_kept(room: Room) -> None:
    ean = new_ean()
    body = "\n".join(
        [
            line(ean),
            "{",
            line(ean, values=[1] * 97),
            line(ean, day="2026-10-25", values=[1] * 96),
            "",
            line(ean, day="2026-10-25", values=[1] * 96, part=True),
            line("541448800000000018"),
            line(ean, day="2026-11-18", values=[-1] * 96),
        ]
    )
    answer = (await room.post(body, NDJSON)).json()
    assert (answer["accepted"], answer["refused"], len(answer["receipts"])) == (2, 5, 2)
    assert [each["line"] for each in answer["refusals"]] == [2, 3, 4, 7, 8]
    assert [each["reason"][:30] for each in answer["refusals"]] == [
        "the line is not JSON: Expectin",
        "day 2026-11-19 has 96 quarters",
        "day 2026-10-25 has 100 quarter",
        "the check digit of the EAN is ",
        "the value of slice 0 is negati",
    ]


async def test_part_may_be_declared_for_the_whole_body(room: Room) -> None:
    body = line(new_ean(), values=[1, 2], first_slice=94)
    assert (await room.post(body, NDJSON)).json()["refused"] == 1
    assert (await room.post(body, NDJSON, part="true")).json()["accepted"] == 1


async def test_a_body_in_which_nothing_can_be_read_is_a_400_and_publishes_nothing(
    room: Room, kafka_bootstrap: str
) -> None:
    before = await end_offsets(kafka_bootstrap)
    cases = [
        (b"", NDJSON, "the body is empty"),
        (b"hello\n", NDJSON, "line 1: the line is not JSON: Expecting value at character 1"),
        (b"\xff\xfe{", NDJSON, "line 1: the line is not UTF-8"),
        (b"Obj", AVRO, "the body is not an Avro object container: it does not begin with Obj and 1"),
        (container(record(new_ean()))[:100], AVRO, "the head of the Avro container is damaged"),
        (b"Datum;Waarde\r\n", CSV, "line 1: "),
    ]
    for body, media_type, message in cases:
        answer = await room.post(body, media_type)
        assert answer.status_code == 400
        assert (answer.json()["Type"], answer.json()["Code"]) == ("BadRequest", "Unreadable")
        assert answer.json()["Message"].startswith(message)
    assert await end_offsets(kafka_bootstrap) == before


async def test_a_damaged_container_keeps_what_can_be_read(room: Room) -> None:
    body = container(record(new_ean()), record(new_ean()), codec="null")
    answer = (await room.post(body[:-40] + b"\xff" * 24 + body[-16:], AVRO)).json()
    assert answer["accepted"] == 1
    assert answer["refusals"] == [{"line": 2, "reason": "the record is damaged"}]


async def test_a_body_beyond_a_limit_is_a_413_that_names_the_limit(room: Room, kafka_bootstrap: str) -> None:
    before = await end_offsets(kafka_bootstrap)
    good = line(new_ean()) + "\n"
    large = await room.post(good + "\n" * 100_000, NDJSON)
    many = await room.post(good + "\n" * 1_000, NDJSON)
    long = await room.post(good + "{" + " " * 17_000 + "}", NDJSON)
    assert [answer.status_code for answer in (large, many, long)] == [413, 413, 413]
    assert large.json()["Message"] == "the body is larger than the 100000 bytes taken at once; split it"
    assert many.json()["Message"] == "the body has more than the 1000 lines taken at once; split it"
    assert long.json()["Message"] == "line 2 is longer than the 16384 bytes a line may have"
    assert await end_offsets(kafka_bootstrap) == before


async def test_a_body_that_comes_in_pieces_is_cut_off_at_the_limit(room: Room) -> None:
    sent = 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 10_000_000:
            sent += 10_000
            yield b" " * 10_000

    answer = await room.post(pieces(), NDJSON)
    assert answer.status_code == 413
    assert sent <= 120_000


async def test_a_container_that_swells_is_a_413(database_url: str, kafka_bootstrap: str) -> None:
    async with open_real_room(database_url, kafka_bootstrap, max_unpacked_bytes=50_000) as room:
        answer = await room.post(container(record(new_ean(), meter_id="x" * 60_000)), AVRO)
    assert answer.status_code == 413
    assert answer.json()["Message"] == "the Avro container unpacks to more than 50000 bytes; split it"


@pytest.mark.parametrize("media_type", ["application/json", "", "text/csv; charset=iso-8859-1", "avro/json"])
async def test_another_media_type_is_a_415(room: Room, media_type: str) -> None:
    answer = await room.post(line(new_ean()), media_type)
    assert answer.status_code == 415
    assert answer.json()["Message"].startswith("send Content-Type avro/binary (object container)")


async def test_a_compressed_body_is_a_415(room: Room) -> None:
    headers = {**publisher("publisher-1"), "Content-Encoding": "gzip"}
    assert (await room.post(gzip.compress(b"{}"), NDJSON, headers=headers)).status_code == 415


async def test_a_wrong_query_is_a_400(room: Room) -> None:
    answer = await room.post(line(new_ean()), NDJSON, source_at="2026-11-20T04:00:00")
    assert answer.status_code == 400
    assert answer.json()["Code"] == "ValidationError"


async def test_nobody_sends_without_a_token_role_and_scope(room: Room, kafka_bootstrap: str) -> None:
    before = await end_offsets(kafka_bootstrap)
    body = line(new_ean())
    nobody = await room.http.post("/readings", content=body, headers={"Content-Type": NDJSON})
    assert (nobody.status_code, nobody.content, nobody.headers["WWW-Authenticate"]) == (401, b"", "Bearer")
    for caller in (
        machine("supplier", role="access_holder", audience="metering", scope="readings.write"),
        machine("publisher-1", role="publisher", audience="metering", scope="receipts.read"),
    ):
        answer = await room.post(body, NDJSON, headers=caller)
        assert (answer.status_code, answer.content) == (403, b"")
    elsewhere = machine("publisher-1", role="publisher", audience="export", scope="readings.write")
    assert (await room.post(body, NDJSON, headers=elsewhere)).status_code == 401
    assert await end_offsets(kafka_bootstrap) == before


async def test_a_portal_file_is_taken_as_parts_with_the_order_of_the_query(room: Room, kafka_bootstrap: str) -> None:
    ean = new_ean()
    rows = [
        HEADER,
        f'19-11-2026;00:00:00;19-11-2026;00:15:00;="{ean}";1SAG1;Digitale meter;Afname Nacht;0,041;kWh;Uitgelezen;',
        f'19-11-2026;00:15:00;19-11-2026;00:30:00;="{ean}";1SAG1;Digitale meter;Afname Nacht;0,042;kWh;Gevalideerd;',
        f'19-11-2026;00:30:00;19-11-2026;00:45:00;="{ean}";1SAG1;Digitale meter;Afname Nacht;x;kWh;Uitgelezen;',
    ]
    answer = await room.post("\r\n".join(rows), CSV, source_at="2026-11-20T04:00:00Z", skip_unchanged="false")
    assert answer.status_code == 202, answer.text
    body = answer.json()
    assert (body["accepted"], body["refused"], body["refusals"][0]["line"]) == (1, 1, 4)
    event = from_record(await read_record(kafka_bootstrap, **body["receipts"][0])).event
    assert isinstance(event, ReadingsRecorded)
    assert event.source_at == datetime(2026, 11, 20, 4, tzinfo=UTC)
    assert (event.ean, event.first_slice, event.source) == (ean, 0, "publisher-1")
    assert np.frombuffer(event.values, "<i4").tolist() == [41, 42]
    assert event.quality == (5, 1, 6, 1)


async def test_the_api_describes_itself(room: Room) -> None:
    description = (await room.http.get("/openapi.json")).json()
    post = description["paths"]["/readings"]["post"]
    assert set(post["requestBody"]["content"]) == {NDJSON, AVRO, ARROW, CSV}
    assert {each["name"] for each in post["parameters"]} == {"part", "skip_unchanged", "source_at"}
    assert all(each.get("description") for path in description["paths"].values() for each in _parameters(path))


def _parameters(path: dict[str, Any]) -> list[dict[str, Any]]:
    return [each for operation in path.values() for each in operation.get("parameters", [])]
