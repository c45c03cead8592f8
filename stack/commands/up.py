"""`kwartier up`: start everything, in front or in the background."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from types import FrameType
from typing import Any

from stack import demo, platform
from stack.condition import ProjectionCondition, observe, observe_projections
from stack.jars import Report
from stack.part import merely_halts
from stack.problem import Problem
from stack.state import State, read_json
from stack.supervisor import Supervisor
from stack.terminal import note, progress

READY_TIMEOUT_SECONDS = 300.0
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(KeyboardInterrupt):
    """A signal asked to stop; raised where the main thread is. An event loop lets no other one through everywhere."""


def add(subparsers: Any) -> argparse.ArgumentParser:
    """Return this command's own parser."""
    own: argparse.ArgumentParser = subparsers.add_parser(
        "up",
        help="start everything",
        description="Start Kafka, PostgreSQL and every service; stay in front until Ctrl-C. On a state that partly "
        "runs, start what is missing. The demo world, 400 days of invented readings, loads once per state: in front "
        "after `ready`, with --detach before it returns; cut off, it goes on at the next `up`. "
        "Where a projection halts at a record, a line on stderr says which, and all the rest works. "
        "KAFKA_BOOTSTRAP, DATABASE_URL and SCHEMA_REGISTRY_URL use servers that run elsewhere.",
    )
    own.add_argument("--empty", action="store_true", help="without the demo world")
    own.add_argument("--detach", action="store_true", help="return when everything is ready, and leave it running")
    own.add_argument("--port", type=int, metavar="BASE", help="the portal's port; the others follow (default: 8400)")
    own.add_argument("--supervise", action="store_true", help=argparse.SUPPRESS)
    return own


def run(arguments: argparse.Namespace) -> int:
    """Start the platform; return when it was stopped, or with --detach when it is ready."""
    state: State = arguments.state
    state.prepare()
    if state.holder() is not None:
        return _complete(state, arguments)
    if arguments.detach:
        return _detach(state, arguments)
    return _stay(state, arguments)


def _stay(state: State, arguments: argparse.Namespace) -> int:
    supervisor = Supervisor(state, report=_ignore)
    with state.held() as is_mine:
        if not is_mine:
            return _complete(state, arguments)
        try:
            _listen_for_signals()
            with progress(plain=arguments.supervise) as report:
                supervisor.report = report
                platform.start(platform.plan(state, base=arguments.port), supervisor)
            supervisor.report = note
            _say_ready(state)
            with demo.brought_in(state, is_wanted=not arguments.empty and not arguments.supervise):
                _watch(supervisor)
        except Stopped:
            print("stopping", flush=True)
        finally:
            for number in STOP_SIGNALS:
                signal.signal(number, signal.SIG_IGN)
            state.endpoints.unlink(missing_ok=True)
            supervisor.stop()
    return 0


def _listen_for_signals() -> None:
    """Stop on Ctrl-C, on `down`, and when the terminal goes away (unless nohup said otherwise)."""
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    for number in STOP_SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _stop)


def _watch(supervisor: Supervisor) -> None:
    signal.signal(signal.SIGUSR1, lambda number, frame: supervisor.hurry())
    while True:
        supervisor.watch_once()
        time.sleep(0.2)


def _stop(number: int, frame: FrameType | None) -> None:
    raise Stopped


def _ignore(line: str) -> None:
    """Take a line of progress before anybody listens."""


def _detach(state: State, arguments: argparse.Namespace) -> int:
    """Start a supervisor of its own session and wait for its `ready`."""
    program = [sys.executable, "-m", "stack.cli", "up", "--supervise", "--state", str(state.folder)]
    program += ["--empty"] if arguments.empty else []
    program += ["--port", str(arguments.port)] if arguments.port is not None else []
    log = state.logs / "up.log"
    with log.open("ab") as output:
        began = output.tell()
        process = subprocess.Popen(
            program, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        with progress() as report:
            while not (state.endpoints.exists() and state.holder() == process.pid):
                told = log.read_bytes()[began:].decode(errors="replace")
                if process.poll() == 0:  # another start was first, and is ready
                    return _complete(state, arguments)
                if process.returncode is not None:
                    raise _told(told, process.returncode)
                report((told.splitlines() or ["starting"])[-1])
                time.sleep(0.1)
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        raise
    _say_ready(state)
    demo.bring_in(state, is_wanted=not arguments.empty)
    return 0


def _told(log: str, code: int) -> Problem:
    """Return the problem that a supervisor in the background wrote into its log before it ended."""
    lines = log.splitlines()
    firsts = [number for number, line in enumerate(lines) if line.startswith("kwartier: ")]
    if not firsts:
        return Problem(f"the platform ended with code {code} before it was ready", detail="\n".join(lines[-15:]))
    line, *detail = lines[firsts[-1] :]
    text = "\n".join(each.removeprefix("  ") for each in detail)
    return Problem(line.removeprefix("kwartier: "), exit_code=code, detail=text)


def _complete(state: State, arguments: argparse.Namespace) -> int:
    """Ask the supervisor that holds `state` to start what is missing; return when all is ready.

    Raises:
        Problem: it does not become ready.
    """
    holder = state.holder()
    if holder is None:
        raise Problem(f"what ran on {state.folder} ended just now: type it again")
    os.kill(holder, signal.SIGUSR1)
    with progress() as report:
        _wait_for_all(state, report)
    _say_ready(state)
    print(f"it runs in process {holder}; kwartier down --state {shlex.quote(str(state.folder))} stops it", flush=True)
    demo.bring_in(state, is_wanted=not arguments.empty)
    return 0


def _wait_for_all(state: State, report: Report) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_SECONDS
    while missing := _not_ready(state):
        report("waiting for " + ", ".join(missing))
        if state.holder() is None:
            raise Problem(f"what ran on {state.folder} ended: type it again")
        if time.monotonic() > deadline:
            raise Problem(f"{', '.join(missing)} not ready: look at the logs in {state.logs}")
        time.sleep(0.2)


def _not_ready(state: State) -> list[str]:
    if not state.endpoints.exists():
        return ["the start in another window"]
    metrics = read_json(state.endpoints)["metrics"]
    return [
        each.name
        for each in observe(state).processes
        if not each.is_ready and not merely_halts(metrics.get(each.name, "").removesuffix("/metrics"))
    ]


def halted(projections: Iterable[ProjectionCondition]) -> list[str]:
    """Return a line for each record that a projection halts at."""
    return [
        f"{each.name} halts at {halt['at']} ({halt['reason']}); all the rest works, answers that need it are 503: "
        "what to do is in docs/operations.md, A projection halts"
        for each in projections
        for halt in each.halts
    ]


def _say_ready(state: State) -> None:
    endpoints = read_json(state.endpoints)
    portal = endpoints["portal"]
    print(f"ready: the portal is at {portal}")
    for line in halted(observe_projections(endpoints)[0]):
        note(f"warning: {line}")
    for each in read_json(state.credentials)["portal"]:
        print(f"  sign in there as {each['sign_in']}, without a password (roles: {', '.join(each['roles'])})")
    print(f"  addresses: {state.endpoints}  credentials: {state.credentials}  logs: {state.logs}", flush=True)
