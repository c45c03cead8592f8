"""The day, ISO week or month that a page shows, and its neighbours. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

from market.local_time import month_start, next_month_start

_DAY: Final = re.compile(r"20\d\d-\d\d-\d\d", re.ASCII)


class View(StrEnum):
    """How much time a page shows."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Period:
    """Local (gas) days `first_on` to `last_on`, both inside; a week is Monday to Sunday."""

    view: View
    first_on: date
    last_on: date

    @property
    def key(self) -> str:
        """How an address names the period: its first day."""
        return self.first_on.isoformat()

    def holds(self, day: date) -> bool:
        """Whether `day` lies in the period."""
        return self.first_on <= day <= self.last_on

    def previous(self) -> Period:
        """The period just before.

        Raises:
            OverflowError: the calendar has none.
        """
        return period_of(self.view, self.first_on - timedelta(days=1))

    def next(self) -> Period:
        """The period just after.

        Raises:
            OverflowError: the calendar has none.
        """
        return period_of(self.view, self.last_on + timedelta(days=1))


def period_of(view: View, day: date) -> Period:
    """The period of the kind `view` that holds `day`."""
    match view:
        case View.DAY:
            return Period(view, day, day)
        case View.WEEK:
            monday = day - timedelta(days=day.weekday())
            return Period(view, monday, monday + timedelta(days=6))
        case View.MONTH:
            return Period(view, month_start(day), next_month_start(day) - timedelta(days=1))


def parse_day(text: str) -> date:
    """The day that `YYYY-MM-DD` names; between 2000 and 2099, so that its neighbours exist.

    Raises:
        ValueError: anything else.
    """
    if not _DAY.fullmatch(text):
        raise ValueError("a day is YYYY-MM-DD, between 2000 and 2099")
    return date.fromisoformat(text)
