"""Bring the demo world into a running platform, through its front doors only; safe to be cut off at any point."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

from market.local_time import BRUSSELS
from stack.demo.doors import Doors
from stack.demo.marker import Marker, begin
from stack.demo.plan import Plan, make_plan
from stack.demo.readings import Chunk, chunk_count, chunks, to_container
from stack.demo.settling import settle
from stack.jars import Report
from stack.problem import Problem
from stack.running import read_endpoints
from stack.state import State, read_json

STORE_SECONDS: Final = 300.0
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
    with Doors(endpoints, credentials["access_holder"]) as doors:
        if not marker.has(SETTLED):
            settle(plan, doors, report)
            marker.keep(SETTLED)
    with Doors(endpoints, credentials["publisher"]) as doors:
        _publish(plan, marker, doors, report)


def _publish(plan: Plan, marker: Marker, doors: Doors, report: Report) -> None:
    done = frozenset(number for number in range(chunk_count(plan)) if marker.has(f"readings {number}"))
    if len(done) < chunk_count(plan):
        report("demo world: making up 400 days of readings")
        for chunk in chunks(plan, source=doors.machine["client_id"], without=done):
            report(f"demo world: readings up to {chunk.last_day}, part {chunk.number + 1} of {chunk_count(plan)}")
            _send(chunk, doors, marker)
            marker.keep(f"readings {chunk.number}")
    _wait_until_stored(marker.receipts, doors, report)


def _send(chunk: Chunk, doors: Doors, marker: Marker) -> None:
    """Publish a chunk and note the last receipt of each partition."""
    headers = {"Content-Type": "avro/binary"}
    answer = doors.post("metering", "/readings", "readings.write", content=to_container(chunk.records), headers=headers)
    if answer["refusals"]:
        raise Problem(f"the demo world: metering refuses a reading: {answer['refusals'][0]['reason']}")
    for each in answer["receipts"]:
        known = marker.receipts.get(each["partition"], 0)
        marker.receipts[each["partition"]] = max(each["offset"], known)


def _wait_until_stored(receipts: Mapping[int, int], doors: Doors, report: Report) -> None:
    deadline = time.monotonic() + STORE_SECONDS
    for number, (partition, offset) in enumerate(sorted(receipts.items()), start=1):
        report(f"demo world: storing, partition {number} of {len(receipts)}")
        while doors.get("metering", f"/receipts/{partition}/{offset}", "readings.write")["state"] == "waiting":
            if time.monotonic() > deadline:
                raise Problem("the demo world is published but not stored yet: ask kwartier status")
            time.sleep(0.2)


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
