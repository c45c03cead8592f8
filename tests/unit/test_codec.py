"""Events survive the wire, whoever framed them; damaged bytes are told apart and never crash a reader."""

from __future__ import annotations

import copy
import dataclasses
import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlog import codec, registry
from eventlog.codec import HEADER_LENGTH, Undecodable, decode, decode_body, encode
from eventlog.events import EVENT_TYPES, AccessPointRegistered, DataAccessContractSigned, Event, ReadingsRecorded
from eventlog.registry import load_registry, read_schema
from market.channel import BY_NAME, MeterKind
from market.ean import Ean

READINGS = ReadingsRecorded(
    message_id="m-1",
    source="demo-publisher",
    source_at=datetime(2026, 11, 20, 4, 0, tzinfo=UTC),
    source_sequence=0,
    ean=Ean("541448800000000017"),
    meter_id="",
    meter_kind="AMR",
    channel="OFFTAKE_ACTIVE_QUARTER_HOURLY",
    day=date(2026, 11, 19),
    first_slice=0,
    values=struct.pack("<3i", 12, -2147483648, 0),
    quality=(5, 1, 0, 1, 5, 1),
    gas_factor=(),
    withdraws=False,
)
SIGNED = DataAccessContractSigned(contract_number="1000000001", holder_kbo="0123456749", valid_from=date(2026, 1, 1))

events = st.builds(
    ReadingsRecorded,
    message_id=st.text(max_size=40),
    source=st.text(max_size=20),
    source_at=st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    source_sequence=st.integers(0, 2**63 - 1),
    ean=st.from_regex(r"[0-9]{18}", fullmatch=True).map(Ean),
    meter_id=st.text(max_size=20),
    meter_kind=st.sampled_from([kind.name for kind in MeterKind]),
    channel=st.sampled_from(sorted(BY_NAME)),
    day=st.dates(),
    first_slice=st.integers(0, 99),
    values=st.binary(max_size=400),
    quality=st.lists(st.integers(0, 100)).map(tuple),
    gas_factor=st.lists(st.integers(0, 100)).map(tuple),
    withdraws=st.booleans(),
)


@given(events)
def test_readings_come_back_as_they_were(event: ReadingsRecorded) -> None:
    assert decode(encode(event)) == event


def test_an_instant_of_another_zone_comes_back_as_the_same_instant_in_utc() -> None:
    brussels_summer = timezone(timedelta(hours=2))
    event = dataclasses.replace(READINGS, source_at=datetime(2026, 7, 1, 6, 0, tzinfo=brussels_summer))
    back = decode(encode(event))
    assert isinstance(back, ReadingsRecorded)
    assert back.source_at.isoformat() == "2026-07-01T04:00:00+00:00"


def test_an_instant_without_zone_is_not_written() -> None:
    with pytest.raises(ValueError, match="source_at has no zone"):
        encode(dataclasses.replace(READINGS, source_at=datetime(2026, 11, 20, 4, 0)))  # noqa: DTZ001


@pytest.mark.parametrize(
    "wrong",
    [{"channel": "OFFTAKE_STEAM"}, {"meter_kind": "SUNDIAL"}, {"values": "text"}, {"first_slice": "4"}, {"day": "now"}],
)
def test_a_value_that_does_not_fit_the_schema_is_not_written(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        encode(dataclasses.replace(READINGS, **wrong))


@pytest.mark.parametrize("value", [b"", b"\xc3", b"\xc3\x01", b"\xc3\x01\x00\x00\x00", b"{}", b"Obj\x01"])
def test_what_is_no_single_object_is_refused(value: bytes) -> None:
    with pytest.raises(Undecodable, match="not an Avro single object"):
        decode(value)


def test_an_unknown_fingerprint_is_refused() -> None:
    with pytest.raises(Undecodable, match="no schema has this fingerprint"):
        decode(b"\xc3\x01" + b"\x00" * 8 + b"anything")


@pytest.mark.parametrize("length", range(HEADER_LENGTH, len(encode(READINGS))))
def test_a_record_cut_short_anywhere_is_refused(length: int) -> None:
    with pytest.raises(Undecodable, match="damaged ReadingsRecorded"):
        decode(encode(READINGS)[:length])


def test_bytes_after_the_body_are_refused() -> None:
    with pytest.raises(Undecodable, match="left over"):
        decode(encode(READINGS) + b"\x00")


@given(st.sampled_from(sorted(EVENT_TYPES)), st.binary(max_size=200))
def test_any_bytes_are_an_event_or_refused(name: str, body: bytes) -> None:
    schema = registry.published().newest(name)
    try:
        event = decode_body(schema, body)
    except Undecodable:
        return
    assert type(event) is EVENT_TYPES[name]


@given(st.integers(HEADER_LENGTH, len(encode(READINGS)) - 1), st.integers(1, 255))
def test_a_flipped_byte_is_an_event_or_refused(place: int, flip: int) -> None:
    value = bytearray(encode(READINGS))
    value[place] ^= flip
    try:
        assert isinstance(decode(bytes(value)), ReadingsRecorded)
    except Undecodable:
        return


@dataclass(frozen=True, slots=True, kw_only=True)
class NewerSigned(Event):
    """Version 2 of a planted contract event."""

    contract_number: str
    holder_kbo: str
    valid_from: date
    holder_name: str
    note: str


@pytest.fixture
def two_versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[registry.Registry]:
    """A registry in which `DataAccessContractSigned` has a second version with one more field."""
    first = registry.published().newest("DataAccessContractSigned")
    second = json.loads(first.text)
    second["fields"].append({"name": "note", "type": "string", "default": "none given", "doc": "Planted."})
    (tmp_path / "mandate").mkdir()
    (tmp_path / "mandate" / "DataAccessContractSigned.v1.avsc").write_text(first.text, encoding="utf-8")
    (tmp_path / "mandate" / "DataAccessContractSigned.v2.avsc").write_text(json.dumps(second), encoding="utf-8")
    planted = load_registry(tmp_path)
    monkeypatch.setattr(registry, "published", lambda: planted)
    monkeypatch.setitem(EVENT_TYPES, "DataAccessContractSigned", NewerSigned)
    codec._shape.cache_clear()
    yield planted
    codec._shape.cache_clear()


def test_a_record_of_an_older_version_becomes_the_newest_event(two_versions: registry.Registry) -> None:
    old = two_versions.by_version["DataAccessContractSigned", 1]
    body = bytes.fromhex("14313030303030303030311430313233343536373439ccbf0200")
    assert decode(b"\xc3\x01" + old.fingerprint + body) == NewerSigned(
        contract_number="1000000001",
        holder_kbo="0123456749",
        valid_from=date(2026, 1, 1),
        holder_name="",
        note="none given",
    )


def test_a_symbol_that_is_newer_than_the_reader_becomes_unknown(tmp_path: Path) -> None:
    raw = json.loads(registry.published().newest("AccessPointRegistered").text)
    newer = copy.deepcopy(raw)
    newer["fields"][2]["type"]["symbols"].append("PREPAID")
    (tmp_path / "register").mkdir()
    path = tmp_path / "register" / "AccessPointRegistered.v2.avsc"
    path.write_text(json.dumps(newer), encoding="utf-8")
    body = b"\x24541448800000000017" + b"\x02" + b"\x08" + b"\xcc\xbf\x02"
    assert decode_body(read_schema(path), body) == AccessPointRegistered(
        ean=Ean("541448800000000017"), energy="E", meter_kind="UNKNOWN", registered_on=date(2026, 1, 1)
    )
