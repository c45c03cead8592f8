"""Versions of projections on a platform: which there are, and the schemas in which they lie."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import psycopg
from psycopg import sql

from eventlog.tables import metadata
from eventlog.versions import REBUILD, schema_of
from stack.problem import Problem

OWNERS: Final = {
    "block": "metering",
    "index": "metering",
    "installation": "metering",
    "occupancy": "export",
    "permission": "export",
}
"""The projections that can be made again, and whose they are."""
POLICIES: Final = ("mandate-policy",)
"""What decides: its decisions are events already, and making them again would decide twice."""

_SCHEMAS: Final = "select nspname from pg_namespace where starts_with(nspname, %s) order by 1"
_HOLDS_ROWS: Final = (
    "select exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace "
    "where n.nspname = %s and c.relkind in ('r', 'p') and c.relname <> all(%s))"
)


@dataclass(frozen=True, slots=True)
class FoundVersion:
    """A version beside the live one: how many records it has applied, and how many of them are parked."""

    projection: str
    version: str
    applied: int
    parked: int

    @property
    def name(self) -> str:
        return f"{self.projection}@{self.version}"


def find_versions(admin_url: str) -> list[FoundVersion]:
    """Return the versions that lie beside live projections, by name."""
    found = []
    with psycopg.connect(admin_url, connect_timeout=2) as connection:
        for projection, role in OWNERS.items():
            prefix = schema_of(role, projection, "")
            for (schema,) in connection.execute(_SCHEMAS, [prefix]).fetchall():
                if _holds_rows(connection, schema):
                    counts = _counts(connection, schema, projection)
                    found.append(FoundVersion(projection, schema.removeprefix(prefix), *counts))
    return sorted(found, key=lambda each: each.name)


def _counts(connection: psycopg.Connection, schema: str, projection: str) -> tuple[int, int]:
    query = sql.SQL(
        "select (select coalesce(sum(next_offset), 0)::bigint from {0}.checkpoint where projection = %(name)s), "
        "(select count(*) from {0}.dead_letter where projection = %(name)s and replayed_at is null "
        "and discarded_at is null)"
    )
    row = connection.execute(query.format(sql.Identifier(schema)), {"name": projection}).fetchone()
    return (row[0], row[1]) if row else (0, 0)


def _holds_rows(connection: psycopg.Connection, schema: str) -> bool:
    """Whether `schema` has more than the log's own tables."""
    own = [table.name for table in metadata.sorted_tables]
    return connection.execute(_HOLDS_ROWS, [schema, own]).fetchone() == (True,)


@contextmanager
def rooms(admin_url: str, projection: str, version: str, *, aside: str | None) -> Iterator[None]:
    """Lend the schemas of `version` and, for a switch, `aside`; they belong to the service's role. One at a time.

    Afterwards those that hold no version are gone, and that of `rebuild` in any case.

    Raises:
        Problem: another replay of the projection runs, or the database refuses.
    """
    role = OWNERS[projection]
    with _admin(admin_url) as connection:
        prefix = schema_of(role, projection, "")
        free = connection.execute("select pg_try_advisory_lock(hashtextextended(%s, 0))", [prefix]).fetchone()
        if free != (True,):
            raise Problem(f"another replay of {projection} runs: wait for its end")
        _drop(connection, prefix + REBUILD)
        for each in (version, aside):
            if each is not None:
                make = sql.SQL("create schema if not exists {} authorization {}")
                connection.execute(make.format(sql.Identifier(prefix + each), sql.Identifier(role)))
        try:
            yield
        finally:
            _drop(connection, prefix + REBUILD)
            for (schema,) in connection.execute(_SCHEMAS, [prefix]).fetchall():
                if not _holds_rows(connection, schema):
                    _drop(connection, schema)


def _drop(connection: psycopg.Connection, schema: str) -> None:
    connection.execute(sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(schema)))


@contextmanager
def _admin(url: str) -> Iterator[psycopg.Connection]:
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            yield connection
    except psycopg.Error as error:
        raise Problem("the database refuses: ask kwartier status", detail=str(error).splitlines()[0]) from error
