"""Run by `make setup` in a fresh virtual environment: install the locked packages and say how far it is.

Standard library only; `python -I stack/install.py` from the project's folder.
"""

from __future__ import annotations

import subprocess
import sys
from collections import deque
from pathlib import Path

LOCK = Path("requirements.lock")
PIP = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--progress-bar", "off"]


def main() -> None:
    total = sum("==" in line for line in LOCK.read_text().splitlines())
    _say(f"installing {total} packages at the versions and sums of {LOCK}; the first time about a minute and 1.3 GB")
    _run([*PIP, "--require-hashes", "--only-binary", ":all:", "-r", str(LOCK)], total)
    _run([*PIP, "--no-deps", "--no-build-isolation", "-e", "."], total)
    _say("set up")


def _run(command: list[str], total: int) -> None:
    """Run pip, show a moving count on a terminal; end with its last lines where it fails."""
    last: deque[str] = deque(maxlen=12)
    count = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pip:
        assert pip.stdout is not None  # noqa: S101 (asked for above)
        for line in pip.stdout:
            last.append(line)
            if line.startswith("Collecting "):
                count += 1
                _move(f"[{count}/{total}] {line.split()[1]}")
            elif line.startswith("Installing collected"):
                _move(f"unpacking {count} packages")
    _move("")
    if pip.returncode:
        sys.stderr.writelines(last)
        sys.exit(
            "set-up failed: pip's last lines are above; check the network and the disk, then type make setup again"
        )


def _move(text: str) -> None:
    if sys.stdout.isatty():
        print(f"\r\x1b[K{text}", end="", flush=True)


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
