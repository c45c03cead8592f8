"""How fast a projection applies: records by the clock, and the processor time of its process and of PostgreSQL."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass, field

from parts.servers import Servers

from eventlog.checkpoint import Claim
from eventlog.projection import Applied, Run
from services.metering.projector import BlockProjection

DEADLINE_SECONDS = 1_800.0


@dataclass(frozen=True, slots=True)
class Reading:
    """The clock, and the processor time of this process and of PostgreSQL; in seconds."""

    clock: float
    own: float
    postgres: float

    @staticmethod
    def now(servers: Servers) -> Reading:
        return Reading(time.perf_counter(), time.process_time(), servers.postgres_cpu_seconds())


@dataclass(frozen=True, slots=True)
class Pace:
    """Blocks per second by the clock, and processor seconds per block: of the consumer, and of PostgreSQL."""

    blocks_per_second: float
    consumer_seconds: float
    postgres_seconds: float

    @property
    def cpu_seconds_per_block(self) -> float:
        return self.consumer_seconds + self.postgres_seconds


@dataclass
class Timed:
    """The projection, and when it began and how many records it has applied."""

    projection: BlockProjection
    servers: Servers
    name: str = "block"
    topic: str = ""
    count: int = 0
    began: Reading | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def claim(self, partition: int, owner: str) -> Claim:
        return self.projection.claim(partition, owner)

    def apply(self, claim: Claim, run: Run) -> Applied:
        with self._lock:
            self.began = self.began or Reading.now(self.servers)
        applied = self.projection.apply(claim, run)
        with self._lock:
            self.count += len(run.records)
        return applied

    async def pace_of(self, count: int) -> Pace:
        """Wait until `count` records are applied, from the first in hand to the last committed; return the pace."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while self.count < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.count} of {count} records after {DEADLINE_SECONDS:.0f} s")
            await asyncio.sleep(0.02)
        ended, began = Reading.now(self.servers), self.began
        if began is None:
            raise RuntimeError("no record was applied")
        return Pace(
            blocks_per_second=count / (ended.clock - began.clock),
            consumer_seconds=(ended.own - began.own) / count,
            postgres_seconds=(ended.postgres - began.postgres) / count,
        )
