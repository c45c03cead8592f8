"""The rules that every reading must pass before it is published: pure functions of the draft and of `now`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from typing import Final, Protocol
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from eventlog.events import ReadingsRecorded
from market.channel import BY_NAME, Channel, Energy, MeterKind, Quantity, Resolution
from market.ean import InvalidEan, parse_ean
from market.local_time import BRUSSELS, slice_count
from market.quality import GasFactor, Quality
from services.metering.block_input import Refusal
from services.metering.draft import Draft, Sender
from services.metering.packing import MISSING, Unpackable, expand_runs, run_lengths, unpack_values

_METER_ID: Final = re.compile(r"(?:[0-9A-Za-z](?:[0-9A-Za-z ._/-]{0,62}[0-9A-Za-z])?)?", re.ASCII)
_SOURCE: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z._:/-]{0,63}", re.ASCII)
_SIGNED: Final = frozenset({Quantity.REACTIVE})
_SLICE_WORD: Final = {
    Resolution.QUARTER_HOURLY: "quarters",
    Resolution.HOURLY: "hours",
    Resolution.DAILY: "slice",
    Resolution.MONTHLY: "slice",
}


class Refused(ValueError):
    """A reading breaks a rule; the message says which, in words for its sender and without its EAN."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What still is plausible. Days are local (gas: gas days), both ends inclusive."""

    oldest_day: date = date(2000, 1, 1)
    days_ahead: int = 1
    source_ahead: timedelta = timedelta(days=1)


def check_all(
    drafts: Sequence[Draft], sender: Sender, *, now: datetime, bounds: Bounds
) -> tuple[list[Draft], list[Refusal]]:
    """Return the drafts that pass, put into normal form, and a refusal for each of the others, both by line."""
    passed: list[Draft] = []
    refusals: list[Refusal] = []
    for draft in drafts:
        try:
            passed.append(check(draft, sender, now=now, bounds=bounds))
        except (Refused, Unpackable) as refused:
            refusals.append(Refusal(draft.line, str(refused)))
    doubled = _doubled(passed)
    refusals += [
        Refusal(passed[index].line, f"lines {passed[index].line} and {other} both give a value for the same slice")
        for index, other in doubled.items()
    ]
    kept = [draft for index, draft in enumerate(passed) if index not in doubled]
    return kept, sorted(refusals, key=lambda refusal: refusal.line)


def check(draft: Draft, sender: Sender, *, now: datetime, bounds: Bounds) -> Draft:
    """Return `draft` in normal form: missing slices have quality MISSING and factor NONE, equal runs are one.

    Raises:
        Refused, Unpackable: a rule is broken.
    """
    event = draft.event
    check_message(event, sender, now=now, bounds=bounds, has_own_id=draft.has_own_id)
    channel = _check_names(event)
    _check_day(event.day, channel, now=now, bounds=bounds)
    values = _check_slices(event, channel, is_part=draft.is_part)
    is_missing = values == MISSING
    _check_values(event, channel, values, is_missing)
    quality = _check_quality(event.quality, is_missing)
    factor = _check_factor(event.gas_factor, channel, is_missing)
    if quality != event.quality or factor != event.gas_factor:
        event = replace(event, quality=quality, gas_factor=factor)
    return replace(draft, event=event) if event is not draft.event else draft


