"""Member processes of a test: started, heard, frozen, thawed, ended."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from sqlalchemy import Engine

ROOT = Path(__file__).parents[2]


class MemberProcess:
    """A member process and what it says."""

    def __init__(self, arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.member", arguments],
            cwd=ROOT,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    async def says(self, word: str) -> None:
        """Return when it has said `word`; fail when it ends without it."""
        assert self.process.stdout is not None
        while (line := await asyncio.to_thread(self.process.stdout.readline)) != f"{word}\n":
            assert line, f"ended without saying {word}"

    def freeze(self) -> None:
        os.kill(self.process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen member go on from the place where it waits."""
        os.kill(self.process.pid, signal.SIGCONT)
        self.go_on()

    def go_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("go on\n")
        self.process.stdin.flush()

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


@contextlib.contextmanager
def member(
    engine: Engine,
    bootstrap: str,
    topic: str,
    replica: str,
    *,
    service: str = "test",
    place: str = "",
    is_killed: bool = False,
    copies: bool = False,
    evict_after_seconds: float = 20.0,
    without: Sequence[str] = (),
) -> Iterator[MemberProcess]:
    """Run a member until the block ends: at `place` it waits to go on, or is killed; `without` names guards."""
    given = {
        "database_url": engine.url.render_as_string(hide_password=False),
        "bootstrap": bootstrap,
        "topic": topic,
        "replica": replica,
        "service": service,
        "place": place,
        "is_killed": is_killed,
        "copies": copies,
        "evict_after_seconds": evict_after_seconds,
        "without": list(without),
    }
    running = MemberProcess(json.dumps(given))
    try:
        yield running
    finally:
        running.end()
