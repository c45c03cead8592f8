"""What completeness and months are made of, read from the store: figures of blocks, and who has gaps on a day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import Connection, Engine, select

from market.channel import BY_CODE, Channel
from market.ean import Ean
from market.local_time import next_month_start
from services.metering.arrow_blocks import StoredBlock
from services.metering.as_of import StoredInput
from services.metering.completeness import REMEMBERED, BlockFigures, By, Row, Sent, rows_of
from services.metering.installation import read_installed, read_installed_on
from services.metering.months import Month, Peak, day_figures, months_of, peak_history
from services.metering.tables import block, block_input

_FIGURES: Final = ("total", "peak_value", "peak_slice", "weakest_quality")
_FIGURE_COLUMNS: Final = (
    "ean",
    "channel",
    "day",
    "meter_id",
    "meter_kind",
    "slice_count",
    "present_count",
    "estimated_count",
    "slice_quality",
    "has_inputs",
    "recorded_at",
)
_ONE_DAY: Final = date.resolution


@dataclass(frozen=True, slots=True, kw_only=True)
class Completeness:
    """The rows of one point; `is_known` is false where the register does not know it (yet)."""

    is_known: bool
    rows: list[Row]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A series of a point that is not complete on a day although it is due."""

    ean: Ean
    row: Row


def read_completeness(
    engine: Engine, ean: Ean, first_day: date, last_day: date, *, now: datetime, by: By
) -> Completeness:
    """Return what is there of a point from `first_day` to `last_day` (local days, gas: gas days; inclusive)."""
    with _instant(engine) as connection:
        installed = read_installed(connection, [ean]).get(ean)
        blocks = _figures(connection, [ean], first_day, last_day).get(ean, [])
        before = _delivered_before(connection, [ean], first_day).get(ean, {})
    rows = rows_of(installed, blocks, first_day, last_day, now=now, by=by, delivered_before=before)
    return Completeness(is_known=installed is not None, rows=rows)


def read_gaps(
    engine: Engine, day: date, *, after: Ean | None, limit: int, now: datetime
) -> tuple[list[Gap], Ean | None]:
    """Return the overdue gaps of `day` among the next `limit` points behind `after` by EAN, and the last of these.

    The second is None when there are no more points.
    """
    with _instant(engine) as connection:
        points = read_installed_on(connection, day, after, limit)
        eans = [point.ean for point in points]
        blocks, before = _figures(connection, eans, day, day), _delivered_before(connection, eans, day)
    gaps = [
        Gap(ean=point.ean, row=row)
        for point in points
        for row in rows_of(
            point,
            blocks.get(point.ean, []),
            day,
            day,
            now=now,
            by=By.DAY,
            delivered_before=before.get(point.ean, {}),
        )
        if row.missing
    ]
    return gaps, points[-1].ean if len(points) == limit else None


def _instant(engine: Engine) -> Connection:
    """Return a connection that sees blocks and their messages at one instant."""
    return engine.connect().execution_options(isolation_level="REPEATABLE READ")


def _figures(
    connection: Connection, eans: Sequence[Ean], first_day: date, last_day: date
) -> dict[Ean, list[BlockFigures]]:
    place = block.c
    columns = (place[name] for name in _FIGURE_COLUMNS)
    query = select(*columns).where(place.ean.in_([int(ean) for ean in eans]), place.day.between(first_day, last_day))
    rows = connection.execute(query).all()
    several = [row.ean for row in rows if row.has_inputs]
    messages = _messages(connection, several, first_day, last_day)
    found: dict[Ean, list[BlockFigures]] = {}
    for row in rows:
        figures = BlockFigures(
            channel=row.channel,
            day=row.day,
            meter_kind=row.meter_kind,
            slice_count=row.slice_count,
            present_count=row.present_count,
            estimated_count=row.estimated_count,
            slice_quality=row.slice_quality,
            recorded_at=row.recorded_at,
            messages=messages.get((row.ean, row.day, row.channel, row.meter_id), ()),
        )
        found.setdefault(Ean(f"{row.ean:018d}"), []).append(figures)
    return found


def _messages(
    connection: Connection, eans: Sequence[int], first_day: date, last_day: date
) -> dict[tuple[int, date, int, str], list[Sent]]:
    if not eans:
        return {}
    place = block_input.c
    key, columns = (place.ean, place.day, place.channel, place.meter_id), (place[name] for name in Sent._fields)
    query = select(*key, *columns).where(place.ean.in_(set(eans)), place.day.between(first_day, last_day))
    found: defaultdict[tuple[int, date, int, str], list[Sent]] = defaultdict(list)
    for ean, day, channel, meter_id, *sent in connection.execute(query):
        found[ean, day, channel, meter_id].append(Sent(*sent))
    return found


def _delivered_before(connection: Connection, eans: Sequence[Ean], day: date) -> dict[Ean, dict[date, set[Channel]]]:
    """Return the series that came for the days before `day`, as far back as they are remembered."""
    place = block.c
    query = select(place.ean, place.day, place.channel).where(
        place.ean.in_([int(ean) for ean in eans]), place.day.between(day - REMEMBERED, day - _ONE_DAY)
    )
    found: dict[Ean, dict[date, set[Channel]]] = {}
    for ean, earlier, channel in connection.execute(query):
        found.setdefault(Ean(f"{ean:018d}"), {}).setdefault(earlier, set()).add(BY_CODE[channel])
    return found


def read_months(engine: Engine, ean: Ean, first_month: date, last_month: date, *, now: datetime) -> list[Month]:
    """Return the totals and peaks of a point by month and channel; both months are given by their first day."""
    last_day = next_month_start(last_month) - _ONE_DAY
    counts = read_completeness(engine, ean, first_month, last_day, now=now, by=By.MONTH)
    place = block.c
    columns = [*(place[name] for name in StoredBlock._fields), *(place[name] for name in _FIGURES)]
    query = select(*columns).where(place.ean == int(ean), place.day.between(first_month, last_day))
    with engine.connect() as connection:
        rows = connection.execute(query).all()
    width = len(StoredBlock._fields)
    blocks = [(StoredBlock._make(row[:width]), dict(zip(_FIGURES, row[width:], strict=True))) for row in rows]
    return months_of(day_figures(blocks), counts.rows)


def read_peak_history(engine: Engine, ean: Ean, month: date, channel: Channel) -> list[tuple[datetime, Peak | None]]:
    """Return what the peak of a series in `month` (its first day) was, from each instant on at which it changed."""
    last_day = next_month_start(month) - _ONE_DAY

    def rows(connection: Connection, table: Any, names: Sequence[str], *more: Any) -> Sequence[Any]:
        is_it = (table.c.ean == int(ean)) & (table.c.channel == channel.code) & table.c.day.between(month, last_day)
        return connection.execute(select(*(table.c[name] for name in names)).where(is_it, *more)).all()

    with _instant(engine) as connection:
        alone = [StoredBlock._make(row) for row in rows(connection, block, StoredBlock._fields, ~block.c.has_inputs)]
        inputs = [StoredInput._make(row) for row in rows(connection, block_input, StoredInput._fields)]
    return peak_history(alone, sorted(inputs, key=attrgetter("day", "meter_id", "record_offset")))
