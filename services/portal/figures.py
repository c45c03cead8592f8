"""What stands around a drawing: its legend, its summary in words, and the totals with their completeness. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby

from market.channel import Direction, Register, Resolution
from services.portal.charts import Chart, Look
from services.portal.readings import Readings, Series, Slice
from services.portal.tables import titles
from services.portal.wording import Wording

_LEGEND = {Look.MEASURED: "legend_measured", Look.ESTIMATED: "legend_estimated", Look.PARTIAL: "legend_partial"}


@dataclass(frozen=True, slots=True)
class LegendEntry:
    """A swatch (`kind` names its colour or pattern) and what it stands for."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Total:
    """The total of a direction and quantity of one meter, what it is the sum of, and how much of it is there."""

    title: str
    value: str
    unit: str
    label: str
    completeness: str
    is_complete: bool


def legend(chart: Chart, words: Wording) -> list[LegendEntry]:
    """The entries that the drawing needs, no more."""
    has_registers = any(entry.channel.register is not Register.TOTAL for entry in chart.series)
    entries = []
    for kind, look in chart.looks:
        direction, _, night = kind.partition("_")
        name = words.say(f"direction_{direction.upper()}")
        if has_registers:
            name = f"{name} {words.say('register_NIGHT' if night else 'register_DAY')}"
        entries.append(LegendEntry(f"{look}{kind}", words.say(_LEGEND[look], name=name)))
    if chart.gaps:
        is_daily = chart.resolution is Resolution.DAILY
        entries.append(LegendEntry("missing", words.say("legend_missing_days" if is_daily else "legend_missing")))
    return entries


def summary(chart: Chart, readings: Readings, words: Wording) -> list[str]:
    """The chart in words, a few sentences per series: total, highest value and when, what is missing."""
    names = titles(chart.series, words)
    return [_sentence(name, entry, readings, words) for name, entry in zip(names, chart.series, strict=True)]


def totals(charts: Sequence[Chart], words: Wording) -> list[Total]:
    """A total per direction, quantity and meter, in the order of the charts."""
    series = [entry for chart in charts for entry in chart.series]
    named = zip(titles(series, words, with_register=False), series, strict=True)
    groups = [(title, [entry for _, entry in group]) for title, group in groupby(named, key=lambda pair: pair[0])]
    return [_total(title, group, words) for title, group in groups]


def chart_title(chart: Chart, words: Wording) -> str:
    """Such as `Actieve energie`, or `Productie` where the direction says more."""
    direction = chart.series[0].channel.direction
    if direction in (Direction.OFFTAKE, Direction.INJECTION):
        return words.say(f"quantity_{chart.quantity.name}")
    return f"{words.say(f'direction_{direction.name}')} {words.say(f'series_{chart.quantity.name}')}"


def _sentence(name: str, series: Series, readings: Readings, words: Wording) -> str:
    present = [entry for entry in series.slices if entry.value is not None]
    if not present and not any(entry.partial for entry in series.slices):
        return words.say("chart_nothing", name=name)
    missing = words.count(f"chart_missing_{series.channel.resolution.name}", series.missing)
    if not present:
        return words.say("named", name=name, text=missing)
    parts = []
    if series.total is not None:
        parts.append(words.say("chart_text", name=name, total=words.number(series.total), unit=series.unit))
    highest = max(present, key=lambda entry: entry.value or Decimal(0))
    if highest.value is not None and highest.value > 0:
        when = _moment(highest, series, readings, words)
        parts.append(words.say("chart_highest", value=words.number(highest.value), unit=series.unit, when=when))
    if series.missing:
        parts.append(missing)
    return " ".join(parts)


def _moment(entry: Slice, series: Series, readings: Readings, words: Wording) -> str:
    if series.channel.resolution in (Resolution.DAILY, Resolution.MONTHLY):
        return words.short_day(readings.day_of(entry.start))
    return f"{words.clock(entry.start)} {words.season(entry.start)}".strip()


def _total(title: str, group: Sequence[Series], words: Wording) -> Total:
    """The total of one series, or of the day and night registers together."""
    parts = [entry.total for entry in group if entry.total is not None]
    value = sum(parts, start=Decimal(0)) if len(parts) == len(group) else None
    return Total(
        title=title,
        value="" if value is None else words.number(value),
        unit=group[0].unit,
        label=_label(group, words, is_there=value is not None),
        completeness=_completeness(group, words),
        is_complete=all(entry.is_complete for entry in group),
    )


def _completeness(group: Sequence[Series], words: Wording) -> str:
    """Such as `Onvolledig: 72 van 96 kwartieren; 24 ontbreken; 36 geschat`; of two registers, the worse of them."""
    worst = max(group, key=lambda entry: entry.missing)
    estimated_count = max(entry.estimated for entry in group)
    slices = words.say(f"slices_{worst.channel.resolution.name}")
    key = "complete" if worst.is_complete else "incomplete"
    parts = [words.say(key, present=worst.present, expected=worst.expected, slices=slices)]
    if worst.missing:
        parts.append(words.count("missing_count", worst.missing))
    if estimated_count:
        parts.append(words.count("estimated_count", estimated_count))
    return "; ".join(parts)


def _label(group: Sequence[Series], words: Wording, *, is_there: bool) -> str:
    """What the number is, and the registers that it is the sum of."""
    if not is_there:
        return words.say("total_none")
    if all(entry.is_complete for entry in group):
        label = words.say("total")
    else:
        is_daily = group[0].channel.resolution is Resolution.DAILY
        label = words.say("total_partial_days" if is_daily else "total_partial")
    if len(group) == 1:
        return label
    return words.say("named", name=label, text=" + ".join(_register(entry, words) for entry in group))


def _register(series: Series, words: Wording) -> str:
    total = words.number(series.total or Decimal(0))
    return f"{words.say(f'register_{series.channel.register.name}')} {total}"
