"""A run of records as one transaction: what it tells, what it parks, and when it is fenced."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select, text

from eventlog.checkpoint import Fenced
from eventlog.database import is_outage
from eventlog.projection import Applied
from eventlog.reason import Rule
from eventlog.tables import dead_letter, event
from market.ean import Ean
from services.metering import store
from services.metering.store import ReceiptState
from tests.examples import FACTORY, HOUSE, OCTOBER_DAY, ORDINARY_DAY
from tests.quarter_store import Store, open_store, records
from tests.readings import message_id, reading, record

pytestmark = pytest.mark.integration

NEIGHBOUR = Ean("541448800000000048")
"""On the partition of HOUSE."""
HOUR = timedelta(hours=1)


@pytest.fixture
def quarters(database_url: str) -> Iterator[Store]:
    with open_store(database_url) as store:
        yield store


def test_a_run_tells_what_it_did(quarters: Store) -> None:
    quarters.apply(*records(reading(1, number=1), reading(1, number=2, ean=NEIGHBOUR, day=OCTOBER_DAY)))
    change = reading([9, 9], number=3, first_slice=4, sent_after=HOUR)
    quarters.apply(*records(change, reading(1, number=1), first_offset=2), record(b"?", 4))
    told = quarters.events()
    names = ("new_count", "revised_count", "unchanged_count", "parked_count", "first_offset", "next_offset")
    assert [[getattr(each, name) for name in names] for each in told[:2]] == [[2, 0, 0, 0, 0, 2], [0, 1, 1, 1, 2, 5]]
    assert (told[0].oldest_day, told[0].newest_day) == (OCTOBER_DAY, ORDINARY_DAY)
    assert (told[2].ean, told[2].channel, told[2].day) == (HOUSE, "OFFTAKE_ACTIVE_QUARTER_HOURLY", ORDINARY_DAY)
    assert (told[2].changed_count, told[2].message_id, told[2].source) == (2, message_id(3), "publisher")
    streams = quarters.rows(select(event.c.stream_id, event.c.stream_version, event.c.key).order_by(event.c.position))
    assert [tuple(row) for row in streams] == [
        ("run:meter-readings:0", 1, b"run:meter-readings:0"),
        ("run:meter-readings:0", 2, b"run:meter-readings:0"),
        (f"point:{HOUSE}", 1, HOUSE.encode()),
    ]


def test_bad_records_are_parked_with_their_reason_and_the_run_goes_on(quarters: Store) -> None:
    other = dataclasses.replace(record(reading(1, ean=FACTORY), 2), partition=0)
    applied = quarters.apply(record(reading(1), 0), record(b"no reading", 1), other, record(reading([1] * 97), 3))
    one_each = {Rule.UNDECODABLE: 1, Rule.WRONG_PARTITION: 1, Rule.SLICES_OUTSIDE_DAY: 1}
    assert applied == Applied(applied_count=1, parked=one_each)
    letters = quarters.rows(select(dead_letter.c.record_offset, dead_letter.c.reason).order_by("record_offset"))
    assert [tuple(row) for row in letters] == [
        (1, "not an Avro single object"),
        (2, "the key belongs to another partition"),
        (3, "the slices do not fit into the day"),
    ]
    states = [store.receipt_state(quarters.engine, 0, offset) for offset in range(5)]
    assert states == [ReceiptState.STORED, *[ReceiptState.PARKED] * 3, ReceiptState.WAITING]


def test_a_run_that_is_applied_already_is_fenced_and_writes_nothing(quarters: Store) -> None:
    (sent,) = records(reading(1))
    quarters.apply(sent)
    quarters.claims[0] = dataclasses.replace(quarters.claims[0], next_offset=0)
    with pytest.raises(Fenced):
        quarters.apply(sent)
    assert quarters.block().input_count == 1
    assert len(quarters.events()) == 1


def test_a_member_that_lost_its_claim_is_fenced(quarters: Store) -> None:
    quarters.apply(*records(reading(1)))
    quarters.projection.claim(0, "another member")
    with pytest.raises(Fenced):
        quarters.apply(*records(reading(2, number=2, sent_after=HOUR), first_offset=1))
    assert quarters.block().total == 96


def test_a_rebuild_tells_nobody(quarters: Store) -> None:
    quarters.projection.publishes = False
    quarters.apply(*records(reading(1), reading(2, number=2, sent_after=HOUR)))
    assert quarters.events() == []
    assert quarters.block().total == 192


def test_a_run_in_which_nothing_can_be_kept_only_parks(quarters: Store) -> None:
    assert quarters.apply(record(b"?", 0)) == Applied(applied_count=0, parked={Rule.UNDECODABLE: 1})
    assert quarters.events() == []


def test_every_column_has_a_comment(quarters: Store) -> None:
    silent = (
        "select column_name from information_schema.columns where table_schema = current_schema() and table_name in "
    )
    silent += "('block', 'block_input') and col_description(table_name::regclass, ordinal_position) is null"
    assert quarters.rows(text(silent)) == []


def test_a_connection_that_was_lost_is_an_outage_and_not_used_again(quarters: Store) -> None:
    quarters.apply(*records(reading(1)))
    with quarters.engine.begin() as tx:
        tx.execute(
            text(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity where pid <> pg_backend_pid() "
                "and usename = current_user and application_name = 'metering-block'"
            )
        )
    change = records(reading(2, number=2, sent_after=HOUR), first_offset=1)
    with pytest.raises(Exception, match="terminating connection") as lost:
        quarters.apply(*change)
    assert is_outage(lost.value)
    quarters.apply(*change)
    assert quarters.block().total == 192


def test_a_checkpoint_that_was_set_back_changes_nothing_and_tells_nothing_twice(quarters: Store) -> None:
    sent = records(reading(1), reading(2, number=2, sent_after=HOUR))
    quarters.apply(*sent)
    told, before = quarters.events(), quarters.block()
    with quarters.engine.begin() as tx:
        tx.execute(text("update checkpoint set next_offset = 0"))
    quarters.claims.clear()
    assert quarters.apply(*sent) == Applied(applied_count=0, redelivered_count=2)
    assert (quarters.events(), quarters.block()) == (told, before)
