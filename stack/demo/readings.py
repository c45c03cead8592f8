"""All readings of the demo world as `ReadingsRecorded`, in Avro containers of some weeks each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from io import BytesIO
from typing import Any, Final
from uuid import UUID, uuid5

import fastavro
import numpy as np

from eventlog.registry import published
from market.channel import Energy
from market.local_time import day_bounds
from services.metering.packing import run_lengths
from stack.demo.electricity import electricity
from stack.demo.gas import gas
from stack.demo.plan import Plan
from stack.demo.series import MISSING, Series
from stack.demo.timeline import draw_timeline
from stack.demo.weather import make_weather, sun_power

CHUNK_DAYS: Final = 20
_MESSAGES: Final = UUID("1f6b2c0c-7f43-5b63-8a53-9a3c0c6f2a10")

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Chunk:
    """The readings of some days of the whole world. `number` counts from 0 and is the same at each run."""

    number: int
    first_day: date
    last_day: date
    records: list[Record]


def make_series(plan: Plan) -> list[Series]:
    """Return every series of the world; takes about a second."""
    weather = make_weather(plan.random_of("weather"), plan.first_day, plan.last_day + timedelta(days=1))
    quarters = draw_timeline(Energy.ELECTRICITY, plan.first_day, plan.last_day)
    hours = draw_timeline(Energy.GAS, plan.first_day, plan.last_day - timedelta(days=1))
    sun = sun_power(quarters, weather)
    found: list[Series] = []
    for point in plan.points:
        if point.energy is Energy.GAS:
            found += gas(point, plan, hours, weather)
        else:
            found += electricity(point, plan, quarters, weather, sun)
    return found


def chunk_count(plan: Plan) -> int:
    """Return how many chunks there are."""
    return -(-((plan.last_day - plan.first_day).days + 1) // CHUNK_DAYS)


def chunks(plan: Plan, *, source: str, without: frozenset[int] = frozenset()) -> Iterator[Chunk]:
    """Yield the readings in chunks, oldest days first, as sent by `source`; those in `without` are left out."""
    series = make_series(plan)
    for number in sorted(set(range(chunk_count(plan))) - without):
        first_day = plan.first_day + timedelta(days=number * CHUNK_DAYS)
        last_day = min(first_day + timedelta(days=CHUNK_DAYS - 1), plan.last_day)
        records = [each for one in series for each in _records(one, plan, first_day, last_day, source)]
        yield Chunk(number, first_day, last_day, records)


def to_container(records: list[Record]) -> bytes:
    """Return `records` as an Avro object container with the newest schema."""
    output = BytesIO()
    fastavro.writer(output, published().newest("ReadingsRecorded").parsed, records, codec="null")
    return output.getvalue()


def _records(series: Series, plan: Plan, first_day: date, last_day: date, source: str) -> Iterator[Record]:
    begin = max((first_day - series.days[0]).days, 0)
    end = min((last_day - series.days[0]).days + 1, len(series.days))
    for number in range(begin, end):
        places = slice(series.first[number], series.first[number + 1])
        values = series.values[places]
        if (values == MISSING).all():
            continue
        day = series.days[number]
        sent_at = series.sent_at or day_bounds(series.channel.energy, day)[1]
        yield {
            "message_id": _message_id(series, plan, day, sent_at),
            "source": source,
            "source_at": sent_at,
            "source_sequence": 0,
            "ean": series.ean,
            "meter_id": series.meter_id,
            "meter_kind": series.meter_kind.name,
            "channel": series.channel.name,
            "day": day,
            "first_slice": 0,
            "values": values.astype("<i4").tobytes(),
            "quality": _runs(series.quality[places]),
            "gas_factor": () if series.factor is None else _runs(series.factor[places]),
            "withdraws": False,
        }


def _message_id(series: Series, plan: Plan, day: date, sent_at: datetime) -> str:
    """Return the same id whenever the world of this seed and last day is made, so that nothing comes twice."""
    world = (str(plan.seed), plan.last_day.isoformat())
    block = (series.ean, series.meter_id, series.channel.name, day.isoformat(), sent_at.isoformat())
    return str(uuid5(_MESSAGES, "|".join((*world, *block))))


def _runs(codes: np.ndarray[Any, np.dtype[np.uint8]]) -> tuple[int, ...]:
    if codes.min() == codes.max():
        return int(codes[0]), len(codes)
    return run_lengths(codes.tolist())
