"""The state folder: where things lie, who holds it, and JSON files that are never half written."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from stack.problem import Problem

DEFAULT = Path(".kwartier")


@dataclass(frozen=True, slots=True)
class State:
    """One platform's data, logs and secrets in one folder."""

    folder: Path

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def endpoints(self) -> Path:
        return self.folder / "endpoints.json"

    @property
    def credentials(self) -> Path:
        return self.folder / "credentials.json"

    @property
    def secrets(self) -> Path:
        return self.folder / "secrets.json"

    @property
    def processes(self) -> Path:
        return self.folder / "processes.json"

    @property
    def ports(self) -> Path:
        return self.folder / "ports.json"

    @property
    def lock(self) -> Path:
        return self.folder / "lock"

    def prepare(self) -> None:
        """Make the folder; it keeps itself out of git.

        Raises:
            Problem: it cannot be made or written.
        """
        try:
            self.logs.mkdir(parents=True, exist_ok=True)
            (self.folder / ".gitignore").write_text("*\n")
        except OSError as error:
            reason = error.strerror or error
            raise Problem(f"{self.folder} cannot be written ({reason}): use another --state") from error

    @contextmanager
    def held(self) -> Iterator[bool]:
        """Hold the state for this process until the block ends; yields False where another process holds it.

        Whoever sees a holder never sees the addresses that a killed one left.
        """
        with self.lock.open("a+") as file:
            if not _lock(file):
                yield False
                return
            self.endpoints.unlink(missing_ok=True)
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield True

    def holder(self) -> int | None:
        """Return the process that holds the state, None where nobody does."""
        try:
            file = self.lock.open("r")
        except OSError:
            return None
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(file.read() or 0) or None
        return None

    def wait_until_left(self, timeout_seconds: float) -> bool:
        """Return whether nobody holds the state within the time."""
        deadline = time.monotonic() + timeout_seconds
        while self.holder() is not None:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True


def _lock(file: IO[str]) -> bool:
    """Return whether the lock is ours; tries for a moment, because `holder` takes it for an instant to look."""
    deadline = time.monotonic() + 0.5
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        else:
            return True


def read_json(path: Path) -> Any:
    """Return what the file holds, None where there is none."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return None


def write_json(path: Path, document: Any, *, mode: int = 0o600) -> None:
    """Replace the file by `document` in one step; readers see the old or the new one."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as file:
        file.write(json.dumps(document, indent=2) + "\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
