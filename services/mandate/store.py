"""Every SQL statement of mandate: the read model beside the events, and the order among those who grant and end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Table, and_, insert, or_, select, text, update
from sqlalchemy.dialects import postgresql

from eventlog.events import (
    ConsentSessionOpened,
    ConsentSessionUsed,
    DataAccessContractEnded,
    DataAccessContractSigned,
    Event,
    MandateEnded,
    MandateExpired,
    MandateGranted,
    MandateToBeRenewed,
    MandateWithdrawn,
    ReturnRootRegistered,
)
from market.ean import Ean
from services.mandate.domain.switch import Switch
from services.mandate.domain.validity import local_day, renewal_opens_at
from services.mandate.tables import contract, mandate, return_root, session, switch

# Whoever ends mandates of a kind must see every grant, and every grant must see what ended such mandates before it:
# grants hold the lock together, those who end hold it alone. To the end of the transaction.
_LOCK: Final = "hashtextextended('grants of ' || current_schema(), 0)"
_SHARE: Final = text(f"select pg_advisory_xact_lock_shared({_LOCK})")
_EXCLUDE: Final = text(f"select pg_advisory_xact_lock({_LOCK})")
_TIMER: Final = text("select pg_try_advisory_xact_lock(hashtextextended('timer of ' || current_schema(), 0))")


def begin_grants(tx: Connection) -> None:
    """Keep those who end mandates waiting until `tx` ends; other grants go on."""
    tx.execute(_SHARE)


def begin_ends(tx: Connection) -> None:
    """Wait for the grants under way, and keep new ones waiting until `tx` ends."""
    tx.execute(_EXCLUDE)


def begin_timer(tx: Connection) -> bool:
    """Whether `tx` is the only timer now; it stays so until it ends."""
    return bool(tx.execute(_TIMER).scalar_one())


def write(tx: Connection, events: Sequence[Event]) -> None:
    """Bring the read model up to `events`, which were just appended."""
    for event in events:
        _write(tx, event)


def _write(tx: Connection, event: Event) -> None:
    match event:
        case DataAccessContractSigned():
            tx.execute(insert(contract).values(_columns(contract, event)))
        case DataAccessContractEnded():
            is_it = contract.c.contract_number == event.contract_number
            tx.execute(update(contract).where(is_it).values(ended_on=event.ended_on))
        case ReturnRootRegistered():
            tx.execute(insert(return_root).values(_columns(return_root, event)))
        case ConsentSessionOpened():
            tx.execute(insert(session).values(_columns(session, event)))
        case ConsentSessionUsed():
            tx.execute(update(session).where(session.c.session_id == event.session_id).values(used_at=event.used_at))
        case _:
            _write_mandate(tx, event)


def _write_mandate(tx: Connection, event: Event) -> None:
    match event:
        case MandateGranted():
            next_at = renewal_opens_at(event.expires_at)
            tx.execute(insert(mandate).values(**_columns(mandate, event), next_at=next_at))
        case MandateToBeRenewed():
            _update(tx, event.mandate_id, signalled_at=event.signalled_at, next_at=mandate.c.expires_at)
        case MandateExpired():
            _update(tx, event.mandate_id, expired_at=event.expired_at, next_at=None)
        case MandateWithdrawn():
            _update(tx, event.mandate_id, withdrawn_at=event.withdrawn_at, next_at=None)
        case MandateEnded():
            _update(tx, event.mandate_id, ends_on=event.ends_on, end_reason=event.reason, next_at=None)
        case _:
            raise TypeError(f"{type(event).__name__} is not an event of mandate")


def _columns(table: Table, event: Event) -> dict[str, Any]:
    return {name: getattr(event, name) for name in event.__dataclass_fields__ if name in table.c}


def _update(tx: Connection, mandate_id: UUID, **values: object) -> None:
    tx.execute(update(mandate).where(mandate.c.mandate_id == mandate_id).values(**values))


def find_contract(tx: Connection, contract_number: str) -> dict[str, Any] | None:
    """Return a contract with its return roots; None where there is none."""
    row = tx.execute(select(contract).where(contract.c.contract_number == contract_number)).mappings().one_or_none()
    if row is None:
        return None
    roots = select(return_root.c.root).where(return_root.c.contract_number == contract_number)
    return {**row, "return_roots": list(tx.scalars(roots.order_by(return_root.c.root)))}


def find_session(tx: Connection, session_id: str) -> dict[str, Any] | None:
    """Return a session with the name of its holder; None where there is none."""
    named = select(session, contract.c.holder_name).join(
        contract, contract.c.contract_number == session.c.contract_number
    )
    row = tx.execute(named.where(session.c.session_id == session_id)).mappings().one_or_none()
    return None if row is None else dict(row)


def find_mandates(
    tx: Connection,
    *,
    net_user_ids: Collection[UUID] | None = None,
    holder_kbo: str | None = None,
    ean: str | None = None,
    contract_number: str | None = None,
    active_at: datetime | None = None,
    limit: int,
) -> list[dict[str, Any]]:
    """Return the mandates that fit every argument given, with the holder's name, the newest first, at most `limit`."""
    wanted: list[ColumnElement[bool]] = []
    if net_user_ids is not None:
        wanted.append(mandate.c.net_user_id.in_(net_user_ids))
    for column, value in (("holder_kbo", holder_kbo), ("ean", ean), ("contract_number", contract_number)):
        if value is not None:
            wanted.append(mandate.c[column] == value)
    if active_at is not None:
        wanted.append(_is_active(active_at))
    newest = (mandate.c.granted_at.desc(), mandate.c.ean, mandate.c.data_service_type, mandate.c.mandate_id)
    named = select(mandate, contract.c.holder_name).join(
        contract, contract.c.contract_number == mandate.c.contract_number
    )
    rows = tx.execute(named.where(and_(True, *wanted)).order_by(*newest).limit(limit)).mappings()
    return [dict(row) for row in rows]


