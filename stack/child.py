"""Child processes that die with their parent, each with its log."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

LAUNCH = Path(__file__).with_name("launch.py")
NOBODY = 65534
LOG_LIMIT_BYTES = 20_000_000


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the child is: `uid` and `gid` to change to, or the same root seen as nobody in its own user namespace."""

    uid: int = -1
    gid: int = -1
    in_user_namespace: bool = False


MYSELF = Identity()
ROOT_AS_NOBODY = Identity(in_user_namespace=True)


@dataclass(slots=True)
class Child:
    """A running child; `log` takes its standard output and error."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def is_running(self) -> bool:
        return self.process.poll() is None

    def stop(self, *, with_signal: signal.Signals = signal.SIGTERM, grace_seconds: float = 10) -> None:
        """Ask the child to end; SIGKILL after `grace_seconds`. Returns when it is gone."""
        if self.is_running():
            self.process.send_signal(with_signal)
        self.wait_or_kill(grace_seconds)

    def wait_or_kill(self, grace_seconds: float) -> None:
        """Return when the child is gone; SIGKILL after `grace_seconds`."""
        try:
            self.process.wait(grace_seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def tail(self, lines: int = 15) -> str:
        """Return the last lines of the log."""
        text = self.log.read_bytes()[-20_000:].decode(errors="replace")
        return "\n".join(text.splitlines()[-lines:])


def command(
    program: Sequence[str], *, identity: Identity = MYSELF, death_signal: signal.Signals = signal.SIGKILL
) -> list[str]:
    """Return the argument list that runs `program` as `identity`, bound to this process's life."""
    launch = [sys.executable, "-I", "-S", "-B", str(LAUNCH), str(os.getpid()), str(int(death_signal))]
    launch += [str(identity.uid), str(identity.gid), *program]
    if identity.in_user_namespace:
        return ["unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}", "--", *launch]
    return launch


def start(
    name: str,
    program: Sequence[str],
    *,
    log: Path,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    identity: Identity = MYSELF,
    death_signal: signal.Signals = signal.SIGKILL,
) -> Child:
    """Start `program` in a session of its own (Ctrl-C reaches the parent alone), its output appended to `log`.

    `environment` is added to this process's own. `death_signal` comes when the parent dies, however it dies.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("a child gets its death signal when the thread that started it ends: use the main thread")
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
        log.replace(log.with_suffix(".log.1"))
    with log.open("ab") as output:
        process = subprocess.Popen(
            command(program, identity=identity, death_signal=death_signal),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            cwd=cwd,
            start_new_session=True,
        )
    return Child(name=name, process=process, log=log)
