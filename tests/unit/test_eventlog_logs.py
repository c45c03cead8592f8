"""Logs: one JSON object a line, without personal data, and a talkative library held back."""

from __future__ import annotations

import json
import logging

import pytest

from eventlog.logs import JsonFormatter, RateLimit


def record(message: str, *arguments: object, name: str = "services.metering", **extra: object) -> logging.LogRecord:
    made = logging.LogRecord(name, logging.WARNING, __file__, 1, message, arguments, None)
    made.created = 1_795_176_000.5  # 2026-11-20T12:00:00.5Z
    made.__dict__.update(extra)
    return made


def test_a_record_is_one_line_of_json() -> None:
    line = JsonFormatter("metering").format(record("parked %d\nrecords", 3, facts={"partition": 4}))
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "2026-11-20T12:00:00.500Z",
        "level": "warning",
        "service": "metering",
        "logger": "services.metering",
        "message": "parked 3\nrecords",
        "partition": 4,
    }


def test_an_ean_is_masked_wherever_it_stands() -> None:
    error = ValueError("Key (ean)=(541448800000000017) already exists")
    failed = record("no point:541448800000000017", exc_info=(ValueError, error, None))
    line = JsonFormatter("metering").format(failed)
    assert "541448800000000017" not in line
    assert json.loads(line)["message"] == "no point:<ean>"
    assert "Key (ean)=(<ean>) already exists" in json.loads(line)["traceback"]


def test_the_row_that_the_database_shows_with_an_error_is_left_out() -> None:
    error = RuntimeError(
        'null value in column "kbo"\nDETAIL:  Failing row contains (7, Anouk Peeters, null).\nHINT: mend it'
    )
    line = JsonFormatter("register").format(record("ended: %s", error, exc_info=(RuntimeError, error, None)))
    assert "Anouk" not in line
    entry = json.loads(line)
    assert entry["message"] == 'ended: null value in column "kbo"\n(left out)\nHINT: mend it'
    assert 'null value in column "kbo"' in entry["traceback"]


def test_longer_and_shorter_numbers_are_left_alone() -> None:
    message = "1234567890123456789 and 12345678901234567"
    assert json.loads(JsonFormatter("metering").format(record(message)))["message"] == message


def test_the_library_says_the_same_thing_once_in_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("eventlog.logs.time.monotonic", lambda: clock[0])
    limit = RateLimit("aiokafka")
    said = [limit.filter(record("no broker %s", n, name="aiokafka.conn")) for n in range(3)]
    assert said == [True, False, False]
    assert limit.filter(record("another thing", name="aiokafka.conn"))
    clock[0] += 10.0
    again = record("no broker %s", 3, name="aiokafka.conn")
    assert limit.filter(again)
    assert again.getMessage() == "no broker 3 (2 more like it held back)"


def test_our_own_loggers_are_never_held_back() -> None:
    limit = RateLimit("aiokafka")
    assert all(limit.filter(record("the same", name="aiokafkaesque")) for _ in range(3))
