"""Readings of the load: whole days, revised days, days in two halves; some sent twice, partitions held back."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

import numpy as np

from eventlog import codec
from eventlog.events import ReadingsRecorded
from eventlog.topics import partition_of
from tests.faults.drill.book import POINTS, TAG, Block, Book, point, slices_of
from tests.faults.drill.tables import PARTITIONS

SENT_AT: Final = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
_MOST_WH: Final = 5000
_SENT_TWICE: Final = 0.05
_KINDS: Final = ("whole", "whole", "whole", "whole", "revised", "halves")


@dataclass(frozen=True, slots=True)
class Message:
    """A record to send; `headers` carry its number."""

    number: int
    key: bytes
    value: bytes

    @property
    def headers(self) -> list[tuple[str, bytes]]:
        return [(TAG, str(self.number).encode())]

    @property
    def partition(self) -> int:
        return partition_of(self.key, PARTITIONS)


def make_readings(book: Book, chance: random.Random, count: int) -> list[Message]:
    """Return at least `count` messages, noted in the book; those sent twice come once more behind the others."""
    made: list[Message] = []
    while len(made) < count:
        made += _block(book, chance)
    again = [each for each in made if chance.random() < _SENT_TWICE]
    for each in (*made, *again):
        book.sent[each.number] = book.sent.get(each.number, 0) + 1
    return _mixed([*made, *again], chance)


def _mixed(messages: list[Message], chance: random.Random) -> list[Message]:
    """Return `messages` with the partitions in another order; within each the order stays."""
    by_partition: defaultdict[int, list[Message]] = defaultdict(list)
    for each in messages:
        by_partition[each.partition].append(each)
    queues = {partition: iter(each) for partition, each in by_partition.items()}
    turns = [each.partition for each in messages]
    chance.shuffle(turns)
    return [next(queues[partition]) for partition in turns]


def _block(book: Book, chance: random.Random) -> list[Message]:
    """Return the messages about a day that had none, and note what its block has to be."""
    number = chance.randrange(POINTS)
    day = book.next_day(number)
    count, kind = slices_of(day), chance.choice(_KINDS)
    first, second = chance.randint(1, _MOST_WH), chance.randint(_MOST_WH + 1, 2 * _MOST_WH)
    half = count // 2
    parts = {
        "whole": [(0, count, first)],
        "revised": [(0, count, first), (0, count, second)],
        "halves": [(0, half, first), (half, count - half, second)],
    }[kind]
    total = {"whole": first * count, "revised": second * count, "halves": first * half + second * (count - half)}[kind]
    messages = [_message(next(book.numbers), number, day, *part) for part in parts]
    ids = [message_id(each.number) for each in messages]
    book.blocks[int(point(number)), day] = Block(total, set(ids), set(ids[1:]))
    return messages


def message_id(number: int) -> str:
    """Return the id of the message `number`."""
    return f"drill-{number}"


def reading(number: int, ean_number: int, day: date, first_slice: int, count: int, value: int) -> ReadingsRecorded:
    """Return a reading of one value for `count` quarters."""
    return ReadingsRecorded(
        message_id=message_id(number),
        source="drill",
        source_at=SENT_AT + timedelta(seconds=number),
        source_sequence=0,
        ean=point(ean_number),
        meter_id="",
        meter_kind="DIGITAL",
        channel="OFFTAKE_ACTIVE_QUARTER_HOURLY",
        day=day,
        first_slice=first_slice,
        values=np.full(count, value, dtype="<i4").tobytes(),
        quality=(5, count),
        gas_factor=(),
        withdraws=False,
    )


def _message(number: int, ean_number: int, day: date, first_slice: int, count: int, value: int) -> Message:
    event = reading(number, ean_number, day, first_slice, count, value)
    return Message(number, event.ean.encode(), codec.encode(event))
