"""Carries out what export is asked: read the point's series; write in the ledger, and only then let it leave."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import date, timedelta
from uuid import UUID

from sqlalchemy import Connection, Engine

from eventlog import event_store
from eventlog.events import DataDelivered, DataRefused
from eventlog.problems import Problem
from market.channel import Energy, Resolution
from market.local_time import day_bounds, day_start, month_start, next_month_start
from services.export.domain.assembly import assemble, whole_months
from services.export.domain.intervals import Intervals, contains
from services.export.domain.ledger import Delivery, Refusal, enter, holder_stream_of, refuse, stream_of
from services.export.domain.question import Found, Question
from services.export.domain.series import Block, Granularity, Series
from services.export.metering_client import MeteringClient
from services.export.store import lock_ledger, newest_entry, newest_refusal

_FOR_OTHER_ENERGY = {
    (Energy.GAS, Granularity.QUARTER): "this is a gas point: ask for granularity hour",
    (Energy.ELECTRICITY, Granularity.HOUR): "this is an electricity point: ask for granularity quarter",
}


class NoData(Problem):
    """There is nothing to deliver: 404, the same words whatever the reason."""

    def __init__(self) -> None:
        super().__init__(404, "NoData", "there are no readings for this point in this period")


class WrongGranularity(Problem):
    """The point's energy has no such slices: 400, and the message says which it has."""

    def __init__(self, message: str) -> None:
        super().__init__(400, "WrongGranularity", message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """What may be seen of a point of that energy: days (gas: gas days) wholly within `intervals`."""

    energy: Energy
    intervals: Intervals

    def has_day(self, day: date) -> bool:
        """Whether all of a day may be seen."""
        return contains(self.intervals, *day_bounds(self.energy, day))

    def has(self, block: Block) -> bool:
        """Whether all of a block's day, or month, may be seen."""
        if block.channel.resolution is not Resolution.MONTHLY:
            return self.has_day(block.day)
        first, last = month_start(block.day), next_month_start(block.day)
        return contains(self.intervals, day_start(self.energy, first), day_start(self.energy, last))


async def find(metering: MeteringClient, question: Question, *, today: date, cut: Cut | None = None) -> Found | None:
    """Return what metering knows, within the `cut` where there is one; None where there is nothing.

    Raises:
        WrongGranularity: quarters of gas, or hours of electricity.
        MeteringUnavailable, AnswerTooLarge: metering cannot answer now, or not so much.
    """
    first_day, last_day = whole_months(question.granularity, question.first_day, question.last_day)
    asked = replace(question, first_day=first_day, last_day=last_day)
    if cut is not None:
        days = [day for day in _days(first_day, last_day) if cut.has_day(day)]
        if not days:
            return None
        asked = replace(asked, first_day=days[0], last_day=days[-1])
    blocks = await metering.blocks(asked.ean, asked.first_day, asked.last_day)
    blocks = [each for each in blocks if cut is None or cut.has(each)]
    if not blocks:
        return None
    energy = blocks[0].channel.energy
    if (energy, asked.granularity) in _FOR_OTHER_ENERGY:
        raise WrongGranularity(_FOR_OTHER_ENERGY[energy, asked.granularity])
    series = await asyncio.to_thread(_assemble, blocks, asked, today)
    if not series:
        return None
    return Found(question=asked, energy=energy, meter_kind=series[-1].meter_kind, series=series)


def _days(first_day: date, last_day: date) -> list[date]:
    return [first_day + timedelta(days=n) for n in range((last_day - first_day).days + 1)]


def _assemble(blocks: list[Block], question: Question, today: date) -> list[Series]:
    return assemble(
        blocks,
        granularity=question.granularity,
        first_day=question.first_day,
        last_day=question.last_day,
        today=today,
        direction=question.direction,
    )


def write_in_ledger(engine: Engine, delivery: Delivery, *, correlation_id: UUID) -> DataDelivered:
    """Append `delivery` to the ledger of its point and return the entry; what it names may leave after that."""
    with engine.begin() as tx:
        return enter_delivery(tx, delivery, correlation_id=correlation_id)


def enter_delivery(tx: Connection, delivery: Delivery, *, correlation_id: UUID) -> DataDelivered:
    """Append `delivery` to the ledger of its point within `tx`, and return the entry."""
    stream = stream_of(delivery.ean)
    lock_ledger(tx, stream)
    newest, version = newest_entry(tx, stream)
    entry = enter(delivery, newest)
    event_store.append(
        tx,
        stream,
        [entry],
        expected_version=version,
        correlation_id=correlation_id,
        recorded_at=delivery.delivered_at,
    )
    return entry


def enter_refusal(tx: Connection, refusal: Refusal, *, correlation_id: UUID) -> DataRefused:
    """Append `refusal` to the holder's own ledger within `tx`, and return the entry."""
    stream = holder_stream_of(refusal.holder_kbo)
    lock_ledger(tx, stream)
    newest, version = newest_refusal(tx, stream)
    entry = refuse(refusal, newest)
    event_store.append(
        tx,
        stream,
        [entry],
        expected_version=version,
        correlation_id=correlation_id,
        recorded_at=refusal.refused_at,
    )
    return entry
