"""`docs/tables.md`: every table of every service, from its SQLAlchemy metadata."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Final

from sqlalchemy import Column, ForeignKeyConstraint, MetaData, Table, UniqueConstraint
from sqlalchemy.dialects import postgresql

from eventlog import tables as shared
from stack.markdown import page, table

SERVICES: Final = ("register", "mandate", "metering", "export", "portal")

_DIALECT: Final = postgresql.dialect()  # type: ignore[no-untyped-call]

_MODULES: Final = ("tables", "store", "installation", "index_tables")


def tables_page() -> str:
    """Return the text of the page."""
    lines = [
        "# Tables",
        "",
        "Each service has a schema and a role of its own; nobody reads a neighbour's table. Instants are UTC.",
        "Columns in bold are the primary key.",
        "",
        "## In the schema of every service but portal",
        "",
        *_tables(list(shared.metadata.tables.values())),
    ]
    for service in SERVICES:
        lines += [f"## {service}", ""]
        found = tables_of(service)
        lines += _tables(found) if found else ["No tables of its own.", ""]
    return page(lines[:-1])


def tables_of(service: str) -> list[Table]:
    """Return the tables that `service` alone keeps, from each `metadata` of its modules that may have one."""
    found: list[Table] = []
    for module_name in (f"services.{service}.{name}" for name in _MODULES):
        metadata = getattr(import_module(module_name), "metadata", None) if find_spec(module_name) else None
        if isinstance(metadata, MetaData) and metadata is not shared.metadata:
            found += [each for each in metadata.tables.values() if each not in found]
    return found


def _tables(found: list[Table]) -> list[str]:
    lines = []
    for each in sorted(found, key=lambda found_table: found_table.name):
        rows = [_column(column) for column in each.columns]
        lines += [f"### {each.name}", "", *([each.comment, ""] if each.comment else [])]
        lines += [*table(["column", "type", "null", "meaning"], rows), "", *_constraints(each)]
    return lines


def _column(column: Column[object]) -> list[str]:
    kind = column.type.compile(dialect=_DIALECT).lower()
    key = f"**`{column.name}`**" if column.primary_key else f"`{column.name}`"
    return [key, kind, "yes" if column.nullable else "no", column.comment or ""]


def _constraints(each: Table) -> list[str]:
    unique = [
        "unique: " + ", ".join(f"`{column.name}`" for column in constraint.columns)
        for constraint in each.constraints
        if isinstance(constraint, UniqueConstraint)
    ]
    foreign = [
        f"refers to `{constraint.referred_table.name}`: " + ", ".join(f"`{name}`" for name in constraint.column_keys)
        for constraint in each.constraints
        if isinstance(constraint, ForeignKeyConstraint)
    ]
    indexes = [
        f"index `{index.name}`: " + ", ".join(f"`{getattr(part, 'name', part)}`" for part in index.expressions)
        for index in each.indexes
    ]
    found = sorted(unique) + sorted(foreign) + sorted(indexes)
    return [*(f"- {line}" for line in found), ""] if found else []
