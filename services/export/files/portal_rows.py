"""Which rows a portal file has, and their order: printed start, summer before winter, offtake before injection."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from typing import Final

from market.channel import Channel, Quantity
from market.local_time import BRUSSELS
from services.export.domain.series import Series, Slice

_ORDER: Final = {
    Quantity.ACTIVE: 0,
    Quantity.REACTIVE: 1,
    Quantity.CAPACITIVE: 2,
    Quantity.INDUCTIVE: 3,
    Quantity.GAS_VOLUME: 4,
    Quantity.GAS_ENERGY: 5,
    Quantity.PEAK: 6,
    Quantity.GAS_PEAK: 7,
}


@dataclass(frozen=True, slots=True)
class PortalRow:
    """One row: a slice of a series, and its start as printed (Brussels wall time without offset)."""

    printed_start: datetime
    series: Series
    slice: Slice


def portal_rows(series: Sequence[Series], last_day: date) -> list[PortalRow]:
    """The rows of `series` in the order of the file, up to local midnight of `last_day`.

    Where two meters share a slice, the row is of the meter that measured; of a slice that none measured, of the one
    that measured last before it.
    """
    by_channel: dict[Channel, list[Series]] = defaultdict(list)
    for entry in series:
        by_channel[entry.channel].append(entry)
    keyed = [
        ((printed, slice_.start, rank), PortalRow(printed, entry, slice_))
        for rank, channel in enumerate(sorted(by_channel, key=_rank))
        for entry, slice_ in _measured_once(by_channel[channel])
        if (printed := slice_.start.astimezone(BRUSSELS).replace(tzinfo=None)).date() <= last_day
    ]
    keyed.sort(key=lambda pair: pair[0])
    return [row for _, row in keyed]


def _rank(channel: Channel) -> tuple[int, int, int]:
    return channel.direction, _ORDER[channel.quantity], channel.register


def _measured_once(series: Sequence[Series]) -> Iterator[tuple[Series, Slice]]:
    """The slices of one channel, each with its meter; `series` stand in the order in which their meters began."""
    if len(series) == 1:
        yield from ((series[0], slice_) for slice_ in series[0].slices)
        return
    pairs = sorted(((entry, slice_) for entry in series for slice_ in entry.slices), key=lambda pair: pair[1].start)
    newest: Series | None = None
    for _, group in groupby(pairs, key=lambda pair: pair[1].start):
        candidates = list(group)
        measured = [pair for pair in candidates if pair[1].value is not None]
        if measured:
            newest = measured[-1][0]
        yield from measured or [next((pair for pair in candidates if pair[0] is newest), candidates[0])]
