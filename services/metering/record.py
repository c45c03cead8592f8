"""A reading as a record of named fields, whatever form it came in, turned into a draft. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from enum import IntEnum
from typing import Any, Final

from eventlog.events import ReadingsRecorded
from market.ean import Ean
from market.quality import GasFactor, Quality
from services.metering.draft import Draft, Unreadable

REQUIRED: Final = ("source_at", "ean", "meter_kind", "channel", "day", "values")
OPTIONAL: Final = (
    "message_id",
    "source",
    "source_sequence",
    "meter_id",
    "first_slice",
    "quality",
    "gas_factor",
    "withdraws",
)


def draft_of_record(given: Mapping[str, Any], line: int, *, default_source: str, is_part: bool, schema: str) -> Draft:
    """Return the draft of the record on `line`; `given` has the fields of `ReadingsRecorded`, None where left out.

    `schema` is what the sender calls the description of its types, for the reason.

    Raises:
        Unreadable: a required field is missing, or one has the wrong type.
    """
    record = _Record({name: value for name, value in given.items() if value is not None}, schema)
    values = record.read("values", bytes, b"")
    slice_count = len(values) // 4
    event = ReadingsRecorded(
        message_id=record.read("message_id", str, ""),
        source=record.read("source", str, "") or default_source,
        source_at=record.read("source_at", datetime),
        source_sequence=record.read("source_sequence", int, 0),
        ean=Ean(record.read("ean", str)),
        meter_id=record.read("meter_id", str, ""),
        meter_kind=record.read("meter_kind", str),
        channel=record.read("channel", str),
        day=record.read("day", date),
        first_slice=record.read("first_slice", int, 0),
        values=values,
        quality=record.read_runs("quality", Quality, slice_count) or (int(Quality.MEASURED), slice_count),
        gas_factor=record.read_runs("gas_factor", GasFactor, slice_count),
        withdraws=record.read("withdraws", bool, False),
    )
    return Draft(line=line, event=event, is_part=is_part, has_own_id=bool(event.message_id))


class _Record:
    def __init__(self, fields: Mapping[str, Any], schema: str) -> None:
        self._fields, self._schema = fields, schema

    def read(self, name: str, kind: type, default: Any = None) -> Any:
        value = self._fields.get(name, default)
        if type(value) is not kind:
            wrong = f"{name} has the wrong type in the {self._schema} schema"
            raise Unreadable(f"{name} is missing" if value is None else wrong)
        return value

    def read_runs(self, name: str, codes: type[IntEnum], slice_count: int) -> tuple[int, ...]:
        """Return code, count, code, count, ... from such numbers, or from one name for all slices."""
        runs = self._fields.get(name, ())
        if isinstance(runs, str):
            if runs not in codes.__members__:
                raise Unreadable(f"{name} must be one of {', '.join(codes.__members__)}")
            return (int(codes[runs]), slice_count)
        if not isinstance(runs, list | tuple) or any(type(number) is not int for number in runs):
            raise Unreadable(f"{name} must be whole numbers")
        return tuple(runs)
