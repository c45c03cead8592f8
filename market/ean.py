"""The number of a point: EAN-18 with its check digit."""

from __future__ import annotations

import re
from typing import NewType

Ean = NewType("Ean", str)

_DIGITS = re.compile(r"[0-9]{18}", re.ASCII)


class InvalidEan(ValueError):
    """The text is not the EAN of a point; the message says what is wrong, without the text itself."""


def check_digit(first_17: str) -> int:
    """Return the GS1 mod-10 check digit over 17 digits, weights 3 and 1 in turn from the right.

    Source: GS1 General Specifications, standard check digit calculation.
    """
    total = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(first_17)))
    return -total % 10


def parse_ean(text: str) -> Ean:
    """Return `text` as an `Ean`.

    Raises:
        InvalidEan: not 18 digits, or the check digit is wrong.
    """
    if not _DIGITS.fullmatch(text):
        raise InvalidEan("an EAN is 18 digits")
    if check_digit(text[:17]) != int(text[17]):
        raise InvalidEan("the check digit of the EAN is wrong")
    return Ean(text)
