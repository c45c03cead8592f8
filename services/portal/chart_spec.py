"""A chart as a Vega-Lite specification, in one size and language. Pure.

The process that draws has TZ=Europe/Brussels: instants carry Z, hours are labelled with `%H:%M` (decision 45).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from market.channel import Resolution
from market.local_time import BRUSSELS
from services.portal.charts import Chart, Look
from services.portal.wording import Wording

Spec = dict[str, Any]
_HAS_HOURS = frozenset({Resolution.QUARTER_HOURLY, Resolution.HOURLY})


@dataclass(frozen=True, slots=True)
class Size:
    """The plot without its axes, in units of the drawing; `hours` between labels, `days` likewise."""

    name: str
    width: int
    height: int
    hours: int
    days: int
    font: int


WIDE = Size(name="wide", width=860, height=230, hours=3, days=1, font=12)
NARROW = Size(name="narrow", width=330, height=210, hours=6, days=5, font=13)


def vega_lite(chart: Chart, words: Wording, size: Size) -> Spec:
    """The specification of `chart`."""
    low, high = _domain(chart)
    y_axis = {
        "tickCount": 5,
        "labelExpr": f"format(abs(datum.value), '{_precision(high - low)}')" if chart.bars else "''",
    }
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "width": size.width,
        "height": size.height,
        "padding": {"left": 2, "right": 6, "top": 6, "bottom": 2},
        "background": None,
        "config": _config(size),
        "encoding": {
            "x": {"field": "x", **_x_scale(chart, words, size)},
            "x2": {"field": "x2"},
            "y": {
                "field": "y",
                "type": "quantitative",
                "scale": {"domain": [low, high], "nice": False},
                "title": None,
                "axis": y_axis,
            },
            "y2": {"field": "y2"},
        },
        "layer": [*_gap_layers(chart, low, high), *_bar_layers(chart, size), *_rules(chart, words, low, high)],
    }


def _domain(chart: Chart) -> tuple[float, float]:
    """The ends of the value axis; a side without values keeps a sixth of the other, to show its gaps."""
    top, bottom = float(chart.top), float(chart.bottom)
    reach = max(top, -bottom) or 1.0
    high = max(top * 1.06, reach / 6)
    return (min(bottom * 1.06, -reach / 6) if chart.has_injection else 0.0), high


def _precision(span: float) -> str:
    return ",.0f" if span >= 8 else ",.1f" if span >= 0.8 else ",.2f" if span >= 0.08 else ",.3f"


def _place(chart: Chart, slot: int, *, is_end: bool) -> str | int:
    """Where a slot begins or ends: an instant for hours, a count for days (each as wide, whatever its hours)."""
    if chart.resolution in _HAS_HOURS:
        return _instant(chart.slots[slot][1 if is_end else 0])
    return slot + 1 if is_end else slot


def _instant(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _x_scale(chart: Chart, words: Wording, size: Size) -> Spec:
    axis: Spec = {"grid": False, "labelFlush": False}
    if chart.resolution in _HAS_HOURS:
        axis |= {"format": "%H:%M", "values": _full_hours(chart, size.hours), "labelOverlap": True}
        return {"type": "temporal", "title": None, "axis": axis, "scale": {"nice": False}}
    labels = [_day_label(chart, words, index) for index in range(len(chart.slots))]
    shown = [i + 0.5 for i in range(len(labels)) if len(labels) <= 7 or i == 0 or (i + 1) % size.days == 0]
    axis |= {"values": shown, "labelExpr": f"{labels!r}[floor(datum.value)]", "ticks": False}
    return {
        "type": "quantitative",
        "title": None,
        "axis": axis,
        "scale": {"domain": [0, max(len(labels), 1)], "nice": False},
    }


def _day_label(chart: Chart, words: Wording, index: int) -> str:
    day = chart.slots[index][0].astimezone(BRUSSELS).date()
    if len(chart.slots) > 7:
        return str(day.day)
    return f"{words.shape['weekdays_short'][day.weekday()]} {day.day}"


def _full_hours(chart: Chart, every: int) -> list[str]:
    """The instants of the full local hours 0, `every`, ... and the end; an hour that comes twice stands twice."""
    if not chart.slots:
        return []
    moment, end = chart.slots[0][0], chart.slots[-1][1]
    found = []
    while moment <= end:
        local = moment.astimezone(BRUSSELS)
        if local.minute == 0 and local.hour % every == 0:
            found.append(_instant(moment))
        moment += timedelta(minutes=15)
    return found


def _gap_layers(chart: Chart, low: float, high: float) -> list[Spec]:
    values = [
        {
            "x": _place(chart, gap.first, is_end=False),
            "x2": _place(chart, gap.last, is_end=True),
            "y": 0,
            "y2": low if gap.is_below else high,
        }
        for gap in chart.gaps
    ]
    return [_layer("missing", values, {"type": "rect", "fill": "url(#missing)"})] if values else []


def _bar_layers(chart: Chart, size: Size) -> list[Spec]:
    between = 0.5 if len(chart.slots) > 40 else size.width / max(len(chart.slots), 1) * 0.08
    layers = []
    for kind, look in chart.looks:
        values = [
            {
                "x": _place(chart, bar.slot, is_end=False),
                "x2": _place(chart, bar.slot, is_end=True),
                "y": _number(bar.low),
                "y2": _number(bar.high),
            }
            for bar in chart.bars
            if (bar.kind, bar.look) == (kind, look)
        ]
        mark: Spec = {"type": "rect", "xOffset": between, "x2Offset": -between, "fill": "gray"}
        if look is Look.ESTIMATED:
            mark["fill"] = f"url(#estimated_{kind})"
        if look is Look.PARTIAL:
            mark["strokeDash"] = [3, 2]
        layers.append(_layer(f"{look}{kind}", values, mark))
    return layers


def _rules(chart: Chart, words: Wording, low: float, high: float) -> list[Spec]:
    """The zero line, and a dashed line where the clock changes inside a day."""
    if not chart.slots:
        return []
    ends = {"x": _place(chart, 0, is_end=False), "x2": _place(chart, len(chart.slots) - 1, is_end=True)}
    layers = [_layer("zero", [{**ends, "y": 0}], {"type": "rule"}, without=("y2",))]
    changes = [slot for slot in range(1, len(chart.slots)) if _changes_clock(chart, slot)]
    if changes and chart.resolution in _HAS_HOURS:
        values = [{"x": _place(chart, slot, is_end=False), "y": low, "y2": high} for slot in changes]
        layers.append(_layer("clock", values, {"type": "rule", "strokeDash": [4, 3]}, without=("x2",)))
        said: Spec = {"type": "text", "text": words.say("clock_change"), "align": "left", "baseline": "top", "dx": 5}
        places = [{"x": value["x"], "y": high} for value in values]
        layers.append(_layer("change", places, said, without=("x2", "y2")))
    return layers


def _changes_clock(chart: Chart, slot: int) -> bool:
    before, after = (chart.slots[index][0].astimezone(BRUSSELS).utcoffset() for index in (slot - 1, slot))
    return before != after


def _layer(name: str, values: list[Spec], mark: Spec, *, without: tuple[str, ...] = ()) -> Spec:
    layer: Spec = {"name": name, "data": {"values": values}, "mark": {"aria": False, "clip": False, **mark}}
    if without:
        layer["encoding"] = dict.fromkeys(without)
    return layer


def _number(value: Decimal) -> float:
    return float(value)


def _config(size: Size) -> Spec:
    return {
        "view": {"stroke": None},
        "font": "sans-serif",
        "text": {"fontSize": size.font},
        "axis": {"aria": False, "labelFontSize": size.font, "labelPadding": 6, "domain": False, "tickSize": 4},
        "axisY": {"ticks": False},
    }
