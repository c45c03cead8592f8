"""One value on its way to a row, in thousandths of the stored unit, so that a sum is rounded once, at its end. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from market.quality import GasFactor, Quality
from services.export.domain.series import Block

_THOUSAND: Final = 1000


class Cell(NamedTuple):
    """A value in thousandths of the stored unit (mWh, mvarh, cm³), None where missing; its quality and gas factor."""

    milli: int | None
    quality: Quality
    factor: GasFactor


MISSING: Final = Cell(None, Quality.MISSING, GasFactor.NONE)


def cells_of(block: Block) -> tuple[Cell, ...]:
    """The cells of `block`, one per slice."""
    factors = block.gas_factor or (GasFactor.NONE,) * len(block.values)
    return tuple(
        MISSING if value is None else Cell(value * _THOUSAND, quality, factor)
        for value, quality, factor in zip(block.values, block.quality, factors, strict=True)
    )


def complete_sum(cells: Sequence[Cell]) -> Cell:
    """The sum over `cells`, of the weakest quality and factor; MISSING where one of them is missing or none is given.

    A value without a factor (a meter without any use prints none) does not weaken the factor of the others.
    """
    values = [cell.milli for cell in cells if cell.milli is not None]
    if not cells or len(values) < len(cells):
        return MISSING
    factors = [cell.factor for cell in cells if cell.factor is not GasFactor.NONE]
    return Cell(sum(values), min(cell.quality for cell in cells), min(factors, default=GasFactor.NONE))


def rounded(milli: int) -> int:
    """Thousandths as whole stored units, half away from zero (values are never negative)."""
    return (milli + _THOUSAND // 2) // _THOUSAND


def total_of(cells: Sequence[Cell]) -> int | None:
    """The sum of what is present, in stored units, rounded once; None where nothing is."""
    values = [cell.milli for cell in cells if cell.milli is not None]
    return rounded(sum(values)) if values else None


def excess_reactive(active: Cell, inductive: Cell, capacitive: Cell) -> Cell:
    """The reactive energy of one quarter beyond cos phi 0.90: max(0, inductive + capacitive - 0.484 x active).

    MISSING where one of the three is; the quality is the weakest of the three.
    """
    if active.milli is None or inductive.milli is None or capacitive.milli is None:
        return MISSING
    # The three are whole units in thousandths, so 0.484 of one of them is a whole number of thousandths again.
    excess = inductive.milli + capacitive.milli - 484 * (active.milli // _THOUSAND)
    quality = min(active.quality, inductive.quality, capacitive.quality)
    return Cell(max(0, excess), quality, GasFactor.NONE)
