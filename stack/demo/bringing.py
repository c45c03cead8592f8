"""How `kwartier up` has the demo world: loaded here while it waits, or by a child while it watches its services."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from stack import child
from stack.demo.tour import say_empty, say_world
from stack.state import State
from stack.terminal import progress

GRACE_SECONDS = 5.0


def bring_in(state: State, *, is_wanted: bool) -> None:
    """Load what is missing of the demo world, then say what there is and what to try.

    Raises:
        Problem: it cannot be loaded; what was loaded stays, and typing `kwartier up` again goes on.
    """
    if not is_wanted:
        say_empty(state)
        return
    from stack.demo.loading import load

    with progress() as report:
        load(state, report)
    say_world(state)


@contextmanager
def brought_in(state: State, *, is_wanted: bool) -> Iterator[None]:
    """Do the same in a child during the block, which goes on at once; it ends with the block.

    The child shows its progress and its problems on this terminal; Ctrl-C reaches its parent alone.
    """
    if not is_wanted:
        say_empty(state)
        yield
        return
    program = [sys.executable, "-m", "stack.demo", "--state", str(state.folder)]
    process = subprocess.Popen(child.command(program), stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
