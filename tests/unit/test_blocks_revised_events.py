"""The events of revised blocks, assembled a column at a time: byte for byte what the codec writes one by one."""

from __future__ import annotations

from datetime import date
from uuid import UUID, uuid5

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from eventlog import codec
from eventlog.events import BlockRevised
from eventlog.projection import Run
from market.channel import BY_CODE
from market.ean import Ean, check_digit
from services.metering.avro_columns import longs
from services.metering.message_ids import pack_ids
from services.metering.revised_events import revised_events
from tests.readings import TOPIC, LogRecord

NAMESPACE = UUID("5f0c6f5a-0b7e-5e55-9d0c-3f7a1f3f2d11")
REQUEST = UUID("0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0")
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=70)


@st.composite
def changes(draw: st.DrawFn) -> BlockRevised:
    body = f"{draw(st.integers(0, 10**17 - 1)):017d}"
    return BlockRevised(
        ean=Ean(f"{body}{check_digit(body)}"),
        meter_id=draw(TEXT),
        channel=draw(st.sampled_from(list(BY_CODE.values()))).name,
        day=draw(st.dates(date(1960, 1, 1), date(2199, 12, 31))),
        changed_count=draw(st.integers(0, 100)),
        source=draw(TEXT),
        message_id=draw(TEXT | st.uuids().map(str)),
    )


def told(events: list[BlockRevised], headers: tuple[tuple[str, bytes], ...] = ()) -> list[dict[str, object]]:
    """The rows for messages at the offsets from 7 on, given in two tables and not in order."""
    codes = {channel.name: code for code, channel in BY_CODE.items()}
    rows = pl.DataFrame(
        {
            "row": np.arange(len(events)),
            "record_offset": np.arange(len(events)) + 7,
            "ean": [int(each.ean) for each in events],
            "meter_id": [each.meter_id for each in events],
            "channel": pl.Series([codes[each.channel] for each in events], dtype=pl.Int16),
            "day": [each.day for each in events],
            "changed_count": [each.changed_count for each in events],
            "source": [each.source for each in events],
            "message_id": pack_ids(pl.Series([each.message_id for each in events], dtype=pl.String)),
        }
    )
    records = [LogRecord(TOPIC, 3, 7 + row, 0, None, None, headers) for row in range(len(events))]
    run = Run(topic=TOPIC, partition=3, first_offset=7, next_offset=7 + len(events), records=records)
    half = len(events) // 2
    table = revised_events(run, [rows[half:].reverse(), rows[:half]], NAMESPACE, first_place=1)
    return list(table.to_pylist())


@given(st.lists(changes(), min_size=1, max_size=8))
def test_the_bytes_are_those_of_the_codec(events: list[BlockRevised]) -> None:
    rows = told(events)
    assert [row["payload"] for row in rows] == [codec.encode(each) for each in events]
    assert [row["key"] for row in rows] == [each.ean.encode() for each in events]
    assert [row["stream_id"] for row in rows] == [f"point:{each.ean}" for each in events]
    ids = [uuid5(NAMESPACE, f"{TOPIC}:3:{7 + row}").bytes for row in range(len(events))]
    assert [(row["place"], row["event_id"], row["correlation_id"]) for row in rows] == [
        (place, each, each) for place, each in enumerate(ids, 1)
    ]


def test_a_stream_counts_its_own_events_and_a_request_is_named() -> None:
    details = {"meter_id": "", "channel": "OFFTAKE_ACTIVE_DAILY", "day": date(2026, 11, 19), "source": "a"}
    eans = [Ean("541448800000000017"), Ean("541448800000000048"), Ean("541448800000000017")]
    events = [BlockRevised(ean=ean, changed_count=1, message_id="m", **details) for ean in eans]  # type: ignore[arg-type]
    rows = told(events, (("correlation_id", str(REQUEST).encode()),))
    assert [row["number"] for row in rows] == [1, 1, 2]
    assert {row["correlation_id"] for row in rows} == {REQUEST.bytes}
    assert told(events, (("correlation_id", b"no id"),))[0]["correlation_id"] == uuid5(NAMESPACE, f"{TOPIC}:3:7").bytes


def test_numbers_are_written_as_avro_writes_them() -> None:
    numbers = np.array([0, -1, 1, 63, 64, -65, 2**31 - 1, -(2**63), 2**63 - 1], dtype=np.int64)
    assert longs(numbers).to_pylist() == [
        b"\x00",
        b"\x01",
        b"\x02",
        b"\x7e",
        b"\x80\x01",
        b"\x81\x01",
        b"\xfe\xff\xff\xff\x0f",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    ]
