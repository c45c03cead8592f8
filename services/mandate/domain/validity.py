"""How long a mandate lives, by the local calendar (Europe/Brussels). Instants are UTC.

Days are counted, not hours: a mandate of the 20th lives to the end of a 20th, over any change of the clock. Where the
month is too short (29 February), it is the last day of the month.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final

from market.channel import Energy
from market.local_time import day_of, day_start, next_month_start

LIFETIME_MONTHS: Final = 36
RENEWAL_MONTHS: Final = 3


def local_day(instant: datetime) -> date:
    """The local day that holds `instant`."""
    return day_of(Energy.ELECTRICITY, instant)


def day_begins(day: date) -> datetime:
    """The local midnight (UTC) with which `day` begins."""
    return day_start(Energy.ELECTRICITY, day)


def expiry_of(granted_at: datetime) -> datetime:
    """The local midnight (UTC, exclusive) that ends the day three years after the one that holds `granted_at`."""
    return day_begins(months_on(local_day(granted_at), LIFETIME_MONTHS) + timedelta(days=1))


def renewal_opens_at(expires_at: datetime) -> datetime:
    """The local midnight (UTC) that ends the day three calendar months before a mandate's last day."""
    last_day = local_day(expires_at) - timedelta(days=1)
    return day_begins(months_on(last_day, -RENEWAL_MONTHS) + timedelta(days=1))


def months_on(day: date, months: int) -> date:
    """The same day of the month `months` later (or earlier); the last of the month where that is shorter."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    first = date(year, month + 1, 1)
    last = next_month_start(first) - timedelta(days=1)
    return first.replace(day=min(day.day, last.day))