def _is_active(now: datetime) -> ColumnElement[bool]:
    return and_(
        mandate.c.withdrawn_at.is_(None),
        mandate.c.expired_at.is_(None),
        mandate.c.expires_at > now,
        or_(mandate.c.ends_on.is_(None), mandate.c.ends_on > local_day(now)),
    )


def eans_under_contract(tx: Connection, contract_number: str) -> list[Ean]:
    """Return the points with a mandate under the contract that the calendar or the net user has not ended."""
    is_it = and_(
        mandate.c.contract_number == contract_number, mandate.c.withdrawn_at.is_(None), mandate.c.expired_at.is_(None)
    )
    return list(tx.scalars(select(mandate.c.ean).where(is_it).distinct().order_by(mandate.c.ean)))


def due_eans(tx: Connection, now: datetime, limit: int) -> list[Ean]:
    """Return points with a mandate that the timer has to look at, at most `limit`."""
    due = select(mandate.c.ean).where(mandate.c.next_at <= now).distinct().order_by(mandate.c.ean)
    return list(tx.scalars(due.limit(limit)))


def keep_switch(tx: Connection, found: Switch, stream_version: int) -> None:
    """Keep what the register said, for mandates that are granted while its events are on the way."""
    row = postgresql.insert(switch).values(
        ean=found.ean,
        stream_version=stream_version,
        kind=found.kind,
        net_user_id=found.net_user_id,
        first_day=found.first_day,
    )
    tx.execute(row.on_conflict_do_nothing())


def find_switches(tx: Connection, eans: Collection[Ean]) -> dict[Ean, list[Switch]]:
    """Return what the register said of each of `eans`, as far as its events are read."""
    rows = tx.execute(select(switch).where(switch.c.ean.in_(eans)).order_by(switch.c.ean, switch.c.stream_version))
    found: defaultdict[Ean, list[Switch]] = defaultdict(list)
    for row in rows:
        found[row.ean].append(Switch(ean=row.ean, kind=row.kind, net_user_id=row.net_user_id, first_day=row.first_day))
    return dict(found)
