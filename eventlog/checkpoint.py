"""Who may apply a partition's records, and from which offset: the database decides.

A claim raises the epoch; a writer moves the checkpoint first thing in the transaction of its rows, and only with the
epoch and offset it holds. So whoever was frozen, cut off or merely late finds itself fenced.
"""

from __future__ import annotations

import logging
import re
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillWaiting
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final

from sqlalchemy import Connection, Engine, TextClause, func, select, text
from sqlalchemy.dialects.postgresql import insert

from eventlog.database import TRANSACTION_TIMEOUT_SECONDS
from eventlog.tables import checkpoint

# The guard, in one statement for every way to the database: nothing is written under an old claim or at another offset.
ADVANCE: Final = (
    "update checkpoint set next_offset = $1, advanced_at = now() "
    "where projection = $2 and topic = $3 and partition = $4 and epoch = $5 and next_offset = $6 returning next_offset"
)

_WAIT_SECONDS: Final = 1.0
_LOCK_TIMEOUT: Final = "3s"
_EVICT: Final = text(
    "select pg_terminate_backend(a.pid) from unnest(pg_blocking_pids(:pid)) as blocking(pid) "
    "join pg_stat_activity a on a.pid = blocking.pid "
    "where a.usename = current_user and a.xact_start < clock_timestamp() - make_interval(secs => :seconds)"
)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to apply one partition from `next_offset` on, as long as `epoch` is the newest."""

    projection: str
    topic: str
    partition: int
    epoch: int
    next_offset: int


class Fenced(Exception):
    """Another member claimed the partition, or our own commit went through after all: roll back, claim again."""


def claim(tx: Connection, *, projection: str, topic: str, partition: int, owner: str) -> Claim:
    """Take the partition over from whoever had it; a projection that never ran begins at offset 0."""
    row = insert(checkpoint).values(
        projection=projection,
        topic=topic,
        partition=partition,
        next_offset=0,
        epoch=1,
        owner=owner,
        claimed_at=func.now(),
    )
    taken = row.on_conflict_do_update(
        index_elements=[checkpoint.c.projection, checkpoint.c.topic, checkpoint.c.partition],
        set_={"epoch": checkpoint.c.epoch + 1, "owner": row.excluded.owner, "claimed_at": func.now()},
    ).returning(checkpoint.c.epoch, checkpoint.c.next_offset)
    epoch, next_offset = tx.execute(taken).one()
    return Claim(projection, topic, partition, epoch, next_offset)


def claim_evicting(
    engine: Engine,
    *,
    projection: str,
    topic: str,
    partition: int,
    owner: str,
    evict_after_seconds: float = TRANSACTION_TIMEOUT_SECONDS,
) -> Claim:
    """`claim` in a transaction of its own, which waits for 3 s at most.

    A backend of our own role that blocks it with a transaction older than `evict_after_seconds` (longer than the
    slowest honest one) belongs to a frozen member, and is ended: no timeout throws out a client frozen inside a COPY.

    Raises:
        OperationalError: still blocked, or the database is away; try again.
    """
    with engine.begin() as tx, ThreadPoolExecutor(1) as waiter:
        pid = tx.scalar(select(func.pg_backend_pid()))
        tx.execute(select(func.set_config("lock_timeout", _LOCK_TIMEOUT, True)))
        waiting: Future[Claim] = waiter.submit(
            claim, tx, projection=projection, topic=topic, partition=partition, owner=owner
        )
        try:
            return waiting.result(_WAIT_SECONDS)
        except StillWaiting:
            _evict(engine, pid, evict_after_seconds)
            return waiting.result()


def _evict(engine: Engine, pid: int | None, seconds: float) -> None:
    with engine.begin() as tx:
        evicted = tx.execute(_EVICT, {"pid": pid, "seconds": seconds}).all()
    if evicted:
        _log.warning("ended %d database session(s) of a frozen member that held a checkpoint", len(evicted))


def advance(tx: Connection, claim: Claim, after: int) -> Claim:
    """Move the checkpoint to `after` (the offset behind the run's last record). First statement of the transaction.

    Raises:
        Fenced: the claim is no longer the newest, or the checkpoint has moved.
    """
    values = {f"p{number}": value for number, value in enumerate(_values(claim, after), 1)}
    return _moved(claim, after, len(tx.execute(_named(ADVANCE), values).all()))


def advance_adbc(cursor: Any, claim: Claim, after: int) -> Claim:
    """`advance` through an ADBC cursor, in the transaction that it is in.

    Raises:
        Fenced: as `advance`.
    """
    cursor.execute(ADVANCE, _values(claim, after))
    return _moved(claim, after, len(cursor.fetchall()))  # ADBC's rowcount is -1 for a statement with parameters


def _values(claim: Claim, after: int) -> tuple[object, ...]:
    return (after, claim.projection, claim.topic, claim.partition, claim.epoch, claim.next_offset)


@cache
def _named(numbered: str) -> TextClause:
    return text(re.sub(r"\$(\d)", r":p\1", numbered))


def _moved(claim: Claim, after: int, row_count: int) -> Claim:
    if row_count != 1:
        raise Fenced(f"{claim.projection} on {claim.topic}/{claim.partition} at offset {claim.next_offset}")
    return replace(claim, next_offset=after)


def read(tx: Connection, *, projection: str, topic: str) -> dict[int, int]:
    """Return the next offset of each partition that the projection ever claimed."""
    place = checkpoint.c
    found = tx.execute(
        select(place.partition, place.next_offset)
        .where(place.projection == projection, place.topic == topic)
        .order_by(place.partition)
    )
    return {row.partition: row.next_offset for row in found}
