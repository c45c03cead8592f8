"""Belgian legal holidays and working days; days are local days, Europe/Brussels.

The ten legal holidays are New Year, Easter Monday, Labour Day, Ascension, Whit Monday, National Day, Assumption,
All Saints, Armistice and Christmas. Source: royal decree of 18 April 1974, article 1.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache
from typing import Final

import holidays

from market.local_time import next_month_start

_ONE_DAY: Final = timedelta(days=1)
_SUNDAYS_THAT_ARE_NOT_LEGAL_HOLIDAYS: Final = frozenset({"Easter Sunday", "Pentecost"})


@lru_cache(maxsize=256)
def legal_holidays(year: int) -> frozenset[date]:
    """The ten legal holidays of `year`; nine days where Ascension falls on Labour Day."""
    named = holidays.country_holidays("BE", years=year, language="en_US", expand=False)
    return frozenset(day for day, name in named.items() if name not in _SUNDAYS_THAT_ARE_NOT_LEGAL_HOLIDAYS)


def is_legal_holiday(day: date) -> bool:
    """Whether `day` is one of the ten; a holiday on a Sunday is not moved here."""
    return day in legal_holidays(day.year)


def is_working_day(day: date) -> bool:
    """Whether `day` is Monday to Friday and not a legal holiday."""
    return day.weekday() < 5 and not is_legal_holiday(day)


def add_working_days(day: date, count: int) -> date:
    """The `count`-th working day after `day` (before it where `count` is negative); `day` itself where it is 0.

    `day` itself is never counted, whether or not it is a working day.
    """
    step = _ONE_DAY if count > 0 else -_ONE_DAY
    left = abs(count)
    while left:
        day += step
        left -= is_working_day(day)
    return day


def previous_working_day(day: date) -> date:
    """The last working day before `day`."""
    return add_working_days(day, -1)


def working_day_of_next_month(day: date, count: int) -> date:
    """The `count`-th working day (from 1) of the month after that of `day`."""
    return add_working_days(next_month_start(day) - _ONE_DAY, count)
