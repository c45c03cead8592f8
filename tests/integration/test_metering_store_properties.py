"""The store as a function of the log alone: neither where a run ends nor in which order messages arrive shows."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from eventlog.database import create_engine, create_tables
from eventlog.events import ReadingsRecorded
from services.metering import tables
from services.metering.projector import BlockProjection
from tests.messages import messages
from tests.readings import PARTITION_COUNT, LogRecord, message_id, record, run

pytestmark = pytest.mark.integration

EVERYTHING = (
    "select * from block order by ean, channel, day, meter_id",
    "select * from block_input order by ean, channel, day, meter_id, record_offset",
    "select record_offset, reason from dead_letter order by record_offset",
    "select payload from event where event_type = 'BlockRevised' order by position",
)
CURRENT = "select ean, meter_id, slice_values, slice_quality, slice_gas_factor, total from block order by ean, meter_id"

on_one_database = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(database_url, application_name="test")
    create_tables(engine, tables.metadata)
    yield engine
    engine.dispose()


@pytest.fixture
def projection(engine: Engine, database_url: str) -> Iterator[BlockProjection]:
    projection = BlockProjection(engine=engine, database_url=database_url, partition_count=PARTITION_COUNT)
    yield projection
    projection.close()


def contents(projection: BlockProjection, records: Sequence[LogRecord], ends: Sequence[int], *queries: str) -> Any:
    """Empty the store, apply `records` in runs that end at `ends`, and return what `queries` find."""
    with projection.engine.begin() as tx:
        tx.execute(text("truncate block, block_input, checkpoint, event, dead_letter"))
    claim = projection.claim(records[0].partition, "test")
    for first, end in pairwise([0, *ends, len(records)]):
        projection.apply(claim, run(records[first:end]))
        claim = dataclasses.replace(claim, next_offset=end)
    with projection.engine.connect() as connection:
        return [connection.execute(text(query)).all() for query in queries]


@on_one_database
@given(st.data(), st.lists(messages() | st.just(b"no reading"), min_size=2, max_size=12))
def test_nothing_depends_on_where_a_run_ends(
    projection: BlockProjection, data: st.DataObject, sent: list[ReadingsRecorded | bytes]
) -> None:
    records = [record(each, offset) for offset, each in enumerate(sent)]
    ends = sorted(data.draw(st.sets(st.integers(1, len(records) - 1))))
    whole, split = (contents(projection, records, each, *EVERYTHING) for each in ([], ends))
    assert whole == split


@on_one_database
@given(st.data(), st.lists(messages(), min_size=2, max_size=8))
def test_any_order_of_arrival_gives_the_same_current_blocks(
    projection: BlockProjection, data: st.DataObject, sent: list[ReadingsRecorded]
) -> None:
    own_ids = [dataclasses.replace(each, message_id=message_id(place)) for place, each in enumerate(sent)]
    other = data.draw(st.permutations(own_ids))
    here, there = (
        contents(projection, [record(each, offset) for offset, each in enumerate(order)], [], CURRENT)
        for order in (own_ids, other)
    )
    assert here == there


@on_one_database
@given(st.lists(messages(), min_size=2, max_size=8))
def test_a_second_delivery_of_everything_changes_nothing(
    projection: BlockProjection, sent: list[ReadingsRecorded]
) -> None:
    records = [record(each, offset) for offset, each in enumerate([*sent, *sent])]
    once = contents(projection, records[: len(sent)], [], *EVERYTHING)
    assert contents(projection, records, [], *EVERYTHING) == once
