"""`kwartier wait`: until all that was published before this call can be queried."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Collection
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from eventlog.kafka import KafkaAccess
from stack.condition import ProjectionCondition, observe_projections
from stack.jars import Report
from stack.problem import Problem
from stack.running import kafka_access, read_endpoints
from stack.terminal import progress

Ends = dict[str, dict[int, int]]


def add(subparsers: Any) -> argparse.ArgumentParser:
    """Return this command's own parser."""
    own: argparse.ArgumentParser = subparsers.add_parser(
        "wait",
        help="until all that was published can be queried",
        description="Return when everything published before this call is stored and can be queried.",
    )
    own.add_argument("--timeout", type=float, default=120.0, metavar="SECONDS", help="default: 120")
    return own


def run(arguments: argparse.Namespace) -> int:
    """Wait for the relays, then for every projection to pass the end its topic had then."""
    endpoints = read_endpoints(arguments.state)
    deadline = time.monotonic() + arguments.timeout
    with progress() as report:
        _wait_for_relays(endpoints, deadline, report)
        _wait_for_projections(endpoints, deadline, report)
    return 0


def _wait_for_relays(endpoints: dict[str, Any], deadline: float, report: Report) -> None:
    """Return when each process has said once that nothing of it is unpublished."""
    sent: set[str] = set()
    while True:
        _, unpublished = _observe_all(endpoints, deadline, report)
        sent |= {name for name, count in unpublished.items() if count == 0}
        waiting = ", ".join(sorted(set(unpublished) - sent))
        if not waiting:
            return
        report(f"waiting for the relays of {waiting}")
        _fail_after(deadline, f"the relays of {waiting} did not send all events")


def _wait_for_projections(endpoints: dict[str, Any], deadline: float, report: Report) -> None:
    projections, _ = _observe_all(endpoints, deadline, report)
    ends = asyncio.run(_end_offsets(kafka_access(endpoints), {each.topic for each in projections}))
    while behind := {each.name: count for each in projections if (count := records_behind(each, ends))}:
        words = ", ".join(f"{name} ({count} records behind)" for name, count in behind.items())
        report(f"waiting for {words}")
        _fail_after(deadline, words)
        projections, _ = _observe_all(endpoints, deadline, report)


def _observe_all(
    endpoints: dict[str, Any], deadline: float, report: Report
) -> tuple[tuple[ProjectionCondition, ...], dict[str, int]]:
    """Return what the processes say, as soon as all of them answer."""
    while True:
        projections, unpublished = observe_projections(endpoints)
        silent = ", ".join(sorted(set(endpoints["metrics"]) - set(unpublished)))
        if not silent:
            return projections, unpublished
        report(f"waiting for an answer of {silent}")
        _fail_after(deadline, f"{silent} does not answer")


def records_behind(projection: ProjectionCondition, ends: Ends) -> int:
    """Return how many records below `ends` (topic -> partition -> end offset) the projection has not passed."""
    partitions = ends.get(projection.topic, {})
    return sum(max(0, end - projection.checkpoints.get(number, 0)) for number, end in partitions.items())


async def _end_offsets(kafka: KafkaAccess, topics: Collection[str]) -> Ends:
    consumer = AIOKafkaConsumer(**kafka.client_arguments(), client_id="kwartier-wait")
    try:
        await consumer.start()
        await consumer.topics()
        wanted = [TopicPartition(each, n) for each in topics for n in consumer.partitions_for_topic(each) or ()]
        found = await consumer.end_offsets(wanted)
    except KafkaError as error:
        raise Problem(f"Kafka at {kafka.bootstrap} does not answer: ask kwartier status") from error
    finally:
        await consumer.stop()
    ends: Ends = {topic: {} for topic in topics}
    for place, end in found.items():
        ends[place.topic][place.partition] = end
    return ends


def _fail_after(deadline: float, words: str) -> None:
    if time.monotonic() > deadline:
        raise Problem(f"time is up: {words}; ask kwartier status, or give more --timeout")
    time.sleep(0.1)
