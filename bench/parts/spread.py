"""Several measurements of one figure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median


def spread(figures: Sequence[float]) -> str:
    """Return the median, then the least and the greatest, in columns of 12 and 19."""
    bounds = f"{min(figures):,.0f} to {max(figures):,.0f}"
    return f"{median(figures):>12,.0f}   {bounds:>19}"
