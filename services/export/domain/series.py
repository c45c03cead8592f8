"""Blocks as metering keeps them, and series as they leave, with every slice of the period. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from market.channel import Channel, MeterKind
from market.quality import GasFactor, Quality


class Granularity(StrEnum):
    """What one row is: a quarter-hour, an hour, a local (gas) day, a month's peak, a month's total (ours)."""

    QUARTER = "quarter"
    HOUR = "hour"
    DAY = "day"
    MONTH = "month"
    MONTH_TOTAL = "month-total"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """All slices of one channel, meter and local (gas) day of a point, as metering keeps them.

    `values[i]` is in the channel's stored unit, None where missing; `quality` is as long; `gas_factor` too, or empty
    where the channel has none.
    """

    channel: Channel
    meter_id: str
    meter_kind: MeterKind
    day: date
    values: tuple[int | None, ...]
    quality: tuple[Quality, ...]
    gas_factor: tuple[GasFactor, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """One value over [start, end), UTC, in the stored unit of its series; None and MISSING where there is none.

    `day` is the local (gas) day that holds the slice; of a month its first day. `is_running` marks a month that
    has not ended yet.
    """

    start: datetime
    end: datetime
    day: date
    value: int | None
    quality: Quality = Quality.MISSING
    factor: GasFactor = GasFactor.NONE
    is_running: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """The slices of one channel and meter, in order of time and without a hole between `from` and `to` of the meter.

    Day and night registers of months carry the channel of their days. `total` is exact, in the stored unit, rounded
    once; None where nothing is present or a sum has no meaning (peaks).
    """

    channel: Channel
    meter_id: str
    meter_kind: MeterKind
    granularity: Granularity
    slices: tuple[Slice, ...]
    total: int | None

    @property
    def expected(self) -> int:
        """How many slices the calendar has in the meter's period."""
        return len(self.slices)

    @property
    def present(self) -> int:
        """How many slices have a value."""
        return sum(entry.value is not None for entry in self.slices)

    @property
    def missing(self) -> int:
        """How many slices have none."""
        return self.expected - self.present

    @property
    def estimated(self) -> int:
        """How many values are estimates, or rest on one."""
        return sum(entry.quality.is_estimated for entry in self.slices)

    @property
    def weakest(self) -> Quality:
        """The weakest quality of the values that are present; MISSING where there are none."""
        return min((entry.quality for entry in self.slices if entry.value is not None), default=Quality.MISSING)
