"""Connections to PostgreSQL (17 or newer): limits on every one of them, tables, and which errors pass by themselves."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy
from sqlalchemy import Connection, Engine, MetaData, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.schema import CreateColumn, SetColumnComment

from eventlog import metrics
from eventlog.tables import metadata
from eventlog.wakeup import create_announcement

__all__ = ["create_engine", "create_tables", "in_schema", "is_outage", "libpq_uri", "metadata"]

STATEMENT_TIMEOUT_SECONDS: Final = 15
IDLE_IN_TRANSACTION_SECONDS: Final = 4
TRANSACTION_TIMEOUT_SECONDS: Final = 20

_OPTIONS: Final = (
    f"-c statement_timeout={STATEMENT_TIMEOUT_SECONDS}s "
    f"-c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_SECONDS}s "
    f"-c transaction_timeout={TRANSACTION_TIMEOUT_SECONDS}s "
    "-c timezone=UTC"
)
_CONNECTION: Final = {
    "connect_timeout": "5",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}
# Connection lost or refused; rolled back for another's sake; out of resources or locks; stopped or timed out by the
# server; its disk or system failed. All of them may go away while we wait.
_OUTAGE_CLASSES: Final = frozenset({"08", "40", "53", "55", "57", "58"})
_OUTAGE_KINDS: Final = frozenset({"OperationalError", "InterfaceError"})  # without a state: nothing was answered
_OUTAGE_STATES: Final = frozenset({"25006", "25P03", "25P04"})  # read-only after failover; idle or transaction timeout


def create_engine(database_url: str, *, application_name: str, pool_size: int = 5) -> Engine:
    """Return an engine on `database_url` (postgresql://user:password@host:port/database).

    Each session is in UTC and ends a statement after 15 s, a transaction after 20 s, and one left idle after 4 s.
    """
    url = _bounded(database_url, application_name).set(drivername="postgresql+psycopg")
    engine = sqlalchemy.create_engine(
        url, pool_size=pool_size, max_overflow=pool_size, pool_timeout=5, pool_pre_ping=True, hide_parameters=True
    )
    _measure_transactions(engine)
    return engine


def libpq_uri(database_url: str, *, application_name: str) -> str:
    """Return `database_url` with the same limits as `create_engine` sets, for ADBC and other users of libpq."""
    url = _bounded(database_url, application_name).set(drivername="postgresql").render_as_string(hide_password=False)
    place, _, query = url.partition("?")
    return f"{place}?{query.replace('+', '%20')}"  # libpq does not read + as a space


def in_schema(database_url: str, schema: str) -> str:
    """Return `database_url` with `schema` alone as the search path, whatever the role's own is."""
    return _with_options(make_url(database_url), f"-c search_path={schema}").render_as_string(hide_password=False)


def _bounded(database_url: str, application_name: str) -> URL:
    url = _with_options(make_url(database_url), _OPTIONS)
    return url.update_query_dict({**_CONNECTION, "application_name": application_name})


def _with_options(url: URL, options: str) -> URL:
    given = url.query.get("options", "")
    all_of_them = " ".join([*([given] if isinstance(given, str) else given), options]).strip()
    return url.update_query_dict({"options": all_of_them})


def _measure_transactions(engine: Engine) -> None:
    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.info["transaction_timer"] = metrics.transaction_timer()

    @event.listens_for(engine, "commit")
    @event.listens_for(engine, "rollback")
    def end(connection: Connection) -> None:
        timer = None if connection.invalidated else connection.info.pop("transaction_timer", None)
        if timer is not None:
            timer()


def create_tables(engine: Engine, *metadatas: MetaData) -> None:
    """Create what is missing of the log's own tables and of `metadatas`, in the role's schema. Several may at once.

    A table that is there already gets the columns it lacks: they must be nullable or have a default.
    """
    with engine.begin() as tx:
        tx.execute(
            text("select set_config('statement_timeout', '0', true), set_config('transaction_timeout', '0', true)")
        )
        tx.execute(text("select pg_advisory_xact_lock(hashtextextended('tables of ' || current_schema(), 0))"))
        for each in dict.fromkeys((metadata, *metadatas)):
            each.create_all(tx)
            _add_columns(tx, each)
        create_announcement(tx)


def _add_columns(tx: Connection, tables: MetaData) -> None:
    found = tx.execute(
        text("select table_name, column_name from information_schema.columns where table_schema = current_schema()")
    )
    known = {(row.table_name, row.column_name) for row in found}
    for column in (column for table in tables.sorted_tables for column in table.columns):
        if (column.table.name, column.name) not in known:
            table = tx.dialect.identifier_preparer.format_table(column.table)
            words = CreateColumn(column).compile(dialect=tx.dialect)
            tx.execute(text(f"alter table {table} add column if not exists {words}"))
            tx.execute(SetColumnComment(column))


def is_outage(error: BaseException) -> bool:
    """Whether `error` (SQLAlchemy, psycopg, ADBC, socket) may pass by itself: then try again. Others are our faults."""
    if isinstance(error, (PoolTimeoutError, OSError)):
        return True
    cause: Any = error.orig if isinstance(error, DBAPIError) else error
    state = (getattr(cause, "sqlstate", None) or "").strip("\0")
    if state:
        return state in _OUTAGE_STATES or state[:2] in _OUTAGE_CLASSES
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    return any(
        kind.__name__ in _OUTAGE_KINDS for kind in type(cause).__mro__
    )  # a connection's timeout has a kind below
