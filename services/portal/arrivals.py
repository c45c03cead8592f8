"""What has arrived of late, as the live page shows it: read from metering's watch, and put into rows. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

from services.portal.wording import Wording

_ENERGIES: Final = {"ELECTRICITY": "energy_E", "GAS": "energy_G"}
_SILENT_HOURS: Final = 24
_BAR_UNITS: Final = 40


class UnreadableArrivals(ValueError):
    """The watch's answer is not as agreed."""


@dataclass(frozen=True, slots=True)
class Source:
    """A source of readings: its name, when it was heard last (UTC), blocks of the last hour."""

    name: str
    last_at: datetime
    block_count: int


@dataclass(frozen=True, slots=True)
class Day:
    """A day of one energy, by counts of blocks."""

    day: date
    energy: str
    block_count: int
    completed_count: int
    open_count: int
    late_count: int
    revised_count: int


@dataclass(frozen=True, slots=True)
class Arrivals:
    """The watch's picture; `minutes` are blocks per minute of the last hour, oldest first."""

    as_of: datetime
    today: date
    is_current: bool
    minutes: list[int]
    sources: list[Source]
    days: list[Day]
    oldest_gaps: dict[str, date]


def read_arrivals(content: bytes) -> Arrivals:
    """Return what the watch answered.

    Raises:
        UnreadableArrivals: it is not a picture.
    """
    try:
        raw: Any = json.loads(content)
        return Arrivals(
            as_of=_instant(raw["as_of"]),
            today=date.fromisoformat(raw["today"]),
            is_current=bool(raw["is_current"]),
            minutes=[int(each) for each in raw["minutes"]],
            sources=[
                Source(str(each["name"]), _instant(each["last_at"]), int(each["block_count"]))
                for each in raw["sources"]
            ],
            days=[_day(each) for each in raw["days"]],
            oldest_gaps={str(energy): date.fromisoformat(day) for energy, day in raw["oldest_gaps"].items()},
        )
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise UnreadableArrivals(f"the picture of arrivals is not as agreed: {type(error).__name__}") from error


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _day(raw: Any) -> Day:
    counts = ("block_count", "completed_count", "open_count", "late_count", "revised_count")
    return Day(date.fromisoformat(raw["day"]), str(raw["energy"]), *(int(raw[name]) for name in counts))


@dataclass(frozen=True, slots=True)
class Bar:
    """A minute of the strip: its height in parts of 40 (1 at least where anything came), and what it says."""

    height: int
    spoken: str


def bars(arrivals: Arrivals, words: Wording) -> list[Bar]:
    """Return the last hour as a strip of minutes."""
    most = max(arrivals.minutes, default=0)
    last = len(arrivals.minutes) - 1
    return [
        Bar(
            height=max(count * _BAR_UNITS // most, 1) if count else 0,
            spoken=words.say(
                "live_minute", count=words.number(Decimal(count), 0), minutes=words.number(Decimal(last - place), 0)
            ),
        )
        for place, count in enumerate(arrivals.minutes)
    ]


def hour_count(arrivals: Arrivals) -> int:
    """Return the blocks of the last hour."""
    return sum(arrivals.minutes)


def is_silent(source: Source, arrivals: Arrivals) -> bool:
    """Whether nothing came of a source for a day."""
    return (arrivals.as_of - source.last_at).total_seconds() > _SILENT_HOURS * 3600


def age(at: datetime, arrivals: Arrivals, words: Wording) -> str:
    """Return how long ago `at` was, in the largest unit that says enough."""
    seconds = max(int((arrivals.as_of - at).total_seconds()), 0)
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= 2 * length:
            return words.say(f"live_{unit}s_ago", count=words.number(Decimal(seconds // length), 0))
    return words.say("live_just_now")


def share(day: Day, words: Wording) -> str:
    """Return which part of the blocks that began are complete, in whole percents, never rounded up to all of them."""
    if not day.block_count:
        return ""
    percent = min(day.completed_count, day.block_count) * 100 // day.block_count
    return words.say("live_percent", percent=words.number(Decimal(percent), 0))


def energy_text(energy: str, words: Wording) -> str:
    """Return the name of an energy."""
    return words.say(_ENERGIES[energy]) if energy in _ENERGIES else energy
