"""Reading what access is decided by: one statement for a point, so that all of it is of one instant."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, text

from market.channel import Energy
from market.ean import Ean
from services.export.domain.permissions import (
    AllocationPoint,
    Contract,
    Mandate,
    MeterPeriod,
    Occupancy,
    PointFacts,
    SubHeadPoint,
)

PERMISSION: Final = "permission"
OCCUPANCY: Final = "occupancy"
MANDATE_EVENTS: Final = "mandate-events"
REGISTER_EVENTS: Final = "register-events"

Checkpoints = Mapping[str, Mapping[int, int]]
"""The next offset of each partition, by topic, of the projections that access is decided by."""

_LOCK_KEY: Final = "hashtextextended('permissions of ' || current_schema() || ' ' || :partition, 0)"
_LOCK: Final = text(f"select pg_advisory_xact_lock({_LOCK_KEY})")
_HOLD: Final = text(
    "select pg_advisory_xact_lock_shared(hashtextextended('permissions of ' || current_schema() || ' ' || each, 0)) "
    "from (select unnest(cast(:partitions as text[])) as each order by 1) as held"
)
CHECKPOINTS: Final = (
    "(select coalesce(json_agg(json_build_array(topic, partition, next_offset)), '[]') from checkpoint "
    "where projection in ('permission', 'occupancy')) as checkpoints"
)
_POINT: Final = text(
    f"""
    select {CHECKPOINTS},
      (select energy from access_point where ean = :ean) as energy,
      (select coalesce(json_agg(x order by allocation_point_id), '[]') from allocation_point x where ean = :ean)
        as allocation_points,
      (select coalesce(json_agg(x order by first_on), '[]') from occupancy x where ean = :ean) as occupancies,
      (select coalesce(json_agg(x order by sequence_number), '[]') from meter_period x where ean = :ean) as meters,
      (select coalesce(json_agg(x order by sequence_number), '[]') from sub_head_point x where ean = :ean)
        as sub_head_points,
      (select coalesce(json_agg(x order by mandate_id), '[]') from mandate x where ean = :ean) as mandates,
      (select coalesce(json_agg(x), '[]') from contract x
        where contract_number in (select contract_number from mandate where ean = :ean)) as contracts
    """  # noqa: S608 (put together from constants)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What was known of a point at one instant; `facts` is None where register never named it."""

    facts: PointFacts | None
    checkpoints: Checkpoints


def lock_permissions(tx: Connection, partition: int) -> None:
    """Let no answer that rests on the points of `partition` leave until the end of `tx`, which changes them."""
    tx.execute(_LOCK, {"partition": str(partition)})


def hold_permissions(tx: Connection, partitions: Iterable[int]) -> None:
    """Let nothing that is known of the points of `partitions` change until the end of `tx`, which answers by it."""
    tx.execute(_HOLD, {"partitions": [str(each) for each in sorted(set(partitions))]})


def read_point(tx: Connection, ean: Ean) -> Known:
    """Return what is known of the point `ean` now."""
    row = tx.execute(_POINT, {"ean": ean}).one()
    return Known(facts=None if row.energy is None else _facts(ean, row), checkpoints=checkpoints_of(row.checkpoints))


def checkpoints_of(rows: Collection[Any]) -> Checkpoints:
    """Return rows of (topic, partition, next offset) as `Checkpoints`."""
    found: dict[str, dict[int, int]] = {}
    for topic, partition, next_offset in rows:
        found.setdefault(topic, {})[partition] = next_offset
    return found


def _facts(ean: Ean, row: Any) -> PointFacts:
    return PointFacts(
        ean=ean,
        energy=Energy(row.energy),
        allocation_points=tuple(
            AllocationPoint(allocation_point_id=each["allocation_point_id"], added_on=_day(each["added_on"]))
            for each in row.allocation_points
        ),
        occupancies=tuple(map(_occupancy, row.occupancies)),
        meters=tuple(map(_meter, row.meters)),
        sub_head_points=tuple(map(_sub_head_point, row.sub_head_points)),
        mandates=tuple(mandate_of(each) for each in row.mandates),
        contracts=tuple(map(_contract, row.contracts)),
    )


def mandate_of(row: Mapping[str, Any]) -> Mandate:
    """Return a row of table `mandate`, as JSON has it."""
    return Mandate(
        mandate_id=UUID(row["mandate_id"]),
        ean=Ean(row["ean"]),
        contract_number=row["contract_number"],
        holder_kbo=row["holder_kbo"],
        reference_number=row["reference_number"],
        data_service_type=row["data_service_type"],
        data_period_from=_optional_day(row["data_period_from"]),
        data_period_to=_optional_day(row["data_period_to"]),
        net_user_id=UUID(row["net_user_id"]),
        occupied_from=_day(row["occupied_from"]),
        granted_at=datetime.fromisoformat(row["granted_at"]),
        expires_at=datetime.fromisoformat(row["expires_at"]),
        is_over=row["is_over"],
        ends_on=_optional_day(row["ends_on"]),
    )


def _contract(row: Mapping[str, Any]) -> Contract:
    return Contract(
        contract_number=row["contract_number"],
        holder_kbo=row["holder_kbo"],
        valid_from=_day(row["valid_from"]),
        ended_on=_optional_day(row["ended_on"]),
    )


def _occupancy(row: Mapping[str, Any]) -> Occupancy:
    return Occupancy(
        allocation_point_id=row["allocation_point_id"],
        net_user_id=UUID(row["net_user_id"]),
        first_on=_day(row["first_on"]),
        last_on=_optional_day(row["last_on"]),
    )


def _meter(row: Mapping[str, Any]) -> MeterPeriod:
    removed_at = row["removed_at"]
    return MeterPeriod(
        meter_id=row["meter_id"],
        sequence_number=row["sequence_number"],
        installed_at=datetime.fromisoformat(row["installed_at"]),
        removed_at=None if removed_at is None else datetime.fromisoformat(removed_at),
    )


def _sub_head_point(row: Mapping[str, Any]) -> SubHeadPoint:
    return SubHeadPoint(
        ean=Ean(row["sub_ean"]),
        kind=row["kind"],
        sequence_number=row["sequence_number"],
        installation_id=row["installation_id"],
        production_type=row["production_type"],
    )


def _day(value: str) -> date:
    return date.fromisoformat(value)


def _optional_day(value: str | None) -> date | None:
    return None if value is None else date.fromisoformat(value)
