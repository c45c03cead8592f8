"""What is wished of a version of a projection, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eventlog.comparison import Comparison
from eventlog.versions import NEWER, OLD, REBUILD


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be done with a version: dropped, followed until the process ends, or compared and then switched."""

    version: str = REBUILD
    drops: bool = False
    follows: bool = False
    switches: bool = False
    accepts_differences: bool = False

    @property
    def aside(self) -> str:
        """The version that the live one becomes by a switch."""
        return NEWER if self.version == OLD else OLD

    @property
    def must_exist(self) -> bool:
        return self.version in {OLD, NEWER}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of it; `comparison` is None where nothing was compared. Of `seconds`, the records took
    `applying_seconds`."""

    projection: str
    wish: Wish
    comparison: Comparison | None = None
    has_switched: bool = False
    applied_count: int = 0
    applying_seconds: float = 0.0
    seconds: float = 0.0

    @property
    def exit_code(self) -> int:
        """0 where all that was wished is done and nothing unexpected was found."""
        if self.comparison is None or self.comparison.is_identical or self.has_switched:
            return 0
        return 1

    def lines(self) -> list[str]:
        """Return what there is to say to a person."""
        if self.wish.drops:
            return [f"dropped: {self.projection}@{self.wish.version}"]
        lines = self.comparison.lines() if self.comparison else []
        if self.has_switched:
            aside = f"{self.projection}@{self.wish.aside}"
            lines.append(
                f"switched: what was live until now is {aside}; it takes disk until you drop it "
                f"(kwartier replay {self.projection} --drop {self.wish.aside})"
            )
        elif self.wish.switches:
            lines.append("not switched: they differ; where that is what you want, add --accept-differences")
        return lines

    def as_json(self) -> dict[str, Any]:
        """Return the same for a script; rates are in records per second."""
        compared = self.comparison.as_json() if self.comparison else {}
        return {
            "projection": self.projection,
            "version": self.wish.version,
            **compared,
            "switched": self.has_switched,
            "dropped": self.wish.drops,
            "applied_records": self.applied_count,
            "seconds": round(self.seconds, 3),
            "records_per_second": round(self.applied_count / (self.applying_seconds or 1.0), 1),
        }
