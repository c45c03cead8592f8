"""What a reading adds to the current block, and the identity of one whose sender gave none."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from uuid import UUID

import numpy as np
import pyarrow as pa
import pytest

from eventlog.events import ReadingsRecorded
from market.channel import BY_NAME, MeterKind
from market.quality import GasFactor, Quality
from services.metering.block_input import BlockInput
from services.metering.draft import body_id, draft_of, message_id
from services.metering.packing import Unpackable
from services.metering.unchanged import BlockKey, Current, currents_of, is_unchanged, key_of
from tests.examples import GAS_HOUSE, GAS_METER, ORDINARY_DAY

CHANNEL = "OFFTAKE_GAS_ENERGY_HOURLY"
AT = datetime(2026, 11, 20, 4, tzinfo=UTC)
BLOCK = BlockInput(
    ean=GAS_HOUSE,
    meter_id=GAS_METER,
    meter_kind=MeterKind.DIGITAL,
    channel=BY_NAME[CHANNEL],
    day=ORDINARY_DAY,
    first_slice=20,
    values=(5, None, 7, 8),
    quality=(Quality.MEASURED, Quality.MISSING, Quality.MEASURED, Quality.ESTIMATED),
    gas_factor=(GasFactor.PROVISIONAL, GasFactor.NONE, GasFactor.PROVISIONAL, GasFactor.PROVISIONAL),
    line=2,
)
EVENT = draft_of(BLOCK, source="operator-1", source_at=AT).event


def current(
    values: list[int] | None = None, quality: list[int] | None = None, factor: list[int] | None = None, kind: int = 1
) -> dict[BlockKey, Current]:
    return {
        key_of(EVENT): Current(
            meter_kind=kind,
            values=np.array([1] * 20 + (values or [5, 6, 7, 8]), dtype=np.int32),
            quality=np.array([5] * 20 + (quality or [5, 5, 5, 2]), dtype=np.uint8),
            gas_factor=np.array([1] * 20 + (factor or [1, 1, 1, 1]), dtype=np.uint8),
        )
    }


def test_a_block_of_a_file_is_a_part_packed_for_the_topic() -> None:
    draft = draft_of(BLOCK, source="operator-1", source_at=AT)
    assert (draft.line, draft.is_part, draft.has_own_id) == (2, True, False)
    assert np.frombuffer(EVENT.values, "<i4").tolist() == [5, -2147483648, 7, 8]
    assert (EVENT.quality, EVENT.gas_factor) == ((5, 1, 0, 1, 5, 1, 2, 1), (1, 1, 0, 1, 1, 2))
    assert (EVENT.first_slice, EVENT.channel, EVENT.meter_kind) == (20, CHANNEL, "DIGITAL")


def test_a_value_beyond_32_bits_cannot_be_packed() -> None:
    with pytest.raises(Unpackable, match="outside -2147483647 to 2147483647"):
        draft_of(replace(BLOCK, values=(5, None, 7, 2**31)), source="operator-1", source_at=AT)


def test_the_same_slices_with_the_same_value_quality_and_factor_are_unchanged() -> None:
    assert is_unchanged(EVENT, current())


@pytest.mark.parametrize(
    "other",
    [
        current(values=[5, 6, 7, 9]),
        current(values=[-(2**31), 6, 7, 8]),
        current(quality=[6, 5, 5, 2]),
        current(factor=[2, 1, 1, 1]),
        current(kind=2),
        {},
    ],
)
def test_another_value_quality_factor_or_kind_of_meter_or_no_block_is_a_change(other: dict[BlockKey, Current]) -> None:
    assert not is_unchanged(EVENT, other)


def test_a_missing_slice_says_nothing_against_a_block_and_everything_where_there_is_none() -> None:
    nothing = replace(EVENT, values=np.full(4, -(2**31), dtype="<i4").tobytes(), quality=(0, 4), gas_factor=(0, 4))
    assert is_unchanged(nothing, current())
    assert not is_unchanged(nothing, {})


def test_a_withdrawal_is_always_published() -> None:
    nothing = replace(EVENT, values=np.full(4, -(2**31), dtype="<i4").tobytes(), quality=(0, 4), gas_factor=())
    assert not is_unchanged(replace(nothing, withdraws=True), current())


def test_no_factor_equals_no_factor() -> None:
    without = replace(EVENT, gas_factor=())
    assert is_unchanged(without, current(factor=[0, 0, 0, 0]))
    assert not is_unchanged(without, current())


def test_blocks_come_from_the_stores_table() -> None:
    row = {
        "ean": GAS_HOUSE,
        "day": ORDINARY_DAY,
        "channel": BY_NAME[CHANNEL].code,
        "meter_id": GAS_METER,
        "meter_kind": 1,
        "slice_count": 2,
        "values": b"\1\0\0\0\0\0\0\x80",
        "quality": b"\5\0",
        "gas_factor": b"",
    }
    [(key, found)] = currents_of(pa.Table.from_pylist([row])).items()
    assert key == key_of(EVENT)
    assert found.values.tolist() == [1, -2147483648]
    assert (found.quality.tolist(), found.gas_factor.tolist(), found.meter_kind) == ([5, 0], [0, 0], 1)


def test_an_id_is_the_same_for_the_same_body_block_and_order_alone() -> None:
    first = message_id(body_id(b"body"), EVENT)
    local = replace(EVENT, source_at=AT.astimezone(timezone(timedelta(hours=1))))
    assert UUID(first).version == 5
    assert message_id(body_id(b"body"), local) == first
    others: list[ReadingsRecorded] = [
        replace(EVENT, first_slice=19),
        replace(EVENT, day=date(2026, 11, 18)),
        replace(EVENT, meter_id=""),
        replace(EVENT, source="operator-2"),
        replace(EVENT, source_sequence=1),
        replace(EVENT, source_at=AT + timedelta(microseconds=1)),
    ]
    ids = {message_id(body_id(b"body"), other) for other in others} | {message_id(body_id(b"bodies"), EVENT)}
    assert len(ids) == 7
    assert first not in ids
