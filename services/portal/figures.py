"""What stands around a drawing: its legend, its summary in words, and the totals with their completeness. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from market.channel import Direction, Resolution
from services.portal.charts import Chart
from services.portal.readings import Readings, Series, Slice
from services.portal.tables import titles
from services.portal.wording import Wording


@dataclass(frozen=True, slots=True)
class LegendEntry:
    """A swatch (`kind` names its colour or pattern) and what it stands for."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Total:
    """The total of one series, and how much of it is there."""

    title: str
    value: str
    unit: str
    label: str
    completeness: str
    estimated: str
    is_complete: bool


def legend(chart: Chart, words: Wording) -> list[LegendEntry]:
    """The entries that the drawing needs, no more."""
    entries = []
    for kind, is_estimated in chart.kinds:
        name, _, night = kind.partition("_")
        text = words.say(f"direction_{name.upper()}")
        if night or f"{name}_night" in {each for each, _ in chart.kinds}:
            text = f"{text} {words.say('register_NIGHT' if night else 'register_DAY')}"
        key = "legend_estimated" if is_estimated else "legend_measured"
        entries.append(LegendEntry(f"estimated_{kind}" if is_estimated else kind, words.say(key, name=text)))
    if chart.gaps:
        entries.append(LegendEntry("missing", words.say("legend_missing")))
    return entries


def summary(chart: Chart, readings: Readings, words: Wording) -> str:
    """The chart in two or three sentences per series: total, highest value and when, what is missing."""
    names = titles(chart.series, words)
    return " ".join(_sentence(names[i], entry, readings, words) for i, entry in enumerate(chart.series))


def totals(charts: Sequence[Chart], words: Wording) -> list[Total]:
    """A total per series, in the order of the charts."""
    series = [entry for chart in charts for entry in chart.series]
    names = titles(series, words)
    return [_total(names[i], entry, words) for i, entry in enumerate(series)]


def chart_title(chart: Chart, words: Wording) -> str:
    """Such as `Actieve energie`, or `Productie` where the direction says more."""
    direction = chart.series[0].channel.direction
    if direction in (Direction.OFFTAKE, Direction.INJECTION):
        return words.say(f"quantity_{chart.quantity.name}")
    return f"{words.say(f'direction_{direction.name}')} {words.say(f'series_{chart.quantity.name}')}"


def _sentence(name: str, series: Series, readings: Readings, words: Wording) -> str:
    present = [entry for entry in series.slices if entry.value is not None]
    if not present:
        return words.say("chart_nothing", name=name)
    parts = []
    if series.total is not None:
        parts.append(words.say("chart_text", name=name, total=words.number(series.total), unit=series.unit))
    highest = max(present, key=lambda entry: entry.value or Decimal(0))
    if highest.value is not None and highest.value > 0:
        when = _moment(highest, series, readings, words)
        parts.append(words.say("chart_highest", value=words.number(highest.value), unit=series.unit, when=when))
    if series.missing:
        slices = words.say(f"slices_{series.channel.resolution.name}")
        parts.append(words.say("chart_missing", count=series.missing, slices=slices))
    return " ".join(parts)


def _moment(entry: Slice, series: Series, readings: Readings, words: Wording) -> str:
    if series.channel.resolution in (Resolution.DAILY, Resolution.MONTHLY):
        return words.short_day(readings.day_of(entry.start))
    season = words.season(entry.start)
    return f"{words.clock(entry.start)} {season}".strip()


def _total(title: str, series: Series, words: Wording) -> Total:
    slices = words.say(f"slices_{series.channel.resolution.name}")
    counts = {"expected": series.expected, "present": series.present, "missing": series.missing, "slices": slices}
    return Total(
        title=title,
        value="" if series.total is None else words.number(series.total),
        unit=series.unit,
        label=words.say(_label(series)),
        completeness=words.say("complete" if series.is_complete else "incomplete", **counts),
        estimated=words.count("estimated_count", series.estimated) if series.estimated else "",
        is_complete=series.is_complete,
    )


def _label(series: Series) -> str:
    if series.total is None:
        return "total_none"
    return "total" if series.is_complete else "total_partial"
