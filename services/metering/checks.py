"""What a reading must be for the store to keep it: each rule over a whole run at once, and the reason when broken.

Ingest says the same to senders in kinder words; what stands here keeps the store whole whoever wrote to the topic.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from eventlog.reason import Reason, Rule
from market.channel import BY_CODE, Quantity, Resolution
from market.local_time import slice_count
from market.quality import GasFactor, Quality
from services.metering.blocks import day_from_number

_WIDTH: Final = 4
_OLDEST_DAY: Final = date(1990, 1, 1)
_NEWEST_DAY: Final = date(2199, 12, 31)
_OLDEST_SOURCE: Final = datetime(1990, 1, 1, tzinfo=UTC)
_NEWEST_SOURCE: Final = datetime(2200, 1, 1, tzinfo=UTC)
_TEXT_BYTES: Final = {"message_id": 100, "source": 100, "meter_id": 64}
_MONTHLY: Final = [code for code, channel in BY_CODE.items() if channel.resolution is Resolution.MONTHLY]
_WITH_FACTOR: Final = [code for code, channel in BY_CODE.items() if channel.quantity is Quantity.GAS_ENERGY]


def check_readings(frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[int, Reason]]:
    """Return the readings that can be kept, and why the others cannot, by their `row`.

    Takes what `decode` gives, with the key of each record in `key`. Adds `spoken_count`, how many slices a reading is
    about, and `slice_count`, how many its day has.
    """
    kept, refused = _split(frame, _NAME_RULES)
    spoken = (kept["values"].bin.size() // _WIDTH).cast(pl.Int64)
    counted = kept.with_columns(
        spoken.alias("spoken_count"),
        pl.Series("slice_count", _slice_counts(kept), dtype=pl.Int64),
        _are_bad_runs(kept["quality"], spoken.to_numpy(), max(Quality)).alias("has_bad_quality"),
        _are_bad_runs(kept["gas_factor"], spoken.to_numpy(), max(GasFactor)).alias("has_bad_factor"),
    )
    kept, more = _split(counted, _SLICE_RULES)
    return kept.drop("has_bad_quality", "has_bad_factor"), refused | more


def _split(frame: pl.DataFrame, rules: list[tuple[pl.Expr, Reason]]) -> tuple[pl.DataFrame, dict[int, Reason]]:
    """Return the rows that break no rule, and the first broken rule of each other."""
    first_broken = pl.coalesce(*(pl.when(is_broken).then(place) for place, (is_broken, _) in enumerate(rules)))
    judged = frame.with_columns(first_broken.alias("broken"))
    if judged["broken"].null_count() == len(frame):
        return frame, {}
    bad = judged.filter(pl.col("broken").is_not_null())
    kept = judged.filter(pl.col("broken").is_null()).drop("broken")
    return kept, {row: rules[place][1] for row, place in zip(bad["row"], bad["broken"], strict=True)}


def _slice_counts(frame: pl.DataFrame) -> NDArray[np.int64]:
    """Return how many slices the calendar gives each row's day."""
    channels = frame["channel"].to_numpy().astype(np.int64)
    days = frame["day"].to_physical().to_numpy().astype(np.int64)
    distinct, inverse = np.unique((channels << 32) | days, return_inverse=True)
    counts = [_slice_count(int(each >> 32), int(each & 0xFFFFFFFF)) for each in distinct]
    return np.array(counts, dtype=np.int64)[inverse]


def _slice_count(code: int, day: int) -> int:
    channel = BY_CODE[code]
    return slice_count(channel.energy, channel.resolution, day_from_number(day))


def _is_bad_text(name: str, greatest: int) -> pl.Expr:
    text = pl.col(name)
    return (text.str.len_bytes() > greatest) | text.str.contains("\0", literal=True)


def _are_bad_runs(runs: pl.Series, spoken: NDArray[np.int64], greatest_code: int) -> pl.Series:
    """Return which of `runs` are no pairs of a known code and a count that sum to `spoken`; an empty one is not bad."""
    lengths = runs.list.len().to_numpy().astype(np.int64)
    is_paired = (lengths > 0) & (lengths % 2 == 0)
    flat = runs.filter(pl.Series(is_paired)).explode().to_numpy().astype(np.int64)
    codes, counts = flat[0::2], flat[1::2]
    rows = np.repeat(np.flatnonzero(is_paired), lengths[is_paired] // 2)
    is_bad = lengths % 2 == 1
    is_bad[rows[(codes < 0) | (codes > greatest_code) | (counts < 1)]] = True
    sums = np.zeros(len(runs), dtype=np.int64)
    np.add.at(sums, rows, counts)
    return pl.Series(is_bad | (is_paired & (sums != spoken)))


_NAME_RULES: Final = [
    (pl.col("ean").cast(pl.Binary) != pl.col("key"), Reason(Rule.KEY_DIFFERS, "the EAN is not that of the key")),
    (pl.col("meter_kind") == 0, Reason(Rule.METER_KIND_UNKNOWN, "the kind of meter is unknown")),
    (pl.col("channel") < 0, Reason(Rule.CHANNEL_UNKNOWN, "the channel is unknown")),
    *(
        (
            _is_bad_text(name, greatest),
            Reason(Rule.TEXT_TOO_LONG, f"{name} is longer than {greatest} bytes or holds a NUL"),
        )
        for name, greatest in _TEXT_BYTES.items()
    ),
    (
        ~pl.col("source_at").is_between(_OLDEST_SOURCE, _NEWEST_SOURCE),
        Reason(Rule.SOURCE_AT_OUT_OF_RANGE, "source_at is no instant of this or the last century"),
    ),
    (
        ~pl.col("day").is_between(_OLDEST_DAY, _NEWEST_DAY),
        Reason(Rule.DAY_OUT_OF_RANGE, "the day is none of this or the last century"),
    ),
    (
        pl.col("channel").is_in(_MONTHLY) & (pl.col("day").dt.day() != 1),
        Reason(Rule.MONTH_NOT_ON_FIRST, "a month is not given by its first day"),
    ),
    (
        pl.col("values").bin.size() % _WIDTH != 0,
        Reason(Rule.VALUES_DAMAGED, "the values are not whole 32-bit numbers"),
    ),
]
_SLICE_RULES: Final = [
    (pl.col("spoken_count") == 0, Reason(Rule.VALUES_EMPTY, "there are no values")),
    (
        (pl.col("first_slice") < 0) | (pl.col("first_slice") + pl.col("spoken_count") > pl.col("slice_count")),
        Reason(Rule.SLICES_OUTSIDE_DAY, "the slices do not fit into the day"),
    ),
    (pl.col("quality").list.len() == 0, Reason(Rule.QUALITY_MISSING, "there is no quality")),
    (pl.col("has_bad_quality"), Reason(Rule.QUALITY_MISFIT, "the quality does not fit the values")),
    (pl.col("has_bad_factor"), Reason(Rule.FACTOR_MISFIT, "the gas factor does not fit the values")),
    (
        (pl.col("gas_factor").list.len() > 0) & ~pl.col("channel").is_in(_WITH_FACTOR),
        Reason(Rule.FACTOR_UNEXPECTED, "the channel has no gas factor"),
    ),
]
