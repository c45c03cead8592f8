"""What the log says of an event goes into headers and comes back; a damaged header is told, not guessed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, timezone
from uuid import UUID

import pytest

from eventlog.codec import Undecodable, encode
from eventlog.envelope import Headers, from_record, to_headers
from eventlog.events import DataAccessContractSigned

SIGNED = DataAccessContractSigned(contract_number="1000000001", holder_kbo="0123456749", valid_from=date(2026, 1, 1))
EVENT_ID = UUID("00000000-0000-4000-8000-000000000001")
CORRELATION = UUID("00000000-0000-4000-8000-000000000002")
CAUSE = UUID("00000000-0000-4000-8000-000000000003")
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@dataclass(frozen=True)
class Delivered:
    """A record as Kafka delivers it."""

    headers: Headers
    key: bytes | None = b"1000000001"
    value: bytes | None = encode(SIGNED)
    topic: str = "mandate-events"
    partition: int = 3
    offset: int = 17
    timestamp: int = 1_795_172_400_123


HEADERS = to_headers(
    event_id=EVENT_ID,
    event_type="DataAccessContractSigned",
    source="mandate",
    stream_id="contract:1000000001",
    stream_version=1,
    recorded_at=datetime(2026, 11, 20, 12, 0, tzinfo=timezone(timedelta(hours=1))),
    correlation_id=CORRELATION,
    causation_id=CAUSE,
    traceparent=TRACE,
)


def without(name: str) -> Headers:
    return [header for header in HEADERS if header[0] != name]


def test_headers_are_text_with_instants_in_utc() -> None:
    assert HEADERS == [
        ("ce_id", b"00000000-0000-4000-8000-000000000001"),
        ("ce_type", b"DataAccessContractSigned"),
        ("ce_source", b"mandate"),
        ("ce_time", b"2026-11-20T11:00:00.000000Z"),
        ("ce_subject", b"contract:1000000001"),
        ("recorded_at", b"2026-11-20T11:00:00.000000Z"),
        ("correlation_id", b"00000000-0000-4000-8000-000000000002"),
        ("causation_id", b"00000000-0000-4000-8000-000000000003"),
        ("stream_version", b"1"),
        ("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    ]


def test_an_envelope_holds_the_event_its_headers_and_its_position() -> None:
    envelope = from_record(Delivered(HEADERS))
    assert envelope.event == SIGNED
    assert (envelope.event_id, envelope.event_type, envelope.source) == (
        EVENT_ID,
        "DataAccessContractSigned",
        "mandate",
    )
    assert (envelope.stream_id, envelope.stream_version) == ("contract:1000000001", 1)
    assert envelope.recorded_at == datetime(2026, 11, 20, 11, 0, tzinfo=UTC)
    assert (envelope.correlation_id, envelope.causation_id, envelope.traceparent) == (CORRELATION, CAUSE, TRACE)
    assert (envelope.key, envelope.topic, envelope.partition, envelope.offset) == (
        b"1000000001",
        "mandate-events",
        3,
        17,
    )
    assert envelope.appended_at == datetime(2026, 11, 20, 11, 0, 0, 123_000, tzinfo=UTC)


@pytest.mark.parametrize("name", ["causation_id", "traceparent"])
def test_cause_and_trace_may_be_absent(name: str) -> None:
    assert getattr(from_record(Delivered(without(name))), name) is None


@pytest.mark.parametrize(
    "name", ["ce_id", "ce_type", "ce_source", "ce_subject", "recorded_at", "correlation_id", "stream_version"]
)
def test_a_missing_header_is_named(name: str) -> None:
    with pytest.raises(Undecodable, match=f"header {name} is missing"):
        from_record(Delivered(without(name)))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ce_id", b"17"),
        ("recorded_at", b"yesterday"),
        ("recorded_at", b"2026-11-20T11:00:00"),
        ("recorded_at", b"0001-01-01T00:00:00+14:00"),
        ("stream_version", b"one"),
        ("stream_version", b"9" * 5_000),
        ("ce_source", b"\xff"),
    ],
)
def test_a_damaged_header_is_refused(name: str, value: bytes) -> None:
    with pytest.raises(Undecodable, match="a header is damaged"):
        from_record(Delivered([*without(name), (name, value)]))


def test_a_type_that_is_not_that_of_the_value_is_refused() -> None:
    with pytest.raises(Undecodable, match="name different events"):
        from_record(Delivered([*without("ce_type"), ("ce_type", b"MandateGranted")]))


def test_a_record_without_key_or_value_is_refused() -> None:
    for record in (replace(Delivered(HEADERS), key=None), replace(Delivered(HEADERS), value=None)):
        with pytest.raises(Undecodable, match="without key or value"):
            from_record(record)
