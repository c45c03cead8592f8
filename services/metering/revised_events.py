"""`BlockRevised` for each message of a run that changed a block: rows for the outbox, a whole run at a time. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from eventlog import registry
from eventlog.envelope import Record
from eventlog.events import BlockRevised
from eventlog.framing import SINGLE_OBJECT
from eventlog.projection import Run
from market.channel import BY_CODE
from services.metering.avro_columns import joined, longs, strings
from services.metering.byte_column import from_matrix
from services.metering.message_ids import unpack_ids

_NAME: Final = BlockRevised.__name__
_TOLD: Final = ("row", "record_offset", "ean", "meter_id", "channel", "day", "changed_count", "source", "message_id")
_EAN_LENGTH: Final = 18
_POWERS: Final = 10 ** np.arange(_EAN_LENGTH - 1, -1, -1, dtype=np.int64)
_UUID: Final = pa.binary(16)


def revised_events(run: Run, revised: Sequence[pl.DataFrame], namespace: UUID, *, first_place: int) -> pa.Table:
    """Return the events in order of offset, with the columns of `stage.append_events`; places from `first_place` on.

    `revised` are readings with their `changed_count`. Ids are UUIDv5 of topic, partition and offset in `namespace`.
    """
    readings = pl.concat([each.select(_TOLD) for each in revised]).sort("record_offset")
    eans = _texts_of_eans(readings["ean"].to_numpy())
    ids = _event_ids(run, readings["record_offset"], namespace)
    return pa.table(
        {
            "place": pa.array(np.arange(first_place, first_place + len(readings), dtype=np.int32)),
            "stream_id": joined(b"point:", eans).cast(pa.string()),
            "number": readings.select(pl.col("ean").cum_count().over("ean").cast(pl.Int32)).to_series().to_arrow(),
            "event_id": ids,
            "event_type": pa.array([_NAME] * len(readings), pa.string()),
            "key": eans,
            "payload": _payloads(readings, eans),
            "correlation_id": _correlation_ids(run.records, readings["row"], ids),
        }
    )


def _payloads(readings: pl.DataFrame, eans: Any) -> Any:
    """Return the events as `eventlog.codec.encode` writes them: the fields of version 1, in its order."""
    days = readings["day"].to_physical().to_numpy().astype(np.int64)
    return joined(
        SINGLE_OBJECT + registry.published().newest(_NAME).fingerprint,
        strings(eans),
        strings(readings["meter_id"].to_arrow()),
        longs(_channel_symbols(readings["channel"].to_numpy())),
        longs(days),
        longs(readings["changed_count"].to_numpy().astype(np.int64)),
        strings(readings["source"].to_arrow()),
        strings(unpack_ids(readings["message_id"]).to_arrow()),
    )


def _channel_symbols(codes: NDArray[np.int16]) -> NDArray[np.int64]:
    fields = registry.published().newest(_NAME).parsed["fields"]
    symbols = next(field["type"]["symbols"] for field in fields if field["name"] == "channel")
    distinct, inverse = np.unique(codes, return_inverse=True)
    return np.array([symbols.index(BY_CODE[int(code)].name) for code in distinct], dtype=np.int64)[inverse]


def _texts_of_eans(numbers: NDArray[np.int64]) -> Any:
    digits = numbers[:, None] // _POWERS % 10 + ord("0")
    return from_matrix(digits.astype(np.uint8)).to_arrow()


def _event_ids(run: Run, offsets: pl.Series, namespace: UUID) -> Any:
    """Return UUIDv5 of each offset, as RFC 9562 makes them."""
    start = hashlib.sha1(namespace.bytes + f"{run.topic}:{run.partition}:".encode(), usedforsecurity=False)
    ids = bytearray()
    for offset in offsets.to_list():
        whole = start.copy()
        whole.update(b"%d" % offset)
        ids += whole.digest()[:16]
    table = np.frombuffer(ids, dtype=np.uint8).reshape(-1, 16)
    table[:, 6] = table[:, 6] & 0x0F | 0x50
    table[:, 8] = table[:, 8] & 0x3F | 0x80
    return from_matrix(table).to_arrow().cast(_UUID)


def _correlation_ids(records: Sequence[Record], rows: pl.Series, event_ids: Any) -> Any:
    """Return the id of the request that brought each record, where its headers hold one; else that of the event."""
    named = [_correlation_id(records[row].headers) for row in rows.to_list()]
    return pc.coalesce(pa.array(named, _UUID), event_ids) if any(named) else event_ids


def _correlation_id(headers: Sequence[tuple[str, bytes]]) -> bytes | None:
    if headers:
        try:
            return UUID(dict(headers)["correlation_id"].decode()).bytes
        except (KeyError, ValueError):
            return None
    return None
