"""Blocks on their way out: days of different lengths, with and without gas factors, in one table and in their order."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import numpy as np

from services.metering.arrow_blocks import SCHEMA, StoredBlock, blocks_table
from services.metering.runs import INSTANT

MISSING = -(2**31)
AT = datetime(2026, 3, 30, 4, 0, 0, 5, tzinfo=UTC)
AT_MICROSECONDS = 1_774_843_200_000_005
SPRING, SUMMER, AUTUMN = date(2026, 3, 29), date(2026, 6, 1), date(2026, 10, 25)
GAS_DAY = date(2026, 6, 2)


def block(day: date, slice_count: int, values: list[int], **changes: Any) -> StoredBlock:
    """A day of an ordinary point whose values fit into a byte each; 255 is missing."""
    packed = StoredBlock(
        ean=541448800000000017,
        day=day,
        channel=0,
        meter_id="",
        meter_kind=1,
        slice_count=slice_count,
        slice_values=bytes(values),
        slice_quality=bytes([5, slice_count]),
        slice_gas_factor=b"",
        slice_recorded_at=b"",
        recorded_at=AT,
    )
    return packed._replace(**changes)


def numbers(row: dict[str, Any], name: str, kind: str) -> list[int]:
    return np.frombuffer(row[name], dtype=kind).tolist()


def test_days_of_different_lengths_keep_their_order_and_their_slices() -> None:
    rows = blocks_table(
        [
            block(AUTUMN, 100, [3] * 100),
            block(SPRING, 92, [1] * 92),
            block(SUMMER, 96, [2] * 95 + [255], slice_quality=bytes([5, 95, 0, 1])),
            block(SPRING, 92, [4] * 92),
        ]
    ).to_pylist()
    assert [(row["day"], row["slice_count"]) for row in rows] == [
        (AUTUMN, 100),
        (SPRING, 92),
        (SUMMER, 96),
        (SPRING, 92),
    ]
    assert [numbers(row, "values", "<i4") for row in rows] == [[3] * 100, [1] * 92, [*[2] * 95, MISSING], [4] * 92]
    assert numbers(rows[2], "quality", "u1") == [*[5] * 95, 0]
    assert numbers(rows[2], "recorded_at", "<i8") == [*[AT_MICROSECONDS] * 95, 0]
    assert {row["ean"] for row in rows} == {"541448800000000017"}


def test_only_a_block_with_gas_factors_has_any() -> None:
    plain = block(GAS_DAY, 24, [7] * 24)
    rows = blocks_table([plain, plain._replace(slice_gas_factor=bytes([1, 20, 2, 4])), plain]).to_pylist()
    assert [numbers(row, "gas_factor", "u1") for row in rows] == [[], [1] * 20 + [2] * 4, []]


def test_slices_that_changed_at_different_times_have_their_own() -> None:
    changes = np.array([(20, 7), (4, 9)], dtype=INSTANT).tobytes()
    (row,) = blocks_table([block(GAS_DAY, 24, [7] * 24, slice_recorded_at=changes)]).to_pylist()
    assert numbers(row, "recorded_at", "<i8") == [7] * 20 + [9] * 4


def test_no_blocks_are_a_table_without_rows() -> None:
    table = blocks_table([])
    assert (table.num_rows, table.schema) == (0, SCHEMA)
