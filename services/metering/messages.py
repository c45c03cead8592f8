"""Readings as matrices, grouped by the slice count of their day: what the algebra of blocks works on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from eventlog.reason import Reason, Rule
from services.metering.byte_column import from_arrow
from services.metering.content import content_hashes
from services.metering.fold import Messages
from services.metering.stored_values import MISSING


@dataclass(frozen=True, slots=True)
class Group:
    """The readings of a run about days of `slice_count` slices; row `i` of `table` is row `i` of `messages`.

    `table` has the columns of `checks.check_readings` and `run_table`, and `content_hash`, `pick` (the row's own
    number) and `is_plain`: whether the reading is about the whole day and withdraws nothing.
    """

    slice_count: int
    table: pl.DataFrame
    messages: Messages


def group_readings(frame: pl.DataFrame) -> tuple[list[Group], dict[int, Reason]]:
    """Return the readings of `frame` by slice count, each group in order of offset; and why some cannot be kept."""
    groups: list[Group] = []
    refused: dict[int, Reason] = {}
    for slice_count in sorted(frame["slice_count"].unique().to_list()):
        alike = frame.filter(pl.col("slice_count") == slice_count).sort("record_offset")
        group, bad = _group(alike, slice_count)
        if bad:
            refused |= bad
            group, _ = _group(alike.filter(~pl.col("row").is_in(list(bad))), slice_count)
        groups.append(group)
    return groups, refused


def _group(table: pl.DataFrame, slice_count: int) -> tuple[Group, dict[int, Reason]]:
    first, spoken = _integers(table, "first_slice"), _integers(table, "spoken_count")
    withdraws = table["withdraws"].to_numpy()
    places, shape = _places(first, spoken, slice_count), (len(table), slice_count)
    sent = from_arrow(table["values"].to_arrow()).data.view("<i4")
    values = _matrix(sent, places, shape, int(MISSING))
    quality, factor = (_matrix(_codes(table, name), places, shape, 0) for name in ("quality", "gas_factor"))
    is_missing = values == MISSING
    bad = _contradictions(table, is_missing, quality, withdraws)
    if is_missing.any():
        quality[is_missing] = factor[is_missing] = 0
    hashes = content_hashes(values, quality, factor, first, spoken, withdraws, _integers(table, "meter_kind"))
    messages = Messages(
        values=values,
        quality=quality,
        gas_factor=factor,
        speaks=_speaks(is_missing, withdraws, places),
        source_at=_integers(table, "source_at"),
        source_sequence=_integers(table, "source_sequence"),
        content_hash=hashes,
        recorded_at=_integers(table, "recorded_at"),
    )
    table = table.with_columns(
        pl.Series("content_hash", hashes),
        pl.Series("is_plain", (spoken == slice_count) & ~withdraws),
        pl.Series("pick", np.arange(len(table))),
    )
    return Group(slice_count, table, messages), bad


def _speaks(
    is_missing: NDArray[np.bool_], withdraws: NDArray[np.bool_], places: NDArray[np.int64] | None
) -> NDArray[np.bool_]:
    speaks = ~is_missing
    if withdraws.any():
        is_named = np.ones_like(speaks)
        if places is not None:
            is_named[:] = False
            is_named.reshape(-1)[places] = True
        speaks |= withdraws[:, None] & is_named
    return speaks


def _contradictions(
    table: pl.DataFrame, is_missing: NDArray[np.bool_], quality: NDArray[np.uint8], withdraws: NDArray[np.bool_]
) -> dict[int, Reason]:
    bad: dict[int, Reason] = {}
    for is_bad, reason in (
        (
            ((quality == 0) & ~is_missing).any(axis=1),
            Reason(Rule.QUALITY_MISSING, "a slice with a value has no quality"),
        ),
        (withdraws & ~is_missing.all(axis=1), Reason(Rule.WITHDRAWAL_WITH_VALUES, "a withdrawal holds values")),
    ):
        bad |= dict.fromkeys(table["row"].to_numpy()[is_bad].tolist(), reason)
    return bad


def _places(first: NDArray[np.int64], spoken: NDArray[np.int64], slice_count: int) -> NDArray[np.int64] | None:
    """Return where each slice that a reading is about lies in the flat matrix of whole days; None: all are there."""
    if (spoken == slice_count).all():
        return None
    begins = np.cumsum(spoken) - spoken
    shift = np.arange(len(first)) * slice_count + first - begins
    return np.asarray(np.arange(int(spoken.sum())) + np.repeat(shift, spoken), dtype=np.int64)


def _matrix(flat: NDArray[Any], places: NDArray[np.int64] | None, shape: tuple[int, int], missing: int) -> NDArray[Any]:
    """Return `flat` as a matrix of whole days, `missing` where no reading is about a slice."""
    if places is None:
        return flat.reshape(shape)
    matrix = np.full(shape, missing, dtype=flat.dtype)
    matrix.reshape(-1)[places] = flat
    return matrix


def _codes(table: pl.DataFrame, name: str) -> NDArray[np.uint8]:
    """Return one code per slice that the readings are about, 0 where a reading has no runs; all rows in one array."""
    spoken = _integers(table, "spoken_count")
    runs = table[name]
    is_given = (runs.list.len() > 0).to_numpy()
    flat = runs.filter(pl.Series(is_given)).explode().to_numpy()
    given = np.repeat(flat[0::2].astype(np.uint8), flat[1::2])
    if is_given.all():
        return given
    codes = np.zeros(int(spoken.sum()), dtype=np.uint8)
    codes[np.repeat(is_given, spoken)] = given
    return codes


def _integers(table: pl.DataFrame, name: str) -> NDArray[np.int64]:
    return np.asarray(table[name].to_physical().to_numpy(), dtype=np.int64)
