"""From the events of mandate and register to the rows that access is decided by.

Both projections halt at an event that they cannot use: whoever may not be told from it must not read on.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from sqlalchemy import Connection, Engine, Table, Update, and_, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert

from eventlog.dead_letter import Unusable
from eventlog.envelope import Envelope
from eventlog.events import (
    AccessPointRegistered,
    AllocationPointAdded,
    DataAccessContractEnded,
    DataAccessContractSigned,
    MandateEnded,
    MandateExpired,
    MandateGranted,
    MandateToBeRenewed,
    MandateWithdrawn,
    MeterInstalled,
    MeterRemoved,
    NetUserMovedIn,
    NetUserMovedOut,
    SubHeadPointAdded,
)
from eventlog.projection import EventProjection
from services.export.facts import MANDATE_EVENTS, OCCUPANCY, PERMISSION, REGISTER_EVENTS, lock_permissions
from services.export.tables import (
    access_point,
    allocation_point,
    contract,
    mandate,
    meter_period,
    occupancy,
    sub_head_point,
)


def permission_projection(engine: Engine, partition_count: int) -> EventProjection:
    """Return the projection of mandates and contracts."""
    return EventProjection(
        name=PERMISSION,
        topic=MANDATE_EVENTS,
        engine=engine,
        project=partial(_project_locked, _permission),
        halts=True,
        partition_count=partition_count,
    )


def occupancy_projection(engine: Engine, partition_count: int) -> EventProjection:
    """Return the projection of points, meters and net users."""
    return EventProjection(
        name=OCCUPANCY,
        topic=REGISTER_EVENTS,
        engine=engine,
        project=partial(_project_locked, _occupancy),
        halts=True,
        partition_count=partition_count,
    )


def _project_locked(project: Any, tx: Connection, envelope: Envelope) -> None:
    lock_permissions(tx, envelope.partition)
    project(tx, envelope)


def _permission(tx: Connection, envelope: Envelope) -> None:
    event = envelope.event
    match event:
        case DataAccessContractSigned():
            row = {"holder_kbo": event.holder_kbo, "valid_from": event.valid_from}
            _put(tx, contract, {"contract_number": event.contract_number}, row)
        case DataAccessContractEnded():
            is_it = contract.c.contract_number == event.contract_number
            earliest = func.least(contract.c.ended_on, event.ended_on)
            _change(
                tx, update(contract).where(is_it).values(ended_on=earliest), "a contract that was never signed ended"
            )
        case MandateGranted():
            _grant(tx, event, envelope)
        case MandateToBeRenewed():
            _change_mandate(tx, event, envelope, renewal_status="ToBeRenewed")
        case MandateExpired():
            _change_mandate(tx, event, envelope, is_over=True, renewal_status="Expired")
        case MandateWithdrawn():
            _change_mandate(tx, event, envelope, is_over=True, renewal_status=None)
        case MandateEnded():
            earliest = func.least(mandate.c.ends_on, event.ends_on)
            _change_mandate(tx, event, envelope, ends_on=earliest, renewal_status=None)
        case _:
            pass  # sessions and return roots open nothing


def _grant(tx: Connection, event: MandateGranted, envelope: Envelope) -> None:
    row = {
        "ean": event.ean,
        "contract_number": event.contract_number,
        "holder_kbo": event.holder_kbo,
        "reference_number": event.reference_number,
        "data_service_type": event.data_service_type,
        "data_period_from": event.data_period_from,
        "data_period_to": event.data_period_to,
        "net_user_id": event.net_user_id,
        "occupied_from": event.occupied_from,
        "granted_at": event.granted_at,
        "expires_at": event.expires_at,
        "is_over": False,
        "updated_at": envelope.appended_at,
    }
    _put(tx, mandate, {"mandate_id": event.mandate_id}, row)


def _change_mandate(
    tx: Connection,
    event: MandateToBeRenewed | MandateExpired | MandateWithdrawn | MandateEnded,
    envelope: Envelope,
    **changes: Any,
) -> None:
    is_it = (mandate.c.mandate_id == event.mandate_id) & (mandate.c.ean == event.ean)
    statement = update(mandate).where(is_it).values(updated_at=envelope.appended_at, **changes)
    _change(tx, statement, "a mandate that was never granted changed")


def _occupancy(tx: Connection, envelope: Envelope) -> None:
    event = envelope.event
    key: dict[str, Any]
    match event:
        case AccessPointRegistered():
            _put(tx, access_point, {"ean": event.ean}, {"energy": event.energy, "meter_kind": event.meter_kind})
        case AllocationPointAdded():
            key = {"ean": event.ean, "allocation_point_id": event.allocation_point_id}
            _put(tx, allocation_point, key, {"added_on": event.added_on})
        case SubHeadPointAdded():
            row = {
                "kind": event.kind,
                "sequence_number": event.sequence_number,
                "installation_id": event.installation_id,
                "production_type": event.production_type,
            }
            _put(tx, sub_head_point, {"ean": event.ean, "sub_ean": event.sub_ean}, row)
        case MeterInstalled():
            key = {"ean": event.ean, "sequence_number": event.sequence_number}
            _put(tx, meter_period, key, {"meter_id": event.meter_id, "installed_at": event.installed_at})
        case MeterRemoved():
            _remove_meter(tx, event)
        case NetUserMovedIn():
            key = {
                "ean": event.ean,
                "allocation_point_id": event.allocation_point_id,
                "first_on": event.moved_in_on,
            }
            _put(tx, occupancy, key, {"net_user_id": event.net_user_id})
        case NetUserMovedOut():
            _move_out(tx, event)
        case _:
            pass  # who a net user is decides nothing; what ends with a point has its own events


def _remove_meter(tx: Connection, event: MeterRemoved) -> None:
    own = (meter_period.c.ean == event.ean) & (meter_period.c.meter_id == event.meter_id)
    newest = select(func.max(meter_period.c.sequence_number)).where(own).scalar_subquery()
    is_it = own & (meter_period.c.sequence_number == newest)
    statement = update(meter_period).where(is_it).values(removed_at=event.removed_at)
    _change(tx, statement, "a meter that was never installed was removed")


def _move_out(tx: Connection, event: NetUserMovedOut) -> None:
    place = occupancy.c
    own = and_(
        place.ean == event.ean,
        place.allocation_point_id == event.allocation_point_id,
        place.net_user_id == event.net_user_id,
    )
    newest = select(func.max(place.first_on)).where(own).scalar_subquery()
    earliest = func.least(place.last_on, event.last_on)
    statement = update(occupancy).where(own, place.first_on == newest).values(last_on=earliest)
    _change(tx, statement, "a net user who never moved in moved out")


def _put(tx: Connection, table: Table, key: dict[str, Any], row: dict[str, Any]) -> None:
    statement = insert(table).values({**key, **row})
    tx.execute(statement.on_conflict_do_update(index_elements=list(key), set_=row))


def _change(tx: Connection, statement: Update, reason: str) -> None:
    if len(tx.execute(statement.returning(literal(1))).all()) != 1:
        raise Unusable(reason)
