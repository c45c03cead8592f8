"""Putting a version in the place of the live one: in one transaction, while records arrive and readers read.

The checkpoints of the live projection are locked first: its projector waits, and nothing is written behind our back.
Then the tables change their schema. A reader that comes meanwhile waits for that, and finds the new tables under the
old names: PostgreSQL looks a name up again when it had to wait for the lock, prepared statements too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Table, text

from eventlog.tables import checkpoint, dead_letter, stream_position
from eventlog.versions import Rebuildable

LOCK_MILLISECONDS: Final = 800
"""How long readers may be kept waiting for the tables; shorter than a reader's own look for deadlocks (1 s)."""

_CHANGED_STREAMS: Final = (
    "create temporary table changed_stream on commit drop as select stream_id, "
    "live.stream_version as live_version, beside.stream_version as beside_version "
    "from (select * from {live} where projection = :name) live "
    "full join (select * from {beside} where projection = :name) beside using (stream_id) "
    "where live.stream_version is distinct from beside.stream_version"
)
_TAKE_STREAMS: Final = (
    "insert into {table} (projection, stream_id, stream_version) select :name, stream_id, {version} "
    "from changed_stream where {version} is not null "
    "on conflict (projection, stream_id) do update set stream_version = excluded.stream_version"
)
_LOSE_STREAMS: Final = (
    "delete from {table} where projection = :name "
    "and stream_id in (select stream_id from changed_stream where {version} is null)"
)
_CLAIM_ALL: Final = (
    "insert into {live}.checkpoint (projection, topic, partition, next_offset, epoch, owner, claimed_at) "
    "select :name, :topic, each, 0, 0, 'switch', now() from generate_series(0, :last) each on conflict do nothing"
)
_LOCKED: Final = (
    "select partition, next_offset from {live}.checkpoint where projection = :name and topic = :topic "
    "order by partition for update"
)
_RELATIONS: Final = text(
    "with recursive part as ("
    "select c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace "
    "where n.nspname = :schema and c.relname = any(:names) and c.relkind in ('r', 'p') "
    "union all select inhrelid from pg_inherits join part on inhparent = part.oid) "
    "select c.relname from part join pg_class c using (oid) order by 1"
)
_LIMITS: Final = text(
    "select set_config('idle_in_transaction_session_timeout', '10s', true), set_config('lock_timeout', '10s', true)"
)
_PATIENCE: Final = text("select set_config('statement_timeout', :limit, true)")


def lock_checkpoints(tx: Connection, what: Rebuildable, schema: str) -> dict[int, int]:
    """Keep every writer of the projection in `schema` out until the end of `tx`; return how far each partition is."""
    tx.execute(_LIMITS)
    names = {"name": what.name, "topic": what.topic}
    quoted = _quoted(tx, schema)
    tx.execute(text(_CLAIM_ALL.format(live=quoted)), {**names, "last": what.partition_count - 1})
    return {row.partition: row.next_offset for row in tx.execute(text(_LOCKED.format(live=quoted)), names)}


def is_at(offsets: Mapping[int, int], others: Mapping[int, int]) -> bool:
    """Whether both are equally far in every partition; one that is not named is at 0."""
    return all(offsets.get(each, 0) == others.get(each, 0) for each in offsets.keys() | others.keys())


def switch(tx: Connection, what: Rebuildable, *, live: str, beside: str, aside: str) -> None:
    """Put the tables in schema `beside` into `live`, and those in `live` into `aside`, with what belongs to them.

    The checkpoints of both are locked by `lock_checkpoints` in `tx`, and equal. `aside` has the log's tables, and no
    table of the projection. Whoever held a claim finds itself fenced afterwards.

    Raises:
        OperationalError: readers kept the tables for too long; roll back and try again.
    """
    for table in (checkpoint, dead_letter):
        _forget(tx, what, table, aside)
        _copy(tx, what, table, source=live, target=aside)
    _forget(tx, what, dead_letter, live)
    _copy(tx, what, dead_letter, source=beside, target=live)
    _keep_marks(tx, what, live=live, aside=aside)
    _exchange_streams(tx, what, live=live, beside=beside, aside=aside)
    _move_tables(tx, what, live=live, beside=beside, aside=aside)
    fence = "update {} set epoch = epoch + 1, owner = 'switch', claimed_at = now() where projection = :name"
    tx.execute(text(fence.format(_table(tx, live, checkpoint))), {"name": what.name})
    for table in (checkpoint, dead_letter):
        _forget(tx, what, table, beside)


