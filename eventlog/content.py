"""What the tables of a projection hold, as a hash over every bit of every row, by the Kafka partition it came from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from psycopg import sql
from sqlalchemy import Connection, func, select, text

from eventlog import checkpoint
from eventlog.tables import dead_letter, stream_position
from eventlog.topics import partition_of
from eventlog.versions import OwnTable, Rebuildable

_SHOWN_KEYS: Final = 5
_SHOWN_DIGITS: Final = 12
_FETCHED_ROWS: Final = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionContent:
    """The rows that came from one partition, of which all records below `next_offset` are applied.

    `row_counts` are by table, in the order of `Rebuildable.tables`; `parked_count` are records set aside, those given
    up among them. The hash is over all of these rows, and over where the parked records lie.
    """

    next_offset: int
    row_counts: tuple[int, ...]
    parked_count: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A whole projection at one instant. `stray_count` rows are of no partition of the topic; `streams` is how many
    streams it knows and a hash over their versions."""

    partitions: dict[int, PartitionContent]
    stray_count: int
    streams: tuple[int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowDifference:
    """Rows of one table and partition that are not in both, or not alike: how many, and the hashed keys of the first.

    A hashed key is the begin of the SHA-256 of the row's primary key as PostgreSQL writes it: `row(...)::text`.
    """

    table: str
    partition: int
    count: int
    key_hashes: tuple[str, ...]


@dataclass(slots=True)
class _Counted:
    rows: list[int]
    content: Any = field(default_factory=hashlib.sha256)
    parked: int = 0


def read_content(tx: Connection, what: Rebuildable) -> Content:
    """Return the content that `tx` sees; it has to see one instant: repeatable read, or nobody writes."""
    found = {number: _Counted([0] * len(what.tables)) for number in range(what.partition_count)}
    strays = 0
    for place, own in enumerate(what.tables):
        if own.key is None:
            strays += _count_strays(tx, own, what.partition_count)
            for number, counted in found.items():
                counted.rows[place] = _hash_partition(tx, own, number, counted.content)
        else:
            for number, hashed in _hashed_rows(tx, own, what.partition_count):
                found[number].rows[place] += 1
                found[number].content.update(hashed)
    _hash_parked(tx, what, found)
    offsets = checkpoint.read(tx, projection=what.name, topic=what.topic)
    partitions = {
        number: PartitionContent(
            next_offset=offsets.get(number, 0),
            row_counts=tuple(counted.rows),
            parked_count=counted.parked,
            sha256=counted.content.hexdigest(),
        )
        for number, counted in found.items()
    }
    return Content(partitions=partitions, stray_count=strays, streams=_hash_streams(tx, what))


def _hash_partition(tx: Connection, own: OwnTable, partition: int, content: Any) -> int:
    """Feed all rows of `partition` to `content`, column by column as PostgreSQL sends them; return how many."""
    query = sql.SQL("copy (select {} from {} where record_partition = {} order by {}) to stdout (format binary)")
    statement = query.format(_columns(own), _name(own), sql.Literal(partition), _key(own))
    driver: Any = tx.connection.cursor()
    with driver as cursor:
        with cursor.copy(statement) as rows:
            for piece in rows:
                content.update(piece)
        return int(cursor.rowcount)


def _hashed_rows(tx: Connection, own: OwnTable, partition_count: int) -> Iterator[tuple[int, bytes]]:
    """Yield the partition and the hash of each row, by primary key."""
    query = sql.SQL("select {}, sha256(convert_to(row({})::text, 'UTF8')) from {} order by {}")
    for key, hashed in _rows(tx, query.format(sql.Identifier(own.key or ""), _columns(own), _name(own), _key(own))):
        yield partition_of(key.encode(), partition_count), hashed


def _count_strays(tx: Connection, own: OwnTable, partition_count: int) -> int:
    place = own.table.c.record_partition
    found = tx.scalar(select(func.count()).select_from(own.table).where((place < 0) | (place >= partition_count)))
    return found or 0


def _hash_parked(tx: Connection, what: Rebuildable, found: dict[int, _Counted]) -> None:
    letter = dead_letter.c
    parked = select(letter.partition, letter.record_offset).where(
        letter.projection == what.name, letter.topic == what.topic, letter.replayed_at.is_(None)
    )
    for partition, offset in tx.execute(parked.order_by(letter.partition, letter.record_offset)):
        if partition in found:
            found[partition].parked += 1
            found[partition].content.update(f"parked {offset};".encode())


def _hash_streams(tx: Connection, what: Rebuildable) -> tuple[int, str]:
    place = stream_position.c
    query = select(place.stream_id, place.stream_version).where(place.projection == what.name)
    content, count = hashlib.sha256(), 0
    for stream_id, version in tx.execute(
        query.order_by(place.stream_id), execution_options={"yield_per": _FETCHED_ROWS}
    ):
        content.update(f"{stream_id}\n{version}\n".encode())
        count += 1
    return count, content.hexdigest()


def row_differences(live: Connection, rebuilt: Connection, what: Rebuildable, partition: int) -> list[RowDifference]:
    """Return which rows of `partition` differ, table by table; both connections see one instant each."""
    found = []
    for own in what.tables:
        rows = (_keyed_rows(tx, own, partition, what.partition_count) for tx in (live, rebuilt))
        count = 0
        keys: list[str] = []
        for key in _unlike(*rows):
            count += 1
            if len(keys) < _SHOWN_KEYS:
                keys.append(key.hex()[:_SHOWN_DIGITS])
        if count:
            found.append(RowDifference(table=own.table.name, partition=partition, count=count, key_hashes=tuple(keys)))
    return found


_Keyed = Iterator[tuple[bytes, bytes]]


def _keyed_rows(tx: Connection, own: OwnTable, partition: int, partition_count: int) -> _Keyed:
    """Yield the hashes of key and row of the rows of `partition`, by the hash of the key."""
    place = sql.SQL("record_partition") if own.key is None else sql.Identifier(own.key)
    query = sql.SQL(
        "select sha256(convert_to(row({})::text, 'UTF8')), sha256(convert_to(row({})::text, 'UTF8')), {} "
        "from {} where {} order by 1"
    )
    is_wanted = sql.SQL("record_partition = {}").format(partition) if own.key is None else sql.SQL("true")
    for key, row, found in _rows(tx, query.format(_key(own), _columns(own), place, _name(own), is_wanted)):
        if own.key is None or partition_of(found.encode(), partition_count) == partition:
            yield key, row


def _unlike(left: _Keyed, right: _Keyed) -> Iterator[bytes]:
    """Yield the keys that are on one side alone, or whose rows differ."""
    here, there = next(left, None), next(right, None)
    while here is not None or there is not None:
        if here is None or (there is not None and there[0] < here[0]):
            yield there[0] if there is not None else b""
            there = next(right, None)
        elif there is None or here[0] < there[0]:
            yield here[0]
            here = next(left, None)
        else:
            if here[1] != there[1]:
                yield here[0]
            here, there = next(left, None), next(right, None)


def _rows(tx: Connection, statement: sql.Composed) -> Iterator[Any]:
    yield from tx.execute(
        text(statement.as_string().replace(":", "\\:")), execution_options={"yield_per": _FETCHED_ROWS}
    )


def _columns(own: OwnTable) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(column.name) for column in own.table.columns)


def _key(own: OwnTable) -> sql.Composed:
    """Return what a row is known by: its primary key, or all of it where there is none."""
    columns = list(own.table.primary_key) or list(own.table.columns)
    return sql.SQL(", ").join(sql.Identifier(column.name) for column in columns)


def _name(own: OwnTable) -> sql.Identifier:
    return sql.Identifier(own.table.name)
