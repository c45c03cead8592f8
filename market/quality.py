"""How far a value can be trusted: its origin and its validation, kept apart; and the state of a gas factor."""

from __future__ import annotations

from enum import IntEnum


class Quality(IntEnum):
    """Origin and validation of one slice, in one small code; 0 belongs to a missing value.

    Validated and estimated exists (TRDE 4.3.17). A greater code is a stronger quality,
    so the weakest of several is their minimum over the slices that are present.
    """

    MISSING = 0
    ESTIMATED_NOT_VALIDATED = 1
    ESTIMATED = 2
    ESTIMATED_VALIDATED = 3
    MEASURED_NOT_VALIDATED = 4
    MEASURED = 5
    MEASURED_VALIDATED = 6

    @property
    def is_estimated(self) -> bool:
        return Quality.ESTIMATED_NOT_VALIDATED <= self <= Quality.ESTIMATED_VALIDATED


class GasFactor(IntEnum):
    """The state of the factor that turned m³ into kWh; only kWh series of gas have one."""

    NONE = 0
    PROVISIONAL = 1
    DEFINITIVE = 2
    CONSTANT = 3
