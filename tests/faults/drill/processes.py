"""The drill's own processes: started, frozen, thawed, killed, told where to stop."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from stack import child

ROOT: Final = Path(__file__).parents[3]


@dataclass
class Process:
    """A Python module that is run again and again; dies with the drill. Its log is kept over restarts."""

    name: str
    module: str
    arguments: Sequence[str]
    log: Path
    running: subprocess.Popen[str] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Start it; from the main thread alone, or it would end with the thread."""
        program = [sys.executable, "-m", self.module, *self.arguments]
        with self.log.open("ab") as output:
            self.running = subprocess.Popen(
                child.command(program),
                cwd=ROOT,
                text=True,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def order(self, line: str) -> None:
        """Write a line to its standard input; nobody hears it where it is dead."""
        if self.running is None or self.running.stdin is None:
            return
        with contextlib.suppress(BrokenPipeError):
            self.running.stdin.write(f"{line}\n")
            self.running.stdin.flush()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self.running is not None
        self.running.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, and wait for its end."""
        if self.running is not None:
            self.running.kill()
            self.running.wait()
            if self.running.stdin is not None:
                with contextlib.suppress(BrokenPipeError):
                    self.running.stdin.close()
            self.running = None

    def has_ended(self) -> bool:
        """Whether it ended by itself, or was killed by a trap."""
        return self.running is not None and self.running.poll() is not None

    def is_frozen(self) -> bool:
        """Whether it is stopped by a signal."""
        if self.running is None or self.running.poll() is not None:
            return False
        state = Path(f"/proc/{self.running.pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state == "T"

    def last_words(self) -> str:
        """Return the last line of its log that names an error, else the last one."""
        lines = self.log.read_text(errors="replace").splitlines() or [""]
        return next((line for line in reversed(lines) if "Error" in line or "Stopped" in line), lines[-1])[:300]
