"""What the store knew at an instant, and what changed since a position."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from eventlog.events import ReadingsRecorded
from services.metering import store
from services.metering.history import changes_since, read_blocks_as_of
from tests.examples import HOUSE, ORDINARY_DAY
from tests.messages import NEIGHBOUR, messages
from tests.quarter_store import Store, appended, open_store, records
from tests.readings import PARTITION_COUNT, reading, withdrawal

pytestmark = pytest.mark.integration

DAYS = (ORDINARY_DAY - timedelta(days=40), ORDINARY_DAY + timedelta(days=1))
MISSING = -(2**31)
on_one_store = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def quarters(database_url: str) -> Iterator[Store]:
    with open_store(database_url) as opened:
        yield opened


def emptied(quarters: Store) -> Store:
    with quarters.engine.begin() as tx:
        tx.execute(text("truncate block, block_input, checkpoint, event, dead_letter"))
    return dataclasses.replace(quarters, claims={})


def first_values(table: Any) -> list[int]:
    (row,) = table.to_pylist()
    return [int(each) for each in np.frombuffer(row["values"], "<i4")[:3]]


def test_a_day_is_read_as_it_was_known_at_each_instant(quarters: Store) -> None:
    log = records(
        reading([1] * 96, number=1),
        reading([5, 6], number=2, sent_after=timedelta(hours=2)),
        reading([9] * 96, number=3, sent_after=timedelta(hours=1)),  # older by order: only where nothing newer speaks
        withdrawal(1, number=4, sent_after=timedelta(hours=3)),
    )
    quarters.apply(*log)

    def known(offset: int, **more: int) -> Any:
        return read_blocks_as_of(quarters.engine, HOUSE, *DAYS, appended(offset) + timedelta(**more))

    assert known(0, seconds=-1).num_rows == 0
    assert first_values(known(0)) == [1, 1, 1]
    assert first_values(known(0, milliseconds=999)) == [1, 1, 1]
    assert first_values(known(1)) == [5, 6, 1]
    assert first_values(known(2)) == [5, 6, 9]
    assert first_values(known(3)) == [MISSING, 6, 9]
    assert known(3).equals(store.read_blocks(quarters.engine, HOUSE, *DAYS))


@on_one_store
@given(st.lists(messages(), min_size=1, max_size=8))
def test_as_of_an_instant_is_the_store_of_what_was_recorded_until_then(
    quarters: Store, sent: list[ReadingsRecorded]
) -> None:
    log = records(*sent)
    by_partition = [[each for each in log if each.partition == number] for number in range(PARTITION_COUNT)]

    def apply(until: int) -> Store:
        filled = emptied(quarters)
        for part in by_partition:
            if early := [each for each in part if each.offset <= until]:
                filled.apply(*(dataclasses.replace(each, offset=place) for place, each in enumerate(early)))
        return filled

    states = []
    for offset in range(len(log)):
        filled = apply(offset)
        states.append([store.read_blocks(filled.engine, ean, *DAYS) for ean in (HOUSE, NEIGHBOUR)])
    for offset, expected in enumerate(states):
        found = [read_blocks_as_of(quarters.engine, ean, *DAYS, appended(offset)) for ean in (HOUSE, NEIGHBOUR)]
        assert [each.to_pylist() for each in found] == [each.to_pylist() for each in expected]


def read_on(quarters: Store, partition: int, offset: int, limit: int) -> tuple[list[tuple[Any, ...]], int]:
    found: list[tuple[Any, ...]] = []
    while True:
        changes = changes_since(quarters.engine, partition, offset, limit=limit)
        found += [tuple(row.values()) for row in changes.table.to_pylist()]
        offset = changes.next_offset
        if changes.is_all:
            return found, offset


@pytest.mark.parametrize("limit", [1, 2, 1_000])
def test_who_goes_on_from_where_they_were_sees_each_change_once(quarters: Store, limit: int) -> None:
    log = records(
        reading(1, meter_id="A"),
        reading(1, meter_id="B"),
        reading(1, meter_id="A", number=9, sequence=1),  # the same values again: nothing changed
        reading(2, meter_id="A", number=2, sent_after=timedelta(hours=1)),
        reading(3, meter_id="C"),
    )
    partition = log[0].partition
    assert read_on(quarters, partition, 0, limit) == ([], 0)
    quarters.apply(*log[:2])
    a, b = (HOUSE, ORDINARY_DAY, 0, "A"), (HOUSE, ORDINARY_DAY, 0, "B")
    found, after = read_on(quarters, partition, 0, limit)
    assert (found, after) == ([(*a, 0), (*b, 1)], 2)
    quarters.apply(*log[2:4])
    found, after = read_on(quarters, partition, after, limit)
    assert (found, after) == ([(*a, 3)], 4)
    quarters.apply(log[4])
    assert read_on(quarters, partition, after, limit) == ([(HOUSE, ORDINARY_DAY, 0, "C", 4)], 5)
    assert read_on(quarters, partition, 0, limit) == (
        [(*b, 1), (*a, 3), (HOUSE, ORDINARY_DAY, 0, "C", 4)],
        5,
    )
    assert read_on(quarters, partition, 99, limit) == ([], 99)
