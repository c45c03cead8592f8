"""Rooms for versions of a projection, beside the schema that a test's service has."""

from __future__ import annotations

import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url


def make_rooms(admin_url: str, database_url: str, projection: str, *versions: str) -> None:
    """Make empty schemas for `versions`, which belong to the role of `database_url`."""
    role = make_url(database_url).username or ""
    with psycopg.connect(admin_url) as connection:
        for version in versions:
            schema = f"{role}_{projection}_{version}"
            statement = sql.SQL("create schema {} authorization {}")
            connection.execute(statement.format(sql.Identifier(schema), sql.Identifier(role)))
