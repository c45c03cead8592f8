"""Indexes and period volumes are taken line by line or refused with the reason; so is what lies on the topic."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from eventlog.events import ConsumptionPeriodRecorded, MeterIndexRead
from eventlog.reason import Rule
from market.meter_register import REGISTERS
from services.metering.draft import NothingRead, Sender
from services.metering.index_lines import LINE_SCHEMA, IndexDraft, read_lines
from services.metering.index_rows import IndexEvent, content_hash, row_of, why_not
from services.metering.index_rules import check_indexes
from services.metering.rules import Bounds
from tests.examples import HOUSE

NOW = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)  # 0:30 on the 21st, local
SENT_AT = "2026-11-20T04:00:00Z"
INDEX = {
    "event": "MeterIndexRead",
    "source_at": SENT_AT,
    "ean": HOUSE,
    "meter_id": "1CLA1",
    "meter_kind": "CLASSIC",
    "register": "OFFTAKE_ACTIVE_NIGHT",
    "read_on": "2026-11-19",
    "index": 12_345_000,
    "kind": "PERIODIC",
}
PERIOD = {
    "event": "ConsumptionPeriodRecorded",
    "source_at": SENT_AT,
    "ean": HOUSE,
    "meter_kind": "CLASSIC",
    "register": "OFFTAKE_GAS_VOLUME",
    "first_day": "2025-11-01",
    "last_day": "2026-10-31",
    "volume": 1_234_567,
    "quality": "ESTIMATED",
}


def lines(*given: Any) -> bytes:
    return "\n".join(each if isinstance(each, str) else json.dumps(each) for each in given).encode()


def taken(*given: Any) -> tuple[list[IndexDraft], dict[int, str]]:
    """What passes of a body, and the refusals by line."""
    sender = Sender(client_id="publisher-1", speaks_for_others=False)
    drafts, unread = read_lines(lines(*given), default_source=sender.client_id)
    passed, refused = check_indexes(drafts, sender, now=NOW, bounds=Bounds())
    return passed, {refusal.line: refusal.reason for refusal in [*unread, *refused]}


def event(given: dict[str, Any], **changes: Any) -> IndexEvent:
    [draft] = taken({**given, **changes})[0]
    return draft.event


def test_a_line_becomes_the_event_it_names() -> None:
    read, recorded = [draft.event for draft in taken(INDEX, "", PERIOD)[0]]
    assert read == MeterIndexRead(
        message_id=read.message_id,
        source="publisher-1",
        source_at=datetime(2026, 11, 20, 4, tzinfo=UTC),
        source_sequence=0,
        ean=HOUSE,
        meter_id="1CLA1",
        meter_kind="CLASSIC",
        register="OFFTAKE_ACTIVE_NIGHT",
        read_on=date(2026, 11, 19),
        index=12_345_000,
        kind="PERIODIC",
        quality="MEASURED",
        withdraws=False,
    )
    assert isinstance(recorded, ConsumptionPeriodRecorded)
    assert (recorded.first_day, recorded.last_day) == (date(2025, 11, 1), date(2026, 10, 31))
    assert (recorded.volume, recorded.quality, recorded.meter_id) == (1_234_567, "ESTIMATED", "")


def test_the_same_body_gives_the_same_ids_and_another_body_others() -> None:
    first, again = taken(INDEX, PERIOD)[0], taken(INDEX, PERIOD)[0]
    assert first == again
    assert len({draft.event.message_id for draft in [*first, *taken(INDEX)[0]]}) == 3


@pytest.mark.parametrize(
    ("given", "changes", "reason"),
    [
        (INDEX, {"index": -1}, "index must be a whole number from 0 to below 1000000000000000"),
        (INDEX, {"index": 1.5}, "index: Input should be a valid integer"),
        (INDEX, {"index": "7"}, "index: Input should be a valid integer"),
        (INDEX, {"meter_id": ""}, "an index is that of a meter: give its meter_id"),
        (INDEX, {"meter_id": "a;b"}, "meter_id must be at most 64 letters, digits, spaces or . _ / -, or empty"),
        (INDEX, {"ean": "541448800000000018"}, "the check digit of the EAN is wrong"),
        (INDEX, {"meter_kind": "UNKNOWN"}, "meter_kind must be DIGITAL, AMR or CLASSIC"),
        (INDEX, {"register": "OFFTAKE_ACTIVE_NIGHT_DAILY"}, "no register is called 'OFFTAKE_ACTIVE_NIGHT_DAILY'"),
        (INDEX, {"read_on": "2026-11-22"}, "read_on 2026-11-22 has not begun yet"),
        (INDEX, {"read_on": "1999-12-31"}, "read_on 1999-12-31 is before 2000-01-01, the oldest day taken"),
        (
            INDEX,
            {"kind": "UNKNOWN"},
            "kind must be one of PERIODIC, INSTALLED, REMOVED, NET_USER_CHANGED, ACCESS_HOLDER_CHANGED, CHECK",
        ),
        (INDEX, {"source": "publisher-2"}, "source must be your own client id, or left out"),
        (INDEX, {"source_at": "2026-11-20T04:00:00"}, "source_at: Input should have timezone info"),
        (INDEX, {"message_id": "7"}, "message_id must be a UUID with its dashes, or left out"),
        (INDEX, {"withdraws": True}, "a withdrawal holds no value: leave the index out"),
        (INDEX, {"colour": "red"}, "colour: Extra inputs are not permitted"),
        (PERIOD, {"last_day": "2025-10-31"}, "the period ends before it begins: both days belong to it"),
        (PERIOD, {"last_day": "2026-11-22"}, "last_day 2026-11-22 has not begun yet"),
        (
            PERIOD,
            {"quality": "MISSING"},
            (
                "quality must be one of ESTIMATED_NOT_VALIDATED, ESTIMATED, ESTIMATED_VALIDATED, "
                "MEASURED_NOT_VALIDATED, MEASURED, MEASURED_VALIDATED"
            ),
        ),
    ],
)
def test_a_line_that_breaks_a_rule_is_named_and_the_next_one_is_kept(
    given: dict[str, Any], changes: dict[str, Any], reason: str
) -> None:
    passed, refused = taken({**given, **changes}, PERIOD if given is INDEX else INDEX)
    assert refused == {1: reason}
    assert [draft.line for draft in passed] == [2]


def test_a_value_may_be_left_out_of_a_withdrawal_alone() -> None:
    bare = {name: value for name, value in INDEX.items() if name != "index"}
    assert taken(bare)[1] == {1: "the field index is missing"}
    [withdrawn] = taken({**bare, "withdraws": True})[0]
    assert isinstance(withdrawn.event, MeterIndexRead)
    assert (withdrawn.event.index, withdrawn.event.quality, withdrawn.event.withdraws) == (0, "UNKNOWN", True)


def test_a_meter_read_today_is_taken_also_when_it_is_yesterday_in_utc() -> None:
    assert taken({**INDEX, "read_on": "2026-11-21"})[1] == {}


def test_two_lines_about_the_same_are_both_refused_unless_their_order_differs() -> None:
    other = {**INDEX, "index": 1}
    assert taken(INDEX, PERIOD, other)[1] == {
        1: "lines 1 and 3 both speak of the same reading or period",
        3: "lines 3 and 1 both speak of the same reading or period",
    }
    assert taken(INDEX, {**other, "source_sequence": 1})[1] == {}
    assert taken(INDEX, {**other, "meter_id": "1CLA2"})[1] == {}


def test_what_is_no_json_is_refused_by_line_or_as_a_whole() -> None:
    assert taken("{", INDEX, '{"event": 1, "event": 2}')[1] == {1: "the line is not JSON", 3: "a field is given twice"}
    with pytest.raises(NothingRead, match="line 1: the line is not JSON"):
        read_lines(b"EAN;Meter\n", default_source="publisher-1")
    with pytest.raises(NothingRead, match="the body has no lines"):
        read_lines(b"\n", default_source="publisher-1")


@pytest.mark.parametrize(
    ("given", "changes", "rule"),
    [
        (INDEX, {}, None),
        (INDEX, {"kind": "UNKNOWN"}, None),  # one of tomorrow
        (INDEX, {"ean": "541448800000000018"}, Rule.KEY_NOT_EAN),
        (INDEX, {"register": "UNKNOWN"}, Rule.CHANNEL_UNKNOWN),
        (INDEX, {"meter_kind": "UNKNOWN"}, Rule.METER_KIND_UNKNOWN),
        (INDEX, {"meter_id": "m" * 65}, Rule.TEXT_TOO_LONG),
        (INDEX, {"message_id": "\0"}, Rule.TEXT_TOO_LONG),
        (INDEX, {"source_at": datetime(2200, 1, 1, tzinfo=UTC)}, Rule.SOURCE_AT_OUT_OF_RANGE),
        (INDEX, {"read_on": date(1989, 12, 31)}, Rule.DAY_OUT_OF_RANGE),
        (INDEX, {"meter_id": ""}, Rule.UNUSABLE),
        (INDEX, {"index": -1}, Rule.UNUSABLE),
        (INDEX, {"quality": "UNKNOWN"}, Rule.QUALITY_MISSING),
        (INDEX, {"withdraws": True}, Rule.WITHDRAWAL_WITH_VALUES),
        (PERIOD, {}, None),
        (PERIOD, {"last_day": date(2025, 10, 31)}, Rule.UNUSABLE),
    ],
)
def test_whoever_writes_to_the_topic_has_to_keep_the_rules(
    given: dict[str, Any], changes: dict[str, Any], rule: Rule | None
) -> None:
    reason = why_not(replace(event(given), **changes))
    assert (reason and reason.rule) == rule


def test_the_description_of_a_line_stands_alone_and_names_every_register() -> None:
    """OpenAPI resolves references from the root of its own document."""
    assert "$ref" not in json.dumps(LINE_SCHEMA)
    index_line, period_line = LINE_SCHEMA["oneOf"]
    assert index_line["properties"]["register"]["enum"] == list(REGISTERS)
    assert {"event", "source_at", "ean", "meter_kind", "register", "read_on"} == set(index_line["required"])
    assert period_line["properties"]["quality"]["default"] == "MEASURED"


def test_the_content_hash_is_that_of_the_words_of_the_content_for_ever() -> None:
    """First eight bytes, signed, of SHA-256: `printf 'CLASSIC|MEASURED|False|12345000|PERIODIC' | sha256sum`."""
    assert content_hash(event(INDEX)) == int.from_bytes(bytes.fromhex("cfe6ea465a17506a"), "big", signed=True)


def test_a_row_has_the_code_of_its_register_and_quality() -> None:
    row = row_of(event(INDEX))
    assert (row["ean"], row["register"], row["quality"]) == (541448800000000017, 10, 5)
    assert REGISTERS["OFFTAKE_GAS_VOLUME"].stored_unit == "dm³"
