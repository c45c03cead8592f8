"""Readings as an Arrow stream: what writers of tables write, and streams that are damaged or swell."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from io import BytesIO
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.metering.arrow_readings import read_arrow
from services.metering.block_input import Refusal
from services.metering.body import BodyTooLarge
from services.metering.draft import Draft, NothingRead
from tests.examples import HOUSE

AT = datetime(2026, 11, 20, 4, tzinfo=UTC)
COLUMNS: dict[str, Any] = {
    "source_at": pa.array([AT], pa.timestamp("us", "UTC")),
    "ean": pa.array([HOUSE]),
    "meter_kind": pa.array(["DIGITAL"]),
    "channel": pa.array(["OFFTAKE_ACTIVE_QUARTER_HOURLY"]),
    "day": pa.array([date(2026, 11, 19)]),
    "values": pa.array([[7, None, 1]], pa.list_(pa.int32())),
}
PACKED = b"\x07\0\0\0" + b"\0\0\0\x80" + b"\x01\0\0\0"


def written(*batches: dict[str, Any], compression: Any = None) -> bytes:
    out = BytesIO()
    tables = [pa.RecordBatch.from_pydict(each) for each in batches]
    with pa.ipc.new_stream(out, tables[0].schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
        for table in tables:
            writer.write_batch(table)
    return out.getvalue()


def read(body: bytes, *, max_record_count: int = 1_000, max_bytes: int = 10**6) -> tuple[list[Draft], list[Refusal]]:
    return read_arrow(
        body, default_source="publisher-9", is_part=False, max_record_count=max_record_count, max_bytes=max_bytes
    )


def with_column(name: str, array: Any) -> dict[str, Any]:
    return {**COLUMNS, name: array}


@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
def test_a_row_is_read_and_what_is_left_out_has_its_default(compression: Any) -> None:
    [draft], refusals = read(written(COLUMNS, compression=compression))
    assert refusals == []
    assert (draft.line, draft.is_part, draft.has_own_id) == (1, False, False)
    event = draft.event
    assert (event.source, event.source_at, event.source_sequence) == ("publisher-9", AT, 0)
    assert (event.ean, event.meter_id, event.day) == (HOUSE, "", date(2026, 11, 19))
    assert (event.values, event.quality, event.gas_factor) == (PACKED, (5, 3), ())


@pytest.mark.parametrize(
    "values",
    [
        pa.array([PACKED], pa.binary()),
        pa.array([PACKED], pa.large_binary()),
        pa.array([PACKED], pa.binary_view()),
        pa.array([[7, None, 1]], pa.list_(pa.int64())),
        pa.array([[7, None, 1]], pa.large_list(pa.int16())),
        pa.array([[9], [7, None, 1]], pa.list_(pa.int32())).slice(1),
    ],
    ids=str,
)
def test_values_are_packed_or_a_list(values: Any) -> None:
    [draft], _ = read(written(with_column("values", values)))
    assert draft.event.values == PACKED


def test_what_polars_writes_is_read_with_its_enums_and_texts() -> None:
    frame = pl.DataFrame(
        {
            "message_id": ["3f2504e0-4f89-11d3-9a0c-0305e82c3301"],
            "source_at": pl.Series([AT], dtype=pl.Datetime("ns", "UTC")),
            "ean": [HOUSE],
            "meter_id": ["1SAG0000000000000001"],
            "meter_kind": pl.Series(["DIGITAL"], dtype=pl.Enum(["DIGITAL", "AMR"])),
            "channel": pl.Series(["OFFTAKE_ACTIVE_QUARTER_HOURLY"], dtype=pl.Categorical),
            "day": [date(2026, 11, 19)],
            "values": [[7, None, 1]],
            "quality": ["ESTIMATED"],
            "somebody_elses": [object.__name__],
        }
    )
    out = BytesIO()
    frame.write_ipc_stream(out, compression="zstd")
    [draft], refusals = read(out.getvalue())
    assert refusals == []
    assert draft.has_own_id
    assert (draft.event.meter_kind, draft.event.meter_id) == ("DIGITAL", "1SAG0000000000000001")
    assert (draft.event.values, draft.event.quality[1:]) == (PACKED, (3,))


def test_rows_are_counted_over_all_batches_and_a_bad_one_is_refused_alone() -> None:
    wide = with_column("values", pa.array([[2**31]], pa.list_(pa.int64())))
    good = with_column("values", pa.array([[1]], pa.list_(pa.int64())))
    drafts, refusals = read(written(good, wide, good))
    assert [draft.line for draft in drafts] == [1, 3]
    assert refusals == [Refusal(2, "a value lies outside -2147483647 to 2147483647")]


def test_a_null_is_missing_and_a_wrong_word_is_named() -> None:
    nulls = with_column("ean", pa.array([None], pa.string()))
    assert read(written(nulls))[1] == [Refusal(1, "ean is missing")]
    word = with_column("quality", pa.array(["GUESSED"]))
    assert read(written(word))[1][0].reason.startswith("quality must be one of ")


def test_a_text_that_is_too_long_costs_its_batch_alone() -> None:
    long = with_column("ean", pa.array(["5" * 201]))
    drafts, refusals = read(written(COLUMNS, long, COLUMNS))
    assert [draft.line for draft in drafts] == [1, 3]
    assert refusals == [Refusal(2, "ean is longer than 200 bytes; none of the 1 rows of its batch is taken")]


def test_a_zone_that_nobody_knows_costs_its_batch_alone() -> None:
    nowhere = with_column("source_at", pa.array([0], pa.timestamp("us", "Nowhere/Land")))
    drafts, [refusal] = read(written(nowhere))
    assert (drafts, refusal.line) == ([], 1)
    assert refusal.reason.startswith("source_at has a time zone that is not known")


def _as_file() -> bytes:
    out = BytesIO()
    batch = pa.RecordBatch.from_pydict(COLUMNS)
    with pa.ipc.new_file(out, batch.schema) as writer:
        writer.write_batch(batch)
    return out.getvalue()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (lambda: b"no stream at all", "not an Arrow IPC stream"),
        (lambda: b"\xff\xff\xff\xff\xff\xff\xff\x7f", "not an Arrow IPC stream"),
        (_as_file, "send the stream format"),
        (lambda: written({k: v for k, v in COLUMNS.items() if k != "day"}), "the column day is missing"),
        (lambda: written(with_column("ean", pa.array([5414]))), "the column ean of the Arrow stream has a type"),
        (lambda: written(with_column("values", pa.array([[0.5]]))), "the column values of the Arrow stream has a type"),
        (lambda: written(with_column("source_at", pa.array([1]))), "the column source_at of the Arrow stream has a"),
    ],
    ids=["text", "a length without end", "a file", "no day", "a number for an EAN", "parts of Wh", "no instant"],
)
def test_what_is_no_stream_of_readings_is_refused_as_a_whole(body: Callable[[], bytes], reason: str) -> None:
    with pytest.raises(NothingRead, match=reason):
        read(body())


def test_a_stream_that_swells_is_refused_before_it_is_unpacked() -> None:
    zeros = with_column("values", pa.array([[0] * 10_000_000], pa.list_(pa.int32())))
    body = written(zeros, compression="zstd")
    assert len(body) < 10_000
    with pytest.raises(BodyTooLarge, match="unpacks to more than 1000000 bytes"):
        read(body)


def test_more_rows_than_are_taken_are_refused_though_they_weigh_nothing() -> None:
    count = 1_001
    rows = {name: pa.concat_arrays([column] * count) for name, column in COLUMNS.items()}
    with pytest.raises(BodyTooLarge, match="at most 1000 rows"):
        read(written(rows))
    assert len(read(written(rows), max_record_count=count)[0]) == count


def test_a_stream_that_was_cut_off_gives_the_batches_before() -> None:
    whole = written(COLUMNS, COLUMNS)
    drafts, refusals = read(whole[: len(whole) - 200])
    assert [draft.line for draft in drafts] == [1]
    assert [refusal.line for refusal in refusals] == [2]


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_damage_is_refused_and_never_raises_anything_else(data: st.DataObject) -> None:
    body = bytearray(written(COLUMNS, COLUMNS, compression=data.draw(st.sampled_from([None, "zstd"]))))
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        drafts, refusals = read(bytes(body))
    except (NothingRead, BodyTooLarge):
        return
    assert len(drafts) + len(refusals) <= 3
