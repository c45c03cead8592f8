"""The enterprise number of the Belgian crossroads bank for enterprises (KBO)."""

from __future__ import annotations

import re
from typing import NewType

Kbo = NewType("Kbo", str)

_DIGITS = re.compile(r"[01][0-9]{9}", re.ASCII)


class InvalidKbo(ValueError):
    """The text is not an enterprise number; the message says what is wrong, without the text itself."""


def check_number(first_8: str) -> int:
    """Return the number, 1 to 97, that the last two digits must be: 97 - (the first eight mod 97).

    Source: crossroads bank for enterprises, structure of the enterprise number.
    """
    return 97 - int(first_8) % 97


def parse_kbo(text: str) -> Kbo:
    """Return `text` as a `Kbo`.

    Raises:
        InvalidKbo: not ten digits of which the first is 0 or 1, or the check number is wrong.
    """
    if not _DIGITS.fullmatch(text):
        raise InvalidKbo("an enterprise number is ten digits and begins with 0 or 1")
    if check_number(text[:8]) != int(text[8:]):
        raise InvalidKbo("the check number of the enterprise number is wrong")
    return Kbo(text)
