"""The demo world's readings on their way into metering, part by part."""

from __future__ import annotations

import time
from typing import Final

from stack.demo.doors import Doors, Machine
from stack.demo.marker import Marker
from stack.demo.plan import Plan
from stack.demo.readings import Chunk, chunk_count, chunks, to_container
from stack.jars import Report
from stack.problem import Problem

STORE_SECONDS: Final = 300.0
_SCOPE: Final = "metering/readings.write"


def publish(plan: Plan, marker: Marker, doors: Doors, publisher: Machine, report: Report) -> None:
    """Send the parts that the marker does not have, and return when all readings are stored.

    Raises:
        Problem: metering refuses a reading, or is away for too long.
    """
    done = frozenset(number for number in range(chunk_count(plan)) if marker.has(f"readings {number}"))
    if len(done) < chunk_count(plan):
        report("demo world: making up 400 days of readings")
        for chunk in chunks(plan, source=publisher.client_id, without=done):
            report(f"demo world: readings up to {chunk.last_day}, part {chunk.number + 1} of {chunk_count(plan)}")
            _send(chunk, doors, publisher, marker)
            marker.keep(f"readings {chunk.number}")
    _wait_until_stored(marker, doors, publisher, report)


def _send(chunk: Chunk, doors: Doors, publisher: Machine, marker: Marker) -> None:
    """Publish a chunk and note the last receipt of each partition."""
    body, headers = to_container(chunk.records), {"Content-Type": "avro/binary"}
    answer = doors.post("metering", "/readings", publisher.token(_SCOPE), content=body, headers=headers)
    if answer["refusals"]:
        raise Problem(f"the demo world: metering refuses a reading: {answer['refusals'][0]['reason']}")
    for each in answer["receipts"]:
        known = marker.receipts.get(each["partition"], 0)
        marker.receipts[each["partition"]] = max(each["offset"], known)


def _wait_until_stored(marker: Marker, doors: Doors, publisher: Machine, report: Report) -> None:
    deadline = time.monotonic() + STORE_SECONDS
    for number, (partition, offset) in enumerate(sorted(marker.receipts.items()), start=1):
        report(f"demo world: storing, partition {number} of {len(marker.receipts)}")
        while doors.get("metering", f"/receipts/{partition}/{offset}", publisher.token(_SCOPE))["state"] == "waiting":
            if time.monotonic() > deadline:
                raise Problem("the demo world is published but not stored yet: ask kwartier status")
            time.sleep(0.2)
