"""What a benchmark ran on, in the words that every table of results begins with."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version


def describe(*packages: str) -> str:
    """Return cores, memory, load and versions in one line; no name of a host."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    parts = [f"{os.cpu_count()} cores", f"{pages / 2**30:.0f} GiB", f"load at the start {load}"]
    parts += [f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in packages)]
    return ", ".join(parts)
