"""Readings in an Avro container: every codec, every writer that uses the names, and damage that stays where it is."""

from __future__ import annotations

import json
import zlib
from datetime import UTC, date, datetime
from io import BytesIO
from typing import Any

import fastavro
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventlog.codec import container as container_of
from eventlog.codec import encode
from eventlog.registry import published
from services.metering.avro_readings import read_avro
from services.metering.block_input import Refusal
from services.metering.body import BodyTooLarge
from services.metering.container import Block, open_container, read_blocks
from services.metering.draft import Draft, NothingRead
from tests.examples import HOUSE

SCHEMA = published().newest("ReadingsRecorded")
RECORD: dict[str, Any] = {
    "message_id": "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
    "source": "publisher-1",
    "source_at": datetime(2026, 11, 20, 4, tzinfo=UTC),
    "source_sequence": 0,
    "ean": HOUSE,
    "meter_id": "1SAG1",
    "meter_kind": "DIGITAL",
    "channel": "OFFTAKE_ACTIVE_DAILY",
    "day": date(2026, 11, 19),
    "first_slice": 0,
    "values": (7).to_bytes(4, "little"),
    "quality": [5, 1],
    "gas_factor": [],
    "withdraws": False,
}


def written(
    records: list[dict[str, Any]], *, codec: str = "null", schema: Any = SCHEMA.parsed, block: int = 0
) -> bytes:
    out = BytesIO()
    fastavro.writer(out, schema, records, codec=codec, **({"sync_interval": block} if block else {}))
    return out.getvalue()


def read(body: bytes, *, max_record_count: int = 1_000, max_bytes: int = 10**6) -> tuple[list[Draft], list[Refusal]]:
    return read_avro(
        body, default_source="publisher-9", is_part=False, max_record_count=max_record_count, max_bytes=max_bytes
    )


def with_codec(codec: bytes, packed: bytes) -> bytes:
    """One record in a container whose block is `packed` by a codec that fastavro lacks here."""
    plain = written([RECORD])
    opened = open_container(plain)
    head = plain[: opened.blocks_at].replace(b"\x14avro.codec\x08null", b"\x14avro.codec" + codec)
    size = bytes([(2 * len(packed)) & 0x7F | 0x80, (2 * len(packed)) >> 7])
    return head + b"\x02" + size + packed + opened.sync


def plain_data() -> bytes:
    body = written([RECORD])
    [block] = read_blocks(body, open_container(body), 10**6)
    assert isinstance(block, Block)
    return block.data


def test_a_record_of_the_published_schema_is_read() -> None:
    [draft], refusals = read(written([RECORD]))
    assert refusals == []
    assert (draft.line, draft.is_part, draft.has_own_id) == (1, False, True)
    event = draft.event
    assert (event.source, event.source_at, event.ean) == ("publisher-1", RECORD["source_at"], HOUSE)
    assert (event.channel, event.day, event.values) == ("OFFTAKE_ACTIVE_DAILY", date(2026, 11, 19), b"\7\0\0\0")
    assert (event.quality, event.gas_factor) == ((5, 1), ())


def test_what_the_codec_packs_is_read() -> None:
    [draft], _ = read(written([RECORD]))
    body = container_of(SCHEMA, [encode(draft.event)[10:]])
    assert read(body)[0] == [draft]


@pytest.mark.parametrize("codec", ["null", "deflate", "bzip2", "xz"])
def test_each_codec_is_read(codec: str) -> None:
    drafts, refusals = read(written([RECORD] * 100, codec=codec, block=500))
    assert [draft.line for draft in drafts] == list(range(1, 101))
    assert refusals == []


def test_snappy_and_zstandard_are_read() -> None:
    data = plain_data()
    snappy = pa.compress(data, codec="snappy", asbytes=True) + zlib.crc32(data).to_bytes(4, "big")
    zstd = pa.compress(data, codec="zstd", asbytes=True)
    assert len(read(with_codec(b"\x0csnappy", snappy))[0]) == 1
    assert len(read(with_codec(b"\x12zstandard", zstd))[0]) == 1
    broken = snappy[:-1] + b"\0"
    assert read(with_codec(b"\x0csnappy", broken))[1] == [
        Refusal(1, "a block cannot be unpacked as snappy; its 1 records are lost")
    ]


@pytest.mark.parametrize("compression", ["uncompressed", "deflate", "snappy"])
def test_a_table_that_polars_wrote_is_read_where_instants_have_a_zone(compression: Any) -> None:
    out = BytesIO()
    row = {**RECORD, "gas_factor": [0], "source_at": RECORD["source_at"].replace(tzinfo=None)}
    pl.DataFrame([row]).write_avro(out, compression=compression)
    [draft], refusals = read(out.getvalue())
    assert refusals == []
    assert draft.event.source_at.tzinfo is None  # refused by the rules: a local timestamp has no zone


