"""Readings as an Arrow IPC stream: a row per reading, columns by the names of `ReadingsRecorded`.

Values come packed (binary, little-endian int32, -2147483648 missing) or as a list of whole numbers, null where missing.
Quality and gas factor come as one name for all slices or as a list of code, count, ... A column may be left out where
it has a default (message_id, source, source_sequence, meter_id, first_slice, quality, gas_factor, withdraws); columns
that we do not know are passed over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from services.metering.arrow_size import DamagedStream, measure
from services.metering.block_input import Refusal
from services.metering.body import BodyTooLarge
from services.metering.draft import Draft, NothingRead, Unreadable
from services.metering.packing import GREATEST, MISSING
from services.metering.record import OPTIONAL, REQUIRED, draft_of_record

_FILE_MAGIC: Final = b"ARROW1"
_RUNS: Final = frozenset({"quality", "gas_factor"})
_TEXTS: Final = frozenset({"message_id", "source", "ean", "meter_id", "meter_kind", "channel"}) | _RUNS
_GREATEST_TEXT: Final = 200
_GREATEST_VALUES: Final = 4 * 100
_DAMAGES: Final = (pa.ArrowException, OSError, ValueError, OverflowError)


def read_arrow(
    body: bytes, *, default_source: str, is_part: bool, max_record_count: int, max_bytes: int
) -> tuple[list[Draft], list[Refusal]]:
    """Return the readings of a stream and a refusal for each row that is none; lines are rows, counted from 1.

    `is_part` declares every row a part of its day; `max_bytes` bounds the stream unpacked. Behind a damaged batch
    nothing is read.

    Raises:
        NothingRead: no Arrow stream, or its rows are not readings.
        BodyTooLarge: a limit is passed.
    """
    reader = _open(body, max_record_count, max_bytes)
    _demand_columns(reader.schema)
    drafts: list[Draft] = []
    refusals: list[Refusal] = []
    first = 1
    while True:
        try:
            batch = reader.read_next_batch()
            batch.validate(full=True)
            columns = _columns(batch)
        except StopIteration:
            return drafts, refusals
        except Unreadable as error:
            refusals.append(Refusal(first, f"{error}; none of the {batch.num_rows} rows of its batch is taken"))
            first += batch.num_rows
            continue
        except _DAMAGES:
            refusals.append(Refusal(first, "the batch that begins here is damaged; its rows and those behind are lost"))
            return drafts, refusals
        for number in range(batch.num_rows):
            try:
                record = {name: read(number) for name, read in columns.items()}
                drafts.append(
                    draft_of_record(
                        record, first + number, default_source=default_source, is_part=is_part, schema="Arrow"
                    )
                )
            except Unreadable as error:
                refusals.append(Refusal(first + number, str(error)))
        first += batch.num_rows


def _open(body: bytes, max_record_count: int, max_bytes: int) -> Any:
    if body.startswith(_FILE_MAGIC):
        raise NothingRead("the body is an Arrow file; send the stream format (write it with ipc.new_stream)")
    try:
        size = measure(body)
        reader = pa.ipc.open_stream(pa.py_buffer(body))
    except (DamagedStream, *_DAMAGES):
        raise NothingRead("the body is not an Arrow IPC stream, or its schema is damaged") from None
    if size.row_count > max_record_count:
        raise BodyTooLarge(f"at most {max_record_count} rows are taken at once; send the rest in another body")
    if size.byte_count > max_bytes:
        raise BodyTooLarge(f"the Arrow stream unpacks to more than {max_bytes} bytes; split it")
    return reader


def _demand_columns(schema: Any) -> None:
    """Raises:
    NothingRead: a column is missing, given twice, or of a type that is not taken."""
    for name in REQUIRED + OPTIONAL:
        count = len(schema.get_all_field_indices(name))
        if count == 0 and name in REQUIRED:
            raise NothingRead(f"the rows of the Arrow stream are not readings: the column {name} is missing")
        if count > 1:
            raise NothingRead(f"the column {name} is given twice")
        if count and not _is_taken(name, schema.field(name).type):
            raise NothingRead(f"the column {name} of the Arrow stream has a type that is not taken")


def _is_taken(name: str, kind: Any) -> bool:
    types = pa.types
    is_runs = (types.is_list(kind) or types.is_large_list(kind)) and types.is_integer(kind.value_type)
    if name in _TEXTS:
        text = kind.value_type if types.is_dictionary(kind) else kind
        is_text = types.is_string(text) or types.is_large_string(text) or types.is_string_view(text)
        return is_text or (name in _RUNS and is_runs)
    if name == "values":
        return is_runs or types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind)
    if name == "source_at":
        return bool(types.is_timestamp(kind))
    if name == "day":
        return bool(types.is_date(kind))
    return bool(types.is_boolean(kind) if name == "withdraws" else types.is_integer(kind))


_Read = Callable[[int], Any]


def _columns(batch: Any) -> dict[str, _Read]:
    """Return for each column what it holds in a row."""
    names = [name for name in REQUIRED + OPTIONAL if name in batch.schema.names]
    return {name: _column(name, batch.column(name)) for name in names}


def _column(name: str, array: Any) -> _Read:
    kind = array.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _packed(array) if name == "values" else _list(array)
    if name == "values":
        return _bytes(array)
    if name in _TEXTS:
        return _text(name, array)
    if name == "source_at":
        return _instants(array)
    return _list(array.cast(pa.date32()) if name == "day" else array)


def _instants(array: Any) -> _Read:
    try:
        return _list(array.cast(pa.timestamp("us", array.type.tz), safe=False))
    except LookupError:
        raise Unreadable("source_at has a time zone that is not known; UTC is the safest") from None


def _list(array: Any) -> _Read:
    values = array.to_pylist()
    return lambda number: values[number]


def _bytes(array: Any) -> _Read:
    if pa.types.is_binary_view(array.type):
        _demand_short("values", array, _GREATEST_VALUES)
    return lambda number: array[number].as_py()


def _text(name: str, array: Any) -> _Read:
    """A dictionary, or views of one text, could make much out of few bytes: no text of a reading is long."""
    texts = array.dictionary if pa.types.is_dictionary(array.type) else array
    _demand_short(name, texts, _GREATEST_TEXT)
    return _list(array)


def _demand_short(name: str, array: Any, greatest: int) -> None:
    if pa.types.is_string_view(array.type) or pa.types.is_binary_view(array.type):
        views = np.frombuffer(array.buffers()[1], dtype="<i4").reshape(-1, 4)
        lengths = views[array.offset : array.offset + len(array), 0]
        longest = int(lengths.max(initial=0))
    else:
        longest = pc.max(pc.binary_length(array)).as_py() or 0
    if longest > greatest:
        raise Unreadable(f"{name} is longer than {greatest} bytes")


def _packed(array: Any) -> _Read:
    """Pack the lists of whole numbers of a column, each when it is asked for."""
    flat = array.flatten().cast(pa.int64())
    lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False)
    ends = np.cumsum(lengths, dtype=np.int64)
    is_missing = flat.is_null().to_numpy(zero_copy_only=False)
    values = pc.fill_null(flat, MISSING).to_numpy(zero_copy_only=False)
    is_wide = ((values <= MISSING) | (values > GREATEST)) & ~is_missing
    packed = values.astype("<i4")
    is_null = array.is_null().to_numpy(zero_copy_only=False)

    def read(number: int) -> bytes | None:
        if is_null[number]:
            return None
        part = slice(int(ends[number] - lengths[number]), int(ends[number]))
        if is_wide[part].any():
            raise Unreadable(f"a value lies outside {MISSING + 1} to {GREATEST}")
        return bytes(packed[part])

    return read
