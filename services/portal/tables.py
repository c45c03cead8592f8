"""Series as a table: a row per slot, a pair of columns (value, status) per series. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from market.channel import Register, Resolution
from services.portal.charts import Chart
from services.portal.readings import Partial, Readings, Series, Slice
from services.portal.wording import Wording


@dataclass(frozen=True, slots=True)
class Column:
    """One series; `chart` names the chart that draws it."""

    title: str
    unit: str
    chart: str


@dataclass(frozen=True, slots=True)
class Cell:
    """A value and its status as people read them; `spoken` says both with their column, for the cursor of a chart."""

    text: str
    state: str
    mark: str
    spoken: str
    chart: str


@dataclass(frozen=True, slots=True)
class Row:
    """One slot: `label` such as `02:15` or `di 26 okt`, `note` the season of an hour that comes twice."""

    label: str
    note: str
    starts_at: datetime
    day: date | None
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True, slots=True)
class ColumnTotal:
    """The sum of a column, empty where it has none."""

    value: str
    is_complete: bool


@dataclass(frozen=True, slots=True)
class Table:
    """All series of one resolution."""

    caption: str
    is_daily: bool
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    totals: tuple[ColumnTotal, ...]


def titles(series: Sequence[Series], words: Wording, *, with_register: bool = True) -> list[str]:
    """A title per series, as short as keeps them apart: direction, quantity, register, meter."""
    says_quantity = len({entry.channel.quantity for entry in series}) > 1
    says_meter = len({entry.meter_id for entry in series}) > 1
    return [_title(entry, words, says_quantity, says_meter, with_register) for entry in series]


def table_of(readings: Readings, charts: Sequence[Chart], words: Wording, period: str) -> Table:
    """The table of `readings`, its columns in the order of `charts`."""
    series = [entry for chart in charts for entry in chart.series]
    names = [chart.name for chart in charts for _ in chart.series]
    heads = zip(titles(series, words), series, names, strict=True)
    columns = tuple(Column(title, entry.unit, name) for title, entry, name in heads)
    resolution = series[0].channel.resolution
    is_daily = resolution in (Resolution.DAILY, Resolution.MONTHLY)
    found = [{entry.start: entry for entry in line.slices} for line in series]

    def row(start: datetime) -> Row:
        pairs = zip(columns, found, strict=True)
        cells = tuple(_cell(column, slices.get(start), words) for column, slices in pairs)
        if is_daily:
            day = readings.day_of(start)
            return Row(words.short_day(day), "", start, day, cells)
        return Row(words.clock(start), words.season(start), start, None, cells)

    return Table(
        caption=words.say(f"table_caption_{resolution.name}", period=period),
        is_daily=is_daily,
        columns=columns,
        rows=tuple(row(start) for start in sorted({entry.start for line in series for entry in line.slices})),
        totals=tuple(
            ColumnTotal("" if line.total is None else words.number(line.total), line.is_complete) for line in series
        ),
    )


def _cell(column: Column, entry: Slice | None, words: Wording) -> Cell | None:
    """What stands in a column at a slot; None where the meter was not due at all."""
    if entry is None:
        return None
    if entry.value is None and entry.partial is not None:
        value, state = words.number(entry.partial.value), _partial_state(entry.partial, words)
        return Cell(value, state, "partial", f"{column.title}: {value} {column.unit}, {state}", column.chart)
    if entry.value is None:
        text = words.say("missing_value")
        return Cell("", text, "missing", f"{column.title}: {text}", column.chart)
    value = words.number(entry.value)
    states = [words.say(f"state_{entry.state}")] if entry.state else []
    states += [words.say(f"factor_short_{entry.factor}")] if entry.factor else []
    state = ", ".join(states)
    mark = "estimated" if entry.is_estimated else ""
    return Cell(value, state, mark, f"{column.title}: {value} {column.unit}, {state}", column.chart)


def _partial_state(partial: Partial, words: Wording) -> str:
    if partial.present == partial.expected:
        return words.say("partial_day")
    slices = words.say(f"slices_{partial.resolution.name}")
    return words.say("partial_value", present=partial.present, expected=partial.expected, slices=slices)


def _title(series: Series, words: Wording, says_quantity: bool, says_meter: bool, says_register: bool) -> str:
    channel = series.channel
    parts = [words.say(f"direction_{channel.direction.name}")]
    if says_quantity:
        parts.append(words.say(f"series_{channel.quantity.name}"))
    if says_register and channel.register is not Register.TOTAL:
        parts.append(words.say(f"register_{channel.register.name}"))
    if says_meter and series.meter_id:
        parts.append(series.meter_id)
    return " ".join(parts)
