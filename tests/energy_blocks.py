"""Blocks as metering sends them to export, for the tests of the data access API's answers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import numpy as np

from market.channel import BY_NAME, MeterKind
from market.local_time import slice_count
from market.quality import GasFactor, Quality
from services.export.energy.columns import MISSING, Block
from tests.examples import HOUSE_METER

RECORDED_AT = datetime(2026, 10, 27, 4, 0, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def micros(instant: datetime) -> int:
    """µs since 1970 (UTC)."""
    return (instant - _EPOCH) // timedelta(microseconds=1)


def packed(
    channel: str,
    day: date,
    values: Sequence[int | None] | int,
    *,
    meter_id: str = HOUSE_METER,
    kind: MeterKind = MeterKind.DIGITAL,
    quality: Quality | Sequence[Quality] = Quality.MEASURED,
    factor: GasFactor | Sequence[GasFactor] | None = None,
    recorded_at: datetime | Sequence[datetime] = RECORDED_AT,
) -> Block:
    """One day of `channel`: one value for every slice of the calendar, or just these."""
    which = BY_NAME[channel]
    count = slice_count(which.energy, which.resolution, day)
    given = values if isinstance(values, Sequence) else [values] * count
    is_there = [value is not None for value in given]
    instants = recorded_at if isinstance(recorded_at, Sequence) else [recorded_at] * count
    qualities = quality if isinstance(quality, Sequence) else [quality] * count
    factors = factor if isinstance(factor, Sequence) else [factor or GasFactor.NONE] * count
    return Block(
        day=day,
        channel=which,
        meter_id=meter_id,
        meter_kind=kind,
        values=np.array([MISSING if value is None else value for value in given], dtype="<i4").tobytes(),
        quality=bytes(each if there else 0 for each, there in zip(qualities, is_there, strict=True)),
        gas_factor=b"" if factor is None else bytes(f if t else 0 for f, t in zip(factors, is_there, strict=True)),
        recorded_at=np.array(
            [micros(each) if there else 0 for each, there in zip(instants, is_there, strict=True)], dtype="<i8"
        ).tobytes(),
    )
