"""Deadlines of the market, each with its clock and source. Defaults: whoever uses one takes it as a setting.

A deadline ends with the local day (Europe/Brussels) that `due_on` names; the day it counts from is never counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Final, assert_never

from market.channel import Energy, MeterKind, Resolution
from market.local_time import day_of, day_start, slice_bounds
from market.working_days import add_working_days, previous_working_day, working_day_of_next_month

_ONE_DAY: Final = timedelta(days=1)
_GAS_READINGS: Final = timedelta(hours=72)


class Clock(StrEnum):
    """What is counted."""

    CALENDAR_DAYS = "calendar days"
    WORKING_DAYS = "working days"
    WORKING_DAY_OF_NEXT_MONTH = "working day of the next month"


@dataclass(frozen=True, slots=True)
class Deadline:
    """`count` ticks of `clock`, and where that is written."""

    count: int
    clock: Clock
    source: str


AMR_VALIDATED: Final = Deadline(10, Clock.WORKING_DAYS, "TRDE 4.3.43")
AMR_MONTH_VALIDATED: Final = Deadline(4, Clock.WORKING_DAY_OF_NEXT_MONTH, "TRDE 4.3.43")
NPS_INFORMATIVE: Final = Deadline(5, Clock.CALENDAR_DAYS, "service catalogue, NPS")
NPS_HISTORICAL: Final = Deadline(15, Clock.CALENDAR_DAYS, "service catalogue, NPS")
YEARLY_HISTORY: Final = Deadline(10, Clock.CALENDAR_DAYS, "service catalogue, yearly history")
YEARLY_HISTORY_BY_LAW: Final = Deadline(15, Clock.WORKING_DAYS, "TRDE 5.4.1")
SAMPLING_AUDIT: Final = Deadline(14, Clock.CALENDAR_DAYS, "operator's page on the sampling audit")
QUESTION_BY_MAIL: Final = Deadline(5, Clock.WORKING_DAYS, "service catalogue")


def due_on(deadline: Deadline, day: date) -> date:
    """The last local day on which something that began on `day` is in time."""
    match deadline.clock:
        case Clock.CALENDAR_DAYS:
            return day + timedelta(days=deadline.count)
        case Clock.WORKING_DAYS:
            return add_working_days(day, deadline.count)
        case Clock.WORKING_DAY_OF_NEXT_MONTH:
            return working_day_of_next_month(day, deadline.count)
        case _:
            assert_never(deadline.clock)


@lru_cache(maxsize=16384)
def readings_due_at(energy: Energy, resolution: Resolution, kind: MeterKind, day: date) -> datetime:
    """The instant (UTC, inclusive) until which readings of the block of `day` are in time.

    Electricity: the end of the local day after the block's last one, of an AMR meter the end of the next working day.
    Gas: 72 hours after the block's end. Sources: TRDE 4.3.43 for AMR; for the others what arrives in practice, for
    the reference values of "complete and timely" are not published.
    """
    end = slice_bounds(energy, resolution, day)[-1]
    if energy is Energy.GAS:
        return end + _GAS_READINGS
    last = day_of(energy, end) - _ONE_DAY
    due = add_working_days(last, 1) if kind is MeterKind.AMR else last + _ONE_DAY
    return day_start(energy, due + _ONE_DAY)


def days_delivered_on(working_day: date) -> tuple[date, date]:
    """The days (inclusive) whose AMR quarter-hours, not yet validated, are due on `working_day`.

    The previous working day and the days between. Source: TRDE 4.3.43.
    """
    return previous_working_day(working_day), working_day - timedelta(days=1)
