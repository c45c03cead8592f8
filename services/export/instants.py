"""Instants as the data access API takes and gives them: UTC unless an offset says otherwise. Pure."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Final

_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_BARE_PLUS: Final = re.compile(r" (?=[0-9]{2}:?[0-9]{2}$)")
_YEARS: Final = range(1900, 2200)


class InvalidInstant(ValueError):
    """The text is not an instant; the message says what one is."""


def parse_instant(text: str) -> datetime:
    """Return `text`, a date-time or a bare date (its midnight, UTC), as an instant in UTC.

    Raises:
        InvalidInstant: it is neither, or lies outside of what makes sense.
    """
    # A plus sign that a client did not escape arrives as a space.
    spelled = _BARE_PLUS.sub("+", text.strip())
    try:
        found = datetime.fromisoformat(spelled.upper())
        instant = (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidInstant("a date, or a date-time in ISO 8601") from None
    if instant.year not in _YEARS:
        raise InvalidInstant(f"a year from {_YEARS.start} to {_YEARS.stop - 1}")
    return instant


def parse_bare_day(text: str) -> date | None:
    """Return `text` as a day, where it is one without a time, of a year that makes sense."""
    try:
        day = date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        return None
    return day if day is not None and day.year in _YEARS else None


def instant_text(instant: datetime) -> str:
    """Return an instant in whole seconds, UTC, with Z."""
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%S}Z"
