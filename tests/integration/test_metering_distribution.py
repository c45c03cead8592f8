"""No statement on the hot path looks for blocks without their EAN: what a database distributed by EAN needs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event, text

from services.metering import block_query, index_tables, stage, store
from services.metering.partitions import make_partitions
from services.metering.stage import Span
from services.metering.tables import metadata
from tests.examples import HOUSE, MARCH_DAY, ORDINARY_DAY
from tests.quarter_store import Store, open_store, records
from tests.readings import SENT_AT, reading

pytestmark = pytest.mark.integration


@pytest.fixture
def quarters(database_url: str) -> Iterator[Store]:
    with open_store(database_url) as store_:
        later = reading(2, number=2, sent_after=timedelta(hours=1))
        store_.apply(*records(reading(1), later, reading(1, number=3, day=MARCH_DAY)))
        yield store_


def scans(tx: Connection, statement: str, parameters: Any = None) -> list[dict[str, Any]]:
    """How a statement reads the store's tables: the nodes of its plan that touch one of their partitions."""
    cursor = tx.connection.cursor()
    cursor.execute(f"explain (format json) {statement}", parameters)
    ((plans,),) = cursor.fetchall()
    plans = json.loads(plans) if isinstance(plans, str) else plans
    nodes = [plans[0]["Plan"]]
    for node in nodes:
        nodes += node.get("Plans", [])
    return [each for each in nodes if each["Node Type"] != "ModifyTable" and "block_2" in each.get("Relation Name", "")]


def without_ean(nodes: list[dict[str, Any]]) -> list[str]:
    """The scans that do not find their rows by an EAN."""
    return [each["Node Type"] for each in nodes if "ean = " not in each.get("Index Cond", "")]


@pytest.fixture
def planner(quarters: Store) -> Iterator[Connection]:
    """A session that never reads a whole table where it can do otherwise, as with a long one."""
    with quarters.engine.connect() as connection, connection.begin() as tx:
        for table, columns in stage.TEMPORARY.items():
            connection.execute(text(f"create temporary table {table} ({columns})"))
        for kind in ("seqscan", "bitmapscan"):
            connection.execute(text(f"set local enable_{kind} = off"))
        yield connection
        tx.rollback()


def test_every_key_begins_with_the_ean() -> None:
    for table in (*metadata.sorted_tables, *index_tables.metadata.sorted_tables):
        assert next(iter(table.primary_key)).name == "ean"
        assert [index.name for index in table.indexes if index.unique] == []


def test_the_projector_finds_blocks_by_their_ean_in_the_months_of_its_run(planner: Connection) -> None:
    make_partitions(planner, [ORDINARY_DAY])
    span = Span(ORDINARY_DAY, ORDINARY_DAY)
    for statement in stage.STATEMENTS:
        found = scans(planner, span.bound(statement))
        assert without_ean(found) == []
        assert {each["Relation Name"][-7:] for each in found} <= {"2026_11"}


def test_a_block_is_put_in_with_its_ean() -> None:
    assert "insert into block (ean, " in stage.FOLD


def test_readers_find_blocks_by_their_ean(quarters: Store, planner: Connection) -> None:
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        asked.append((statement, parameters))

    days = {"ean": int(HOUSE), "first_day": ORDINARY_DAY, "last_day": ORDINARY_DAY, "changed_after": SENT_AT}
    asked += [(statement, days) for statement in (block_query.OF_DAYS, block_query.OF_CHANGED_DAYS)]
    event.listen(quarters.engine, "before_cursor_execute", note)
    store.current_blocks(quarters.engine, [(HOUSE, 0, ORDINARY_DAY, "")])
    event.remove(quarters.engine, "before_cursor_execute", note)
    for statement, parameters in asked:
        found = scans(planner, statement, parameters)
        assert found != []
        assert without_ean(found) == []


def test_a_statement_without_an_ean_is_found(planner: Connection) -> None:
    assert without_ean(scans(planner, "select total from block where day = '2026-11-19'")) != []
