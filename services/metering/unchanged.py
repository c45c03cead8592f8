"""Whether a reading says anything that the current block does not say already. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from eventlog.events import ReadingsRecorded
from market.channel import BY_NAME, MeterKind
from market.quality import GasFactor, Quality
from services.metering.packing import MISSING, expand_runs, unpack_values

BlockKey = tuple[str, int, date, str]

_CODE: Final = np.uint8


@dataclass(frozen=True, slots=True, kw_only=True)
class Current:
    """The current slices of one block, one entry each for the whole day."""

    meter_kind: int
    values: NDArray[np.int32]
    quality: NDArray[np.uint8]
    gas_factor: NDArray[np.uint8]


def key_of(event: ReadingsRecorded) -> BlockKey:
    """The block that `event` speaks of: EAN, code of the channel, day, meter."""
    return event.ean, BY_NAME[event.channel].code, event.day, event.meter_id


def currents_of(table: Any) -> dict[BlockKey, Current]:
    """Return the blocks in a table as `store.read_blocks` gives it (pyarrow)."""
    return {
        (row["ean"], row["channel"], row["day"], row["meter_id"]): Current(
            meter_kind=row["meter_kind"],
            values=np.frombuffer(row["values"], dtype="<i4"),
            quality=np.frombuffer(row["quality"], dtype=_CODE),
            gas_factor=np.frombuffer(row["gas_factor"] or bytes(row["slice_count"]), dtype=_CODE),
        )
        for row in table.to_pylist()
    }


def is_unchanged(event: ReadingsRecorded, currents: Mapping[BlockKey, Current]) -> bool:
    """Whether the current block has the same value, quality and factor in every slice for which `event` has a value.

    A missing slice says nothing, as long as there is a block at all. A withdrawal always says something: it also keeps
    out older values that are still to come.
    """
    current = currents.get(key_of(event))
    if current is None or event.withdraws or current.meter_kind != MeterKind[event.meter_kind]:
        return False
    values = unpack_values(event.values)
    count = len(values)
    own = slice(event.first_slice, event.first_slice + count)
    is_given = values != MISSING
    quality = expand_runs("quality", event.quality, count, greatest=max(Quality))
    factor = expand_runs("gas_factor", event.gas_factor or (0, count), count, greatest=max(GasFactor))
    is_same = (current.values[own] == values) & (current.quality[own] == quality) & (current.gas_factor[own] == factor)
    return bool(np.all(is_same | ~is_given))
