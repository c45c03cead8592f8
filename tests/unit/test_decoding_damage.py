"""Damaged bytes raise one error type, use little memory, and cost nobody but themselves.

10,000 payloads here; `make nightly` asks for a million, with DAMAGED_PAYLOADS.
"""

from __future__ import annotations

import os
import random
import resource
from collections import Counter
from collections.abc import Iterator
from io import BytesIO

import fastavro
import pytest

from eventlog import framing, registry
from eventlog.codec import Undecodable, decode, encode
from eventlog.events import EVENT_TYPES, Event
from services.metering import decode as bulk
from services.metering.avro_readings import read_avro
from services.metering.body import BodyTooLarge
from services.metering.draft import NothingRead
from tests.contract.golden import GOLDEN
from tests.damage import Damager, Numbered, avro_long

COUNT = int(os.environ.get("DAMAGED_PAYLOADS", "10000"))
MEBIBYTE = 2**20
SOUND = [event for (name, version), event in GOLDEN.items() if registry.published().newest(name).version == version]
READING = encode(GOLDEN["ReadingsRecorded", 1])
VALUES = bytes.fromhex("290000000000000000000080ffffff7f")
DAY = bytes.fromhex("d0c402")


@pytest.fixture(autouse=True)
def memory_stays_small() -> Iterator[None]:
    before = peak_bytes()
    yield
    assert peak_bytes() - before < 128 * MEBIBYTE


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def in_both_framings() -> list[bytes]:
    """Every event of the golden records, and as a producer with a registry sends it."""
    with framing.using(Numbered()):
        return [frame for event in SOUND for frame in (encode(event), framing.outgoing(encode(event)))]


def test_damaged_payloads_of_every_event_in_both_framings_are_events_or_undecodable() -> None:
    values = in_both_framings()
    damager = Damager(random.Random(5), values)
    outcomes: Counter[str] = Counter()
    with framing.using(Numbered()):
        for number in range(COUNT):
            value = values[number % len(values)]
            sound_head = b"" if number % 10 == 0 else framing.header(value)
            value = damager.damaged(value, keep=len(sound_head))
            try:
                outcomes["event" if isinstance(decode(value), Event) else "something else"] += 1
            except Undecodable:
                outcomes["undecodable"] += 1
    assert outcomes.total() == COUNT
    assert set(outcomes) == {"event", "undecodable"}
    assert outcomes["undecodable"] > COUNT / 2


