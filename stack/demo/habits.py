"""How power is used through a day, a week and a year, by kind of place; curves without unit, scaled by their sum."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from stack.demo.timeline import Floats, Timeline
from stack.demo.weather import Weather

Random = np.random.Generator
Curve = Callable[[Timeline, Weather, Random], Floats]


def bump(hour: Floats, at: float, width: float) -> Floats:
    """Return a bell around the local hour `at`, 1 at its top, that goes on over midnight."""
    distance = np.abs(hour - at)
    return np.asarray(np.exp(-0.5 * (np.minimum(distance, 24 - distance) / width) ** 2))


def between(hour: Floats, opens: float, closes: float, slope: float = 0.4) -> Floats:
    """Return 1 between two local hours of a day and 0 outside, with edges of about `slope` hours."""
    return np.asarray(1 / (1 + np.exp((opens - hour) / slope)) - 1 / (1 + np.exp((closes - hour) / slope)))


def home(timeline: Timeline, weather: Weather, random: Random) -> Floats:
    """A household out at work on weekdays: breakfast and evening; cooking and washing at weekends."""
    hour = timeline.hour
    weekday = 0.5 * bump(hour, 7.2, 0.8) + 0.25 * bump(hour, 12.5, 1.2) + 1.2 * bump(hour, 19, 1.9)
    weekend = 0.5 * bump(hour, 9.5, 1.5) + 0.7 * bump(hour, 13, 1.9) + 1.0 * bump(hour, 18.7, 2.2)
    shape = 0.22 + np.where(timeline.is_free, weekend, weekday) * (1 + 0.22 * timeline.season)
    return _lived_in(shape, timeline, random)


def at_home(timeline: Timeline, weather: Weather, random: Random) -> Floats:
    """A household that is in all day: every day alike, lunch as heavy as supper."""
    hour = timeline.hour
    shape = 0.25 + 0.4 * bump(hour, 8.5, 1.2) + 0.8 * bump(hour, 12.3, 1.4) + 0.9 * bump(hour, 18.5, 2.0)
    return _lived_in(shape * (1 + 0.18 * timeline.season), timeline, random)


def heat_pump(timeline: Timeline, weather: Weather, random: Random) -> Floats:
    """A household that heats with a heat pump: most of its year lies in the cold months."""
    cold = np.maximum(16 - weather.temperature_of(timeline), 0) * (0.7 + 0.3 * between(timeline.hour, 6, 22))
    own = home(timeline, weather, random)
    return np.asarray(own / own.sum() + 1.1 * cold / cold.sum())


def car(timeline: Timeline, weather: Weather, random: Random) -> Floats:
    """A household that charges a car at night, two or three nights a week."""
    own = home(timeline, weather, random)
    evenings = random.random(len(timeline.days)) < 0.38
    lengths = random.integers(6, 15, len(timeline.days))
    charge = np.zeros(timeline.slice_count)
    for day in np.flatnonzero(evenings):
        start = timeline.first[day] + 4 * 22
        charge[start : start + lengths[day]] = 1.0
    return np.asarray(own / own.sum() + 0.8 * charge / charge.sum())


def shop(timeline: Timeline, weather: Weather, random: Random) -> Floats:
    """A shop, open Tuesday to Saturday."""
    is_open = (timeline.weekday >= 1) & (timeline.weekday <= 5)
    shape = 0.18 + np.where(is_open, between(timeline.hour, 8.7, 18.6), 0.03)
    return _busy(shape * (1 + 0.12 * timeline.season), timeline, random)


def bakery(timeline: Timeline, weather: Weather, random: Random) -> Floats:
    """A bakery: ovens from three in the morning, closed on Mondays."""
    ovens = between(timeline.hour, 3, 8.5) + 0.35 * between(timeline.hour, 8.5, 17)
    shape = 0.15 + np.where(timeline.weekday != 0, ovens, 0.02)
    return _busy(shape, timeline, random)


def office(timeline: Timeline, weather: Weather, random: Random) -> Floats:
    """An office building: working hours, cooled in summer and lit in winter."""
    cooling = 0.03 * np.maximum(weather.temperature_of(timeline) - 19, 0)
    working = between(timeline.hour, 7.2, 18.5, 0.7) * (1 + 0.08 * timeline.season + cooling)
    return _busy(0.25 + np.where(timeline.is_free, 0.04, working), timeline, random)


def factory(timeline: Timeline, weather: Weather, random: Random) -> Floats:
    """A plant with two shifts, 06:00 to 22:00 on working days."""
    working = between(timeline.hour, 5.8, 22.1, 0.25) * (0.9 + 0.1 * np.cos(2 * np.pi * (timeline.hour - 10) / 12))
    return _busy(0.3 + np.where(timeline.is_free, 0.02, working), timeline, random)


def cold_store(timeline: Timeline, weather: Weather, random: Random) -> Floats:
    """A cold store: never off, and busiest on warm afternoons."""
    return _busy(0.6 + 0.03 * np.maximum(weather.temperature_of(timeline), 0), timeline, random)


HABITS: Final[dict[str, Curve]] = {
    each.__name__: each for each in (home, at_home, heat_pump, car, shop, bakery, office, factory, cold_store)
}


def _lived_in(shape: Floats, timeline: Timeline, random: Random) -> Floats:
    """Return a household's `shape` with a fridge, good and lazy days, holidays away, kettles and washing machines."""
    mood = random.lognormal(0, 0.16, len(timeline.days))
    for start in random.integers(0, len(timeline.days), 3):
        mood[start : start + 7] *= 0.3
    counts = np.diff(timeline.first)
    alive = shape * np.repeat(mood, counts)
    flicker = random.gamma(5.0, 0.2, timeline.slice_count)
    switched_on = random.random(timeline.slice_count) < 0.05 * alive
    strength = switched_on * random.uniform(0.8, 3.0, timeline.slice_count)
    appliances = np.convolve(strength, np.array([1.0, 1.0, 0.6, 0.3]))[: timeline.slice_count]
    fridge = 0.04 + 0.04 * (np.arange(timeline.slice_count) % 5 < 2)
    return np.asarray(fridge + 0.6 * alive * flicker + 0.5 * appliances)


def _busy(shape: Floats, timeline: Timeline, random: Random) -> Floats:
    """Return an enterprise's `shape` with better and worse days and a little noise."""
    mood = random.lognormal(0, 0.07, len(timeline.days))
    noise = random.normal(1, 0.05, timeline.slice_count)
    return np.asarray(np.maximum(shape * np.repeat(mood, np.diff(timeline.first)) * noise, 0.01))
