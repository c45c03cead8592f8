"""Slices as JSON by a template: one matrix of bytes, a row a slice, numbers and words filled in column by column.

All rows are as wide as the widest. What a slice does not have is spaces, and JSON takes spaces between its parts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from market.channel import MeterKind
from market.portal_file import status_of
from market.portal_words import Status
from market.quality import GasFactor, Quality
from services.export.energy.axis import Axis
from services.export.energy.columns import Column

Bytes = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Inside = tuple[Mask, Callable[[Mask], list[Bytes]]]

_SPACE: Final = ord(" ")
_STATES: Final = {
    Status.READ: '"READ"',
    Status.ESTIMATED: '"EST" ',
    Status.VALIDATED: '"VAL" ',
    Status.NOT_VALIDATED: '"NVAL"',
}
_FACTORS: Final = {GasFactor.PROVISIONAL: "P", GasFactor.DEFINITIVE: "D", GasFactor.CONSTANT: "C"}
_FACTOR_HEAD: Final = b',"gasConversionFactor":"'
_HALF: Final = 500
_FOUR_DIGITS: Final = 10_000


def _text(value: bytes) -> Bytes:
    return np.frombuffer(value, dtype=np.uint8)


def _table(texts: Sequence[str]) -> Bytes:
    return _text("".join(texts).encode()).reshape(len(texts), -1)


_ZERO_PADDED: Final = _table([f"{n:04}" for n in range(_FOUR_DIGITS)])
_SPACE_PADDED: Final = _table([f"{n:4}" for n in range(_FOUR_DIGITS)])
_PLACES: Final = _table([f".{n:03}" for n in range(1_000)])
_STATE_WORDS: Final = {
    kind: _table([_STATES.get(status_of(quality, kind), " " * 6) for quality in Quality]) for kind in MeterKind
}
_FACTOR_LETTERS: Final = _table([_FACTORS.get(factor, " ") for factor in GasFactor])


@dataclass(frozen=True)
class Register:
    """A register of a slice: its name and unit on the wire, its values, and the kind of meter they come from."""

    name: str
    unit: str
    column: Column
    kind: MeterKind
    has_factor: bool = False


@dataclass(frozen=True)
class Direction:
    """`offtake`, `injection`, `production` or `auxiliary`, with its registers."""

    name: str
    registers: Sequence[Register]

    @cached_property
    def is_present(self) -> Mask:
        return _any([each.column.is_present for each in self.registers])


@dataclass(frozen=True)
class Entry:
    """One entry of `measurements`."""

    directions: Sequence[Direction]

    @cached_property
    def is_present(self) -> Mask:
        return _any([each.is_present for each in self.directions])


@dataclass(frozen=True, slots=True)
class Slices:
    """The slices of one series as the inside of a JSON list; `value_count` numbers are in it."""

    json: bytes
    value_count: int


def newest_instants(entries: Sequence[Entry]) -> NDArray[np.int64]:
    """Per slice: when the newest of its values was recorded, µs since 1970 (UTC); 0 where it has none."""
    columns = [register.column for entry in entries for each in entry.directions for register in each.registers]
    newest: NDArray[np.int64] = np.maximum.reduce([np.where(each.is_present, each.recorded_at, 0) for each in columns])
    return newest


def write_slices(axis: Axis, entries: Sequence[Entry], keep: Mask) -> Slices:
    """Return those slices of `axis` that are in `keep` and have a value."""
    rows = np.flatnonzero(keep & _any([each.is_present for each in entries]))
    if not len(rows):
        return Slices(b"", 0)
    pieces = [*_opening(axis, rows)]
    earlier = np.zeros(len(rows), dtype=np.bool_)
    count = 0
    for entry in entries:
        pieces += _entry(entry, rows, earlier)
        earlier |= entry.is_present[rows]
        count += sum(_count(register, rows) for each in entry.directions for register in each.registers)
    pieces.append(_constant(b"]}", len(rows)))
    return Slices(np.concatenate(pieces, axis=1).tobytes()[1:], count)


def _count(register: Register, rows: NDArray[np.int64]) -> int:
    return int(np.count_nonzero(register.column.is_present[rows]))


def _any(masks: Sequence[Mask]) -> Mask:
    found: Mask = np.logical_or.reduce(masks)
    return found


def _opening(axis: Axis, rows: NDArray[np.int64]) -> list[Bytes]:
    return [
        _constant(b',{"start":"', len(rows)),
        axis.start_text[rows],
        _constant(b'","end":"', len(rows)),
        axis.end_text[rows],
        _constant(b'","measurements":[', len(rows)),
    ]


def _entry(entry: Entry, rows: NDArray[np.int64], earlier: Mask) -> list[Bytes]:
    """An entry, with a comma in front where something came `earlier`; nothing where no row has it."""
    inside = [(each.is_present, partial(_direction, each, rows)) for each in entry.directions]
    return _group(b"{", inside, rows, entry.is_present, earlier)


def _direction(direction: Direction, rows: NDArray[np.int64], earlier: Mask) -> list[Bytes]:
    inside = [(each.column.is_present, partial(_register, each, rows)) for each in direction.registers]
    return _group(f'"{direction.name}":{{'.encode(), inside, rows, direction.is_present, earlier)


def _group(
    head: bytes, inside: Sequence[Inside], rows: NDArray[np.int64], is_present: Mask, earlier: Mask
) -> list[Bytes]:
    present = is_present[rows]
    if not present.any():
        return []
    pieces = [_comma(earlier), _constant(head, len(rows))]
    before = np.zeros(len(rows), dtype=np.bool_)
    for own, write in inside:
        pieces += write(before)
        before = before | own[rows]
    pieces.append(_constant(b"}", len(rows)))
    return [_blanked(pieces, present)]


def _register(register: Register, rows: NDArray[np.int64], earlier: Mask) -> list[Bytes]:
    column, present = register.column, register.column.is_present[rows]
    if not present.any():
        return []
    values = np.where(present, column.milli[rows], 0)
    pieces = [
        _comma(earlier),
        _constant(f'"{register.name}":{{"value":'.encode(), len(rows)),
        number_text((values + _HALF) // 1000),
        _constant(f',"unit":"{register.unit}","validationState":'.encode(), len(rows)),
        _STATE_WORDS[register.kind][column.quality[rows]],
    ]
    factor = column.factor[rows]
    if register.has_factor and factor.any():
        letter = [_constant(_FACTOR_HEAD, len(rows)), _FACTOR_LETTERS[factor], _constant(b'"', len(rows))]
        pieces.append(_blanked(letter, factor > 0))
    return [_blanked([*pieces, _constant(b"}", len(rows))], present)]


def number_text(stored: NDArray[np.int64]) -> Bytes:
    """Whole numbers of stored units as decimals 1000 times smaller, such as `   0.083`; a row each, spaces in front."""
    whole, places = np.divmod(stored, 1000)
    return np.concatenate([_whole_text(whole), _PLACES[places]], axis=1)


def _whole_text(whole: NDArray[np.int64]) -> Bytes:
    if whole.max(initial=0) < _FOUR_DIGITS:
        return _SPACE_PADDED[whole]
    above, below = np.divmod(whole, _FOUR_DIGITS)
    is_long = above > 0
    low = np.where(is_long[:, np.newaxis], _ZERO_PADDED[below], _SPACE_PADDED[below])
    return np.concatenate([_blanked([_whole_text(above)], is_long), low], axis=1)


def _constant(text: bytes, count: int) -> Bytes:
    return np.broadcast_to(_text(text), (count, len(text)))


def _comma(earlier: Mask) -> Bytes:
    """A comma where something came before, else a space."""
    return np.where(earlier, np.uint8(ord(",")), np.uint8(_SPACE))[:, np.newaxis]


def _blanked(pieces: Sequence[Bytes], present: Mask) -> Bytes:
    """The pieces side by side, spaces where they are not `present`."""
    joined = np.concatenate(pieces, axis=1)
    if not present.all():
        joined[~present] = _SPACE
    return joined
