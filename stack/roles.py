"""A role and a schema for each service: its own, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from psycopg import sql


def create_role_and_schema(connection: psycopg.Connection, *, role: str, password: str) -> None:
    """Let `role` own the schema of the same name in the connected database; idempotent, the password is set anew.

    The role may connect and make temporary tables; its search path is its schema alone.
    """
    name = sql.Identifier(role)
    database = sql.Identifier(connection.info.dbname)
    exists = connection.execute("select 1 from pg_roles where rolname = %s", [role]).fetchone()
    verb = sql.SQL("alter" if exists else "create")
    connection.execute(sql.SQL("{} role {} login password {}").format(verb, name, sql.Literal(password)))
    if not _is_superuser(connection):  # who gives a schema to a role must be able to become it
        connection.execute(sql.SQL("grant {} to current_user").format(name))
    connection.execute(sql.SQL("create schema if not exists {0} authorization {0}").format(name))
    connection.execute(sql.SQL("grant connect, temporary on database {} to {}").format(database, name))
    connection.execute(sql.SQL("alter role {0} in database {1} set search_path = {0}").format(name, database))


def _is_superuser(connection: psycopg.Connection) -> bool:
    return connection.execute("select rolsuper from pg_roles where rolname = current_user").fetchone() == (True,)


def close_to_everyone(connection: psycopg.Connection) -> None:
    """Take from PUBLIC what PostgreSQL gives it by default in the connected database."""
    database = sql.Identifier(connection.info.dbname)
    connection.execute(sql.SQL("revoke all on database {} from public").format(database))
    connection.execute("revoke all on schema public from public")


def create_roles(admin_url: str, passwords: Iterable[tuple[str, str]]) -> None:
    """Make (or renew) a role and schema per (role, password), in one transaction."""
    with psycopg.connect(admin_url) as connection:
        close_to_everyone(connection)
        for role, password in passwords:
            create_role_and_schema(connection, role=role, password=password)


def drop_role_and_schema(admin_url: str, role: str) -> None:
    """End the role's sessions, then remove it with all it owns in the connected database."""
    name = sql.Identifier(role)
    with psycopg.connect(admin_url) as connection:
        connection.execute("select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = %s", [role])
        connection.execute(sql.SQL("drop owned by {} cascade").format(name))
        connection.execute(sql.SQL("drop role {}").format(name))


def url_of(admin_url: str, *, role: str, password: str) -> str:
    """Return the address of the same database for `role`."""
    parts = urlsplit(admin_url)
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(role)}:{quote(password, safe='')}@{place}"))
