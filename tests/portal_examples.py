"""Series as export answers them, for the tests of the portal. Values are in kWh, exact."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from market.channel import BY_NAME, Energy
from market.local_time import slice_bounds
from services.portal.readings import Readings, Series, Slice

OFFTAKE = "OFFTAKE_ACTIVE_QUARTER_HOURLY"
INJECTION = "INJECTION_ACTIVE_QUARTER_HOURLY"
OFFTAKE_DAY = "OFFTAKE_ACTIVE_DAY_DAILY"
OFFTAKE_NIGHT = "OFFTAKE_ACTIVE_NIGHT_DAILY"
GAS = "OFFTAKE_GAS_ENERGY_HOURLY"


def series(
    channel: str,
    first_on: date,
    values: Sequence[str | None],
    *,
    estimated: Collection[int] = (),
    meter_id: str = "1SAG0000000001",
) -> Series:
    """One series from the first slice of `first_on` on; `values[i]` None is missing."""
    kind = BY_NAME[channel]
    starts: list[Slice] = []
    day = first_on
    while len(starts) < len(values):
        bounds = slice_bounds(kind.energy, kind.resolution, day)
        for start, end in pairwise(bounds):
            if len(starts) < len(values):
                starts.append(_slice(start, end, values[len(starts)], len(starts) in estimated))
        day += timedelta(days=1)
    present = [entry.value for entry in starts if entry.value is not None]
    return Series(
        channel=kind,
        meter_id=meter_id,
        unit=kind.unit,
        total=sum(present, start=Decimal(0)) if present else None,
        expected=len(values),
        present=len(present),
        missing=len(values) - len(present),
        estimated=sum(entry.is_estimated for entry in starts),
        slices=tuple(starts),
    )


def readings(*lines: Series, energy: Energy = Energy.ELECTRICITY) -> Readings:
    """The readings of a digital meter."""
    return Readings(energy=energy, meter_kind="DIGITAL", series=lines)


def _slice(start: datetime, end: datetime, value: str | None, is_estimated: bool) -> Slice:
    state = "" if value is None else "EST" if is_estimated else "READ"
    return Slice(
        start=start,
        end=end,
        value=None if value is None else Decimal(value),
        state=state,
        factor="",
    )
