"""What of export can be made again: its two projections, and none of the credentials."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Final

from sqlalchemy import Engine, Table

from eventlog.passed_over import PassedOver
from eventlog.projection import EventProjection
from eventlog.topics import load_topics
from eventlog.versions import OwnTable, Rebuildable, create_own
from services.export import tables
from services.export.facts import MANDATE_EVENTS, OCCUPANCY, PERMISSION, REGISTER_EVENTS
from services.export.projector import occupancy_projection, permission_projection
from services.export.settings import ExportSettings

_RUN_RECORDS: Final = 1_000
_KEYS: Final = {tables.contract: "contract_number"}
_PERMISSION: Final = (tables.mandate, tables.contract)
_OCCUPANCY: Final = (
    tables.access_point,
    tables.allocation_point,
    tables.sub_head_point,
    tables.meter_period,
    tables.occupancy,
)

_Make = Callable[[Engine, int], EventProjection]


def rebuildables(settings: ExportSettings) -> Mapping[str, Rebuildable]:
    """Return the projections of export by name."""
    counts = {name: topic.partitions for name, topic in load_topics(settings.topics_profile).items()}
    passed_over = PassedOver.parse(settings.passed_over)

    def permission(engine: Engine, count: int) -> EventProjection:
        return replace(permission_projection(engine, count), passed_over=passed_over)

    def occupancy(engine: Engine, count: int) -> EventProjection:
        return replace(occupancy_projection(engine, count), passed_over=passed_over)

    return {
        PERMISSION: _rebuildable(PERMISSION, MANDATE_EVENTS, counts[MANDATE_EVENTS], _PERMISSION, permission),
        OCCUPANCY: _rebuildable(OCCUPANCY, REGISTER_EVENTS, counts[REGISTER_EVENTS], _OCCUPANCY, occupancy),
    }


def _rebuildable(name: str, topic: str, count: int, own: tuple[Table, ...], make: _Make) -> Rebuildable:
    kept = tuple(OwnTable(each, key=_KEYS.get(each, "ean")) for each in own)

    @contextmanager
    def lend(engine: Engine, _url: str) -> Iterator[EventProjection]:
        yield make(engine, count)

    return Rebuildable(
        name=name,
        topic=topic,
        partition_count=count,
        tables=kept,
        create=partial(create_own, tables=kept),
        open=lend,
        max_run_records=_RUN_RECORDS,
    )
