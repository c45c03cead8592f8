"""Roles and schemas, made by a superuser or by somebody who may only make roles."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from stack.roles import create_roles, drop_role_and_schema, url_of

pytestmark = pytest.mark.integration


@pytest.fixture
def somebodys_database(postgres_admin_url: str) -> Iterator[str]:
    """URL of a database whose owner is no superuser."""
    name, password = f"owner_{secrets.token_hex(6)}", secrets.token_urlsafe(16)
    owned = sql.Identifier(name)
    with psycopg.connect(postgres_admin_url, autocommit=True) as connection:
        connection.execute(sql.SQL("create role {} login createrole password {}").format(owned, sql.Literal(password)))
        connection.execute(sql.SQL("create database {0} owner {0}").format(owned))
    url = url_of(postgres_admin_url, role=name, password=password)
    yield urlsplit(url)._replace(path=f"/{name}").geturl()
    with psycopg.connect(postgres_admin_url, autocommit=True) as connection:
        connection.execute(sql.SQL("drop database {} with (force)").format(owned))
        connection.execute(sql.SQL("drop role {}").format(owned))


def test_an_owner_who_is_no_superuser_can_make_the_services_roles_and_again(somebodys_database: str) -> None:
    role = f"test_{secrets.token_hex(6)}"

    create_roles(somebodys_database, [(role, "first")])
    create_roles(somebodys_database, [(role, "second")])

    with psycopg.connect(url_of(somebodys_database, role=role, password="second")) as connection:
        assert connection.execute("show search_path").fetchone() == (role,)
        connection.execute("create table thing (number int)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("create table public.thing (number int)")
    drop_role_and_schema(somebodys_database, role)


def test_a_service_cannot_look_into_another_services_schema(somebodys_database: str) -> None:
    first, second = f"test_{secrets.token_hex(6)}", f"test_{secrets.token_hex(6)}"
    create_roles(somebodys_database, [(first, "a"), (second, "b")])
    with psycopg.connect(url_of(somebodys_database, role=first, password="a")) as connection:
        connection.execute("create table thing (number int)")

    question = sql.SQL("select * from {}.thing").format(sql.Identifier(first))
    with (
        psycopg.connect(url_of(somebodys_database, role=second, password="b")) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(question)

    for role in (first, second):
        drop_role_and_schema(somebodys_database, role)
