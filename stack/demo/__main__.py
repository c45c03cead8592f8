"""python -m stack.demo --state DIR: bring the demo world into the platform that runs there, and say what there is."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from stack.demo.loading import load
from stack.demo.tour import say_world
from stack.problem import Problem
from stack.state import State
from stack.terminal import complain, progress


def main() -> int:
    """Load what is missing; return the exit code, 1 where it failed."""
    parser = argparse.ArgumentParser(prog="stack.demo", description=__doc__)
    parser.add_argument("--state", type=Path, required=True)
    state = State(parser.parse_args().state.absolute())
    try:
        with progress() as report:
            load(state, report)
    except Problem as problem:
        complain(str(problem), problem.detail)
        return problem.exit_code
    except KeyboardInterrupt:
        return 130
    say_world(state)
    return 0


if __name__ == "__main__":
    sys.exit(main())
