"""What the register says is installed, as metering needs it to know what to expect: a projection of its events."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Date,
    Engine,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    Table,
    func,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from eventlog.dead_letter import Unusable
from eventlog.envelope import Envelope
from eventlog.events import AccessPointClosed, AccessPointRegistered, AllocationPointAdded, SubHeadPointAdded
from eventlog.projection import EventProjection
from market.channel import Energy, MeterKind
from market.ean import Ean
from services.metering.expected import Installed

NAME: Final = "installation"
TOPIC: Final = "register-events"
metadata: Final = MetaData()

installed_point: Final = Table(
    "installed_point",
    metadata,
    Column("ean", BigInteger, nullable=False, comment="measured point: EAN-18 as a number"),
    Column("head_ean", BigInteger, nullable=False, comment="its head point; itself for a head point"),
    Column("energy", String, nullable=False, comment="E or G"),
    Column("meter_kind", SmallInteger, nullable=False, comment="market.channel.MeterKind"),
    Column("kind", String, nullable=False, comment="empty for a head point; else OFFTAKE, PRODUCTION or AUXILIARY"),
    Column("first_on", Date, nullable=False, comment="first local day (gas: gas day) on which it is there, inclusive"),
    Column("last_on", Date, comment="last such day, inclusive; null while it is there"),
    Column("record_partition", SmallInteger, nullable=False, comment="partition of register-events with its head"),
    PrimaryKeyConstraint("ean"),
    comment="Points from which readings are expected, as the register has them.",
)
installed_direction: Final = Table(
    "installed_direction",
    metadata,
    Column("ean", BigInteger, nullable=False, comment="head point"),
    Column("direction", String, nullable=False, comment="OFFTAKE or INJECTION"),
    Column("first_on", Date, nullable=False, comment="first local day on which it is used, inclusive"),
    Column("record_partition", SmallInteger, nullable=False, comment="partition of register-events with its point"),
    PrimaryKeyConstraint("ean", "direction"),
    comment="In which directions each head point is used.",
)
_DIRECTIONS: Final = {"OFFTAKE": ("OFFTAKE",), "INJECTION": ("INJECTION",), "BOTH": ("OFFTAKE", "INJECTION")}


def installation_projection(engine: Engine, partition_count: int) -> EventProjection:
    """Return the projection that keeps these tables up to date."""
    return EventProjection(name=NAME, topic=TOPIC, engine=engine, project=project, partition_count=partition_count)


def project(tx: Connection, envelope: Envelope) -> None:
    """Write the rows of one event.

    Raises:
        Unusable: it speaks of a point that was never registered, or of a direction that is none.
    """
    match envelope.event:
        case AccessPointRegistered() as event:
            row = {"energy": event.energy, "meter_kind": MeterKind[event.meter_kind], "first_on": event.registered_on}
            _put_point(tx, envelope, event.ean, {**row, "head_ean": int(event.ean), "kind": ""})
        case AllocationPointAdded() as event:
            _add_directions(tx, envelope, event)
        case SubHeadPointAdded() as event:
            row = {"energy": Energy.ELECTRICITY, "meter_kind": MeterKind.AMR, "first_on": event.added_on}
            _put_point(tx, envelope, event.sub_ean, {**row, "head_ean": int(event.ean), "kind": event.kind})
        case AccessPointClosed() as event:
            _close(tx, event)
        case _:
            pass  # who lives there, and which meter it is, changes nothing of what is expected


def _put_point(tx: Connection, envelope: Envelope, ean: Ean, row: dict[str, Any]) -> None:
    row = {**row, "record_partition": envelope.partition}
    statement = insert(installed_point).values(ean=int(ean), **row)
    tx.execute(statement.on_conflict_do_update(index_elements=["ean"], set_=row))


def _add_directions(tx: Connection, envelope: Envelope, event: AllocationPointAdded) -> None:
    if event.direction not in _DIRECTIONS:
        raise Unusable("an allocation point has a direction that is not known")
    for direction in _DIRECTIONS[event.direction]:
        statement = insert(installed_direction).values(
            ean=int(event.ean), direction=direction, first_on=event.added_on, record_partition=envelope.partition
        )
        earliest = func.least(installed_direction.c.first_on, statement.excluded.first_on)
        tx.execute(statement.on_conflict_do_update(index_elements=["ean", "direction"], set_={"first_on": earliest}))


def _close(tx: Connection, event: AccessPointClosed) -> None:
    point = installed_point.c
    statement = update(installed_point).where(point.head_ean == int(event.ean)).values(last_on=event.last_on)
    if not tx.execute(statement.returning(literal(1))).all():
        raise Unusable("a point that was never registered was closed")


def read_installed(connection: Connection, eans: Iterable[Ean]) -> dict[Ean, Installed]:
    """Return what is installed at those of `eans` that the register knows."""
    wanted = [int(ean) for ean in eans]
    rows = connection.execute(select(installed_point).where(installed_point.c.ean.in_(wanted))).all()
    return {each.ean: each for each in _with_directions(connection, rows)}


def read_installed_on(connection: Connection, day: date, after: Ean | None, limit: int) -> list[Installed]:
    """Return at most `limit` points that are there on `day`, by EAN, behind `after`."""
    point = installed_point.c
    is_there = (point.first_on <= day) & func.coalesce(point.last_on >= day, literal(value=True))
    query = select(installed_point).where(is_there, point.ean > int(after or 0)).order_by(point.ean).limit(limit)
    return _with_directions(connection, connection.execute(query).all())


def _with_directions(connection: Connection, rows: Any) -> list[Installed]:
    use = installed_direction.c
    found: dict[int, dict[str, date]] = {}
    for ean, direction, first_on in connection.execute(
        select(use.ean, use.direction, use.first_on).where(use.ean.in_([row.ean for row in rows]))
    ):
        found.setdefault(ean, {})[direction] = first_on
    return [
        Installed(
            ean=Ean(f"{row.ean:018d}"),
            energy=Energy(row.energy),
            meter_kind=MeterKind(row.meter_kind),
            kind=row.kind,
            first_on=row.first_on,
            last_on=row.last_on,
            directions=found.get(row.ean, {}),
        )
        for row in rows
    ]
