"""Parked readings sent to their topic once more, when their cause is gone.

Not written into the store behind the log's back: `recorded_at` is the append time, so that whoever asks for what was
recorded since an instant is given these readings too, and any rebuild finds them where the live store found them.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from sqlalchemy import Engine

from eventlog import checkpoint, dead_letter
from eventlog.halt import Coordinates
from eventlog.parked import Letter, Wanted, find_letters
from eventlog.projection import Run
from eventlog.reason import Reason, Rule
from eventlog.replay import NotReplayed, Replayed
from eventlog.topics import partition_of
from services.metering.publisher import Message, NotAcknowledged, Position, Publisher
from services.metering.run_table import read_run

REPLAYED_FROM: Final = "replayed_from"
"""Header of a record that was parked at the place it names, and sent once more."""

_POLL_SECONDS: Final = 0.05
_AGAIN: Final = "what keeps the store refuses it still: start it again with the version that takes it"


async def replay_readings(
    engine: Engine,
    publisher: Publisher,
    found: Sequence[Letter],
    *,
    partition_count: int,
    projection: str,
    timeout_seconds: float,
) -> Replayed:
    """Send those of the parked readings `found` that can be stored by now, and wait until the store has them.

    The others stay parked, with the reason they have today. A record that the store parks once more stays parked as the
    one it was; the copy is given up. Keys and content are as they came, so a reading sent twice takes effect once.

    Raises:
        NotReplayed: Kafka does not take them, or the store does not pass them within `timeout_seconds`. To send them
            once more does no harm.
    """
    refused = {found[place].place: why for place, why in _refused(found, partition_count).items()}
    good = [letter for letter in found if letter.place not in refused]
    positions = await _send(publisher, good)
    topic = found[0].topic if found else ""
    await _passed(engine, projection, topic, positions, timeout_seconds)
    places = [Coordinates(topic, each.partition, each.offset) for each in positions]
    copies = dict(zip(places, good, strict=True))
    again = await asyncio.to_thread(_settle, engine, projection, copies, refused)
    reasons = [*refused.values(), *again]
    return Replayed(applied_count=len(good) - len(again), stopped_by=str(reasons[0]) if reasons else "")


def _refused(found: Sequence[Letter], partition_count: int) -> Mapping[int, Reason]:
    """Return why some cannot be stored wherever they lie, by their place in `found`."""
    by_partition: defaultdict[int, list[int]] = defaultdict(list)
    for place, letter in enumerate(found):
        by_partition[partition_of(letter.key or b"", partition_count)].append(place)
    refused: dict[int, Reason] = {}
    for partition, places in by_partition.items():
        records = [replace(found[place], partition=partition) for place in places]
        run = Run(
            topic=records[0].topic,
            partition=partition,
            first_offset=records[0].offset,
            next_offset=records[-1].offset + 1,
            records=records,
        )
        reasons = read_run(run, partition_count=partition_count).refused
        refused |= {places[number]: why for number, why in reasons.items()}
    return refused


async def _send(publisher: Publisher, found: Sequence[Letter]) -> list[Position]:
    try:
        return await publisher.publish([_message(letter) for letter in found])
    except NotAcknowledged:
        raise NotReplayed("Kafka did not acknowledge in time: ask kwartier status, then type it again") from None


def _message(letter: Letter) -> Message:
    headers = [each for each in letter.headers if each[0] != REPLAYED_FROM]
    came_from = (REPLAYED_FROM, str(letter.place).encode())
    return Message(letter.key or b"", letter.value or b"", [*headers, came_from])


async def _passed(
    engine: Engine, projection: str, topic: str, positions: Sequence[Position], timeout_seconds: float
) -> None:
    ends: dict[int, int] = {}
    for each in positions:
        ends[each.partition] = max(ends.get(each.partition, 0), each.offset + 1)
    deadline = time.monotonic() + timeout_seconds
    while not await asyncio.to_thread(_has_passed, engine, projection, topic, ends):
        if time.monotonic() > deadline:
            raise NotReplayed("the store does not come so far: ask kwartier status, then type it again")
        await asyncio.sleep(_POLL_SECONDS)


def _has_passed(engine: Engine, projection: str, topic: str, ends: Mapping[int, int]) -> bool:
    with engine.connect() as connection:
        passed = checkpoint.read(connection, projection=projection, topic=topic)
    return all(passed.get(partition, 0) >= end for partition, end in ends.items())


def _settle(
    engine: Engine, projection: str, copies: Mapping[Coordinates, Letter], refused: Mapping[Coordinates, Reason]
) -> list[Reason]:
    """Write down what came of each, and return why some were parked once more."""
    again: dict[Coordinates, Reason] = {}
    with engine.begin() as tx:
        for copy, letter in copies.items():
            if find_letters(tx, Wanted(projection=projection, place=copy)):
                dead_letter.give_up(tx, projection, copy, f"a copy of {letter.place}, which stays parked")
                again[letter.place] = Reason(Rule(letter.rule) if letter.rule else Rule.UNUSABLE, _AGAIN)
            else:
                dead_letter.mark_replayed(tx, projection, letter.place)
        for place, why in {**refused, **again}.items():
            dead_letter.tell_reason(tx, projection, place, why)
    return list(again.values())
