"""Indexes and period volumes as JSON, one per line, turned into drafts. Pure.

The fields are those of the published events; `event` says which of the two a line is.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, date
from typing import Annotated, Any, Final, Literal
from uuid import UUID, uuid5

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from eventlog.events import ConsumptionPeriodRecorded, MeterIndexRead
from market.ean import Ean
from market.meter_register import REGISTERS, ReadingKind
from market.quality import Quality
from services.metering.block_input import Refusal
from services.metering.draft import NothingRead, body_id
from services.metering.index_rows import IndexEvent

_MESSAGES: Final = UUID("0b6f7a54-6d2e-5c0b-9a55-51b1a3f0c2de")
_UNKNOWN: Final = "UNKNOWN"
QUALITIES: Final[list[Any]] = [each.name for each in Quality if each is not Quality.MISSING]
KINDS: Final[list[Any]] = [each.value for each in ReadingKind if each is not ReadingKind.UNKNOWN]


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    message_id: str = Field(default="", description="A UUID; made from the body if left out")
    source: str = Field(default="", description="Your client id, which is also the default")
    source_at: AwareDatetime = Field(description="Instant (with zone) at which the source made it; a later one holds")
    source_sequence: int = Field(default=0, description="Order at equal source_at")
    ean: str = Field(description="18 digits with a GS1 check digit")
    meter_id: str = Field(default="", description="The meter; a period may be that of a point taken as a whole: empty")
    meter_kind: str = Field(json_schema_extra={"enum": ["DIGITAL", "AMR", "CLASSIC"]})
    register_: str = Field(
        alias="register",
        description="Active energy in Wh, the others in varh, gas volume in dm³",
        json_schema_extra={"enum": [*REGISTERS]},
    )
    quality: str = Field(
        default=Quality.MEASURED.name, description="How it came about", json_schema_extra={"enum": QUALITIES}
    )
    withdraws: bool = Field(default=False, description="There is no such reading or period; the value is left out")


class IndexLine(_Line):
    """What a register of a meter showed on a local day."""

    event: Literal["MeterIndexRead"]
    read_on: date = Field(description="Local day (Europe/Brussels)")
    index: int = Field(default=0, description="Whole number in the register's unit: Wh, varh or dm³")
    kind: str = Field(
        default=_UNKNOWN,
        description="Why it was read",
        json_schema_extra={"enum": KINDS},
    )


class PeriodLine(_Line):
    """What a register counted in a period of local days (gas: gas days), both ends inclusive."""

    event: Literal["ConsumptionPeriodRecorded"]
    first_day: date
    last_day: date
    volume: int = Field(default=0, description="Whole number in the register's unit: Wh, varh or dm³")


_LINE: Final[TypeAdapter[IndexLine | PeriodLine]] = TypeAdapter(
    Annotated[IndexLine | PeriodLine, Field(discriminator="event")]
)
LINE_SCHEMA: Final[dict[str, Any]] = {
    "oneOf": [IndexLine.model_json_schema(), PeriodLine.model_json_schema()],
    "discriminator": {"propertyName": "event"},
}
"""The JSON schema of a line, without references, as OpenAPI wants it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexDraft:
    """`event` as it came in on `line` (counted from 1). `has_value`: the line gave an index or a volume."""

    line: int
    event: IndexEvent
    has_own_id: bool
    has_value: bool


def read_lines(body: bytes, *, default_source: str) -> tuple[list[IndexDraft], list[Refusal]]:
    """Return what `body` holds and a refusal for each line that cannot be read; empty lines are passed over.

    Raises:
        NothingRead: there is no line, or none of them is JSON.
    """
    drafts: list[IndexDraft] = []
    refusals: list[Refusal] = []
    is_json = False
    for number, line in enumerate(body.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            fields = json.loads(line, object_pairs_hook=_once)
            is_json = is_json or isinstance(fields, dict)
            drafts.append(_draft(_LINE.validate_json(line), number, default_source))
        except ValidationError as error:
            refusals.append(Refusal(number, _words(error)))
        except _Doubled as error:
            is_json = True
            refusals.append(Refusal(number, str(error)))
        except (ValueError, RecursionError):
            refusals.append(Refusal(number, "the line is not JSON"))
    if not drafts and not is_json:
        raise NothingRead(f"line {refusals[0].line}: {refusals[0].reason}" if refusals else "the body has no lines")
    return _identified(drafts, body_id(body)), refusals


class _Doubled(ValueError):
    pass


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise _Doubled("a field is given twice")
    return fields


def _words(error: ValidationError) -> str:
    """Return what is wrong first, without the value."""
    first = error.errors(include_input=False, include_url=False)[0]
    place = ".".join(str(each)[:40] for each in first["loc"][1:])
    return f"{place}: {first['msg']}" if place else str(first["msg"])[:200]


def _draft(line: IndexLine | PeriodLine, number: int, default_source: str) -> IndexDraft:
    kept = {
        "message_id": line.message_id.lower(),
        "source": line.source or default_source,
        "source_at": line.source_at.astimezone(UTC),
        "source_sequence": line.source_sequence,
        "ean": Ean(line.ean),
        "meter_id": line.meter_id,
        "meter_kind": line.meter_kind,
        "register": line.register_,
        "quality": _UNKNOWN if line.withdraws else line.quality,
        "withdraws": line.withdraws,
    }
    event: IndexEvent
    if isinstance(line, IndexLine):
        event = MeterIndexRead(**kept, read_on=line.read_on, index=line.index, kind=line.kind)  # type: ignore[arg-type]
    else:
        days = {"first_day": line.first_day, "last_day": line.last_day}
        event = ConsumptionPeriodRecorded(**kept, **days, volume=line.volume)  # type: ignore[arg-type]
    has_value = not {"index", "volume"}.isdisjoint(line.model_fields_set)
    return IndexDraft(line=number, event=event, has_own_id=bool(line.message_id), has_value=has_value)


def about(event: IndexEvent) -> tuple[str, ...]:
    """Return which reading or period a message is about."""
    day = event.read_on if isinstance(event, MeterIndexRead) else event.first_day
    return type(event).__name__, event.ean, event.meter_id, event.register, day.isoformat()


def _identified(drafts: list[IndexDraft], body_hash: str) -> list[IndexDraft]:
    """Give each draft without an id one that the same body, sent again, gives again."""
    return [
        draft
        if draft.has_own_id
        else replace(draft, event=replace(draft.event, message_id=_message_id(body_hash, draft.event)))
        for draft in drafts
    ]


def _message_id(body_hash: str, event: IndexEvent) -> str:
    at = event.source_at.isoformat(timespec="microseconds")
    return str(uuid5(_MESSAGES, "|".join((body_hash, *about(event), event.source, at, str(event.source_sequence)))))
