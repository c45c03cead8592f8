"""One row of the portal's file: its cells checked against each other and turned into market words. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from market.channel import Channel, Energy, MeterKind, Quantity, Register, Resolution
from market.ean import Ean, InvalidEan, parse_ean
from market.portal_clock import printed_slices
from market.portal_file import Layout, qualities, registers
from market.portal_words import WORDS
from market.quality import GasFactor, Quality

_EAN_CELL: Final = re.compile(r'="([0-9]{18})"|([0-9]{18})')
_METER: Final = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9 ._/-]{0,39})?")
_VOLUME: Final = re.compile(r"[0-9]+,[0-9]{3}")
_DATE: Final = re.compile(r"([0-9]{2})(.)([0-9]{2})(.)([0-9]{4})")
_GREATEST: Final = 2_147_483_647
_YEARS: Final = range(1990, 2100)

_Times = tuple[str, str, str]


class RowRefused(ValueError):
    """The row cannot be taken; the message says why, without any of the point's or the customer's data."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a printed start and end can lie: one slice of one day, or one of two where the October night repeats."""

    resolution: Resolution
    day: date
    indexes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Meaning:
    """What meter type, register and unit say together."""

    meter_kind: MeterKind
    channel: Channel
    code: int
    tariff: Register
    qualities: Mapping[str, Quality]
    has_factor: bool


@dataclass(slots=True)
class Row:
    """A row that holds together. `value` is in the channel's stored unit, None where missing."""

    line: int
    ean: Ean
    meter_id: str
    meaning: Meaning
    place: Place
    value: int | None
    quality: Quality
    factor: GasFactor


