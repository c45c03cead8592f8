"""EAN-18 and KBO numbers: what their check digits catch, and that their errors never show the number."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.ean import InvalidEan, check_digit, parse_ean
from market.kbo import InvalidKbo, check_number, parse_kbo


@pytest.mark.parametrize("text", ["541448800000000017", "541448800000000024", "541448812345678905"])
def test_an_ean_with_a_fitting_check_digit_is_taken(text: str) -> None:
    assert parse_ean(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "541448800000000018",
        "541448800000000071",
        "54144880000000001",
        "5414488000000000170",
        "",
        " 541448800000000017",
        "541448800000000017\n",
        "٥٤١٤٤٨٨٠٠٠٠٠٠٠٠٠١٧",
        '="541448800000000017"',
    ],
)
def test_any_other_text_is_not_an_ean_and_the_error_does_not_show_it(text: str) -> None:
    with pytest.raises(InvalidEan) as caught:
        parse_ean(text)
    assert not text or text not in str(caught.value)


@given(st.text("0123456789", min_size=17, max_size=17), st.integers(0, 16), st.integers(1, 9))
def test_one_wrong_digit_of_an_ean_is_always_caught(first_17: str, place: int, shift: int) -> None:
    ean = first_17 + str(check_digit(first_17))
    wrong = ean[:place] + str((int(ean[place]) + shift) % 10) + ean[place + 1 :]
    assert parse_ean(ean) == ean
    with pytest.raises(InvalidEan):
        parse_ean(wrong)


# 04031707 mod 97 = 96, so 01; 10000000 mod 97 = 76, so 21; 97 mod 97 = 0, so 97.
@pytest.mark.parametrize("text", ["0403170701", "1000000021", "0000009797"])
def test_a_kbo_number_with_a_fitting_check_number_is_taken(text: str) -> None:
    assert parse_kbo(text) == text


@pytest.mark.parametrize(
    "text", ["0403170702", "0403.170.701", "BE0403170701", "2403170701", "403170701", "", "0403170701\n", "0000009700"]
)
def test_any_other_text_is_not_a_kbo_number_and_the_error_does_not_show_it(text: str) -> None:
    with pytest.raises(InvalidKbo) as caught:
        parse_kbo(text)
    assert not text or text not in str(caught.value)


@given(st.sampled_from("01"), st.text("0123456789", min_size=7, max_size=7), st.integers(1, 96))
def test_only_one_check_number_fits(first: str, rest: str, shift: int) -> None:
    check = check_number(first + rest)
    assert 1 <= check <= 97
    assert parse_kbo(f"{first}{rest}{check:02}")
    with pytest.raises(InvalidKbo):
        parse_kbo(f"{first}{rest}{(check - 1 + shift) % 97 + 1:02}")
