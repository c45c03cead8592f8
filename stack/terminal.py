"""What a person sees: progress on a terminal and silence elsewhere, results on stdout, errors on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from stack.jars import Report


@contextmanager
def progress(*, plain: bool = False) -> Iterator[Report]:
    """Yield a function that shows what is being done: a moving line on a terminal, nothing elsewhere.

    With `plain`, one line per step on stdout (the log of a platform in the background).
    """
    if plain:
        yield _print_changes()
    elif sys.stderr.isatty():
        from rich.console import Console

        with Console(stderr=True).status("starting") as status:
            yield status.update
    else:
        yield lambda line: None


def _print_changes() -> Report:
    last = ""

    def show(line: str) -> None:
        nonlocal last
        if line != last:
            print(line, flush=True)
            last = line

    return show


def note(line: str) -> None:
    """Print a line on stderr; one that a full disk or a closed terminal refuses is lost, and nothing else."""
    with suppress(OSError):
        print(line, file=sys.stderr, flush=True)


def complain(line: str, detail: str = "") -> None:
    """Print an error: the line for people, then what belongs to it."""
    print(f"kwartier: {line}", file=sys.stderr)
    if detail:
        print("\n".join(f"  {each}" for each in detail.splitlines()), file=sys.stderr)
