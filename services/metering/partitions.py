"""The monthly partitions of the store's tables: made ahead, and whenever a run comes with a month that has none."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, text

from eventlog.database import is_outage
from services.metering.tables import metadata

MONTHS_BEHIND: Final = 1
MONTHS_AHEAD: Final = 2
_AT_ONCE: Final = 12
_AGAIN_SECONDS: Final = 3600.0
_RETRY_SECONDS: Final = 30.0

_log = logging.getLogger(__name__)


def month_of(day: date) -> date:
    """Return the first day of the month of `day`."""
    return day.replace(day=1)


def month_after(month: date, count: int = 1) -> date:
    """Return the first day of the month that comes `count` months after `month` (before it, where negative)."""
    year, place = divmod(month.year * 12 + month.month - 1 + count, 12)
    return date(year, place + 1, 1)


def partition_name(table: str, month: date) -> str:
    """Return the name of the partition of `table` that holds the days of `month`."""
    return f"{table}_{month:%Y_%m}"


def make_partitions(tx: Connection, days: Iterable[date]) -> list[date]:
    """Make what is missing of the partitions for `days`, and return the months that had none.

    Attached, not created in place: that waits for no reader and no writer, and makes none of them wait. Several may do
    it at once.
    """
    months = sorted({month_of(day) for day in days})
    tx.execute(text("select pg_advisory_xact_lock(hashtextextended('partitions of ' || current_schema(), 0))"))
    made = set()
    for table in metadata.sorted_tables:
        for month in months:
            name = partition_name(table.name, month)
            if tx.scalar(text("select to_regclass(:name)"), {"name": name}) is None:
                tx.execute(text(f"create table {name} (like {table.name})"))
                bounds = f"from ('{month}') to ('{month_after(month)}')"
                tx.execute(text(f"alter table {table.name} attach partition {name} for values {bounds}"))
                made.add(month)
    return sorted(made)


def make_ahead(engine: Engine, today: date) -> None:
    """Make the partitions of the last month, of this one and of the next two."""
    months = [month_after(month_of(today), count) for count in range(-MONTHS_BEHIND, MONTHS_AHEAD + 1)]
    with engine.begin() as tx:
        made = make_partitions(tx, months)
    if made:
        _log.info("made the partitions of %s", ", ".join(f"{month:%Y-%m}" for month in made))


@dataclass(slots=True)
class Partitions:
    """What is known to be there, so that a run asks the database only for months that it has not seen yet."""

    engine: Engine
    _known: set[np.datetime64] = field(default_factory=set)

    def demand(self, days: NDArray[np.int32]) -> None:
        """Make the partitions of `days` (since 1970-01-01) where they are missing, in transactions of its own.

        A year's months in each: a run with days of two centuries would be too much for the limits of one.
        """
        months = sorted(set(np.unique(days.astype("datetime64[D]").astype("datetime64[M]"))) - self._known)
        for first in range(0, len(months), _AT_ONCE):
            some = months[first : first + _AT_ONCE]
            with self.engine.begin() as tx:
                make_partitions(tx, [month.astype("datetime64[D]").item() for month in some])
            self._known.update(some)

    def forget(self) -> None:
        """Ask again for each month: somebody may have removed some."""
        self._known.clear()


async def keep_ahead(engine: Engine, today: Callable[[], date]) -> None:
    """`make_ahead` now and each hour, until cancelled; waits out every outage of the database."""
    while True:
        wait = _AGAIN_SECONDS
        try:
            await asyncio.to_thread(make_ahead, engine, today())
        except Exception as error:
            if not is_outage(error):
                raise
            _log.warning("no partitions made ahead, trying again: %s", type(error).__name__)
            wait = _RETRY_SECONDS
        await asyncio.sleep(wait)
