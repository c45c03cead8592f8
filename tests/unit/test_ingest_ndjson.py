"""Readings as JSON lines: what each line says, and what is said of a line that cannot be read."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest

from services.metering.block_input import Refusal
from services.metering.draft import Draft, NothingRead
from services.metering.ndjson import read_ndjson
from tests.examples import GAS_HOUSE, HOUSE

DAY: dict[str, Any] = {
    "source_at": "2026-11-20T04:00:00Z",
    "ean": HOUSE,
    "meter_kind": "DIGITAL",
    "channel": "OFFTAKE_ACTIVE_DAILY",
    "day": "2026-11-19",
    "values": [12345],
}


def line(**changes: Any) -> bytes:
    return json.dumps({**DAY, **changes}).encode()


def read(body: bytes, *, is_part: bool = False) -> tuple[list[Draft], list[Refusal]]:
    return read_ndjson(body, default_source="publisher-1", is_part=is_part)


def refusal(text: bytes) -> str:
    drafts, refusals = read(line() + b"\n" + text)
    assert [draft.line for draft in drafts] == [1]
    assert [each.line for each in refusals] == [2]
    return refusals[0].reason


def test_what_is_left_out_has_a_default() -> None:
    [draft], refusals = read(line())
    event = draft.event
    assert refusals == []
    assert (draft.line, draft.is_part, draft.has_own_id) == (1, False, False)
    assert (event.message_id, event.source, event.source_sequence, event.meter_id) == ("", "publisher-1", 0, "")
    assert event.source_at == datetime(2026, 11, 20, 4, tzinfo=UTC)
    assert (event.day, event.first_slice, event.withdraws) == (date(2026, 11, 19), 0, False)
    assert event.values == (12345).to_bytes(4, "little")
    assert (event.quality, event.gas_factor) == ((5, 1), ())


def test_everything_can_be_said() -> None:
    said = {
        "message_id": "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
        "source": "publisher-2",
        "source_at": "2026-11-20T05:00:00+01:00",
        "source_sequence": 7,
        "ean": GAS_HOUSE,
        "meter_id": "7FLO1",
        "meter_kind": "AMR",
        "channel": "OFFTAKE_GAS_ENERGY_HOURLY",
        "first_slice": 21,
        "values": [1, None, 2147483647],
        "quality": [["ESTIMATED", 1], ["MEASURED_VALIDATED", 2]],
        "gas_factor": "PROVISIONAL",
        "withdraws": False,
        "part": True,
    }
    [draft], _ = read(line(**said))
    event = draft.event
    assert (draft.is_part, draft.has_own_id) == (True, True)
    assert event.source_at == datetime(2026, 11, 20, 4, tzinfo=UTC)
    assert (event.message_id, event.source, event.source_sequence) == (
        "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
        "publisher-2",
        7,
    )
    assert np.frombuffer(event.values, "<i4").tolist() == [1, -2147483648, 2147483647]
    assert (event.first_slice, event.quality, event.gas_factor) == (21, (2, 1, 6, 2), (1, 3))


def test_empty_lines_a_byte_order_mark_and_crlf_are_passed_over() -> None:
    drafts, refusals = read(b"\xef\xbb\xbf" + line() + b"\r\n\r\n  \n" + line() + b"\n")
    assert [draft.line for draft in drafts] == [1, 4]
    assert refusals == []


def test_part_in_the_query_makes_every_line_a_part() -> None:
    assert all(draft.is_part for draft in read(line() + b"\n" + line(part=False), is_part=True)[0])


def test_null_is_as_good_as_left_out() -> None:
    assert read(line(message_id=None, quality=None, part=None))[0] == read(line())[0]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"{", "the line is not JSON: Expecting property name enclosed in double quotes at character 2"),
        (b'{"ean": "\xe9"}', "the line is not UTF-8"),
        (b"[1]", "the line is not a JSON object"),
        (b"[" * 100_000, "the line is not JSON that can be read"),
        (b'{"values": [' + b"9" * 5_000 + b"]}", "the line is not JSON that can be read"),
        (b'{"day": "2026-11-19", "day": "2026-11-18"}', "a field is given twice"),
        (line(vaules=[1]), "no field is called 'vaules'"),
        (json.dumps({k: v for k, v in DAY.items() if k != "day"}).encode(), "the field day is missing"),
        (line(ean=541448800000000017), "ean must be text"),
        (line(day="19-11-2026"), "day must be a date such as 2026-11-19"),
        (line(day="2026-W47-4"), "day must be a date such as 2026-11-19"),
        (line(day="20261119"), "day must be a date such as 2026-11-19"),
        (line(day="2026-02-29"), "day must be a date such as 2026-11-19"),
        (
            line(source_at="2026-11-20T04:00:00"),
            "source_at must be an instant with its zone, such as 2026-11-20T04:00:00Z",
        ),
        (
            line(source_at="0001-01-01T00:00:00+23:59"),
            "source_at must be an instant with its zone, such as 2026-11-20T04:00:00Z",
        ),
        (line(values=[1.0]), "values must be a list of whole numbers, null where one is missing"),
        (line(values=[True]), "values must be a list of whole numbers, null where one is missing"),
        (line(values="1"), "values must be a list of whole numbers, null where one is missing"),
        (line(values=[]), "there are no values"),
        (line(values=[2**31]), "a value lies outside -2147483647 to 2147483647"),
        (line(values=[-(2**31)]), "a value lies outside -2147483647 to 2147483647"),
        (line(first_slice=-1), "first_slice must be a whole number from 0"),
        (line(source_sequence=2**63), "source_sequence must be a whole number from 0"),
        (line(source_sequence=True), "source_sequence must be a whole number from 0"),
        (line(withdraws=1), "withdraws must be true or false"),
        (line(gas_factor="NONE?"), "gas_factor must be one of NONE, PROVISIONAL, DEFINITIVE, CONSTANT"),
        (line(quality=["MEASURED"]), "quality must be a name, or a list of [name, count]"),
        (line(quality=[["MEASURED", 0]]), "quality needs a count of slices after each name"),
        (line(quality=[[["MEASURED"], 1]]), "quality must be one of MISSING, ESTIMATED_NOT_VALIDATED"),
    ],
)
def test_a_line_that_cannot_be_read_is_named_with_the_reason(text: bytes, reason: str) -> None:
    assert refusal(text).startswith(reason)


def test_nan_is_no_number() -> None:
    assert "values must be a list of whole numbers" in refusal(line(values=[float("nan")]))


def test_a_body_without_one_json_object_is_refused_as_a_whole() -> None:
    with pytest.raises(NothingRead, match="line 2: the line is not JSON"):
        read(b"\nhello\nworld\n")
    with pytest.raises(NothingRead, match="the body has no lines"):
        read(b"\n \n")
