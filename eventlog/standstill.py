"""How long a projection has had work to do and done none of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

TICK_SECONDS: Final = 1.0
_LONGEST_TICK_SECONDS: Final = 2.0
_SILENT_SECONDS: Final = 10.0  # the loop turns every half second, and takes 5 s to claim many partitions
_OUTAGE_SECONDS: Final = 60.0


@dataclass(slots=True)
class Standstill:
    """A clock that a tick inside the process moves each second, never a probe's call.

    `seconds` is the time in which there was work and no run was committed. `unexplained_seconds` is the part of it in
    which broker and database were not seen to fail within the last minute. Both go back to 0 with every committed run,
    and when there is nothing to do. A loop that has not turned for 10 s counts as having work, since it cannot know. A
    tick adds 2 s at most: a process that was frozen did not stand still, and is given time when it wakes.
    """

    seconds: float = 0.0
    unexplained_seconds: float = 0.0
    _silent_seconds: float = field(default=0.0, repr=False)
    _ticked_at: float = field(default=-math.inf, repr=False)
    _failed_at: float = field(default=-math.inf, repr=False)

    def note_turn(self) -> None:
        """The member's loop went round."""
        self._silent_seconds = 0.0

    def note_commit(self) -> None:
        """A run was committed."""
        self.seconds = self.unexplained_seconds = 0.0

    def note_outage(self, now: float) -> None:
        """The broker or the database failed us at `now` (seconds of a monotonic clock)."""
        self._failed_at = now

    def tick(self, now: float, *, has_work: bool) -> None:
        """Count the time since the last tick; `now` is in seconds of a monotonic clock."""
        passed = min(now - self._ticked_at, _LONGEST_TICK_SECONDS) if self._ticked_at > -math.inf else 0.0
        self._ticked_at = now
        self._silent_seconds += passed
        if not has_work and self._silent_seconds < _SILENT_SECONDS:
            self.seconds = self.unexplained_seconds = 0.0
            return
        self.seconds += passed
        if now - self._failed_at >= _OUTAGE_SECONDS:
            self.unexplained_seconds += passed
