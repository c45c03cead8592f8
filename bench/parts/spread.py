"""Several measurements of one figure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median


def spread(figures: Sequence[float]) -> str:
    """Return the median with the least and the greatest."""
    return f"{median(figures):>12,.0f}   {min(figures):>12,.0f} to {max(figures):,.0f}"
