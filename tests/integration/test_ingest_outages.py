"""When Kafka does not answer, the sender hears so within the deadline and may send again."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from eventlog.kafka import KafkaAccess
from eventlog.topics import create_topics
from services.metering import store
from services.metering.publisher import Message, NotAcknowledged, Position, Publisher
from stack.child import Child
from stack.kafka import KafkaServer
from stack.ports import free_ports
from stack.readiness import wait_until_ready
from tests.metering_room import new_ean, open_room

pytestmark = pytest.mark.integration

LINE = json.dumps(
    {
        "source_at": "2026-11-20T04:00:00Z",
        "ean": new_ean(),
        "meter_kind": "DIGITAL",
        "channel": "OFFTAKE_ACTIVE_DAILY",
        "day": "2026-11-19",
        "values": [1],
    }
)


@asynccontextmanager
async def silent_broker() -> AsyncIterator[str]:
    """A listener that takes every connection and never says a word."""

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_an_unreachable_broker_is_a_503_that_says_a_retry_is_safe(database_url: str) -> None:
    bootstrap = f"127.0.0.1:{free_ports(1)[0]}"
    async with open_room(database_url, bootstrap, publish_seconds=1.0, ends_seconds=1.0) as room:
        for query in ({}, {"skip_unchanged": "true"}):
            answer = await room.post(LINE, "application/x-ndjson", **query)
            assert answer.status_code == 503
            assert answer.headers["Retry-After"] == "5"
            assert answer.json()["Code"] == "KafkaUnavailable"
            assert "sending the same body again is safe" in answer.json()["Message"]
        assert (await room.receipt(0, 0)).status_code == 503


async def test_a_broker_that_never_answers_is_given_up_at_the_deadline(database_url: str) -> None:
    async with silent_broker() as bootstrap, open_room(database_url, bootstrap, publish_seconds=1.0) as room:
        began = time.monotonic()
        answer = await room.post(LINE, "application/x-ndjson")
        assert answer.status_code == 503
        assert time.monotonic() - began < 15


async def test_what_is_in_hand_is_bounded(database_url: str) -> None:
    async with open_room(database_url, "127.0.0.1:1", max_memory_bytes=100) as room:
        answer = await room.post(LINE, "application/x-ndjson")
    assert (answer.status_code, answer.json()["Code"], answer.headers["Retry-After"]) == (503, "Busy", "1")


def _silent(line: str) -> None:
    """Take a line of progress that nobody reads."""


async def test_a_frozen_broker_is_waited_for_and_one_that_lost_its_log_gets_a_new_producer(tmp_path: Path) -> None:
    port, controller_port = free_ports(2)
    message = [Message(b"541448800000000017", b"value", [])]
    started: list[Child] = []

    async def start(folder: Path) -> None:
        server = KafkaServer(folder=folder, port=port, controller_port=controller_port, log=tmp_path / "kafka.log")
        started.append(server.start(_silent))
        await asyncio.to_thread(wait_until_ready, started[-1], server.is_ready, timeout_seconds=60)
        await create_topics(KafkaAccess(server.bootstrap), "local")

    publisher = Publisher(kafka=KafkaAccess(f"127.0.0.1:{port}"), topic=store.TOPIC, deadline_seconds=3.0)
    try:
        await start(tmp_path / "first")
        [first] = await publisher.publish(message)
        started[-1].process.send_signal(signal.SIGSTOP)
        with pytest.raises(NotAcknowledged):
            await publisher.publish(message)
        started[-1].process.send_signal(signal.SIGCONT)
        [second] = await _until_published(publisher, message)
        assert second.offset > first.offset
        started[-1].process.kill()
        started[-1].process.wait()
        await start(tmp_path / "second")
        [third] = await _until_published(publisher, message)
        assert third.offset in {0, 1}
    finally:
        await publisher.stop()
        for child in started:
            child.stop(grace_seconds=0)


async def _until_published(publisher: Publisher, messages: list[Message]) -> list[Position]:
    deadline = time.monotonic() + 60
    while True:
        try:
            return await publisher.publish(messages)
        except NotAcknowledged:
            assert time.monotonic() < deadline
