"""The command `kwartier`."""

from __future__ import annotations

import argparse
import errno
import sys
from collections.abc import Sequence
from pathlib import Path

from stack.commands import down, download, env, gaps, import_files, parked, replay, schemas, status, topics, up, wait
from stack.problem import Problem
from stack.state import DEFAULT, State
from stack.terminal import complain

COMMANDS = (up, down, status, import_files, wait, download, gaps, replay, parked, schemas, topics, env)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    whole = argparse.ArgumentParser(prog="kwartier", description="The data platform Kwartier on this machine.")
    subparsers = whole.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        own = command.add(subparsers)
        own.set_defaults(run=command.run)
        own.add_argument("--state", type=_state, default=str(DEFAULT), metavar="DIR", help=f"default: {DEFAULT}")
    return whole


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code: 0, 1 refused or failed, 2 wrong use."""
    arguments = parser().parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except Problem as problem:
        complain(str(problem), problem.detail)
        return problem.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        complain(f"the disk is full: make room where {arguments.state.folder} lies, then type it again")
        return 1


def _state(text: str) -> State:
    return State(Path(text).absolute())


if __name__ == "__main__":
    sys.exit(main())
