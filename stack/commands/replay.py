"""`kwartier replay`: a projection made again beside the live one, compared with it bit by bit, put in its place."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from eventlog.rebuild_command import add_wishes
from eventlog.versions import NEWER, OLD, REBUILD
from stack import child
from stack.credentials import load_secrets
from stack.problem import Problem
from stack.roles import url_of
from stack.running import kafka_access, read_endpoints
from stack.versions import OWNERS, POLICIES, rooms

Show = Callable[[str, int, int], None]


def add(subparsers: Any) -> argparse.ArgumentParser:
    """Return this command's own parser."""
    own: argparse.ArgumentParser = subparsers.add_parser(
        "replay",
        help="rebuild a projection from offset 0 and compare it with the live one",
        description="Rebuild a projection beside the live one, from the first record of its topic to where the live "
        "one stands now, and compare all rows bit by bit. Prints identical, or what differs (exit code 1). "
        "The live one goes on meanwhile; what was rebuilt is removed afterwards, or put in its place with --switch.",
    )
    own.add_argument("projection", metavar="PROJECTION", help=f"one of: {', '.join(OWNERS)}")
    add_wishes(own)
    return own


def run(arguments: argparse.Namespace) -> int:
    """Do what is asked; return 0 where it is done, and where both were identical if they were compared."""
    _demand_sense(arguments)
    endpoints = read_endpoints(arguments.state)
    service = OWNERS[arguments.projection]
    password = load_secrets(arguments.state).roles[service]
    environment = {
        "SERVICE": service,
        "DATABASE_URL": url_of(endpoints["database"], role=service, password=password),
        **kafka_access(endpoints).environment(),
        **endpoints.get("schema_registry", {}),
        "PORT": "0",
        "TOPICS_PROFILE": "local",
        "TZ": "UTC",
    }
    version = arguments.drop or arguments.version
    aside = (NEWER if version == OLD else OLD) if arguments.switch else None
    with _bar() as show, rooms(endpoints["database"], arguments.projection, version, aside=aside):
        code, outcome = _rebuild([f"services.{service}", *_words(arguments)], environment, arguments.state.folder, show)
    print(outcome, end="")
    return code


def _demand_sense(arguments: argparse.Namespace) -> None:
    """Refuse what cannot be meant, with exit code 2."""
    name, replayable = arguments.projection, ", ".join(OWNERS)
    problem = ""
    if name in POLICIES:
        problem = f"{name} decides, and its decisions are events already: it is never rebuilt; give one of {replayable}"
    elif name not in OWNERS:
        problem = f"{name} is no projection: give one that can be replayed ({replayable})"
    elif arguments.follow and arguments.version == REBUILD:
        problem = "what is followed is kept: give it a name with --version"
    elif arguments.follow and arguments.switch:
        problem = "--follow never ends: stop it, then type --switch"
    elif arguments.accept_differences and not arguments.switch:
        problem = "--accept-differences belongs to --switch"
    elif arguments.drop and (arguments.switch or arguments.follow):
        problem = "--drop goes alone"
    if problem:
        raise Problem(problem, exit_code=2)


def _words(arguments: argparse.Namespace) -> list[str]:
    """Return what the process is told."""
    words = ["rebuild", arguments.projection, "--version", arguments.version]
    words += ["--drop", arguments.drop] if arguments.drop else []
    flags = ("follow", "switch", "accept_differences", "json")
    return words + [f"--{each.replace('_', '-')}" for each in flags if getattr(arguments, each)]


def _rebuild(words: list[str], environment: dict[str, str], folder: Path, show: Show) -> tuple[int, str]:
    """Run the module in `folder` and return its exit code (0 or 1) and what it printed.

    Raises:
        Problem: it could not do what was asked.
    """
    process = subprocess.Popen(
        child.command([sys.executable, "-m", *words]),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
        cwd=folder,
        start_new_session=True,
    )
    try:
        last = _follow(process, show)
        outcome, _ = process.communicate()
    except BaseException:
        process.kill()
        process.wait()
        raise
    if process.returncode and not outcome:
        raise Problem(f"the rebuild failed: {last}")
    return process.returncode, outcome


def _follow(process: subprocess.Popen[str], show: Show) -> str:
    """Show how far the process is, as long as it runs; return the last line that is no log, where there is one."""
    last = f"process {process.pid} did not say why"
    for line in process.stderr or ():
        try:
            entry = json.loads(line)
            show(str(entry["step"]), int(entry["done"]), int(entry["total"]))
        except (ValueError, KeyError, TypeError):
            if not line.startswith("{"):
                last = line.strip() or last
    return last


@contextmanager
def _bar() -> Iterator[Show]:
    """Lend a function that shows how far it is: a bar with rate and time left on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda step, done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TimeRemainingColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:,.0f}/s" if task.speed else "")

    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task, current = progress.add_task("starting", total=None), "starting"

        def show(step: str, done: int, total: int) -> None:
            nonlocal task, current
            if step != current:
                progress.remove_task(task)
                task, current = progress.add_task(step, total=None), step
            progress.update(task, completed=done, total=total or None)

        yield show
