"""What a drill is to do."""

from __future__ import annotations

from dataclasses import dataclass

from eventlog.database import TRANSACTION_TIMEOUT_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`seconds` is the least time of faults, `record_count` the least number of records; the same seed gives the same
    faults in the same order, whose exact moments are the machine's. `only` names the one fault that strikes."""

    seed: int
    seconds: float
    record_count: int
    broker_count: int = 3
    member_count: int = 3
    is_short: bool = False
    is_guarded: bool = True
    only: str = ""
    volume_mebibytes: int = 1200
    patience_seconds: float = 180.0

    @property
    def evict_after_seconds(self) -> float:
        """When the session of a frozen member that holds a checkpoint is ended; sooner where the drill is short."""
        return 8.0 if self.is_short else TRANSACTION_TIMEOUT_SECONDS

    @property
    def guard(self) -> str:
        return "guarded" if self.is_guarded else "unguarded"