def test_a_schema_may_leave_out_what_has_a_default_and_hold_what_we_do_not_know() -> None:
    names = ("source_at", "ean", "meter_kind", "channel", "day", "values")
    fields = [field for field in json.loads(SCHEMA.text)["fields"] if field["name"] in names]
    schema = {"type": "record", "name": "Mine", "fields": [*fields, {"name": "note", "type": "string"}]}
    [draft], refusals = read(written([{**{n: RECORD[n] for n in names}, "note": "x"}], schema=schema))
    assert refusals == []
    assert (draft.has_own_id, draft.event.source, draft.event.message_id) == (False, "publisher-9", "")
    assert (draft.event.quality, draft.event.meter_id) == ((5, 1), "")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"Ob", "does not begin with Obj"),
        (b"Obj\x01", "head of the Avro container is damaged"),
        (written([RECORD])[:200], "head of the Avro container is damaged"),
        (written([RECORD]).replace(b"avro.codec\x08null", b"avro.codec\x08lzma"), "not read: use null, deflate"),
        (written([7], schema="int"), "does not hold records"),
        (written([{"a": 1}], schema={"type": "record", "name": "A", "fields": [{"name": "a", "type": "int"}]}), "ean"),
    ],
    ids=["too short", "nothing behind the mark", "cut off", "unknown codec", "no records", "another record"],
)
def test_what_is_no_container_of_readings_is_refused_as_a_whole(body: bytes, reason: str) -> None:
    with pytest.raises(NothingRead) as refused:
        read(body)
    assert reason in str(refused.value) or "source_at is missing" in str(refused.value)


def test_a_schema_that_could_claim_endless_values_in_a_few_bytes_is_refused() -> None:
    for kind in (
        {"type": "array", "items": "null"},
        {"type": "array", "items": {"type": "array", "items": "int"}},
        {"type": "array", "items": {"type": "record", "name": "Nothing", "fields": []}},
        {"type": "map", "values": "int"},
        {"type": "bytes", "logicalType": "decimal", "precision": 10**6},
        "kwartier.metering.ReadingsRecorded",
        7,
        None,
    ):
        fields = [*json.loads(SCHEMA.text)["fields"], {"name": "extra", "type": kind}]
        text = json.dumps({"type": "record", "name": "Mine", "fields": fields}).encode()
        body = b"Obj\x01\x02\x16avro.schema" + _long(len(text)) + text + b"\x00" + b"s" * 16
        with pytest.raises(NothingRead, match="'extra' of the Avro schema has a type that is not taken"):
            read(body)


def _long(number: int) -> bytes:
    rest, out = number << 1, bytearray()
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    return bytes([*out, rest])


def test_a_wrong_type_is_refused_by_record() -> None:
    fields = [f for f in json.loads(SCHEMA.text)["fields"] if f["name"] != "day"]
    schema = {"type": "record", "name": "Mine", "fields": [*fields, {"name": "day", "type": ["null", "string"]}]}
    _, refusals = read(written([{**RECORD, "day": "2026-11-19"}, {**RECORD, "day": None}], schema=schema))
    assert refusals == [Refusal(1, "day has the wrong type in the Avro schema"), Refusal(2, "day is missing")]


def test_a_damaged_block_loses_itself_and_nothing_else() -> None:
    body = bytearray(written([RECORD] * 9, codec="deflate", block=300))
    opened = open_container(bytes(body))
    blocks = list(read_blocks(bytes(body), opened, 10**6))
    assert [each.record_count for each in blocks] == [3, 3, 3]
    second = body.index(opened.sync, opened.blocks_at) + 16
    body[second + 3 : second + 21] = b"\xff" * 18
    drafts, refusals = read(bytes(body))
    assert [draft.line for draft in drafts] == [1, 2, 3, 7, 8, 9]
    assert refusals == [Refusal(4, "a block cannot be unpacked as deflate; its 3 records are lost")]


def test_a_damaged_record_loses_the_rest_of_its_block() -> None:
    body = bytearray(written([RECORD] * 3))
    ean = body.index(HOUSE.encode(), open_container(bytes(body)).blocks_at)
    body[ean - 1] = 0x7F
    drafts, refusals = read(bytes(body))
    assert drafts == []
    assert refusals == [Refusal(1, "the record is damaged; the 2 records behind it in its block are lost")]


def test_a_container_that_was_cut_off_keeps_its_whole_blocks() -> None:
    body = written([RECORD] * 9, block=300)
    drafts, refusals = read(body[:-5])
    assert [draft.line for draft in drafts] == [1, 2, 3, 4, 5, 6]
    assert [(each.line, each.reason) for each in refusals] == [(7, "a block does not end where it says")]


@pytest.mark.parametrize("codec", ["null", "deflate", "bzip2", "xz"])
def test_a_container_may_not_unpack_beyond_the_limit(codec: str) -> None:
    body = written([{**RECORD, "meter_id": "x" * 100_000}], codec=codec)
    with pytest.raises(BodyTooLarge, match="unpacks to more than 50000 bytes"):
        read(body, max_bytes=50_000)


def test_snappy_and_zstandard_may_not_unpack_beyond_the_limit_either() -> None:
    data = b"\0" * 1_000_000
    for codec, name in ((b"\x0csnappy", "snappy"), (b"\x12zstandard", "zstd")):
        packed = pa.compress(data, codec=name, asbytes=True)[:8_000]
        with pytest.raises(BodyTooLarge):
            read(with_codec(codec, packed), max_bytes=1_000)


def test_more_records_than_allowed_are_refused_as_a_whole() -> None:
    with pytest.raises(BodyTooLarge, match="at most 5 records"):
        read(written([RECORD] * 6), max_record_count=5)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=40), st.integers(0, 5_000), st.sampled_from(["null", "deflate"]))
def test_no_damage_makes_the_reader_fall_over(noise: bytes, place: int, codec: str) -> None:
    body = bytearray(written([RECORD] * 6, codec=codec, block=400))
    at = place % len(body)
    body[at : at + len(noise)] = noise
    try:
        drafts, refusals = read(bytes(body))
    except (NothingRead, BodyTooLarge):
        return
    assert len(drafts) + len(refusals) <= 1_000