@pytest.mark.parametrize("name", sorted(EVENT_TYPES))
def test_random_bytes_behind_a_sound_header_are_an_event_or_undecodable(name: str) -> None:
    chance = random.Random(name)
    head = framing.SINGLE_OBJECT + registry.published().newest(name).fingerprint
    for _ in range(max(COUNT // 1000, 10)):
        try:
            event = decode(head + chance.randbytes(chance.randrange(300)))
        except Undecodable:
            continue
        assert type(event) is EVENT_TYPES[name]


@pytest.mark.parametrize("count", [2**63 - 1, 2**40, 10**9, -(2**63), -(10**9), -1])
@pytest.mark.parametrize("name", ["ReadingsRecorded", "RunApplied", "DataDelivered"])
def test_a_count_that_no_payload_keeps_is_undecodable_wherever_it_stands(name: str, count: int) -> None:
    value = encode(next(event for event in SOUND if type(event).__name__ == name))
    for place in range(framing.HEADER_LENGTH, len(value)):
        try:
            decode(value[:place] + avro_long(count) + value[place + 1 :])
        except Undecodable:
            continue


@pytest.mark.parametrize("place", ["first_slice", "quality"])
def test_an_int_of_more_than_32_bits_is_undecodable_and_the_others_of_its_run_are_read(place: str) -> None:
    """Found by the nightly run: fastavro reads it, and a column of 32 bits does not take it."""
    first = b"\x08\x20" + VALUES  # first_slice 4, then 16 bytes
    runs = b"\x0c\x0a\x04"  # six numbers, of which the first are 5 and 2
    assert READING.count(first) == READING.count(runs) == 1
    bad = {
        "first_slice": READING.replace(first, avro_long(2**31) + first[1:]),
        "quality": READING.replace(runs, b"\x0c\x0a" + avro_long(2**31)),
    }[place]
    with pytest.raises(Undecodable, match="damaged ReadingsRecorded: OverflowError"):
        decode(bad)
    frame, refused = bulk.decode([READING, bad, READING[:-1], READING])  # the cut one has them read one by one
    assert (frame["row"].to_list(), sorted(refused)) == ([0, 3], [1, 2])


@pytest.mark.parametrize("number", [2**31, -(2**31) - 1, 2**32 + 5, 2**62])
@pytest.mark.parametrize("place", ["first_slice", "quality", "day"])
def test_an_int_of_more_than_32_bits_is_refused_whoever_stands_beside_it_in_the_run(place: str, number: int) -> None:
    before = {"first_slice": b"\x08\x20" + VALUES, "quality": b"\x04\x00\x02\x04\x02\x00\x00", "day": DAY + b"\x08"}
    assert READING.count(before[place]) == 1
    first = {"first_slice": b"\x08", "quality": b"\x04", "day": DAY}[place]
    bad = READING.replace(before[place], avro_long(number) + before[place].removeprefix(first))
    for run in ([bad], [READING, bad], [READING] * 40 + [bad]):
        frame, refused = bulk.decode(run)
        assert (len(frame), sorted(refused)) == (len(run) - 1, [len(run) - 1])


@pytest.mark.parametrize("run", [[1], [0, 1], [0] * 40 + [1]])
def test_a_boolean_of_another_byte_is_read_alike_whoever_stands_beside_it_in_the_run(run: list[int]) -> None:
    values = [READING[:-1] + b"\x02" if each else READING for each in run]  # withdraws comes last
    frame, refused = bulk.decode(values)
    assert refused == {}
    assert frame.sort("row")["withdraws"].to_list() == [bool(each) for each in run]


def test_in_a_run_of_readings_only_what_is_damaged_is_refused() -> None:
    """Some of 1 to 60 readings are damaged behind their headers: all the others are read, as they were."""
    chance = random.Random(6)
    damager = Damager(chance, [READING])
    for _ in range(COUNT // 50):
        count = chance.choice((1, 3, 20, 60))
        values = [READING] * count
        damaged = {chance.randrange(count) for _ in range(chance.choice((1, 2)))}
        for place in damaged:
            values[place] = damager.damaged(READING, keep=framing.HEADER_LENGTH)
        frame, refused = bulk.decode(values)
        rows = frame["row"].to_list()
        assert sorted([*rows, *refused]) == list(range(count))
        assert set(refused) <= damaged
        sound = frame.filter(~frame["row"].is_in(list(damaged))).drop("row")
        assert set(sound["values"]) <= {VALUES}
        assert set(sound["source_sequence"]) <= {7}


@pytest.mark.parametrize("codec", ["null", "deflate", "bzip2", "xz"])
def test_a_damaged_container_is_refused_or_gives_a_reason_per_record(codec: str) -> None:
    schema = registry.published().newest("ReadingsRecorded").parsed
    record = fastavro.schemaless_reader(BytesIO(READING[framing.HEADER_LENGTH :]), schema, None)
    out = BytesIO()
    fastavro.writer(out, schema, [record] * 8, codec=codec, sync_interval=200)
    body = out.getvalue()
    damager = Damager(random.Random(codec), [body])
    for _ in range(COUNT // 100):
        try:
            drafts, refusals = read_avro(
                damager.damaged(body), default_source="x", is_part=False, max_record_count=1000, max_bytes=10**6
            )
        except (NothingRead, BodyTooLarge):
            continue
        assert all(refusal.reason for refusal in refusals)
        assert len(drafts) <= 1000
