"""A local day as it is written in questions and commands: YYYY-MM-DD, and nothing else."""

from __future__ import annotations

import re
from datetime import date
from typing import Final

_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


class InvalidDay(ValueError):
    """The text is not a day; the message says what is wrong, without the text itself."""


def parse_day(text: object) -> date:
    """Return `text` as a day.

    Raises:
        InvalidDay: not text, not written YYYY-MM-DD, or a day that no calendar has.
    """
    if not isinstance(text, str) or not _DAY.fullmatch(text):
        raise InvalidDay("a day is written YYYY-MM-DD")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidDay("there is no such day in the calendar") from None
