"""The history of the quarter-hour store: blocks as of an instant, and which of them changed since a position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from operator import attrgetter
from typing import Any, Final

import pyarrow as pa
from sqlalchemy import Connection, Engine, select

from market.ean import Ean
from services.metering.arrow_blocks import StoredBlock, blocks_table
from services.metering.as_of import StoredInput, fold_inputs
from services.metering.store import next_offset
from services.metering.tables import block, block_input

_BLOCK: Final = [block.c[name] for name in StoredBlock._fields]
_INPUT: Final = [block_input.c[name] for name in StoredInput._fields]
_FIELDS: Final[list[pa.Field[Any]]] = [
    pa.field("ean", pa.utf8()),
    pa.field("day", pa.date32()),
    pa.field("channel", pa.int16()),
    pa.field("meter_id", pa.utf8()),
    pa.field("record_offset", pa.int64()),
]
_CHANGES: Final = pa.schema(_FIELDS)


def read_blocks_as_of(engine: Engine, ean: Ean, first_day: date, last_day: date, as_of: datetime) -> pa.Table:
    """Return the blocks of one point as the store knew them at `as_of` (UTC): by what was recorded until then.

    Days are inclusive; order and columns are those of `store.read_blocks`. A block of which nothing was recorded yet is
    not among them.
    """
    with _snapshot(engine) as connection:
        alone = _rows(connection, block, _BLOCK, ean, first_day, last_day, as_of, ~block.c.has_inputs)
        inputs = _rows(connection, block_input, _INPUT, ean, first_day, last_day, as_of)
    stories = sorted(
        (StoredInput._make(row) for row in inputs), key=attrgetter("channel", "day", "meter_id", "record_offset")
    )
    blocks = [StoredBlock._make(row) for row in alone] + fold_inputs(stories)
    return blocks_table(sorted(blocks, key=attrgetter("channel", "day", "meter_id")))


def _rows(
    connection: Connection,
    table: Any,
    columns: Any,
    ean: Ean,
    first_day: date,
    last_day: date,
    as_of: datetime,
    *more: Any,
) -> Sequence[Any]:
    is_asked = (table.c.ean == int(ean)) & table.c.day.between(first_day, last_day)
    return connection.execute(select(*columns).where(is_asked, table.c.recorded_at <= as_of, *more)).all()


@dataclass(frozen=True, slots=True)
class Changes:
    """Which blocks changed. `next_offset` is where to go on; `is_all` says that nothing lies behind it now."""

    table: pa.Table
    next_offset: int
    is_all: bool


def changes_since(engine: Engine, partition: int, offset: int, *, limit: int) -> Changes:
    """Return the blocks whose last change was a record in [offset, offset + limit) of `partition`, in that order.

    A block that changes again moves to its later record: who goes on until `is_all`, again and again, misses none, and
    sees none twice for one change. Columns: ean, day, channel, meter_id, record_offset.
    """
    with _snapshot(engine) as connection:
        end = next_offset(connection, partition)
        after = min(offset + limit, end)
        place = block.c
        is_asked = (
            (place.record_partition == partition) & (place.record_offset >= offset) & (place.record_offset < after)
        )
        columns = (place.ean, place.day, place.channel, place.meter_id, place.record_offset)
        rows = connection.execute(select(*columns).where(is_asked).order_by(place.record_offset)).all()
    found: list[list[Any]] = [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in _CHANGES]
    found[0] = [f"{ean:018d}" for ean in found[0]]
    table = pa.table(
        [pa.array(column, field.type) for column, field in zip(found, _CHANGES, strict=True)], schema=_CHANGES
    )
    return Changes(table, max(after, offset), after >= end)


def _snapshot(engine: Engine) -> Connection:
    """Return a connection whose statements all see one instant."""
    return engine.connect().execution_options(isolation_level="REPEATABLE READ")
