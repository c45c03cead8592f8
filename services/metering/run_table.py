"""The records of a run as a table of readings, and why some of them cannot be kept. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from eventlog.projection import Run
from eventlog.reason import Reason
from services.metering.checks import check_readings
from services.metering.decode import decode
from services.metering.keys import read_eans
from services.metering.message_ids import pack_ids
from services.metering.messages import Group, group_readings

_UTC_INSTANT = pl.Datetime("us", "UTC")


@dataclass(frozen=True, slots=True)
class Readings:
    """The usable readings of a run by slice count, and for each other record (by its place in the run) the reason."""

    groups: list[Group]
    refused: dict[int, Reason]

    @property
    def days(self) -> pl.Series:
        """The days of all readings, in no order."""
        return pl.concat([pl.Series("day", dtype=pl.Date), *(group.table["day"] for group in self.groups)])


def read_run(run: Run, *, partition_count: int) -> Readings:
    """Return what `run` says. Reasons hold nothing of a record's content."""
    keys = [record.key for record in run.records]
    eans, refused = read_eans(keys, partition=run.partition, partition_count=partition_count)
    decoded, undecodable = decode([record.value for record in run.records])
    refused = undecodable | refused
    rows = decoded["row"].to_numpy()
    appended = np.array([record.timestamp for record in run.records], dtype=np.int64)
    offsets = np.array([record.offset for record in run.records], dtype=np.int64)
    placed = decoded.with_columns(
        pl.Series("key", keys, dtype=pl.Binary).gather(rows),
        pl.Series("ean_number", eans[rows], dtype=pl.Int64),
        pl.Series("record_offset", offsets[rows], dtype=pl.Int64),
        pl.Series("recorded_at", appended[rows] * 1000, dtype=pl.Int64).cast(_UTC_INSTANT),
        pl.lit(run.partition, dtype=pl.Int16).alias("record_partition"),
    )
    if refused:
        placed = placed.filter(~pl.col("row").is_in(list(refused)))
    checked, broken = check_readings(placed)
    readings = checked.with_columns(pack_ids(checked["message_id"]), ean=pl.col("ean_number")).drop("ean_number", "key")
    groups, contradictory = group_readings(readings)
    return Readings(groups, refused | broken | contradictory)
