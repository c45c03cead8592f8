"""Metering as a process of its own, as production starts it."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from parts.servers import Servers

from eventlog.kafka import KafkaAccess
from services.metering.store import PROJECTION, TOPIC
from stack import child
from stack.part import answers
from stack.ports import free_ports
from stack.readiness import wait_until_ready

START_SECONDS = 120.0
_OFFSETS = "select partition, next_offset from checkpoint where projection = %s and topic = %s"


@dataclass(frozen=True, slots=True)
class Metering:
    """A running process of metering."""

    port: int
    pid: int

    def peak_rss_bytes(self) -> int:
        """Return the most memory that it has had so far."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024


@contextmanager
def running_metering(
    servers: Servers, role: str, url: str, folder: Path, environment: Mapping[str, str] | None = None
) -> Iterator[Metering]:
    """Run one role of metering on the store of `url`; it is up when this is entered, and its log is in `folder`."""
    (port,) = free_ports(1)
    settings = {"DATABASE_URL": url, **KafkaAccess(servers.bootstrap).environment(), "PORT": str(port), "TZ": "UTC"}
    program = [sys.executable, "-m", "services.metering", role]
    process = child.start(
        "metering", program, log=folder / f"{role}.log", environment={**settings, **(environment or {})}
    )
    try:
        wait_until_ready(process, lambda: answers(f"http://127.0.0.1:{port}/livez"), timeout_seconds=START_SECONDS)
        yield Metering(port, process.pid)
    finally:
        process.stop()


@dataclass(slots=True)
class CheckpointWatch:
    """How far the store is, looked at every `pause_seconds`: a row of a block is there when its checkpoint is.

    `seen` has, per partition, when (monotonic seconds) a checkpoint was seen first, and the offset it stood before.
    """

    database_url: str
    pause_seconds: float
    seen: dict[int, list[tuple[float, int]]] = field(default_factory=dict)
    failure: BaseException | None = None
    _ending: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Look in a thread of its own until the block ends."""
        thread = threading.Thread(target=self._watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ending.set()
            thread.join()

    def stored_count(self) -> int:
        """Return how many records are stored, all partitions together.

        Raises:
            RuntimeError: nobody looks any more.
        """
        if self.failure is not None:
            raise RuntimeError("the checkpoint cannot be read") from self.failure
        return sum(steps[-1][1] for steps in list(self.seen.values()))

    def wait_for(self, count: int, timeout_seconds: float) -> None:
        """Return when `count` records are stored.

        Raises:
            TimeoutError: they are not, in that time.
        """
        deadline = time.monotonic() + timeout_seconds
        while self.stored_count() < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.stored_count()} of {count} records after {timeout_seconds:.0f} s")
            time.sleep(self.pause_seconds)

    def _watch(self) -> None:
        try:
            with psycopg.connect(self.database_url, autocommit=True) as connection:
                while not self._ending.wait(self.pause_seconds):
                    self._look(connection)
        except BaseException as error:
            self.failure = error

    def _look(self, connection: psycopg.Connection[Any]) -> None:
        rows = connection.execute(_OFFSETS, (PROJECTION, TOPIC)).fetchall()
        now = time.monotonic()
        for partition, offset in rows:
            steps = self.seen.setdefault(partition, [])
            if not steps or steps[-1][1] != offset:
                steps.append((now, offset))
