"""Processor time of a process and everything it started: what a shared machine does not distort as it does a clock."""

from __future__ import annotations

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """Return the processor seconds of `pid`, of its living descendants, and of those that ended and were waited for."""
    stats = dict(_stats())
    return sum(seconds for each, (_, seconds) in stats.items() if _descends(each, pid, stats))


def _descends(pid: int, ancestor: int, stats: dict[int, tuple[int, float]]) -> bool:
    while pid in stats:
        if pid == ancestor:
            return True
        pid = stats[pid][0]
    return False


def _stats() -> list[tuple[int, tuple[int, float]]]:
    """Return (pid, (parent, own seconds and those of children that ended)) of every process."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it ended meanwhile
                continue
            found.append((int(entry.name), (int(fields[1]), sum(map(int, fields[11:15])) / _TICKS)))
    return found
