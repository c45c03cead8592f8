"""The portal's file as Parquet: the rows of the CSV, typed, for programs. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.parquet as pq

from market.ean import Ean
from market.portal_words import Language
from services.export.domain.series import Series
from services.export.files.portal_cells import PortalCells, portal_cells

_INSTANT: Final = pa.timestamp("us", tz="UTC")
_FIELDS: Final[list[pa.Field[Any]]] = [
    pa.field("start", _INSTANT, nullable=False),
    pa.field("end", _INSTANT, nullable=False),
    pa.field("ean", pa.string(), nullable=False),
    pa.field("meter", pa.string(), nullable=False),
    pa.field("meter_type", pa.string(), nullable=False),
    pa.field("register", pa.string(), nullable=False),
    pa.field("value", pa.decimal128(18, 3)),
    pa.field("unit", pa.string(), nullable=False),
    pa.field("status", pa.string(), nullable=False),
    pa.field("factor", pa.string()),
]
SCHEMA: Final = pa.schema(_FIELDS)
"""A row is [start, end), the slice itself (an AMR day is 23 or 25 hours long where the printed one has 24); `value` is
null where missing, `factor` where there is none."""


def write_portal_parquet(
    target: BinaryIO, series: Sequence[Series], *, ean: Ean, language: Language, last_day: date
) -> None:
    """Write the rows over `series`, as `write_portal_csv` takes them, to `target`, in the order of the CSV.

    Columns are those of `SCHEMA`; texts are in `language`.
    """
    rows = list(portal_cells(series, language=language, last_day=last_day))
    pq.write_table(_table(rows, ean), target, compression="zstd")


def _table(rows: Sequence[PortalCells], ean: Ean) -> pa.Table:
    columns: list[list[Any]] = [
        [row.start for row in rows],
        [row.end for row in rows],
        [str(ean)] * len(rows),
        [row.meter for row in rows],
        [row.meter_kind for row in rows],
        [row.register for row in rows],
        [None if row.value is None else Decimal(row.value).scaleb(-3) for row in rows],
        [row.unit for row in rows],
        [row.status for row in rows],
        [row.factor or None for row in rows],
    ]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)
