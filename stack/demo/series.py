"""A channel's values over many days, and how it is cut into the blocks that metering takes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from market.channel import Channel, MeterKind
from market.ean import Ean
from market.quality import Quality
from stack.demo.blemishes import Bools
from stack.demo.timeline import Ints

MISSING: Final = -(2**31)
Codes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Series:
    """One channel of one point and meter. Slices of day i of `days` are [first[i], first[i + 1]).

    `values` are whole Wh, varh or dm³, `MISSING` where there is none; `quality` and `factor` are codes of
    `market.quality`, `factor` None where the channel has none. `sent_at` (UTC) is when the source sent all of it; None:
    each day when it ended.
    """

    ean: Ean
    meter_kind: MeterKind
    meter_id: str
    channel: Channel
    days: tuple[date, ...]
    first: tuple[int, ...]
    values: Ints
    quality: Codes
    factor: Codes | None = None
    sent_at: datetime | None = None

    def only(self, is_kept: Bools) -> Series:
        """Return the series with everything else missing."""
        return replace(
            self,
            values=np.where(is_kept, self.values, MISSING),
            quality=np.where(is_kept, self.quality, Quality.MISSING).astype(np.uint8),
            factor=None if self.factor is None else np.where(is_kept, self.factor, 0).astype(np.uint8),
        )
