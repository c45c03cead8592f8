"""The rows of one point's blocks, in one round trip: most of what a short answer costs is what lies around its query.

On the pool's own connections, but past SQLAlchemy: prepared, in the binary form, and outside a transaction, which one
statement does not need.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any, Final

import psycopg
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from eventlog import metrics
from market.ean import Ean
from services.metering.arrow_blocks import StoredBlock
from services.metering.tables import block

_ROWS: Final = f"from {block.name} where ean = %(ean)s and day between %(first_day)s and %(last_day)s"
_ORDER: Final = "order by channel, day, meter_id"
OF_DAYS: Final = f"select {', '.join(StoredBlock._fields)} {_ROWS} {_ORDER}"
OF_CHANGED_DAYS: Final = (
    f"select {', '.join(StoredBlock._fields)} {_ROWS} "
    f"and day in (select day {_ROWS} and recorded_at > %(changed_after)s) {_ORDER}"
)


def read_rows(
    engine: Engine, ean: Ean, first_day: date, last_day: date, changed_after: datetime | None
) -> list[StoredBlock]:
    """Return the blocks of a point from `first_day` to `last_day` (both inclusive), by channel, day and meter.

    With `changed_after` (UTC) only those of days on which a block of the point changed after it.

    Raises:
        DBAPIError: as SQLAlchemy raises it.
    """
    asked = {"ean": int(ean), "first_day": first_day, "last_day": last_day, "changed_after": changed_after}
    with _driver(engine) as driver, driver.cursor(binary=True) as cursor:
        cursor.execute(OF_DAYS if changed_after is None else OF_CHANGED_DAYS, asked)
        return [StoredBlock._make(row) for row in cursor.fetchall()]


@contextmanager
def _driver(engine: Engine) -> Iterator[psycopg.Connection[Any]]:
    """Lend a connection of the pool that begins no transaction."""
    pooled = engine.raw_connection()
    try:
        driver: Any = pooled.driver_connection
        driver.autocommit = True
        note_seconds = metrics.transaction_timer()
        yield driver
        note_seconds()
        driver.autocommit = False
    except psycopg.Error as error:
        pooled.invalidate(error)
        raise DBAPIError.instance(None, None, error, psycopg.Error, hide_parameters=True) from error
    except BaseException:
        pooled.invalidate()
        raise
    finally:
        pooled.close()
