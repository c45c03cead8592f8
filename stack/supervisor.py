"""Start the parts, watch them, stop them; the parent of every process of one platform.

A part that ends while the platform starts stops the whole start. One that ends later is started again, after 1 s,
then twice as long each time up to 30 s; a part that stayed up for a minute begins at 1 s anew.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from stack.child import Child
from stack.jars import Report
from stack.part import Part, PythonPart
from stack.problem import Problem
from stack.readiness import not_started
from stack.state import State, write_json

START_TIMEOUT_SECONDS = 120.0
STEADY_SECONDS = 60.0
LONGEST_PAUSE_SECONDS = 30.0
# A member that needs longer is cut off in its run, which is rolled back and applied again at the next start.
SERVICE_GRACE_SECONDS = 10.0
GRACE_SECONDS = {"kafka": 20.0, "postgres": 20.0}
STOP_SIGNALS = {"postgres": signal.SIGINT}  # PostgreSQL: roll back, write down, end
SERVERS = ("kafka", "postgres")


@dataclass(slots=True)
class Watched:
    """A part with its running child; `pause_seconds` is how long it waits before its next start."""

    part: Part
    child: Child
    started_at: float
    pause_seconds: float = 1.0
    start_at: float | None = None


@dataclass(slots=True)
class Supervisor:
    """All children of one platform; use it from the main thread alone (their lives hang on it)."""

    state: State
    report: Report
    watched: dict[str, Watched] = field(default_factory=dict)

    def start(self, parts: Sequence[Part]) -> None:
        """Start the parts at the same time and return when all are ready.

        Raises:
            Problem: one ended, or does not answer in time; with the end of its log.
        """
        for part in parts:
            self.watched[part.name] = Watched(part, part.start(self.report), time.monotonic())
            self._write_processes()
        waiting = [self.watched[part.name] for part in parts]
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while waiting := [each for each in waiting if not each.part.is_ready()]:
            self.report("waiting for " + ", ".join(each.part.name for each in waiting))
            self._fail_if_ended(waiting, deadline)
            time.sleep(0.1)

    def watch_once(self) -> None:
        """Start again what ended and has waited its time; call it often."""
        now = time.monotonic()
        for each in self.watched.values():
            if each.start_at is None and not each.child.is_running():
                self._plan(each, now)
            if each.start_at is not None and now >= each.start_at:
                self._start_again(each)

    def hurry(self) -> None:
        """Let everything that waits for its next start begin now."""
        for each in self.watched.values():
            if each.start_at is not None:
                each.start_at, each.pause_seconds = time.monotonic(), 1.0

    def stop(self) -> None:
        """End all children: the services first, then the servers they use; each gets time, then SIGKILL."""
        names = [name for name in self.watched if name not in SERVERS]
        for group in (names, [name for name in SERVERS if name in self.watched]):
            children = [self.watched[name].child for name in group]
            for child in children:
                if child.is_running():
                    child.process.send_signal(STOP_SIGNALS.get(child.name, signal.SIGTERM))
            for child in children:
                child.wait_or_kill(GRACE_SECONDS.get(child.name, SERVICE_GRACE_SECONDS))
        self.state.processes.unlink(missing_ok=True)

    def _fail_if_ended(self, waiting: list[Watched], deadline: float) -> None:
        for each in self.watched.values():
            if not each.child.is_running():
                raise not_started(each.child, f"ended with code {each.child.process.returncode}")
        if time.monotonic() > deadline:
            raise not_started(waiting[0].child, f"does not answer after {START_TIMEOUT_SECONDS:.0f} s")

    def _plan(self, each: Watched, now: float) -> None:
        code = each.child.process.returncode
        if now - each.started_at > STEADY_SECONDS:
            each.pause_seconds = 1.0
        each.start_at = now + each.pause_seconds
        self.report(
            f"{each.part.name} ended with code {code}; starting it again in {each.pause_seconds:.0f} s "
            f"(its log: {each.child.log})"
        )
        each.pause_seconds = min(2 * each.pause_seconds, LONGEST_PAUSE_SECONDS)

    def _start_again(self, each: Watched) -> None:
        try:
            each.child = each.part.start(self.report)
        except (Problem, OSError) as error:
            self.report(f"{each.part.name} does not start: {error}")
            each.start_at = time.monotonic() + each.pause_seconds
            return
        each.started_at, each.start_at = time.monotonic(), None
        with suppress(OSError):  # a full disk ends no process that can go on
            self._write_processes()

    def _write_processes(self) -> None:
        processes = [_entry(each) for each in self.watched.values()]
        write_json(self.state.processes, {"supervisor": os.getpid(), "processes": processes}, mode=0o644)


def _entry(each: Watched) -> dict[str, Any]:
    part = each.part
    ready_url = part.url + part.ready_path if isinstance(part, PythonPart) else None
    return {"name": part.name, "pid": each.child.pid, "ready_url": ready_url, "log": str(each.child.log)}
