"""Readings as JSON, one per line: for senders who cannot pack values. The fields are those of `ReadingsRecorded`.

Values are whole numbers in the channel's stored unit (Wh, varh, dm³, W), null where missing; qualities and factors are
names, for all slices at once or run-length.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from enum import IntEnum
from typing import Any, Final

from eventlog.events import ReadingsRecorded
from market.ean import Ean
from market.quality import GasFactor, Quality
from services.metering.block_input import Refusal
from services.metering.draft import Draft, NothingRead, Unreadable
from services.metering.packing import Unpackable, pack_values

_REQUIRED: Final = ("source_at", "ean", "meter_kind", "channel", "day", "values")
_OPTIONAL: Final = (
    "message_id",
    "source",
    "source_sequence",
    "meter_id",
    "first_slice",
    "quality",
    "gas_factor",
    "withdraws",
    "part",
)
_KNOWN: Final = frozenset(_REQUIRED + _OPTIONAL)


class NotJson(Unreadable):
    """The line is not a JSON object at all."""


def read_ndjson(body: bytes, *, default_source: str, is_part: bool) -> tuple[list[Draft], list[Refusal]]:
    """Return the readings of `body` and a refusal for each line that is none; empty lines are passed over.

    `is_part` declares every line a part of its day; else a line says so itself.

    Raises:
        NothingRead: there is nothing to refuse line by line.
    """
    drafts: list[Draft] = []
    refusals: list[Refusal] = []
    is_json = False
    for number, line in enumerate(body.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            drafts.append(read_line(line, number, default_source=default_source, is_part=is_part))
        except (Unreadable, Unpackable) as error:
            refusals.append(Refusal(number, str(error)))
            is_json = is_json or not isinstance(error, NotJson)
    if not drafts and not is_json:
        raise NothingRead(f"line {refusals[0].line}: {refusals[0].reason}" if refusals else "the body has no lines")
    return drafts, refusals


def read_line(line: bytes, number: int, *, default_source: str, is_part: bool) -> Draft:
    """Return the reading in `line`.

    Raises:
        Unreadable: not JSON, a field is missing, unknown, doubled or of the wrong kind.
        Unpackable: a value does not fit into 32 bits.
    """
    fields = _parse(line)
    values = _values(fields["values"])
    event = ReadingsRecorded(
        message_id=_text(fields, "message_id", ""),
        source=_text(fields, "source", default_source),
        source_at=read_instant(_text(fields, "source_at")),
        source_sequence=_whole(fields, "source_sequence"),
        ean=Ean(_text(fields, "ean")),
        meter_id=_text(fields, "meter_id", ""),
        meter_kind=_text(fields, "meter_kind"),
        channel=_text(fields, "channel"),
        day=_day(_text(fields, "day")),
        first_slice=_whole(fields, "first_slice"),
        values=pack_values(values),
        quality=_runs("quality", fields.get("quality", Quality.MEASURED.name), Quality, len(values)),
        gas_factor=_runs("gas_factor", fields.get("gas_factor", []), GasFactor, len(values)),
        withdraws=_flag(fields, "withdraws"),
    )
    has_own_id = "message_id" in fields
    return Draft(line=number, event=event, is_part=is_part or _flag(fields, "part"), has_own_id=has_own_id)


def _parse(line: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(line.decode("utf-8"), object_pairs_hook=_once)
    except UnicodeDecodeError:
        raise NotJson("the line is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise NotJson(f"the line is not JSON: {error.msg} at character {error.pos + 1}") from None
    except Unreadable:
        raise
    except (ValueError, RecursionError):
        raise NotJson("the line is not JSON that can be read") from None
    if not isinstance(fields, dict):
        raise NotJson("the line is not a JSON object")
    if unknown := sorted(set(fields) - _KNOWN):
        raise Unreadable(f"no field is called {unknown[0][:40]!r}")
    fields = {name: value for name, value in fields.items() if value is not None}
    if missing := [name for name in _REQUIRED if name not in fields]:
        raise Unreadable(f"the field {missing[0]} is missing")
    return fields


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise Unreadable("a field is given twice")
    return fields


def _text(fields: dict[str, Any], name: str, default: str | None = None) -> str:
    value = fields.get(name, default)
    if not isinstance(value, str):
        raise Unreadable(f"{name} must be text")
    return value


def _whole(fields: dict[str, Any], name: str) -> int:
    value = fields.get(name, 0)
    if type(value) is not int or not 0 <= value < 2**63:
        raise Unreadable(f"{name} must be a whole number from 0")
    return value


def _flag(fields: dict[str, Any], name: str) -> bool:
    value = fields.get(name, False)
    if not isinstance(value, bool):
        raise Unreadable(f"{name} must be true or false")
    return value


def read_instant(text: str) -> datetime:
    """Return the instant in `text` (ISO 8601 with a zone), in UTC.

    Raises:
        Unreadable: it is none, or has no zone.
    """
    try:
        instant = datetime.fromisoformat(text)
        if instant.tzinfo is not None:
            return instant.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise Unreadable("source_at must be an instant with its zone, such as 2026-11-20T04:00:00Z")


def _day(text: str) -> date:
    try:
        if len(text) == 10 and text[4] == text[7] == "-":  # not a week's day: 2026-W47-4
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise Unreadable("day must be a date such as 2026-11-19")


def _values(values: Any) -> list[int | None]:
    if not isinstance(values, list) or not {type(value) for value in values} <= {int, type(None)}:
        raise Unreadable("values must be a list of whole numbers, null where one is missing")
    if not values:
        raise Unreadable("there are no values")
    return values


def _runs(name: str, given: Any, codes: type[IntEnum], count: int) -> tuple[int, ...]:
    """Return run-lengths of codes, from one name for all slices or from [[name, count], ...]."""
    runs = [[given, count]] if isinstance(given, str) else given
    if not isinstance(runs, list) or not all(isinstance(run, list) and len(run) == 2 for run in runs):
        raise Unreadable(f"{name} must be a name, or a list of [name, count]")
    for symbol, length in runs:
        if not isinstance(symbol, str) or symbol not in codes.__members__:
            raise Unreadable(f"{name} must be one of {', '.join(codes.__members__)}")
        if type(length) is not int or not 0 < length <= 2**31:
            raise Unreadable(f"{name} needs a count of slices after each name")
    return tuple(number for symbol, length in runs for number in (int(codes[symbol]), length))
