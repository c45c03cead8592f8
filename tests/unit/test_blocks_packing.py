"""The bytes that a block keeps per slice, written out by hand, and back."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.metering.byte_column import ByteColumn, from_arrow, from_rows
from services.metering.message_ids import pack_ids, unpack_id
from services.metering.runs import decode_codes, encode_codes
from services.metering.stored_values import MISSING, decode_values, encode_values

VALUES = st.sampled_from(
    [0, 1, -1, 254, 255, 4094, 4095, 32767, -32767, 32768, -32768, 2**31 - 1, -(2**31) + 1, int(MISSING)]
)


def packed(*rows: list[int]) -> list[bytes]:
    return encode_values(np.array(rows, dtype=np.int32)).to_list()


def codes(*rows: list[int]) -> list[bytes]:
    return encode_codes(np.array(rows, dtype=np.uint8)).to_list()


def test_small_values_take_a_byte_each() -> None:
    assert packed([0, 1, 254]) == [b"\x00\x01\xfe"]


def test_two_values_up_to_4094_share_three_bytes_the_first_one_lowest() -> None:
    assert packed([0x123, 0xABC, 0, 255]) == [b"\x23\xc1\xab\x00\xf0\x0f"]
    assert packed([0x123, 0xABC, 4094]) == [b"\x23\xc1\xab\xfe\x0f"]


def test_a_single_slice_takes_one_two_or_four_bytes() -> None:
    assert packed([254], [255], [40000]) == [b"\xfe", b"\xff\x00", b"\x40\x9c\x00\x00"]


def test_negative_and_greater_values_take_two_bytes_each() -> None:
    assert packed([1, -2, 32767, -32767]) == [b"\x01\x00\xfe\xff\xff\x7f\x01\x80"]


def test_one_great_value_makes_the_row_take_four_bytes_each() -> None:
    assert packed([1, 32768]) == [b"\x01\x00\x00\x00\x00\x80\x00\x00"]
    assert packed([1, -32768]) == [b"\x01\x00\x00\x00\x00\x80\xff\xff"]


def test_missing_has_a_mark_of_its_own_in_each_width() -> None:
    missing = int(MISSING)
    assert packed([missing, 1], [missing, missing]) == [b"\xff\x01", b"\xff\xff"]
    assert packed([missing, 255]) == [b"\xff\xff\x0f"]
    assert packed([missing, 4095]) == [b"\x00\x80\xff\x0f"]
    assert packed([missing, 32768]) == [b"\x00\x00\x00\x80\x00\x80\x00\x00"]


def test_each_row_chooses_its_own_width() -> None:
    assert packed([1, 2], [70000, 2], [3, 4], [300, 4]) == [
        b"\x01\x02",
        b"\x70\x11\x01\x00\x02\x00\x00\x00",
        b"\x03\x04",
        b"\x2c\x41\x00",
    ]


def test_neighbours_of_one_code_share_a_run_that_ends_with_the_row() -> None:
    assert codes([5, 5, 5, 0], [5, 6, 6, 6]) == [b"\x05\x03\x00\x01", b"\x05\x01\x06\x03"]


def test_a_row_that_is_not_kept_is_empty_and_reads_as_zeros() -> None:
    column = encode_codes(np.array([[0, 0], [1, 2]], dtype=np.uint8), np.array([False, True]))
    assert column.to_list() == [b"", b"\x01\x01\x02\x01"]
    assert decode_codes(column, 2).tolist() == [[0, 0], [1, 2]]


def test_runs_for_another_number_of_slices_are_not_read() -> None:
    with pytest.raises(ValueError, match="do not sum to 3 slices"):
        decode_codes(from_rows([b"\x05\x02\x06\x02", b"\x05\x02"]), 3)
    with pytest.raises(ValueError, match="not 3 numbers"):
        decode_values(from_rows([b"\0" * 8]), 3)


@given(st.lists(st.lists(VALUES, min_size=5, max_size=5), min_size=1, max_size=8))
def test_values_come_back_as_they_went_in(rows: list[list[int]]) -> None:
    column = encode_values(np.array(rows, dtype=np.int32))
    assert decode_values(column, 5).tolist() == rows
    assert decode_values(from_rows(column.to_list()), 5).tolist() == rows


@given(st.lists(st.lists(st.integers(0, 6), min_size=7, max_size=7), min_size=1, max_size=8))
def test_codes_come_back_as_they_went_in(rows: list[list[int]]) -> None:
    assert decode_codes(encode_codes(np.array(rows, dtype=np.uint8)), 7).tolist() == rows


@given(st.lists(st.binary(max_size=6), max_size=8), st.data())
def test_a_column_survives_arrow_even_where_it_is_a_slice(rows: list[bytes], data: st.DataObject) -> None:
    column = from_rows(rows)
    start = data.draw(st.integers(0, len(rows)))
    back = from_arrow(column.to_arrow().slice(start))
    assert isinstance(back, ByteColumn)
    assert back.to_list() == rows[start:]


def test_a_uuid_takes_sixteen_bytes_and_other_ids_stay_text_and_none_are_alike() -> None:
    ids = [
        "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0",
        "0F1E2D3C-4b5a-6978-8796-a5b4c3d2e1f0",
        "order 7",
        "sixteen letters!",
        "éléments: 16 oct",
        "",
    ]
    packed_ids = pack_ids(pl.Series("message_id", ids))
    assert packed_ids.to_list() == [
        bytes.fromhex("0f1e2d3c4b5a69788796a5b4c3d2e1f0"),
        b"0F1E2D3C-4b5a-6978-8796-a5b4c3d2e1f0",
        b"order 7",
        b"sixteen letters!\0",
        "éléments: 16 oct".encode(),
        b"",
    ]
    assert [unpack_id(each) for each in packed_ids] == ids
    assert pack_ids(pl.Series("message_id", ids[:1])).to_list() == packed_ids.to_list()[:1]
    assert pack_ids(pl.Series("message_id", ids[1:2])).to_list() == packed_ids.to_list()[1:2]
