"""What a member knows of its own reading: for probes, and counted in the metrics."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from eventlog import metrics
from eventlog.halt import Halt
from eventlog.projection import Applied, Projection
from eventlog.standstill import Standstill

STALL_LIMIT_SECONDS: Final = 60.0
RECHECK_SECONDS: Final = 60.0

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Progress:
    """Shared with the probes, written by the member alone.

    `is_joined` is false during a rebalance; of the partitions assigned, `unclaimed_count` are not claimed yet,
    `next_offsets` has how far each of the others is applied, and `end_offsets` the end of the log of those of them that
    the broker spoke of. A standstill of `stall_limit_seconds` that no outage explains turns the process's liveness red.
    `halts` has the partitions in which a human has to look; they are neither unclaimed nor standing still, and tried
    again every `recheck_seconds`.
    """

    stall_limit_seconds: float = STALL_LIMIT_SECONDS
    name: str = ""
    is_joined: bool = False
    unclaimed_count: int = 0
    next_offsets: dict[int, int] = field(default_factory=dict)
    end_offsets: dict[int, int] = field(default_factory=dict)
    standstill: Standstill = field(default_factory=Standstill)
    halts: dict[int, Halt] = field(default_factory=dict)
    recheck_seconds: float = RECHECK_SECONDS

    @property
    def lag(self) -> int | None:
        """How many records of the partitions held here are not applied yet, by the member; None while not known."""
        return self.lag_behind(self.next_offsets)

    def lag_behind(self, checkpoints: Mapping[int, int]) -> int | None:
        """Return how many records of the partitions held here are not applied yet; None while that is not known."""
        return None if self.halts else self._lag(checkpoints)

    def _lag(self, checkpoints: Mapping[int, int]) -> int | None:
        """Return the lag of the partitions that do not halt."""
        ends = {partition: end for partition, end in self.end_offsets.items() if partition not in self.halts}
        if not self.is_joined or self.unclaimed_count or len(ends) < len(self.next_offsets.keys() - self.halts.keys()):
            return None
        return sum(max(end - checkpoints.get(partition, 0), 0) for partition, end in ends.items())

    def note_reading(
        self, projection: Projection, *, unclaimed_count: int, ends: Mapping[int, int | None], nexts: Mapping[int, int]
    ) -> None:
        """Note the ends of the log and the next offsets of the partitions held now; an end may not be known yet."""
        labels = (projection.name, projection.topic)
        known = {partition: end for partition, end in ends.items() if end is not None}
        for partition in self.end_offsets.keys() - known.keys():
            metrics.LAG.remove(*labels, str(partition))
        for partition, end in known.items():
            metrics.LAG.labels(*labels, str(partition)).set(max(end - nexts[partition], 0))
        metrics.UNCLAIMED.labels(*labels).set(unclaimed_count)
        metrics.HALTED.labels(*labels).set(len(self.halts))
        self.end_offsets, self.unclaimed_count, self.next_offsets = known, unclaimed_count, dict(nexts)
        self.standstill.note_turn()

    def note_halt(self, halt: Halt) -> None:
        """Note that a human has to look, and say so in the log once."""
        if self.halts.get(halt.place.partition) != halt:
            _log.critical("%s; what to do: docs/operations.md, A projection halts", halt)
        self.halts = {**self.halts, halt.place.partition: halt}

    def end_halt(self, partition: int) -> None:
        """Note that the partition goes on."""
        if partition in self.halts:
            _log.warning("%s is over", self.halts[partition])
            self.halts = {each: halt for each, halt in self.halts.items() if each != partition}

    def tick(self, projection: Projection, now: float) -> None:
        """Move the clock of the standstill to `now` (seconds of a monotonic clock)."""
        self.name = projection.name
        self.standstill.tick(now, has_work=self._lag(self.next_offsets) != 0)
        metrics.STALLED.labels(projection.name, projection.topic).set(self.standstill.seconds)


def count_applied(projection: Projection, applied: Applied, newest_ms: int) -> None:
    """Count a committed run; `newest_ms` is the append time of its last record, in ms since 1970 (UTC)."""
    labels = (projection.name, projection.topic)
    metrics.RUNS.labels(*labels, "committed").inc()
    metrics.RECORDS.labels(*labels, "applied").inc(applied.applied_count)
    metrics.RECORDS.labels(*labels, "redelivered").inc(applied.redelivered_count)
    metrics.RECORDS.labels(*labels, "parked").inc(applied.parked_count)
    for rule, count in applied.parked.items():
        metrics.PARKED.labels(*labels, rule).inc(count)
    metrics.NEWEST_APPLIED.labels(*labels).set(newest_ms / 1000)
