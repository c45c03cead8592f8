"""Indexes and period volumes in their tables: any order of arrival is alike, and a bad record parks alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from itertools import permutations

import pytest
from sqlalchemy import text

from eventlog.checkpoint import Fenced
from eventlog.codec import encode
from eventlog.database import create_engine, create_tables
from eventlog.halt import ProjectionStopped
from eventlog.parked import Wanted, find_letters
from eventlog.projection import Applied
from eventlog.reason import Rule
from eventlog.replay import Replayed
from eventlog.topics import partition_of
from market.meter_register import REGISTERS
from market.quality import Quality
from services.metering.index_projection import replay_indexes
from services.metering.index_tables import metadata
from tests.examples import HOUSE
from tests.meter_indexes import APPENDED_AT, NIGHT, READ_ON, Kept, index, period

pytestmark = pytest.mark.integration


@pytest.fixture
def kept(database_url: str) -> Iterator[Kept]:
    engine = create_engine(database_url, application_name="test")
    create_tables(engine, metadata)
    yield Kept(engine)
    engine.dispose()


def test_the_latest_in_order_holds_whatever_arrives_first(kept: Kept) -> None:
    """An index, its correction, its withdrawal, and one more after that: at each order of arrival the same."""
    messages = [
        index(100, number=1),
        index(90, number=2, sent_after=1),
        index(0, number=3, sent_after=2, quality="UNKNOWN", kind="UNKNOWN", withdraws=True),
    ]
    later = index(95, number=4, sent_after=3, quality="MEASURED_VALIDATED")
    for order in permutations(messages):
        kept.clear()
        kept.apply(*order)
        assert kept.values() == []
        kept.apply(later)
        assert kept.values() == [(READ_ON, 95)]
    for order in permutations([*messages, later]):
        kept.clear()
        kept.apply(*order, order[0])
        [found] = kept.read().readings
        assert (found.index, found.quality, found.message_count) == (95, Quality.MEASURED_VALIDATED, 4)


def test_a_message_sent_twice_is_one_and_the_same_id_for_two_things_is_a_conflict(kept: Kept) -> None:
    assert kept.apply(index(1), index(1)) == Applied(applied_count=1, redelivered_count=1)
    assert kept.apply(index(1)) == Applied(applied_count=0, redelivered_count=1)
    [found] = kept.read().readings
    assert (found.message_count, found.is_conflict, found.recorded_at) == (1, False, APPENDED_AT)
    kept.apply(index(2, sent_after=1))
    [found] = kept.read().readings
    assert (found.index, found.message_count, found.is_conflict) == (2, 2, True)


def test_at_a_swap_the_old_and_the_new_meter_have_each_their_index_of_that_day(kept: Kept) -> None:
    kept.apply(
        index(5_000_000, kind="REMOVED"),
        index(0, meter_id="1SAG2", kind="INSTALLED", meter_kind="DIGITAL"),
        index(4_000_000, read_on=date(2025, 11, 19)),
    )
    newest = kept.read()
    assert [(each.meter_id, each.index, each.kind) for each in newest.readings] == [
        ("1CLA1", 5_000_000, "REMOVED"),
        ("1SAG2", 0, "INSTALLED"),
    ]
    assert {each.register for each in newest.readings} == {REGISTERS[NIGHT]}
    assert kept.values(date(2025, 1, 1), READ_ON) == [
        (date(2025, 11, 19), 4_000_000),
        (READ_ON, 5_000_000),
        (READ_ON, 0),
    ]
    assert kept.values(date(2025, 11, 20), date(2026, 11, 18)) == []


def test_a_period_is_replaced_also_where_its_end_is_corrected_and_found_by_any_day_of_it(kept: Kept) -> None:
    year, half = date(2025, 11, 1), date(2026, 5, 1)
    kept.apply(
        period(3_500_000, year, date(2026, 10, 31)),
        period(1_800_000, year, date(2026, 4, 30), sent_after=1),
        period(1_600_000, half, date(2026, 10, 31)),
    )

    def found(*days: date) -> list[tuple[date, date, int]]:
        return [(each.first_day, each.last_day, each.volume) for each in kept.read(*days).periods]

    first, second = (year, date(2026, 4, 30), 1_800_000), (half, date(2026, 10, 31), 1_600_000)
    assert found(year, half) == [first, second]
    assert found(date(2026, 4, 30), date(2026, 4, 30)) == [first]
    assert found(date(2026, 11, 1), date(2026, 12, 1)) == []
    assert found() == [second]
    assert kept.read().periods[0].register.stored_unit == "Wh"


def test_a_bad_record_parks_alone_and_is_taken_in_later_as_if_it_had_been_good(kept: Kept) -> None:
    damaged = encode(index(1, read_on=date(2026, 1, 1)))
    good, same = index(7, number=2), index(1, number=9, read_on=date(2026, 1, 1))
    applied = kept.apply(damaged[:-1], good, index(1, ean="541448800000000024"), same)
    assert applied.applied_count == 2
    assert applied.parked == {Rule.UNDECODABLE: 1, Rule.KEY_DIFFERS: 1}
    with kept.engine.begin() as tx:
        letters = find_letters(tx, Wanted(projection="index"))
        tx.execute(text("update dead_letter set value = :value where record_offset = 0"), {"value": damaged})
        mended = find_letters(tx, Wanted(projection="index"))
    assert [letter.offset for letter in letters] == [0, 2]
    outcome = replay_indexes(kept.projection, mended)
    assert outcome == Replayed(applied_count=1, stopped_by="the EAN is not that of the key")
    with kept.engine.begin() as tx:
        assert [each.offset for each in find_letters(tx, Wanted(projection="index"))] == [2]
    live = kept.rows()
    kept.clear()
    kept.apply(damaged, good, index(1, ean="541448800000000024"), same)
    assert kept.rows() == live


def test_a_member_that_lost_its_claim_writes_nothing(kept: Kept) -> None:
    kept.claim = kept.projection.claim(partition_of(HOUSE.encode(), 8), "frozen")
    kept.projection.claim(kept.claim.partition, "its successor")
    with pytest.raises(Fenced):
        kept.apply(index(1))
    assert kept.rows() == [[], []]


def test_behind_too_many_bad_records_in_a_row_it_is_not_the_records(kept: Kept) -> None:
    kept.projection = replace(kept.projection, park_limit=2)
    kept.apply(b"no event", b"nor this")
    with pytest.raises(ProjectionStopped, match="more than 2 records in a row are bad"):
        kept.apply(b"nor that")
    assert kept.apply(index(1)).applied_count == 1
