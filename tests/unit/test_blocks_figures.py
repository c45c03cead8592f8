"""Totals, peaks and counts of blocks, with expected figures worked out by hand."""

from __future__ import annotations

from datetime import date

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from market.channel import BY_NAME, MeterKind
from services.metering.blocks import Figures, figures, tariffs_of
from services.metering.stored_values import MISSING

EPOCH = date(1970, 1, 1)
QUARTERS = "OFFTAKE_ACTIVE_QUARTER_HOURLY"
THURSDAY, SUNDAY = date(2026, 11, 19), date(2026, 11, 15)
ARMISTICE_DAY = date(2026, 11, 11)  # a Wednesday, and a legal holiday


def figures_of(
    values: list[int | None],
    *,
    quality: list[int] | int = 5,
    channel: str = QUARTERS,
    meter_kind: MeterKind = MeterKind.DIGITAL,
    day: date = THURSDAY,
) -> Figures:
    """The figures of one block."""
    matrix = np.array([[MISSING if value is None else value for value in values]], dtype=np.int32)
    given_codes = quality if isinstance(quality, list) else [quality] * len(values)
    codes = [0 if value is None else code for value, code in zip(values, given_codes, strict=True)]
    tariffs = tariffs_of(
        np.array([BY_NAME[channel].code], dtype=np.int16),
        np.array([meter_kind], dtype=np.int16),
        np.array([(day - EPOCH).days], dtype=np.int32),
        len(values),
    )
    return figures(matrix, np.array([codes], dtype=np.uint8), tariffs)


def test_an_ordinary_thursday_is_split_at_seven_and_at_twenty_two() -> None:
    # 1 Wh in each of the 28 quarters before 07:00, 10 in each of 60, 100 in each of the 8 from 22:00 on.
    known = figures_of([1] * 28 + [10] * 60 + [100] * 8)
    assert (known.total[0], known.day_total[0]) == (1428, 600)
    assert (known.present_count[0], known.estimated_count[0]) == (96, 0)
    assert (known.peak_value[0], known.peak_slice[0]) == (100, 88)
    assert known.weakest_quality[0] == 5


def test_a_sunday_is_all_night() -> None:
    known = figures_of([7] * 96, day=SUNDAY)
    assert (known.total[0], known.day_total[0]) == (672, 0)


def test_a_legal_holiday_is_night_for_an_amr_meter_and_an_ordinary_day_for_a_digital_one() -> None:
    assert figures_of([1] * 96, day=ARMISTICE_DAY, meter_kind=MeterKind.AMR).day_total[0] == 0
    assert figures_of([1] * 96, day=ARMISTICE_DAY, meter_kind=MeterKind.DIGITAL).day_total[0] == 60


def test_the_october_day_counts_a_hundred_quarters() -> None:
    known = figures_of(list(range(1, 101)), day=date(2026, 10, 25))
    assert (known.total[0], known.present_count[0]) == (5050, 100)
    assert (known.peak_value[0], known.peak_slice[0]) == (100, 99)


def test_the_march_day_counts_ninety_two_quarters() -> None:
    known = figures_of(list(range(1, 93)), day=date(2026, 3, 29))
    assert (known.total[0], known.present_count[0]) == (4278, 92)


def test_a_gas_day_of_twenty_five_hours_has_no_tariff() -> None:
    known = figures_of([2] * 25, channel="OFFTAKE_GAS_VOLUME_HOURLY", day=date(2026, 10, 24))
    assert (known.total[0], known.present_count[0], known.has_tariff[0]) == (50, 25, False)


def test_missing_slices_are_no_zeros() -> None:
    known = figures_of([None, -5, None, -3, None] + [None] * 91, day=SUNDAY)
    assert (known.total[0], known.present_count[0]) == (-8, 2)
    assert (known.peak_value[0], known.peak_slice[0]) == (-3, 3)


def test_nothing_present_has_no_quality() -> None:
    known = figures_of([None] * 96)
    assert (known.present_count[0], known.weakest_quality[0]) == (0, 0)


def test_the_first_of_equal_peaks_counts() -> None:
    known = figures_of([0, 9, 9] + [1] * 93)
    assert (known.peak_value[0], known.peak_slice[0]) == (9, 1)


def test_the_weakest_quality_is_that_of_a_present_slice_and_estimates_are_counted() -> None:
    quality = [6, 3, 2, 4] + [6] * 92
    known = figures_of([1, 1, 1, 1, None] + [1] * 91, quality=quality)
    assert (known.weakest_quality[0], known.estimated_count[0]) == (2, 2)


def test_totals_do_not_stop_at_32_bits() -> None:
    assert figures_of([2**31 - 1] * 96).total[0] == 206158430112


@given(st.lists(st.none() | st.integers(-(2**31) + 1, 2**31 - 1), min_size=96, max_size=96))
def test_totals_and_peak_are_of_the_present_values(values: list[int | None]) -> None:
    known = figures_of(values)
    present = [value for value in values if value is not None]
    assert known.total[0] == sum(present)
    assert not present or known.peak_value[0] == max(present)
