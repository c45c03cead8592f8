"""What the load knows of itself: each event and reading that it brought in, by its own count and in its own memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import count
from typing import Final

from market.channel import Energy, Resolution
from market.ean import Ean, check_digit
from market.local_time import slice_count

POINTS: Final = 1000
FIRST_DAY: Final = date(2015, 1, 1)
TAG: Final = "drill"
"""A header on what goes straight to a topic: the number of the reading, or of the poison."""


def point(number: int, kind: int = 0) -> Ean:
    """Return an invented EAN; those of another `kind` are other ones."""
    body = f"5414488{kind}{number:09d}"
    return Ean(f"{body}{check_digit(body)}")


def slices_of(day: date) -> int:
    """Return how many quarters `day` has."""
    return slice_count(Energy.ELECTRICITY, Resolution.QUARTER_HOURLY, day)


@dataclass(slots=True)
class Block:
    """What a block of the store has to be: its total in Wh, how many messages are about it, how many revised it."""

    total: int
    message_ids: set[str]
    revised_by: set[str]


@dataclass
class Book:
    """Streams hold the numbers of their events in order, committed ones alone; `blocks` has a block per EAN and day.

    `sent` counts how often each reading's number was sent, `failed_count` those whose sending failed: sent again, they
    may have lost their order. `poison` names what cannot be used, by topic.
    """

    streams: dict[str, list[int]] = field(default_factory=dict)
    blocks: dict[tuple[int, date], Block] = field(default_factory=dict)
    sent: dict[int, int] = field(default_factory=dict)
    poison: dict[str, set[str]] = field(default_factory=dict)
    numbers: count[int] = field(default_factory=lambda: count(1))
    days: dict[int, date] = field(default_factory=dict)
    event_count: int = 0
    again_count: int = 0
    failed_count: int = 0

    @property
    def record_count(self) -> int:
        """Events and readings brought in, those sent twice and poison among them."""
        return self.event_count + sum(self.sent.values()) + self.again_count + sum(map(len, self.poison.values()))

    def add_poison(self, topic: str) -> str:
        """Return the tag of the next bad record on `topic`."""
        tag = f"poison-{next(self.numbers)}"
        self.poison.setdefault(topic, set()).add(tag)
        return tag

    def next_day(self, number: int) -> date:
        """Return a day of the point `number` of which nothing was sent yet."""
        self.days[number] = self.days.get(number, FIRST_DAY) + timedelta(days=1)
        return self.days[number]
