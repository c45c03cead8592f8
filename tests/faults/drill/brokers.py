"""The drill's Kafka: brokers that are killed one by one, and its topics."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from stack.kafka_cluster import KafkaCluster

_POLL_SECONDS = 0.2


@dataclass
class Brokers:
    """A cluster; a topic has a replica on every broker, and all but one of them have to be in sync for a write."""

    cluster: KafkaCluster
    topics: Sequence[str] = ()

    @property
    def bootstrap(self) -> str:
        return self.cluster.bootstrap

    async def start(self, topics: Sequence[str], partitions: int) -> None:
        """Start them all and make the topics."""
        self.cluster.start(_say_nothing)
        self.topics, replicas = topics, len(self.cluster.broker_ids)
        settings = {"message.timestamp.type": "LogAppendTime", "min.insync.replicas": str(max(replicas - 1, 1))}
        async with self._admin() as admin:
            new = [NewTopic(each, partitions, replicas, topic_configs=settings) for each in topics]
            await admin.create_topics(new)
        await self.when_in_sync()

    async def kill(self, number: int) -> None:
        """SIGKILL one, when every replica of every partition is in sync: no other one is missed then."""
        await self.when_in_sync()
        self.cluster.kill(number)

    async def start_again(self, number: int) -> None:
        """Start one that was killed, and wait until it answers."""
        self.cluster.start_again(number, _say_nothing)
        await asyncio.to_thread(self.cluster.wait, number)

    async def when_in_sync(self) -> None:
        """Wait until every replica of every partition is in sync."""
        async with self._admin() as admin:
            while not all(self._is_in_sync(each) for each in await admin.describe_topics(list(self.topics))):
                await asyncio.sleep(_POLL_SECONDS)

    def _is_in_sync(self, topic: dict[str, list[dict[str, list[int]]]]) -> bool:
        partitions, replicas = topic["partitions"], len(self.cluster.broker_ids)
        return bool(partitions) and all(len(each["isr"]) == replicas for each in partitions)

    @asynccontextmanager
    async def _admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            yield admin
        finally:
            await admin.close()


def _say_nothing(_line: str) -> None:
    pass
