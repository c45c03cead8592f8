"""The monthly partitions of the store: made ahead, made on demand, and made of the tables of an earlier version."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Row, event, insert, select, text

from services.metering.message_ids import unpack_id
from services.metering.migration import create_store
from services.metering.partitions import Partitions, make_ahead, make_partitions
from services.metering.tables import block, block_input
from tests.examples import HOUSE, ORDINARY_DAY
from tests.quarter_store import Store, open_store, records
from tests.readings import reading, withdrawal

pytestmark = pytest.mark.integration

HOUR = timedelta(hours=1)


@pytest.fixture
def quarters(database_url: str) -> Iterator[Store]:
    with open_store(database_url) as store:
        yield store


def partitions(store: Store, table: str = "block") -> list[str]:
    """The names of the partitions of a table."""
    found = "select inhrelid::regclass::text as name from pg_inherits where inhparent = to_regclass(:table) order by 1"
    return [row.name for row in store.rows(text(found).bindparams(table=table))]


def test_the_months_around_today_are_made_ahead_and_once(quarters: Store) -> None:
    make_ahead(quarters.engine, date(2026, 12, 31))
    make_ahead(quarters.engine, date(2026, 12, 31))
    months = ["2026_11", "2026_12", "2027_01", "2027_02"]
    assert partitions(quarters) == [f"block_{month}" for month in months]
    assert partitions(quarters, "block_input") == [f"block_input_{month}" for month in months]


def test_a_run_brings_the_partitions_of_its_days_back_to_1990_and_up_to_2199(quarters: Store) -> None:
    days = [date(1990, 1, 1), date(2026, 10, 31), date(2026, 11, 1), date(2199, 12, 31)]
    quarters.apply(*records(*(reading(1, number=number, day=day) for number, day in enumerate(days))))
    quarters.apply(*records(reading(2, number=9, day=days[0], sent_after=HOUR), first_offset=4))
    assert [row.day for row in quarters.rows(select(block.c.day).order_by(block.c.day))] == days
    assert partitions(quarters) == ["block_1990_01", "block_2026_10", "block_2026_11", "block_2199_12"]
    assert len(quarters.rows(select(block_input))) == 2


def test_many_months_are_made_a_year_at_a_time_and_what_is_made_stays(quarters: Store) -> None:
    """In one transaction the months of two centuries would run into its time limit, again and again."""

    def fail(_: object, __: object, statement: str, *___: object) -> None:
        if "block_2002_06" in statement:
            raise InterruptedError

    days = np.arange("2000-01-01", "2003-01-01", dtype="datetime64[D]").astype(np.int32)
    event.listen(quarters.engine, "before_cursor_execute", fail)
    with pytest.raises(InterruptedError):
        Partitions(quarters.engine).demand(days)
    event.remove(quarters.engine, "before_cursor_execute", fail)
    assert len(partitions(quarters)) == 24
    Partitions(quarters.engine).demand(days)
    assert len(partitions(quarters)) == 36


def test_a_partition_is_made_while_others_read_and_write(quarters: Store) -> None:
    quarters.apply(*records(reading(1)))
    (row,) = quarters.rows(select(block))
    with quarters.engine.begin() as writer, quarters.engine.begin() as maker:
        writer.execute(insert(block).values(row._asdict() | {"channel": 1}))
        maker.execute(text("set local lock_timeout = '2s'"))
        assert make_partitions(maker, [date(2027, 5, 5), date(2027, 5, 6)]) == [date(2027, 5, 1)]
    assert "block_2027_05" in partitions(quarters)


def test_several_may_make_the_same_partition_at_once(quarters: Store) -> None:
    def make(_number: int) -> list[date]:
        with quarters.engine.begin() as tx:
            return make_partitions(tx, [ORDINARY_DAY])

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(make, range(4)))
    assert sorted(map(len, made)) == [0, 0, 0, 1]


def test_a_partition_that_was_removed_is_made_again(quarters: Store) -> None:
    quarters.apply(*records(reading(1)))
    name = f"block_{ORDINARY_DAY:%Y_%m}"
    with quarters.engine.begin() as tx:
        tx.execute(text(f"drop table {name}"))
    again = records(reading(2, number=2, sent_after=HOUR), first_offset=1)
    with pytest.raises(Exception, match="no partition of relation"):
        quarters.apply(*again)
    quarters.apply(*again)
    assert quarters.block().total == 192


def as_earlier_version(store: Store) -> None:
    """Turn the tables of `store` into those of the version before partitions: all values are 5 or missing there."""
    wide = {5: struct.pack("<h", 5), 255: struct.pack("<h", -32768)}
    for table, added in (
        ("block", ", total - day_total as night_total, (slice_count - present_count)::smallint as missing_count"),
        ("block_input", ""),
    ):
        with store.engine.begin() as tx:
            tx.execute(text(f"create table was as select *{added} from {table}"))
            tx.execute(text("alter table was add column id_text text, alter column slice_values drop not null"))
            for key in tx.execute(text("select record_offset, message_id, slice_values, channel from was")).all():
                values = b"".join(wide[each] for each in key.slice_values)
                place = {"offset": key.record_offset, "channel": key.channel}
                changed = "update was set slice_values = :values, id_text = :id where record_offset = :offset"
                tx.execute(
                    text(changed + " and channel = :channel"),
                    place | {"values": values, "id": unpack_id(key.message_id)},
                )
            tx.execute(text("alter table was drop column message_id"))
            tx.execute(text("alter table was rename column id_text to message_id"))
            tx.execute(text(f"drop table {table}"))
            tx.execute(text(f"alter table was rename to {table}"))
            last = ", record_offset" if table == "block_input" else ""
            tx.execute(text(f"alter table {table} add primary key (ean, day, channel, meter_id{last})"))
            if table == "block":
                tx.execute(text("create index block_record on block (record_partition, record_offset)"))


def content(store: Store) -> list[Sequence[Row[Any]]]:
    return [store.rows(select(table).order_by(*table.primary_key)) for table in (block, block_input)]


def test_the_tables_of_an_earlier_version_become_partitions_with_the_same_blocks(quarters: Store) -> None:
    days = [ORDINARY_DAY, date(2026, 3, 2), date(2025, 12, 31)]
    quarters.apply(*records(*(reading(5, number=number, day=day) for number, day in enumerate(days))))
    quarters.apply(*records(reading([5] * 4, number=8, day=days[0], quality=6, sent_after=HOUR), first_offset=3))
    quarters.apply(*records(withdrawal(3, number=9, day=days[1], sent_after=HOUR), first_offset=4))
    before = content(quarters)
    as_earlier_version(quarters)
    assert partitions(quarters) == []
    create_store(quarters.engine)
    create_store(quarters.engine)
    assert content(quarters) == before
    assert partitions(quarters) == ["block_2025_12", "block_2026_03", "block_2026_11"]
    assert quarters.rows(text("select to_regclass('block_before') as gone")) == [(None,)]
    quarters.apply(*records(reading(7, number=10, ean=HOUSE, sent_after=2 * HOUR), first_offset=5))
    assert quarters.rows(select(block.c.total).where(block.c.day == ORDINARY_DAY))[0].total == 672
