"""Wait for a child to answer, or say why it does not."""

from __future__ import annotations

import time
from collections.abc import Callable

from stack.child import Child
from stack.problem import Problem


def wait_until_ready(child: Child, is_ready: Callable[[], bool], *, timeout_seconds: float) -> None:
    """Return when `is_ready`.

    Raises:
        Problem: the child ended, or time is up; with the tail of its log and where it lies.
    """
    deadline = time.monotonic() + timeout_seconds
    while not is_ready():
        if not child.is_running():
            raise not_started(child, f"ended with code {child.process.returncode}")
        if time.monotonic() > deadline:
            raise not_started(child, f"does not answer after {timeout_seconds:.0f} s")
        time.sleep(0.05)


def not_started(child: Child, how: str) -> Problem:
    """Return the problem to tell about a child that did not start."""
    tail = child.tail()
    if "No space left on device" in tail:
        return Problem(f"the disk is full: make room where {child.log.parent} lies, then start again", detail=tail)
    return Problem(f"{child.name} {how}: the end of its log follows, all of it is in {child.log}", detail=tail)
