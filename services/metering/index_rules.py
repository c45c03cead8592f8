"""The rules that indexes and period volumes must pass before they are published: functions of the draft and of `now`.
Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from typing import Final

from eventlog.events import ConsumptionPeriodRecorded, MeterIndexRead
from market.local_time import BRUSSELS
from market.meter_register import REGISTERS
from services.metering.block_input import Refusal
from services.metering.draft import Sender
from services.metering.index_lines import KINDS, QUALITIES, IndexDraft, about
from services.metering.rules import Bounds, Refused, check_message, check_place

_MOST: Final = 10**15
"""In Wh: more than a register of twelve digits of kWh can show."""


def check_indexes(
    drafts: Sequence[IndexDraft], sender: Sender, *, now: datetime, bounds: Bounds
) -> tuple[list[IndexDraft], list[Refusal]]:
    """Return the drafts that pass, and a refusal for each of the others, both by line."""
    passed: list[IndexDraft] = []
    refusals: list[Refusal] = []
    for draft in drafts:
        try:
            check_index(draft, sender, now=now, bounds=bounds)
            passed.append(draft)
        except Refused as refused:
            refusals.append(Refusal(draft.line, str(refused)))
    doubled = _doubled(passed)
    refusals += [
        Refusal(line, f"lines {line} and {other} both speak of the same reading or period")
        for line, other in doubled.items()
    ]
    return [draft for draft in passed if draft.line not in doubled], sorted(refusals, key=lambda each: each.line)


def check_index(draft: IndexDraft, sender: Sender, *, now: datetime, bounds: Bounds) -> None:
    """Check one draft.

    Raises:
        Refused: a rule is broken.
    """
    event = draft.event
    check_message(event, sender, now=now, bounds=bounds, has_own_id=draft.has_own_id)
    check_place(event.ean, event.meter_kind, event.meter_id)
    if event.register not in REGISTERS:
        raise Refused(f"no register is called {event.register[:40]!r}")
    if isinstance(event, MeterIndexRead):
        _check_reading(event, now, bounds)
    else:
        _check_period(event, now, bounds)
    _check_value(draft)


def _check_reading(event: MeterIndexRead, now: datetime, bounds: Bounds) -> None:
    if not event.meter_id:
        raise Refused("an index is that of a meter: give its meter_id")
    _check_day("read_on", event.read_on, now, bounds)
    if event.kind not in KINDS and not event.withdraws:
        raise Refused(f"kind must be one of {', '.join(KINDS)}")


def _check_period(event: ConsumptionPeriodRecorded, now: datetime, bounds: Bounds) -> None:
    _check_day("first_day", event.first_day, now, bounds)
    _check_day("last_day", event.last_day, now, bounds)
    if event.last_day < event.first_day:
        raise Refused("the period ends before it begins: both days belong to it")


def _check_day(name: str, day: date, now: datetime, bounds: Bounds) -> None:
    if day < bounds.oldest_day:
        raise Refused(f"{name} {day} is before {bounds.oldest_day}, the oldest day taken")
    if day > now.astimezone(BRUSSELS).date():
        raise Refused(f"{name} {day} has not begun yet")


def _check_value(draft: IndexDraft) -> None:
    event = draft.event
    name, value = ("index", event.index) if isinstance(event, MeterIndexRead) else ("volume", event.volume)
    if event.withdraws:
        if draft.has_value:
            raise Refused(f"a withdrawal holds no value: leave the {name} out")
        return
    if not draft.has_value:
        raise Refused(f"the field {name} is missing")
    if not 0 <= value < _MOST:
        raise Refused(f"{name} must be a whole number from 0 to below {_MOST}")
    if event.quality not in QUALITIES:
        raise Refused(f"quality must be one of {', '.join(QUALITIES)}")


def _doubled(drafts: Sequence[IndexDraft]) -> dict[int, int]:
    """Return line -> the other line, of drafts of one message (the body) about the same at the same order."""
    places: defaultdict[tuple[object, ...], list[int]] = defaultdict(list)
    for draft in drafts:
        if not draft.has_own_id:
            event = draft.event
            places[*about(event), event.source, event.source_at, event.source_sequence].append(draft.line)
    return {
        line: lines[0] if line != lines[0] else lines[1]
        for lines in places.values()
        if len(lines) > 1
        for line in lines
    }
