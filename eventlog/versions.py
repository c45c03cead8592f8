"""Several versions of one projection side by side: each in a schema of its own, with its own checkpoints.

A version has the same table names and the same projection name as the live one; `search_path` is all that differs. So
not one statement of a projection knows which version it is. The schema of `block@2` of the role metering, whose live
schema is `metering`, is `metering_block_2`. An administrator makes it; it belongs to the service's role.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Engine, MetaData, Table, text

from eventlog.database import create_tables
from eventlog.projection import Projection

REBUILD: Final = "rebuild"
"""The version that is made for a comparison: it begins clean each time, and is gone afterwards."""
OLD: Final = "old"
"""The version that was live before the last switch."""
NEWER: Final = "newer"
"""The version that was live until somebody went back to the old one."""
_NAME: Final = re.compile(r"[a-z0-9]{1,16}")
_TABLES: Final = text(
    "select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace "
    "where n.nspname = :schema and c.relkind in ('r', 'p') and not c.relispartition order by 1"
)


class NoRoom(Exception):
    """There is no schema for the version, or it is not free; the message says what to do."""


@dataclass(frozen=True, slots=True)
class OwnTable:
    """A table that one projection alone writes. `key` is the column that holds the key of the row's record as text;
    None where the row itself says its Kafka partition, in a column `record_partition`."""

    table: Table
    key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuildable:
    """A projection that can be made again from offset 0, as the service that owns it describes it.

    `create` makes its tables where they are missing; `open` lends the projection on an engine and the database URL
    that belongs to it, such that it publishes nothing. The last three are those of the live one (`consumer.consume`).
    """

    name: str
    topic: str
    partition_count: int
    tables: tuple[OwnTable, ...]
    create: Callable[[Engine], None]
    open: Callable[[Engine, str], AbstractContextManager[Projection]]
    max_run_records: int = 2_000
    concurrent_run_count: int = 1
    fetch_bytes: int = 2**20


def is_version(name: str) -> bool:
    """Whether `name` may be the name of a version."""
    return _NAME.fullmatch(name) is not None


def schema_of(live_schema: str, projection: str, version: str) -> str:
    """Return the schema in which `version` of `projection` lies, beside `live_schema`."""
    return f"{live_schema}_{projection}_{version}"


def demand_room(beside: Engine, schema: str) -> None:
    """Look whether `beside`, whose search path is `schema`, can make tables there.

    Raises:
        NoRoom: there is no such schema, or it is not ours; nothing is touched.
    """
    ours = "select from pg_namespace where nspname = :schema and has_schema_privilege(oid, 'create')"
    with beside.connect() as connection:
        if not connection.scalar(text(f"select exists ({ours})"), {"schema": schema}):
            raise NoRoom(f"make a schema {schema} first, beside the live one, that belongs to the service's role")


def holds_tables(engine: Engine, what: Rebuildable, schema: str) -> bool:
    """Whether `schema` holds a table of the projection."""
    with engine.connect() as connection:
        found = set(connection.scalars(_TABLES, {"schema": schema}))
    return not found.isdisjoint(own.table.name for own in what.tables)


def clear(beside: Engine, schema: str) -> None:
    """Drop all tables in `schema`, on which `beside` is."""
    quote = beside.dialect.identifier_preparer.quote
    with beside.begin() as tx:
        tx.execute(text("select set_config('statement_timeout', '0', true)"))
        for name in tx.scalars(_TABLES, {"schema": schema}).all():
            tx.execute(text(f"drop table {quote(schema)}.{quote(name)} cascade"))


def create_own(beside: Engine, tables: Sequence[OwnTable]) -> None:
    """Make what is missing of `tables` and of the log's own in the schema of `beside`, and nothing else."""
    own = MetaData()
    for each in tables:
        each.table.to_metadata(own)
    create_tables(beside, own)
