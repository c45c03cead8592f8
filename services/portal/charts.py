"""From series to a Vega-Lite chart: bars up for offtake, down for injection, hatched where nothing was measured. Pure.

Every position is computed here; the drawing adds scales and axes only. Colours come from the style sheet through the
names of the layers, patterns through `url(#...)` fills that the page defines once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from itertools import groupby

from market.channel import Direction, Quantity, Register, Resolution
from services.portal.readings import Series, Slice

ZERO = Decimal(0)


class Look(StrEnum):
    """How a bar is filled: plain, striped, or an outline only for the sum of an incomplete day."""

    MEASURED = ""
    ESTIMATED = "estimated_"
    PARTIAL = "partial_"


@dataclass(frozen=True, slots=True)
class Bar:
    """A value from `low` to `high` (below zero for injection) over slot `slot`; `kind` names its colour."""

    slot: int
    low: Decimal
    high: Decimal
    kind: str
    look: Look


@dataclass(frozen=True, slots=True)
class Gap:
    """Slots `first` to `last`, both inside, without a measurement; on the lower side for injection."""

    first: int
    last: int
    is_below: bool


@dataclass(frozen=True, slots=True)
class Chart:
    """One quantity over the slots of a period: half-open UTC intervals, one bar or gap on each side."""

    name: str
    quantity: Quantity
    resolution: Resolution
    unit: str
    series: tuple[Series, ...]
    slots: tuple[tuple[datetime, datetime], ...]
    bars: tuple[Bar, ...]
    gaps: tuple[Gap, ...]

    @property
    def has_injection(self) -> bool:
        return any(entry.points_down for entry in self.series)

    @property
    def top(self) -> Decimal:
        """The highest value above zero."""
        return max((bar.high for bar in self.bars), default=ZERO)

    @property
    def bottom(self) -> Decimal:
        """The lowest value, zero or below."""
        return min((bar.low for bar in self.bars), default=ZERO)

    @property
    def looks(self) -> list[tuple[str, Look]]:
        """The colours and looks of its bars, in the order of the series; for the legend."""
        there = {(bar.kind, bar.look) for bar in self.bars}
        kinds = dict.fromkeys(kind_of(entry) for entry in self.series)
        return [(kind, look) for kind in kinds for look in Look if (kind, look) in there]


def charts_of(series: Sequence[Series]) -> list[Chart]:
    """One chart per quantity, energy first; production and auxiliary use have their own."""
    ordered = sorted(series, key=lambda entry: (_rank(entry), entry.channel))
    return [_chart(name, _without_doubles(list(group))) for (_, name), group in groupby(ordered, key=_rank)]


def kind_of(series: Series) -> str:
    """The name of the colour of a series, such as `offtake` or `injection_night`."""
    night = "_night" if series.channel.register is Register.NIGHT else ""
    return series.channel.direction.name.lower() + night


def _rank(series: Series) -> tuple[int, str]:
    channel = series.channel
    first = channel.quantity in (Quantity.ACTIVE, Quantity.GAS_ENERGY)
    direction = "" if channel.direction in (Direction.OFFTAKE, Direction.INJECTION) else f"_{channel.direction.name}"
    return (0 if first else 1 + channel.quantity) + 100 * channel.direction * bool(direction), (
        f"{channel.quantity.name}{direction}".lower()
    )


def _without_doubles(series: list[Series]) -> list[Series]:
    """Leave out a day total where its day and night registers are there too: they would be stacked twice."""
    split = {_side(entry) for entry in series if entry.channel.register is not Register.TOTAL and entry.present}
    totals = {_side(entry) for entry in series if entry.channel.register is Register.TOTAL}
    return [
        entry
        for entry in series
        if _side(entry) not in totals or (_side(entry) in split) is (entry.channel.register is not Register.TOTAL)
    ]


def _side(series: Series) -> tuple[Direction, str]:
    return series.channel.direction, series.meter_id


def _chart(name: str, series: Sequence[Series]) -> Chart:
    slots = sorted({(entry.start, entry.end) for line in series for entry in line.slices})
    sides = [
        (is_below, [entry for entry in series if entry.points_down is is_below])
        for is_below in (False, True)
        if any(entry.points_down is is_below for entry in series)
    ]
    return Chart(
        name=name,
        quantity=series[0].channel.quantity,
        resolution=series[0].channel.resolution,
        unit=series[0].unit,
        series=tuple(series),
        slots=tuple(slots),
        bars=tuple(bar for is_below, side in sides for bar in _bars(slots, side, -1 if is_below else 1)),
        gaps=tuple(gap for is_below, side in sides for gap in _gaps(slots, side, is_below)),
    )


def _bars(slots: Sequence[tuple[datetime, datetime]], side: Sequence[Series], sign: int) -> Iterable[Bar]:
    reached = dict.fromkeys((start for start, _ in slots), ZERO)
    place = {start: index for index, (start, _) in enumerate(slots)}
    night_first = sorted(side, key=lambda entry: (-entry.channel.register, entry.meter_id))
    for series in night_first:
        for entry in series.slices:
            value, look = _value_and_look(entry)
            if value is None:
                continue
            low, high = reached[entry.start], reached[entry.start] + value
            reached[entry.start] = high
            ends = sorted((low * sign, high * sign))
            yield Bar(place[entry.start], ends[0], ends[1], kind_of(series), look)


def _value_and_look(entry: Slice) -> tuple[Decimal | None, Look]:
    if entry.value is None and entry.partial is not None:
        return entry.partial.value, Look.PARTIAL
    return entry.value, Look.ESTIMATED if entry.is_estimated else Look.MEASURED


def _gaps(slots: Sequence[tuple[datetime, datetime]], side: Sequence[Series], is_below: bool) -> Iterable[Gap]:
    """Runs of slots where a meter was due and not one of them has a value."""
    measured = {entry.start for series in side for entry in series.slices if entry.value is not None}
    empty = [index for index, (start, _) in enumerate(slots) if start not in measured]
    for _, run in groupby(enumerate(empty), key=lambda pair: pair[1] - pair[0]):
        indexes = [index for _, index in run]
        yield Gap(indexes[0], indexes[-1], is_below)
