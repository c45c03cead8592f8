"""What metering publishes: readings as they came in, and what applying them did."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from eventlog.events.event import Event
from market.ean import Ean


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingsRecorded(Event):
    """One channel of one point and meter for one local (gas) day, or a part of it.

    `values` holds little-endian int32, one per slice from `first_slice` on, in the channel's stored unit
    (Wh, varh, dm³, W); -2147483648 is missing. `quality` and `gas_factor` are run-length: code, count, code, count, ...
    (codes of `market.quality`); `gas_factor` is empty where the channel has none. `day` is the local day (gas: gas
    day); a monthly slice carries the first day of its month. `source_at` (UTC) and `source_sequence` order competing
    messages. `meter_id` is "" for a point measured as a whole. `meter_kind` is a name of `market.channel.MeterKind`
    and `channel` one of `market.channel.BY_NAME`. With `withdraws` the slices named become missing; `values` are then
    all missing.
    """

    message_id: str
    source: str
    source_at: datetime
    source_sequence: int
    ean: Ean
    meter_id: str
    meter_kind: str
    channel: str
    day: date
    first_slice: int
    values: bytes
    quality: tuple[int, ...]
    gas_factor: tuple[int, ...]
    withdraws: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RunArrival:
    """What came of one source, for one day and one energy, in a run; counts are of blocks. `energy` is ELECTRICITY or
    GAS.

    `new_count` first seen; `completed_count` got the last value that was missing; `late_count` of the new ones, by
    `market.deadline.readings_due_at`; `revised_count` existing ones that changed.
    """

    source: str
    day: date
    energy: str
    new_count: int
    completed_count: int
    late_count: int
    revised_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunApplied(Event):
    """One committed run of the quarter-hour store: records [first_offset, next_offset) of one partition.

    Counts are of blocks: `new_count` first seen, `revised_count` changed an existing block, `unchanged_count` changed
    nothing (sent twice, or outranked), `parked_count` could not be used. `oldest_day` and `newest_day` are the bounds
    (inclusive) of the days touched; equal to each other where there is one. `arrivals` says the same by source, day and
    energy, ordered so; empty in what version 1 wrote.
    """

    topic: str
    partition: int
    first_offset: int
    next_offset: int
    new_count: int
    revised_count: int
    unchanged_count: int
    parked_count: int
    oldest_day: date
    newest_day: date
    arrivals: tuple[RunArrival, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockRevised(Event):
    """An existing block got other values, qualities or factors. `changed_count` is a number of slices."""

    ean: Ean
    meter_id: str
    channel: str
    day: date
    changed_count: int
    source: str
    message_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterIndexRead(Event):
    """What a register of a meter showed on the local day `read_on`; whole units (Wh, varh or dm³), not negative.

    Point, meter, register and day say which reading it is; the message latest by (`source_at` UTC, `source_sequence`,
    content) holds. `meter_kind` is a name of `market.channel.MeterKind`, `register` one of
    `market.meter_register.REGISTERS`, `kind` one of its `ReadingKind`, `quality` one of `market.quality.Quality`. With
    `withdraws` there is no such reading: `index` is then 0, `kind` and `quality` are UNKNOWN.
    """

    message_id: str
    source: str
    source_at: datetime
    source_sequence: int
    ean: Ean
    meter_id: str
    meter_kind: str
    register: str
    read_on: date
    index: int
    kind: str
    quality: str
    withdraws: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumptionPeriodRecorded(Event):
    """The volume that a register counted from `first_day` to `last_day`: local days (gas: gas days), inclusive.

    Point, meter ("" for a point taken as a whole), register and first day say which period it is. Units, names, order
    and `withdraws` are those of `MeterIndexRead`.
    """

    message_id: str
    source: str
    source_at: datetime
    source_sequence: int
    ean: Ean
    meter_id: str
    meter_kind: str
    register: str
    first_day: date
    last_day: date
    volume: int
    quality: str
    withdraws: bool