class Sent(Protocol):
    """What every message of a sender says of itself."""

    @property
    def message_id(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def source_at(self) -> datetime: ...
    @property
    def source_sequence(self) -> int: ...


def check_message(event: Sent, sender: Sender, *, now: datetime, bounds: Bounds, has_own_id: bool) -> None:
    """Check who says it, when, and under which id.

    Raises:
        Refused: a rule is broken.
    """
    if not _SOURCE.fullmatch(event.source):
        raise Refused("source must be 1 to 64 letters, digits or . _ : / -")
    if event.source != sender.client_id and not sender.speaks_for_others:
        raise Refused("source must be your own client id, or left out")
    if has_own_id:
        _check_uuid(event.message_id)
    if event.source_at.tzinfo is None:
        raise Refused("source_at needs a time zone, such as a Z at its end")
    if event.source_at < datetime.combine(bounds.oldest_day, time(0), UTC):
        raise Refused(f"source_at is before {bounds.oldest_day}")
    if event.source_at > now + bounds.source_ahead:
        raise Refused("source_at lies in the future; it would outrank every later correction")
    if not 0 <= event.source_sequence < 2**63:
        raise Refused("source_sequence must be a whole number from 0")


def _check_uuid(text: str) -> None:
    try:
        is_canonical = str(UUID(text)) == text.lower()
    except ValueError:
        is_canonical = False
    if not is_canonical:
        raise Refused("message_id must be a UUID with its dashes, or left out")


def _check_names(event: ReadingsRecorded) -> Channel:
    check_place(event.ean, event.meter_kind, event.meter_id)
    channel = BY_NAME.get(event.channel)
    if channel is None:
        raise Refused(f"no channel is called {event.channel[:48]!r}")
    return channel


def check_place(ean: str, meter_kind: str, meter_id: str) -> None:
    """Check which point and meter it is about.

    Raises:
        Refused: a rule is broken.
    """
    try:
        parse_ean(ean)
    except InvalidEan as error:
        raise Refused(str(error)) from None
    if meter_kind not in MeterKind.__members__ or meter_kind == MeterKind.UNKNOWN.name:
        raise Refused("meter_kind must be DIGITAL, AMR or CLASSIC")
    if not _METER_ID.fullmatch(meter_id):
        raise Refused("meter_id must be at most 64 letters, digits, spaces or . _ / -, or empty")


def _check_day(day: date, channel: Channel, *, now: datetime, bounds: Bounds) -> None:
    if day < bounds.oldest_day:
        raise Refused(f"day {day} is before {bounds.oldest_day}, the oldest day taken")
    if day > now.astimezone(BRUSSELS).date() + timedelta(days=bounds.days_ahead):
        raise Refused(f"day {day} has not begun yet")
    if channel.resolution is Resolution.MONTHLY and day.day != 1:
        raise Refused(f"day {day} is not the first of a month, which a monthly channel needs")


def _check_slices(event: ReadingsRecorded, channel: Channel, *, is_part: bool) -> NDArray[np.int32]:
    values = unpack_values(event.values)
    count = len(values)
    expected = slice_count(channel.energy, channel.resolution, event.day)
    word = _SLICE_WORD[channel.resolution]
    what = f"{'gas day' if channel.energy is Energy.GAS else 'day'} {event.day} has {expected} {word}"
    if count == 0:
        raise Refused("there are no values")
    if event.first_slice < 0 or event.first_slice + count > expected:
        last = event.first_slice + count - 1
        raise Refused(f"{what}, but the values are for slices {event.first_slice} to {last} (counted from 0)")
    if count != expected and not is_part:
        raise Refused(f"{what}, but there are {count} values; declare a part if that is meant")
    return values


def _check_values(
    event: ReadingsRecorded, channel: Channel, values: NDArray[np.int32], is_missing: NDArray[np.bool_]
) -> None:
    if event.withdraws and not is_missing.all():
        raise Refused("a withdrawal holds no values: all of them must be missing")
    if channel.quantity not in _SIGNED and np.any((values < 0) & ~is_missing):
        place = event.first_slice + int(np.flatnonzero((values < 0) & ~is_missing)[0])
        raise Refused(f"the value of slice {place} is negative, which this channel cannot be")


def _check_quality(runs: tuple[int, ...], is_missing: NDArray[np.bool_]) -> tuple[int, ...]:
    codes = expand_runs("quality", runs, len(is_missing), greatest=max(Quality))
    if np.any((codes == Quality.MISSING) & ~is_missing):
        raise Refused("a slice with a value has quality MISSING")
    if not is_missing.any() and len(runs) == 2:
        return runs
    return run_lengths(np.where(is_missing, Quality.MISSING, codes).tolist())


def _check_factor(runs: tuple[int, ...], channel: Channel, is_missing: NDArray[np.bool_]) -> tuple[int, ...]:
    if not any(runs[0::2]):
        return ()
    if channel.quantity is not Quantity.GAS_ENERGY:
        raise Refused("only gas energy (kWh) has a gas factor")
    codes = expand_runs("gas_factor", runs, len(is_missing), greatest=max(GasFactor))
    if not is_missing.any() and len(runs) == 2:
        return runs
    return run_lengths(np.where(is_missing, GasFactor.NONE, codes).tolist())


def _doubled(drafts: Sequence[Draft]) -> dict[int, int]:
    """Return index -> the other line, of drafts of one message (the body) that speak of the same slice."""
    spans = sorted(
        (_block(draft.event), draft.event.first_slice, draft.event.first_slice + len(draft.event.values) // 4, index)
        for index, draft in enumerate(drafts)
        if not draft.has_own_id
    )
    doubled: dict[int, int] = {}
    for _, same_block in groupby(spans, key=lambda span: span[0]):
        reach, holder = 0, -1
        for _block_key, first, end, index in same_block:
            if first < reach:
                doubled.setdefault(index, drafts[holder].line)
                doubled.setdefault(holder, drafts[index].line)
            if end > reach:
                reach, holder = end, index
    return doubled


def _block(event: ReadingsRecorded) -> tuple[str, str, str, str, str, datetime, int]:
    day = event.day.isoformat()
    return event.ean, event.meter_id, event.channel, day, event.source, event.source_at, event.source_sequence
