"""Replaying parked records by the services that parked them: their own program, with their own role."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any, Final

from eventlog.parked import Wanted
from stack import child
from stack.credentials import load_secrets
from stack.jars import Report
from stack.parked import service_of
from stack.problem import Problem
from stack.roles import url_of
from stack.running import kafka_access, read_endpoints
from stack.state import State
from stack.terminal import progress

PARKING: Final = ("metering",)
"""The services that park; the projections of all others halt."""


def replay_in(state: State, wanted: Wanted, *, is_json: bool) -> int:
    """Replay what is wanted, print the outcome, and return 0 where nothing of it is left.

    Raises:
        Problem: it could not be done, or the projection parks nothing.
    """
    if wanted.projection and service_of(wanted.projection) not in PARKING:
        raise Problem(f"{wanted.projection} parks nothing, it halts: docs/operations.md, A projection halts")
    endpoints = read_endpoints(state)
    outcome: dict[str, Any] = {"replayed": 0, "known": 0, "left": []}
    with progress() as report:
        for service in PARKING:
            one = _replay(state, endpoints, service, _words(wanted), report)
            outcome = {name: outcome[name] + one[name] for name in outcome}
    print(json.dumps(outcome) if is_json else _told(outcome))
    return 1 if outcome["left"] else 0


def _words(wanted: Wanted) -> list[str]:
    given = {"projection": wanted.projection, "stream": wanted.stream_id, "rule": wanted.rule}
    words = [word for name, text in given.items() if text for word in (f"--{name}", text)]
    return [*words, "--at", str(wanted.place)] if wanted.place is not None else words


def _replay(state: State, endpoints: dict[str, Any], service: str, words: list[str], report: Report) -> dict[str, Any]:
    environment = {
        "SERVICE": service,
        "DATABASE_URL": url_of(endpoints["database"], role=service, password=load_secrets(state).roles[service]),
        **kafka_access(endpoints).environment(),
        **endpoints.get("schema_registry", {}),
        "PORT": "0",
        "TOPICS_PROFILE": "local",
        "TZ": "UTC",
    }
    process = subprocess.Popen(
        child.command([sys.executable, "-m", f"services.{service}", "replay-parked", *words]),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
        cwd=state.folder,
        start_new_session=True,
    )
    try:
        last = _follow(process, report)
        out, _ = process.communicate()
    except BaseException:
        process.kill()
        process.wait()
        raise
    if not out:
        raise Problem(f"{service} did not replay: {last}")
    return dict(json.loads(out))


def _follow(process: subprocess.Popen[str], report: Report) -> str:
    """Show how far it is, as long as it runs; return the last line that is no log, where there is one."""
    last = f"process {process.pid} did not say why"
    for line in process.stderr or ():
        try:
            report(str(json.loads(line)["message"]))
        except (ValueError, KeyError, TypeError):
            last = line.strip() or last
    return last


def _told(outcome: dict[str, Any]) -> str:
    lines = [f"{each['projection']}  {each['at']}  {each['rule']}  {each['reason']}" for each in outcome["left"]]
    known = f", {outcome['known']} known already" if outcome["known"] else ""
    return "\n".join([*lines, f"{outcome['replayed']} replayed{known}, {len(lines)} left"])
