"""An index or the volume of a period as a row of its table, or why it cannot be one. Pure.

Ingest says the same to senders in kinder words; what stands here keeps the tables whole whoever wrote to the topic.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from hashlib import sha256
from typing import Any, Final

from eventlog.events import ConsumptionPeriodRecorded, MeterIndexRead
from eventlog.reason import Reason, Rule
from market.channel import MeterKind
from market.ean import InvalidEan, parse_ean
from market.meter_register import REGISTERS
from market.quality import Quality

IndexEvent = MeterIndexRead | ConsumptionPeriodRecorded

_OLDEST_DAY: Final = date(1990, 1, 1)
_NEWEST_DAY: Final = date(2199, 12, 31)
_OLDEST_SOURCE: Final = datetime(1990, 1, 1, tzinfo=UTC)
_NEWEST_SOURCE: Final = datetime(2200, 1, 1, tzinfo=UTC)
_TEXT_BYTES: Final = {"message_id": 100, "source": 100, "meter_id": 64}


def why_not(event: IndexEvent) -> Reason | None:
    """Return why `event` can be no row, None where it can."""
    try:
        parse_ean(event.ean)
    except InvalidEan:
        return Reason(Rule.KEY_NOT_EAN, "the EAN is none")
    if event.register not in REGISTERS:
        return Reason(Rule.CHANNEL_UNKNOWN, "the register is unknown")
    if event.meter_kind == MeterKind.UNKNOWN.name:
        return Reason(Rule.METER_KIND_UNKNOWN, "the kind of meter is unknown")
    for name, most in _TEXT_BYTES.items():
        if len(getattr(event, name).encode()) > most or "\0" in getattr(event, name):
            return Reason(Rule.TEXT_TOO_LONG, f"{name} is longer than {most} bytes or holds a NUL")
    if not _OLDEST_SOURCE <= event.source_at < _NEWEST_SOURCE:
        return Reason(Rule.SOURCE_AT_OUT_OF_RANGE, "source_at is no instant of this or the last century")
    if any(not _OLDEST_DAY <= day <= _NEWEST_DAY for day in _days(event)):
        return Reason(Rule.DAY_OUT_OF_RANGE, "the day is none of this or the last century")
    return _why_not_value(event)


def _days(event: IndexEvent) -> tuple[date, ...]:
    return (event.read_on,) if isinstance(event, MeterIndexRead) else (event.first_day, event.last_day)


def _why_not_value(event: IndexEvent) -> Reason | None:
    value = event.index if isinstance(event, MeterIndexRead) else event.volume
    if isinstance(event, MeterIndexRead) and not event.meter_id:
        return Reason(Rule.UNUSABLE, "an index of no meter")
    if isinstance(event, ConsumptionPeriodRecorded) and event.last_day < event.first_day:
        return Reason(Rule.UNUSABLE, "a period ends before it begins")
    if value < 0:
        return Reason(Rule.UNUSABLE, "the value is negative")
    if event.withdraws:
        return Reason(Rule.WITHDRAWAL_WITH_VALUES, "a withdrawal holds a value") if value else None
    if event.quality not in Quality.__members__ or event.quality == Quality.MISSING.name:
        return Reason(Rule.QUALITY_MISSING, "there is no quality that is known")
    return None


def row_of(event: IndexEvent) -> dict[str, Any]:
    """Return the columns of what `why_not` has nothing against, but for those of the record."""
    kept = {
        "ean": int(event.ean),
        "meter_id": event.meter_id,
        "register": REGISTERS[event.register].code,
        "meter_kind": int(MeterKind[event.meter_kind]),
        "quality": 0 if event.withdraws else int(Quality[event.quality]),
        "withdraws": event.withdraws,
        "message_id": event.message_id,
        "source": event.source,
        "source_at": event.source_at,
        "source_sequence": event.source_sequence,
        "content_hash": content_hash(event),
    }
    if isinstance(event, MeterIndexRead):
        return {**kept, "read_on": event.read_on, "index_value": event.index, "kind": event.kind}
    return {**kept, "first_day": event.first_day, "last_day": event.last_day, "volume": event.volume}


def content_hash(event: IndexEvent) -> int:
    """Return the last word on which of two messages about the same holds, at equal instant and sequence.

    A signed 64-bit number of the content and nothing else, today and in every later version: a rebuild must find the
    same winner. A later field counts only where it is not its default.
    """
    said: tuple[object, ...] = (event.meter_kind, event.quality, event.withdraws)
    if isinstance(event, MeterIndexRead):
        said += (event.index, event.kind)
    else:
        said += (event.volume, event.last_day.isoformat())
    return int.from_bytes(sha256("|".join(map(str, said)).encode()).digest()[:8], "big", signed=True)
