"""Bring the demo world into a running platform, through its front doors only; safe to be cut off at any point."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import IO, Final

from market.local_time import BRUSSELS
from stack.demo.consenting import consent_to_all, readable
from stack.demo.doors import Doors, Machine
from stack.demo.folk import open_question
from stack.demo.holding import open_session, second_holder
from stack.demo.marker import LINK, begin
from stack.demo.persons import sign_in
from stack.demo.plan import make_plan
from stack.demo.publishing import publish
from stack.demo.settling import move_on, settle
from stack.holders import let_in
from stack.jars import Report
from stack.running import read_endpoints
from stack.state import State, read_json, write_json

SETTLED: Final = "settled"
WHOLE: Final = "whole"


def load(state: State, report: Report) -> None:
    """Bring in what is missing of the demo world; returns when all of it can be queried. A whole one is left alone.

    The first time the world's last day is fixed to yesterday (local); ids follow from it, so nothing comes in twice.

    Raises:
        Problem: nothing runs there, or a service refuses.
    """
    endpoints = read_endpoints(state)
    credentials = read_json(state.credentials)
    with _alone(state, report), Doors(endpoints) as doors:
        marker = begin(state, datetime.now(UTC).astimezone(BRUSSELS).date())
        if marker.has(WHOLE):
            return
        plan = make_plan(marker.last_day, seed=marker.seed)
        access_holder = Machine(credentials["access_holder"])
        if not marker.has(SETTLED):
            settle(plan, doors, access_holder, report)
            marker.keep(SETTLED)
        holders = [credentials["live"], second_holder(state)]
        let_in(holders[1], doors, Machine(credentials["operator"]))
        consent_to_all(plan, marker, doors, holders, partial(sign_in, endpoints["oidc"]), report)
        move_on(plan, doors, access_holder)
        publish(plan, marker, doors, Machine(credentials["publisher"]), report)
        marker.note(LINK, open_session(open_question(plan), holders[1], doors))
        note_readable(state, readable(plan, doors, holders[0], number=0))
        marker.keep(WHOLE)


def note_readable(state: State, eans: list[str]) -> None:
    """Write into the credentials file which points its live holder may read."""
    credentials = read_json(state.credentials)
    if credentials["live"]["eans"] != eans:
        credentials["live"]["eans"] = eans
        write_json(state.credentials, credentials)


@contextmanager
def _alone(state: State, report: Report) -> Iterator[None]:
    """Hold the right to load this state's world; waits while another process does, and gets it when that ends."""
    with (state.folder / "demo.lock").open("a+") as file:
        while not _lock(file):
            report("demo world: another kwartier up is loading it")
            time.sleep(0.2)
        yield


def _lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
