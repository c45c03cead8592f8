"""How many bytes each record took on the wire, worked out from its columns.

A damaged record can shift the ones behind it and still decode, into nonsense. Where every row is just as long as its
record was, each began where it should: then the whole run was read as it was written.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

_SIX_BITS: Final = 64


def wire_lengths(frame: pl.DataFrame, schema: dict[str, Any]) -> NDArray[np.int64]:
    """Return the length in bytes of each row of `frame`, a decoded container of `schema`, in Avro's shortest form.

    Raises:
        KeyError: the schema has a field of a type that reading events do not use.
    """
    lengths = np.zeros(len(frame), dtype=np.int64)
    for field in schema["fields"]:
        lengths += _field_lengths(frame[field["name"]], field["type"])
    return lengths


def _field_lengths(column: pl.Series, kind: Any) -> NDArray[np.int64]:
    name = kind["type"] if isinstance(kind, dict) else kind
    match name:
        case "string":
            size = column.str.len_bytes().to_numpy().astype(np.int64)
            return size + _long_lengths(size)
        case "bytes":
            size = column.bin.size().to_numpy().astype(np.int64)
            return size + _long_lengths(size)
        case "int" | "long":
            return _long_lengths(column.to_physical().to_numpy().astype(np.int64, copy=False))
        case "boolean":
            return np.ones(len(column), dtype=np.int64)
        case "enum":
            return _enum_lengths(column, kind["symbols"])
        case "array" if kind["items"] == "int":
            return _array_lengths(column)
        case _:
            raise KeyError(f"no length known for {name}")


def _long_lengths(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how long each number is as an Avro long: zigzag, then seven bits a byte."""
    zigzag = ((numbers << 1) ^ (numbers >> 63)).view(np.uint64)
    lengths = np.ones(len(numbers), dtype=np.int64)
    greatest = int(zigzag.max(initial=0))
    for byte in range(1, 10):
        if greatest >> 7 * byte == 0:
            break
        lengths += zigzag >= np.uint64(1 << 7 * byte)
    return lengths


def _enum_lengths(column: pl.Series, symbols: list[str]) -> NDArray[np.int64]:
    if len(symbols) <= _SIX_BITS:
        return np.ones(len(column), dtype=np.int64)
    places = {symbol: place for place, symbol in enumerate(symbols)}
    return _long_lengths(column.cast(pl.String).replace_strict(places, return_dtype=pl.Int64).to_numpy())


def _array_lengths(column: pl.Series) -> NDArray[np.int64]:
    """One block of items, with its count before it and a zero behind it; an empty array is the zero alone."""
    counts = column.list.len().to_numpy().astype(np.int64)
    items = column.filter(column.list.len() > 0).explode().to_numpy().astype(np.int64)
    ends = np.concatenate([[0], np.cumsum(_long_lengths(items))])[np.concatenate([[0], np.cumsum(counts)])]
    return np.where(counts > 0, np.diff(ends) + _long_lengths(counts) + 1, 1)
