"""The body of `GET /api/mandate/energy`: what a point consists of, each part with its series."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from market.channel import Direction
from market.ean import Ean
from services.export.domain.intervals import END
from services.export.domain.permissions import PointFacts, SubHeadPoint
from services.export.energy.axis import Axis
from services.export.energy.columns import Block, MeterBlocks, by_meter, together
from services.export.energy.series import Body, Part, Span, Wanted, write_series


def write_energy(
    facts: PointFacts, blocks: Mapping[Ean, Sequence[Block]], wanted: Wanted, *, fetched_at: datetime
) -> Body | None:
    """Return the body for the point of `facts`; None where nothing of it may leave or is there.

    `blocks` are those of the point and of its sub head points, by EAN.

    Raises:
        DamagedBlocks: a block does not fit its day.
    """
    days = [each.day for own in blocks.values() for each in own if wanted.first_day <= each.day <= wanted.last_day]
    if not days:
        return None
    span = Span(facts.energy, replace(wanted, first_day=min(days), last_day=max(days)))
    meters = by_meter(blocks.get(facts.ean, ()), span.slices)
    physical = list(_physical(facts, [each for each in meters if not each.is_amr], span))
    head = write_series(together([each for each in meters if each.is_amr]), span, _every(span.slices))
    subs = list(_sub_head_points(facts.sub_head_points, blocks, span))
    count = sum(each.value_count for each in (head, *physical, *subs))
    if not count:
        return None
    kind = _type(bool(head.value_count or subs), bool(physical))
    meta = _object({"fetchTime": f"{fetched_at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}Z"})
    opening = _object({"$type": kind, "ean": facts.ean, "energyType": facts.energy})
    pieces = [b'{"_meta":', meta, b',"data":{"headpoint":', opening[:-1], *head.pieces]
    pieces += [*_list("physicalMeters", physical), *_list("subHeadpoints", subs), b"}}}"]
    return Body(b"".join(pieces), count)


def _list(name: str, parts: Sequence[Part]) -> list[bytes]:
    """A field with a comma in front and a list of objects as its value; nothing where there are none."""
    if not parts:
        return []
    inside = [piece for part in parts for piece in (b",", *part.pieces)]
    return [f',"{name}":['.encode(), *inside[1:], b"]"]


def _type(has_headpoint: bool, has_meters: bool) -> str:
    if has_headpoint and has_meters:
        return "metering-on-headpoint-and-meter"
    return "metering-on-headpoint" if has_headpoint else "metering-on-meter"


def _every(axis: Axis) -> NDArray[np.bool_]:
    return np.ones(axis.count, dtype=np.bool_)


def _physical(facts: PointFacts, meters: Sequence[MeterBlocks], span: Span) -> Iterator[Part]:
    """The meters that have something to give, by the numbers that register gave them."""
    placed = sorted((_identity(facts, meter, place), place, meter) for place, meter in enumerate(meters, start=1))
    for (number, meter_id), _, meter in placed:
        found = write_series(meter, span, _period(facts, meter_id, span.slices))
        if found.value_count:
            opening = _object({"seqNumber": str(number), "meterID": meter_id})
            yield Part((opening[:-1], *found.pieces, b"}"), found.value_count)


def _identity(facts: PointFacts, meter: MeterBlocks, place: int) -> tuple[int, str]:
    """Sequence number and meter number; readings that name no meter are of the point's only one, where it has one."""
    known = {each.meter_id: each.sequence_number for each in facts.meters}
    if not meter.meter_id and len(known) == 1:
        [(meter_id, number)] = known.items()
        return number, meter_id
    return known.get(meter.meter_id, place), meter.meter_id


def _period(facts: PointFacts, meter_id: str, axis: Axis) -> NDArray[np.bool_]:
    """Which slices the meter has to measure: those in its periods, or all where register does not know it."""
    periods = tuple((each.installed_at, each.removed_at or END) for each in facts.meters if each.meter_id == meter_id)
    return axis.within(periods) if periods else _every(axis)


def _sub_head_points(
    points: Iterable[SubHeadPoint], blocks: Mapping[Ean, Sequence[Block]], span: Span
) -> Iterator[Part]:
    for point in sorted(points, key=lambda each: each.sequence_number):
        meter = together(by_meter(blocks.get(point.ean, ()), span.slices))
        found = write_series(meter, span, _every(span.slices))
        if found.value_count:
            yield Part((_object(_described(point))[:-1], *found.pieces, b"}"), found.value_count)


def _described(point: SubHeadPoint) -> dict[str, Any]:
    fields = {"$type": f"submetering-{point.kind.lower()}", "ean": point.ean, "seqNumber": str(point.sequence_number)}
    if point.kind == Direction.PRODUCTION.name:
        fields |= {"vregId": point.installation_id, "type": point.production_type or "?"}
    return fields


def _object(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode()
