"""What the page of a point shows: charts, totals and table of one period, ready for its template."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import date

from markupsafe import Markup, escape

from market.channel import Energy, Resolution
from market.local_time import slice_count
from services.portal.chart_spec import NARROW, WIDE, Size, vega_lite
from services.portal.charts import Chart, charts_of
from services.portal.drawing import CannotDraw, Drawer, fluid
from services.portal.figures import LegendEntry, Total, chart_title, legend, summary, totals
from services.portal.periods import Period, View
from services.portal.readings import Point, Readings
from services.portal.tables import Table, table_of
from services.portal.wording import Wording

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart in two widths (none where it could not be drawn) and what stands around it."""

    name: str
    title: str
    unit: str
    label: str
    drawings: tuple[Markup, ...]
    legend: tuple[LegendEntry, ...]
    summary: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Content:
    """The readings of a period as a page shows them."""

    figures: tuple[Figure, ...]
    totals: tuple[Total, ...]
    table: Table
    meters: str


async def content(readings: Readings, period: Period, words: Wording, drawer: Drawer) -> Content:
    """Draw and tabulate `readings`."""
    charts = charts_of(readings.series)
    meters = sorted({entry.meter_id for entry in readings.series if entry.meter_id})
    return Content(
        figures=tuple([await _figure(chart, readings, words, drawer) for chart in charts]),
        totals=tuple(totals(charts, words)),
        table=table_of(readings, charts, words, period_title(period, words)),
        meters=", ".join(meters),
    )


def period_title(period: Period, words: Wording) -> str:
    """Such as `zondag 31 oktober 2021`, `Week 43, 25 oktober 2021 tot en met 31 oktober 2021` or `oktober 2021`."""
    match period.view:
        case View.DAY:
            return words.long_day(period.first_on)
        case View.MONTH:
            return words.month(period.first_on)
        case View.WEEK:
            number = period.first_on.isocalendar().week
            first, last = words.plain_day(period.first_on), words.plain_day(period.last_on)
            return words.say("week_title", number=number, first=first, last=last)


def granularities(point_energy: Energy, view: View) -> list[str]:
    """What to ask export for, best first: a day in quarters or hours, else as the day value that was delivered."""
    if view is not View.DAY:
        return ["day"]
    return ["hour" if point_energy is Energy.GAS else "quarter", "day"]


def notes(point: Point, period: Period) -> list[str]:
    """The texts that explain an unusual day."""
    found = ["gas_day_note"] if point.energy is Energy.GAS else []
    if period.view is View.DAY:
        # A gas day that holds the changed hour began on the day before.
        hours = slice_count(point.energy, Resolution.HOURLY, period.first_on)
        found += {25: ["changed_day_october"], 23: ["changed_day_march"]}.get(hours, [])
    return found


def nearest_data(point: Point, today: date) -> date:
    """The day to open a point on: its last one, not in the future."""
    return max(point.first_on, min(point.last_on, today))


async def _figure(chart: Chart, readings: Readings, words: Wording, drawer: Drawer) -> Figure:
    title = chart_title(chart, words)
    per = words.say(f"per_{chart.resolution.name}")
    said = summary(chart, readings, words)
    return Figure(
        name=chart.name,
        title=title,
        unit=f"{chart.unit} {per}",
        label=words.say("chart_label", what=title, unit=chart.unit, per=per),
        drawings=await _drawings(chart, words, drawer, f"{title}. {' '.join(said)}"),
        legend=tuple(legend(chart, words)),
        summary=tuple(said),
    )


async def _drawings(chart: Chart, words: Wording, drawer: Drawer, label: str) -> tuple[Markup, ...]:
    try:
        return tuple([await _drawing(chart, words, drawer, size, label) for size in (WIDE, NARROW)])
    except CannotDraw as error:
        _log.error("a chart could not be drawn: %s", error)
        return ()


async def _drawing(chart: Chart, words: Wording, drawer: Drawer, size: Size, label: str) -> Markup:
    svg = await drawer.draw(vega_lite(chart, words, size), words.format_locale())
    plot = {"width": size.width, "height": size.height}
    return Markup(fluid(svg, css_class=f"drawing {size.name}", label=str(escape(label)), plot=plot))  # noqa: S704