def _exchange_streams(tx: Connection, what: Rebuildable, *, live: str, beside: str, aside: str) -> None:
    """Give the live schema the version's stream positions, and `aside` the live ones.

    Both are alike but for a few, of millions: the few are written to both, and the version's table moves to `aside`.
    """
    here, there = _table(tx, live, stream_position), _table(tx, beside, stream_position)
    name = {"name": what.name}
    tx.execute(text(_CHANGED_STREAMS.format(live=here, beside=there)), name)
    for table, version in ((here, "beside_version"), (there, "live_version")):
        for statement in (_TAKE_STREAMS, _LOSE_STREAMS):
            tx.execute(text(statement.format(table=table, version=version)), name)
    tx.execute(text(f"drop table {_table(tx, aside, stream_position)}"))
    tx.execute(text(f"alter table {there} set schema {_quoted(tx, aside)}"))


def take_given_up(tx: Connection, what: Rebuildable, *, live: str, beside: str) -> None:
    """Let the version know which records a person gave up: their streams go on behind them there as they do live."""
    _copy(
        tx, what, dead_letter, source=live, target=beside, which="and discarded_at is not null on conflict do nothing"
    )


def _copy(tx: Connection, what: Rebuildable, table: Table, *, source: str, target: str, which: str = "") -> None:
    names = ", ".join(column.name for column in table.columns)
    statement = (
        f"insert into {_table(tx, target, table)} ({names}) "  # noqa: S608 (names of our own tables)
        f"select {names} from {_table(tx, source, table)} where projection = :name {which}"
    )
    tx.execute(text(statement), {"name": what.name})


def _forget(tx: Connection, what: Rebuildable, table: Table, schema: str) -> None:
    tx.execute(
        text(f"delete from {_table(tx, schema, table)} where projection = :name"),  # noqa: S608
        {"name": what.name},
    )


def _keep_marks(tx: Connection, what: Rebuildable, *, live: str, aside: str) -> None:
    """Records that a person gave up stay given up."""
    statement = (
        f"update {_table(tx, live, dead_letter)} letter set discarded_at = old.discarded_at, "  # noqa: S608
        f"discard_reason = old.discard_reason from {_table(tx, aside, dead_letter)} old "
        "where letter.projection = :name and old.projection = :name and old.topic = letter.topic and "
        "old.partition = letter.partition and old.record_offset = letter.record_offset and letter.replayed_at is null"
    )
    tx.execute(text(statement), {"name": what.name})


def _move_tables(tx: Connection, what: Rebuildable, *, live: str, beside: str, aside: str) -> None:
    before = tx.scalar(text("select current_setting('statement_timeout')"))
    tx.execute(_PATIENCE, {"limit": f"{LOCK_MILLISECONDS}ms"})
    roots = _roots(what, _relations(tx, what, live))
    tx.execute(text(f"lock table {_listed(tx, live, roots)} in access exclusive mode"))
    tx.execute(_PATIENCE, {"limit": before})
    # Looked up behind the lock: until then somebody may attach a partition.
    old, new = _relations(tx, what, live), _relations(tx, what, beside)
    for names, source, target in ((old, live, aside), (new, beside, live)):
        for name in names:
            tx.execute(text(f"alter table {_quoted(tx, source, name)} set schema {_quoted(tx, target)}"))


def _roots(what: Rebuildable, relations: Sequence[str]) -> list[str]:
    return [own.table.name for own in what.tables if own.table.name in relations]


def _relations(tx: Connection, what: Rebuildable, schema: str) -> Sequence[Any]:
    """Return the names of the projection's tables in `schema`, and of their partitions."""
    names = [own.table.name for own in what.tables]
    return tx.scalars(_RELATIONS, {"schema": schema, "names": names}).all()


def _listed(tx: Connection, schema: str, names: Sequence[str]) -> str:
    return ", ".join(_quoted(tx, schema, name) for name in names)


def _table(tx: Connection, schema: str, table: Table) -> str:
    return _quoted(tx, schema, table.name)


def _quoted(tx: Connection, *names: str) -> str:
    return ".".join(tx.dialect.identifier_preparer.quote(name) for name in names)
