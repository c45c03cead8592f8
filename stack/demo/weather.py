"""Sun and cold over Brussels: the sun by astronomy, clouds and temperature by a seed. One weather for all points."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np

from stack.demo.timeline import Floats, Ints, Timeline

LATITUDE: Final = np.radians(50.85)
LONGITUDE: Final = 4.35
ROOF_TILT: Final = np.radians(35.0)
_EPOCH: Final = date(1970, 1, 1)
_J2000_DAYS: Final = 10_957.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Weather:
    """Per local day from `first_day` on: mean temperature in °C, and how much of the sun comes through (0 to 1)."""

    first_day: date
    temperature: Floats
    clearness: Floats

    def temperature_of(self, timeline: Timeline) -> Floats:
        """Return the temperature of each slice in °C: the day's mean, coldest at 05:00 and warmest at 15:00 or so."""
        swing = 1.5 + 3.0 * self._spread(self.clearness, timeline)
        mean = self._spread(self.temperature, timeline)
        return np.asarray(mean + swing * np.cos(2 * np.pi * (timeline.hour - 15) / 24))

    def clearness_of(self, timeline: Timeline) -> Floats:
        """Return for each slice how much of the sun the day's clouds let through, 0 to 1."""
        return self._spread(self.clearness, timeline)

    def _spread(self, per_day: Floats, timeline: Timeline) -> Floats:
        return per_day[timeline.local_day - (self.first_day - _EPOCH).days]


def make_weather(random: np.random.Generator, first_day: date, last_day: date) -> Weather:
    """Return the weather of the local days `first_day` to `last_day`, both inclusive; mild ones follow mild ones."""
    count = (last_day - first_day).days + 1
    numbers = np.arange(count) + (first_day - _EPOCH).days
    season = np.cos(2 * np.pi * (numbers % 365.2425 - 20) / 365.2425)
    clouds = _wander(random, count, stay=0.55)
    clearness = 1 / (1 + np.exp(-(0.35 - 0.75 * season + 1.5 * clouds)))
    temperature = 10.8 - 7.6 * season + 2.6 * _wander(random, count, stay=0.75)
    return Weather(first_day=first_day, temperature=temperature, clearness=0.12 + 0.86 * clearness)


def sun_height(seconds: Ints) -> tuple[Floats, Floats]:
    """Return the sine of the sun's height over Brussels, and the cosine of its angle on a tilted roof to the south.

    `seconds` are UTC since 1970. Refraction is left out: the sun rises some four minutes late.
    Source: Astronomical Almanac, low precision formulas for the sun (0.01 degree).
    """
    days = seconds / 86_400 - _J2000_DAYS
    anomaly = np.radians(357.528 + 0.9856003 * days)
    longitude = np.radians(280.460 + 0.9856474 * days + 1.915 * np.sin(anomaly) + 0.020 * np.sin(2 * anomaly))
    obliquity = np.radians(23.439 - 0.0000004 * days)
    declination = np.arcsin(np.sin(obliquity) * np.sin(longitude))
    ascension = np.arctan2(np.cos(obliquity) * np.sin(longitude), np.cos(longitude))
    sidereal = np.radians((18.697374558 + 24.06570982441908 * days) * 15 + LONGITUDE)
    hour_angle = sidereal - ascension
    return _incidence(declination, hour_angle, LATITUDE), _incidence(declination, hour_angle, LATITUDE - ROOF_TILT)


def sun_power(timeline: Timeline, weather: Weather) -> Floats:
    """Return the power of one kW peak of panels in kW per slice, before a roof's own shade; zero at night."""
    height, on_roof = sun_height(timeline.middle_seconds)
    is_up = height > 0
    clear = np.where(is_up, np.exp(-0.13 / np.maximum(height, 0.02)), 0.0)
    share = weather.clearness_of(timeline)
    direct = np.maximum(on_roof, 0) * share**1.5
    diffuse = np.maximum(height, 0) * (0.12 + 0.25 * share)
    return np.asarray(np.where(is_up, 0.78 * clear * (direct + diffuse), 0.0))


def _incidence(declination: Floats, hour_angle: Floats, latitude: float) -> Floats:
    straight = np.sin(latitude) * np.sin(declination)
    return np.asarray(straight + np.cos(latitude) * np.cos(declination) * np.cos(hour_angle))


def _wander(random: np.random.Generator, count: int, *, stay: float) -> Floats:
    """Return a series around 0 with deviation 1, of which `stay` is kept from one day to the next."""
    pushes = random.standard_normal(count) * np.sqrt(1 - stay**2)
    found = np.empty(count)
    level = random.standard_normal()
    for number, push in enumerate(pushes):
        level = stay * level + push
        found[number] = level
    return found
