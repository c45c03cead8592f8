"""Children die with their parent, however it dies."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from stack import child

PARENT = """
import sys, time
from pathlib import Path
from stack import child
started = child.start("sleeper", ["sleep", "600"], log=Path(sys.argv[1]))
print(started.pid, flush=True)
time.sleep(600)
"""


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_a_child_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path / "log")], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert _lives(pid)
        parent.kill()

    deadline = time.monotonic() + 10
    while _lives(pid):
        assert time.monotonic() < deadline, "the child outlived its parent"
        time.sleep(0.01)


def test_a_child_that_ignores_the_request_to_end_is_killed(tmp_path: Path) -> None:
    program = ["sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 0.1; done"]
    started = child.start("deaf", program, log=tmp_path / "log")
    deadline = time.monotonic() + 10
    while "deaf" not in started.tail() and time.monotonic() < deadline:
        time.sleep(0.01)

    started.stop(grace_seconds=0.2)

    assert started.process.returncode == -9


def test_the_end_of_a_childs_log_can_be_told(tmp_path: Path) -> None:
    started = child.start("counter", ["sh", "-c", "seq 100"], log=tmp_path / "log")
    started.process.wait()

    assert started.tail(lines=2) == "99\n100"
