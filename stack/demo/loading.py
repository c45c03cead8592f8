"""Bring the demo world into a running platform, through its front doors only; safe to be cut off at any point."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

from market.local_time import BRUSSELS
from stack.demo.doors import Doors, Machine
from stack.demo.marker import Marker, begin
from stack.demo.plan import Plan, make_plan
from stack.demo.publishing import publish
from stack.demo.settling import settle
from stack.jars import Report
from stack.problem import Problem
from stack.running import read_endpoints
from stack.state import State, read_json

SETTLED: Final = "settled"
WHOLE: Final = "whole"


def load(state: State, report: Report) -> None:
    """Bring in what is missing of the demo world; returns when all of it can be queried.

    The first time the world's last day is fixed to yesterday (local); ids follow from it, so nothing comes in twice.

    Raises:
        Problem: nothing runs there, another process loads it, or a service refuses.
    """
    endpoints = read_endpoints(state)
    credentials = read_json(state.credentials)
    with _alone(state):
        marker = begin(state, datetime.now(UTC).astimezone(BRUSSELS).date())
        bring(make_plan(marker.last_day, seed=marker.seed), marker, endpoints, credentials, report)
        marker.keep(WHOLE)


def bring(plan: Plan, marker: Marker, endpoints: dict[str, Any], credentials: dict[str, Any], report: Report) -> None:
    """Bring in what the marker does not have yet of `plan`.

    Raises:
        Problem: a service refuses, or is away for too long.
    """
    with Doors(endpoints) as doors:
        access_holder = Machine(credentials["access_holder"])
        if not marker.has(SETTLED):
            settle(plan, doors, access_holder, report)
            marker.keep(SETTLED)
        publish(plan, marker, doors, Machine(credentials["publisher"]), report)


@contextmanager
def _alone(state: State) -> Iterator[None]:
    """Hold the right to load this state's world.

    Raises:
        Problem: another process has it.
    """
    with (state.folder / "demo.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Problem("another kwartier up is loading the demo world: wait for it") from None
        yield
