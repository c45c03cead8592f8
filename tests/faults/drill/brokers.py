"""The drill's Kafka: brokers that can be killed one by one, and its topics."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from stack.child import Child
from stack.kafka import KafkaServer
from stack.ports import free_ports
from stack.readiness import wait_until_ready

_READY_SECONDS: Final = 90


def _say_nothing(_line: str) -> None:
    pass


@dataclass
class Brokers:
    """`count` brokers of one cluster; a topic has as many replicas, and all but one of them have to be in sync."""

    folder: Path
    count: int
    servers: list[KafkaServer] = field(default_factory=list)
    children: list[Child] = field(default_factory=list)
    topics: Sequence[str] = ()

    def __post_init__(self) -> None:
        port, controller_port = free_ports(2)
        log = self.folder / "kafka.log"
        self.servers = [KafkaServer(folder=self.folder / "kafka", port=port, controller_port=controller_port, log=log)]

    @property
    def bootstrap(self) -> str:
        return ",".join(each.bootstrap for each in self.servers)

    async def start(self, topics: Sequence[str], partitions: int) -> None:
        """Start them all and make the topics."""
        self.topics = topics
        self.children = [each.start(_say_nothing) for each in self.servers]
        for number in range(len(self.servers)):
            self.wait(number)
        replicas = len(self.servers)
        settings = {"message.timestamp.type": "LogAppendTime", "min.insync.replicas": str(max(replicas - 1, 1))}
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            new = [NewTopic(each, partitions, replicas, topic_configs=settings) for each in topics]
            await admin.create_topics(new)
            while not set(topics) <= set(await admin.list_topics()):
                await asyncio.sleep(0.1)
        finally:
            await admin.close()

    def wait(self, number: int) -> None:
        """Wait until one of them answers."""
        wait_until_ready(self.children[number], self.servers[number].is_ready, timeout_seconds=_READY_SECONDS)

    def kill(self, number: int) -> None:
        """SIGKILL one."""
        self.children[number].stop(grace_seconds=0)

    def start_again(self, number: int) -> None:
        """Start one that was killed; it is back some seconds later."""
        self.children[number] = self.servers[number].start(_say_nothing)

    def stop(self) -> None:
        """End them all at once."""
        for child in self.children:
            child.stop(grace_seconds=0)

    async def when_in_sync(self) -> None:
        """Wait until every replica of every partition is in sync: another broker may go now."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            while not all(
                len(partition["isr"]) == len(self.servers)
                for topic in await admin.describe_topics(list(self.topics))
                for partition in topic["partitions"]
            ):
                await asyncio.sleep(0.2)
        finally:
            await admin.close()
