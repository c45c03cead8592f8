"""What ingest takes in, whatever form it came in: slices of one channel, point, meter and day; and refusals."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from market.channel import Channel, MeterKind
from market.ean import Ean
from market.quality import GasFactor, Quality


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockInput:
    """Consecutive slices of one channel, point, meter and local (gas) day, as they came in.

    `values[i]` belongs to slice `first_slice + i` of `day`, in whole stored units (Wh, varh, dm³ or W); None is
    missing and has quality MISSING. `quality` is as long as `values`; `gas_factor` too, or empty where the
    channel has none. `line` is the first line of the source, counted from 1; 0 where there are no lines.
    """

    ean: Ean
    meter_id: str
    meter_kind: MeterKind
    channel: Channel
    day: date
    first_slice: int
    values: tuple[int | None, ...]
    quality: tuple[Quality, ...]
    gas_factor: tuple[GasFactor, ...] = ()
    line: int = 0


@dataclass(frozen=True, slots=True)
class Refusal:
    """A line (counted from 1) that was not taken, and why, in one sentence for its sender."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalFile:
    """What a portal file held: the blocks that were read and the lines that were refused, both in order of line.

    `tariff_mismatch_count` counts rows that were kept although their day or night register disagrees with the
    calendar of their meter.
    """

    blocks: list[BlockInput]
    refusals: list[Refusal]
    tariff_mismatch_count: int = 0
