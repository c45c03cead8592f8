"""`kwartier down`: stop everything on a state."""

from __future__ import annotations

import argparse
import os
import signal
from typing import Any

from stack.problem import Problem
from stack.state import State
from stack.terminal import progress

GRACE_SECONDS = 60.0


def add(subparsers: Any) -> argparse.ArgumentParser:
    """Return this command's own parser."""
    own: argparse.ArgumentParser = subparsers.add_parser(
        "down", help="stop everything", description="Stop everything that runs on a state; what was stored stays."
    )
    return own


def run(arguments: argparse.Namespace) -> int:
    """Stop the platform and return when nothing of it runs any more."""
    state: State = arguments.state
    holder = state.holder()
    if holder is None:
        print(f"nothing runs on {state.folder}")
        return 0
    with progress() as report:
        report("stopping")
        _end(holder, signal.SIGTERM)
        if not state.wait_until_left(GRACE_SECONDS):
            _end(holder, signal.SIGKILL)
            if not state.wait_until_left(5):
                raise Problem(f"process {holder} does not end: end it by hand")
    print(f"stopped what ran on {state.folder}")
    return 0


def _end(holder: int, number: signal.Signals) -> None:
    try:
        os.kill(holder, number)
    except ProcessLookupError:
        return
    except PermissionError as error:
        raise Problem(f"process {holder} belongs to another user: stop it as that user") from error
