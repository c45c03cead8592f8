"""`kwartier status`: what runs, how far behind it is, what is parked."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from stack.condition import Condition, observe
from stack.state import State


def add(subparsers: Any) -> argparse.ArgumentParser:
    """Return this command's own parser."""
    own: argparse.ArgumentParser = subparsers.add_parser(
        "status",
        help="what runs, lag, parked records",
        description="Show every process and projection; exit code 1 when something is not ready.",
    )
    own.add_argument("--json", action="store_true", help="as JSON")
    return own


def run(arguments: argparse.Namespace) -> int:
    """Print the condition; return 0 when everything is ready."""
    state: State = arguments.state
    condition = observe(state)
    if arguments.json:
        print(json.dumps(condition.as_json(), indent=2))
    elif not condition.processes:
        print(f"nothing runs on {state.folder}: type kwartier up")
    else:
        _print(condition, state.logs)
    return 0 if condition.is_ready else 1


def _print(condition: Condition, logs: Path) -> None:
    for process in condition.processes:
        word = "ready" if process.is_ready else f"NOT READY, log: {logs / process.name}.log"
        print(f"{process.name:18} {process.pid:>8}  {word}")
    for each in condition.projections:
        lag = "unknown" if each.lag is None else each.lag
        print(f"{each.name:18} lag {lag}, parked {each.parked}  (topic {each.topic})")
        for halt in each.halts:
            print(f"{'':18} HALTS at {halt['at']}: {halt['reason']}; look at kwartier parked list")
    for version in condition.versions:
        lag = "unknown" if version.lag is None else version.lag
        print(f"{version.name:18} lag {lag}, parked {version.parked}  (beside the live one)")
    print("ready" if condition.is_ready else "not ready")
