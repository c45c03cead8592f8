"""Records that no reader can use, in every kind that there is; each is to be parked, with what waits behind it."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from eventlog import codec
from eventlog.envelope import to_headers
from eventlog.topics import partition_of
from tests.faults.drill.book import FIRST_DAY, POINTS, TAG, Book, point, slices_of
from tests.faults.drill.events_load import INSTALLED_AT, REQUEST, installed
from tests.faults.drill.readings_load import reading
from tests.faults.drill.tables import EVENTS, PARTITIONS, READINGS

_POISONED: Final = 1
"""The kind of EAN whose streams hold nothing but poison."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bad:
    """A record for `topic`; without a `partition` its key says where it goes."""

    topic: str
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]
    partition: int | None = None


def make_poison(book: Book, chance: random.Random) -> list[Bad]:
    """Return one of each kind, noted in the book."""
    return [bad for make in (*_EVENTS, *_READINGS) for bad in make(book, chance)]


def _event(book: Book, number: int, version: int, **details: str) -> Bad:
    stream_id = f"point:{point(number, _POISONED)}"
    headers = to_headers(
        event_id=uuid4(),
        event_type=details.get("event_type", "MeterInstalled"),
        source="register",
        stream_id=stream_id,
        stream_version=version,
        recorded_at=INSTALLED_AT,
        correlation_id=REQUEST,
    )
    tag = (TAG, book.add_poison(EVENTS).encode())
    key = stream_id.removeprefix("point:").encode()
    return Bad(topic=EVENTS, key=key, value=codec.encode(installed(stream_id, 0)), headers=[*headers, tag])


def _wrong_partition(key: bytes) -> int:
    return (partition_of(key, PARTITIONS) + 1) % PARTITIONS


def _unknown_schema(value: bytes, chance: random.Random) -> bytes:
    return value[:2] + chance.randbytes(8) + value[10:]


def _undecodable_event(book: Book, chance: random.Random) -> list[Bad]:
    tag = (TAG, book.add_poison(EVENTS).encode())
    key = point(chance.randrange(POINTS)).encode()
    return [Bad(topic=EVENTS, key=key, value=b"\xff" + chance.randbytes(20), headers=[tag])]


def _event_of_no_schema(book: Book, chance: random.Random) -> list[Bad]:
    """The first of its stream; the good one behind it has to wait."""
    number = next(book.numbers)
    first, second = _event(book, number, 1), _event(book, number, 2)
    return [dataclasses.replace(first, value=_unknown_schema(first.value, chance)), second]


def _misnamed_event(book: Book, _chance: random.Random) -> list[Bad]:
    return [_event(book, next(book.numbers), 1, event_type="MeterRemoved")]


def _misplaced_event(book: Book, _chance: random.Random) -> list[Bad]:
    bad = _event(book, next(book.numbers), 1)
    return [dataclasses.replace(bad, partition=_wrong_partition(bad.key))]


def _reading(book: Book, chance: random.Random, **changes: bytes) -> Bad:
    tag = (TAG, book.add_poison(READINGS).encode())
    event = reading(next(book.numbers), chance.randrange(POINTS), FIRST_DAY, 0, slices_of(FIRST_DAY), 1)
    value = codec.encode(dataclasses.replace(event, **changes))  # type: ignore[arg-type]
    return Bad(topic=READINGS, key=event.ean.encode(), value=value, headers=[tag])


def _undecodable_reading(book: Book, chance: random.Random) -> list[Bad]:
    return [dataclasses.replace(_reading(book, chance), value=b"\xff" + chance.randbytes(20))]


def _reading_of_no_schema(book: Book, chance: random.Random) -> list[Bad]:
    bad = _reading(book, chance)
    return [dataclasses.replace(bad, value=_unknown_schema(bad.value, chance))]


def _reading_of_another(book: Book, chance: random.Random) -> list[Bad]:
    return [dataclasses.replace(_reading(book, chance), key=point(chance.randrange(POINTS), _POISONED).encode())]


def _misplaced_reading(book: Book, chance: random.Random) -> list[Bad]:
    bad = _reading(book, chance)
    return [dataclasses.replace(bad, partition=_wrong_partition(bad.key))]


def _reading_of_no_rule(book: Book, chance: random.Random) -> list[Bad]:
    return [_reading(book, chance, values=b"")]


_Make = Callable[[Book, random.Random], list[Bad]]
_EVENTS: Final[tuple[_Make, ...]] = (_undecodable_event, _event_of_no_schema, _misnamed_event, _misplaced_event)
_READINGS: Final[tuple[_Make, ...]] = (
    _undecodable_reading,
    _reading_of_no_schema,
    _reading_of_another,
    _misplaced_reading,
    _reading_of_no_rule,
)