class RowReader:
    """Reads the rows of one file; remembers what the same words meant in an earlier row."""

    def __init__(self, layout: Layout) -> None:
        words = WORDS[layout.language]
        self._layout = layout
        self._kinds = {word.casefold(): kind for kind, word in words.meter_kinds.items()}
        self._factors = {word: factor for factor, word in words.factors.items()}
        self._separator = words.date_separator
        self._eans: dict[str, Ean] = {}
        self._places: dict[tuple[MeterKind, str], dict[_Times, Place]] = {}
        self._meanings: dict[tuple[str, str, str, Resolution], Meaning] = {}

    def read(self, line: int, text: str) -> Row:
        """Return the row that stands on `line`.

        Raises:
            RowRefused: a cell cannot be read, or two cells contradict each other.
        """
        cells = text.split(";")
        if len(cells) != self._layout.column_count:
            raise RowRefused(f"the row has {_columns(len(cells))}, the header has {self._layout.column_count}")
        kind_word, register, unit = cells[6], cells[7], cells[9]
        kind = self._kinds.get(kind_word) or self._kind(kind_word)
        place = self._place(kind, cells)
        key = kind_word, register, unit, place.resolution
        meaning = self._meanings.get(key)
        if meaning is None:
            meaning = self._meanings[key] = self._meaning(kind, register, unit, place.resolution)
        value, quality = _reading(cells[8], cells[10], meaning)
        factor = self._factor(cells[11], meaning, value) if self._layout.has_factor else GasFactor.NONE
        meter_id = cells[5]
        if not _METER.fullmatch(meter_id):
            raise RowRefused("the meter number holds signs that a meter number does not have")
        ean = self._eans.get(cells[4]) or self._ean(cells[4])
        return Row(line, ean, meter_id, meaning, place, value, quality, factor)

    def _kind(self, word: str) -> MeterKind:
        kind = self._kinds.get(word.casefold())
        if kind is None:
            raise RowRefused(f"the meter type {_quoted(word)} is not known")
        self._kinds[word] = kind
        return kind

    def _ean(self, cell: str) -> Ean:
        match = _EAN_CELL.fullmatch(cell)
        if match is None:
            raise RowRefused('the EAN is not printed as ="..." with 18 digits')
        try:
            ean = parse_ean(match[1] or match[2])
        except InvalidEan as error:
            raise RowRefused(str(error)) from error
        self._eans[cell] = ean
        return ean

    def _place(self, kind: MeterKind, cells: list[str]) -> Place:
        places = self._places.get((kind, cells[0]))
        if places is None:
            places = self._places[kind, cells[0]] = self._places_of(kind, self._date(cells[0]))
        place = places.get((cells[1], cells[2], cells[3]))
        if place is None:
            if any(start == cells[1] for start, _, _ in places):
                raise RowRefused("the end does not fit the start: no quarter, hour, day or month runs like that")
            raise RowRefused("nothing starts at this time on this day")
        return place

    def _places_of(self, kind: MeterKind, on: date) -> dict[_Times, Place]:
        places: dict[_Times, Place] = {}
        is_gas = self._layout.energy is Energy.GAS
        shortest = Resolution.HOURLY if is_gas else Resolution.QUARTER_HOURLY
        for resolution in (shortest, Resolution.DAILY, Resolution.MONTHLY):
            for entry in printed_slices(self._layout.energy, kind, resolution, on):
                end = f"{entry.end_on:%d}{self._separator}{entry.end_on:%m}{self._separator}{entry.end_on.year:04}"
                times = entry.start_time, end, entry.end_time
                earlier = places[times].indexes if times in places else ()
                places[times] = Place(resolution, entry.day, (*earlier, entry.index))
        return places

    def _date(self, cell: str) -> date:
        match = _DATE.fullmatch(cell)
        if match is None or (match[2], match[4]) != (self._separator, self._separator):
            raise RowRefused(f"the start date is not written as DD{self._separator}MM{self._separator}YYYY")
        try:
            on = date(int(match[5]), int(match[3]), int(match[1]))
        except ValueError as error:
            raise RowRefused("the start date is not a day of the calendar") from error
        if on.year not in _YEARS:
            raise RowRefused(f"the year of the start date is not one of {_YEARS[0]} to {_YEARS[-1]}")
        return on

    def _meaning(self, kind: MeterKind, register: str, unit: str, resolution: Resolution) -> Meaning:
        layout = self._layout
        known = registers(layout.language, layout.energy, kind, resolution)
        found = known.get((register, unit))
        if found is None:
            if any(label == register for label, _ in known):
                raise RowRefused(f"the unit {_quoted(unit)} does not fit the register {_quoted(register)}")
            raise RowRefused(f"the register {_quoted(register)} is not one of this meter type and this length of time")
        channel, tariff = found
        return Meaning(
            meter_kind=kind,
            channel=channel,
            code=channel.code,
            tariff=tariff,
            qualities=qualities(layout.language, kind, resolution),
            has_factor=channel.quantity is Quantity.GAS_ENERGY,
        )

    def _factor(self, cell: str, meaning: Meaning, value: int | None) -> GasFactor:
        factor = self._factors.get(cell)
        if factor is None:
            raise RowRefused(f"the caloric value {_quoted(cell)} is not known")
        if factor is not GasFactor.NONE and not meaning.has_factor:
            raise RowRefused("a caloric value belongs to a kWh row only")
        return factor if value is not None else GasFactor.NONE


def _reading(volume: str, status: str, meaning: Meaning) -> tuple[int | None, Quality]:
    quality = meaning.qualities.get(status)
    if quality is None:
        raise RowRefused(f"the validation status {_quoted(status)} is not one of this meter type")
    if quality is Quality.MISSING:
        if volume:
            raise RowRefused(f"a volume stands beside {_quoted(status)}")
        return None, quality
    if not _VOLUME.fullmatch(volume):
        raise RowRefused("the volume is not a number with a decimal comma and three decimals")
    value = int(volume.replace(",", "")) if len(volume) <= 20 else _GREATEST + 1
    if value > _GREATEST:
        raise RowRefused(f"the volume is greater than {_GREATEST // 1000} {meaning.channel.unit}")
    return value, quality


def _columns(count: int) -> str:
    return "1 column" if count == 1 else f"{count} columns"


def _quoted(cell: str) -> str:
    """The cell as it may stand in a sentence: short, on one line."""
    return repr(cell if len(cell) <= 30 else cell[:27] + "...")
