"""The ledgers, which are streams of the event table."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from eventlog.codec import decode
from eventlog.events import DataDelivered, DataRefused, Event
from eventlog.tables import event


def lock_ledger(tx: Connection, stream_id: str) -> None:
    """Make other deliveries of the same point wait until the end of `tx`: they come one after the other anyway."""
    tx.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(stream_id, 0))))


def newest_entry(tx: Connection, stream_id: str) -> tuple[DataDelivered | None, int]:
    """Return the last entry of a point's ledger and its version; None and 0 for an empty one."""
    entry, version = _newest(tx, stream_id)
    if entry is not None and not isinstance(entry, DataDelivered):
        raise TypeError(f"{type(entry).__name__} in a ledger")
    return entry, version


def newest_refusal(tx: Connection, stream_id: str) -> tuple[DataRefused | None, int]:
    """Return the last entry of a holder's ledger and its version; None and 0 for an empty one."""
    entry, version = _newest(tx, stream_id)
    if entry is not None and not isinstance(entry, DataRefused):
        raise TypeError(f"{type(entry).__name__} in a holder's ledger")
    return entry, version


def _newest(tx: Connection, stream_id: str) -> tuple[Event | None, int]:
    row = tx.execute(
        select(event.c.payload, event.c.stream_version)
        .where(event.c.stream_id == stream_id)
        .order_by(event.c.stream_version.desc())
        .limit(1)
    ).one_or_none()
    return (None, 0) if row is None else (decode(row.payload), row.stream_version)
