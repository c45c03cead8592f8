"""Series as JSON for the portal. Pure.

Numbers are written from whole numbers: exact decimals with at most three places, in the unit that people see.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from market.channel import MeterKind
from market.portal_file import status_of
from market.portal_words import Status
from market.quality import GasFactor, Quality
from services.export.domain.question import Found, Point
from services.export.domain.series import Series, Slice

_STATES: Final = {
    Status.READ: "READ",
    Status.ESTIMATED: "EST",
    Status.VALIDATED: "VAL",
    Status.NOT_VALIDATED: "NVAL",
}
_FACTORS: Final = {GasFactor.PROVISIONAL: '"P"', GasFactor.DEFINITIVE: '"D"', GasFactor.CONSTANT: '"C"'}


def write_readings(found: Found) -> bytes:
    """Return the body of `GET /readings`, UTF-8."""
    question = found.question
    head = {
        "ean": question.ean,
        "energy": found.energy.value,
        "meter_kind": found.meter_kind.name,
        "from": question.first_day.isoformat(),
        "to": question.last_day.isoformat(),
        "granularity": question.granularity.value,
    }
    series = ",".join(map(_series, found.series))
    return f'{json.dumps(head)[:-1]}, "series": [{series}]}}'.encode()


def decimal_text(stored: int | None) -> str:
    """A whole number of stored units as a JSON number 1000 times smaller, such as 0.041; null for None."""
    if stored is None:
        return "null"
    whole, thousandths = divmod(stored, 1000)
    places = f"{thousandths:03}".rstrip("0") or "0"
    return f"{whole}.{places}"


def wire_state(quality: Quality, meter_kind: MeterKind) -> str | None:
    """READ, EST, VAL or NVAL, as that kind of meter shows its states; None for a missing value."""
    return _STATES.get(status_of(quality, meter_kind))


def _series(series: Series) -> str:
    head = {
        "channel": series.channel.name,
        "meter_id": series.meter_id,
        "unit": series.channel.unit,
        "expected": series.expected,
        "present": series.present,
        "missing": series.missing,
        "estimated": series.estimated,
        "weakest": wire_state(series.weakest, series.meter_kind),
    }
    slices = ",".join(_slices(series))
    return f'{json.dumps(head)[:-1]}, "total": {decimal_text(series.total)}, "slices": [{slices}]}}'


def _slices(series: Series) -> Iterator[str]:
    states = {quality: json.dumps(wire_state(quality, series.meter_kind)) for quality in Quality}
    for entry in series.slices:
        yield _slice(entry, states[entry.quality])


def _slice(entry: Slice, state: str) -> str:
    return (
        f'{{"start": "{_instant(entry.start)}", "end": "{_instant(entry.end)}", '
        f'"value": {decimal_text(entry.value)}, "state": {state}, "factor": {_FACTORS.get(entry.factor, "null")}}}'
    )


def _instant(instant: datetime) -> str:
    return f"{instant.isoformat(timespec='seconds')[:19]}Z"


def write_points(points: Sequence[Point]) -> bytes:
    """Return the body of `GET /points`, UTF-8; days are local (gas: gas days), both inside."""
    entries = [
        {
            "ean": point.ean,
            "energy": point.energy.value,
            "meter_kind": point.meter_kind,
            "first_day": point.first_day.isoformat(),
            "last_day": point.last_day.isoformat(),
        }
        for point in points
    ]
    return json.dumps({"points": entries}).encode()
