"""What lies on the topics: read whole by a consumer of the drill's own, in no group, from where the last scan ended."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from eventlog import codec
from eventlog.events import MeterInstalled
from tests.faults.drill.book import TAG
from tests.faults.drill.tables import EVENTS, PARTITIONS, READINGS, TOPICS

_SAMPLE: Final = 400

Place = tuple[int, int]
"""Partition and offset."""


@dataclass
class LogScan:
    """`streams` has the numbers of each stream's events in the order of first sight; `sightings` counts the readings,
    `overtaken_count` those of them that came behind a later one of their key.

    `poison` has the places of what is bad by topic; `ends` the end offsets by topic and partition.
    """

    streams: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    sightings: Counter[int] = field(default_factory=Counter)
    poison: defaultdict[str, set[Place]] = field(default_factory=lambda: defaultdict(set))
    ends: dict[str, dict[int, int]] = field(default_factory=dict)
    newest: dict[bytes, int] = field(default_factory=dict)
    overtaken_count: int = 0
    resent_count: int = 0
    out_of_order_count: int = 0
    sample: list[ConsumerRecord] = field(default_factory=list)
    chance: random.Random = field(default_factory=lambda: random.Random(0))

    async def read(self, bootstrap: str) -> None:
        """Read everything up to the ends that the topics have now; all of it counts, or nothing where Kafka fails."""
        partitions = [TopicPartition(topic, each) for topic in TOPICS for each in range(PARTITIONS)]
        found: list[ConsumerRecord] = []
        async with AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="none") as consumer:
            ends = await consumer.end_offsets(partitions)
            consumer.assign(partitions)
            for tp in partitions:
                consumer.seek(tp, self._begin(tp))
            unread = {tp for tp in partitions if self._begin(tp) < ends[tp]}
            while unread:
                for tp, records in (await consumer.getmany(*unread, timeout_ms=500)).items():
                    found += [record for record in records if record.offset < ends[tp]]
                    if await consumer.position(tp) >= ends[tp]:
                        unread.discard(tp)
        for record in found:
            self._note(record)
        for tp, end in ends.items():
            self.ends.setdefault(tp.topic, {})[tp.partition] = end

    def _begin(self, tp: TopicPartition) -> int:
        return self.ends.get(tp.topic, {}).get(tp.partition, 0)

    def end_count(self) -> int:
        """Return how many records there are on all topics."""
        return sum(sum(each.values()) for each in self.ends.values())

    def _note(self, record: ConsumerRecord) -> None:
        headers = dict(record.headers)
        tag = headers.get(TAG, b"").decode()
        if tag.startswith("poison"):
            self.poison[record.topic].add((record.partition, record.offset))
        elif record.topic == READINGS:
            self._note_reading(record.key, int(tag))
        elif record.topic == EVENTS:
            self._note_event(record, headers["ce_subject"].decode(), int(headers["stream_version"]))

    def _note_reading(self, key: bytes, number: int) -> None:
        self.sightings[number] += 1
        if self.sightings[number] > 1:
            return
        if number < self.newest.get(key, 0):
            self.overtaken_count += 1
        self.newest[key] = number

    def _note_event(self, record: ConsumerRecord, stream_id: str, version: int) -> None:
        seen = self.streams[stream_id]
        if version <= len(seen):
            self.resent_count += 1
            return
        if version > len(seen) + 1:
            self.out_of_order_count += 1
        event = codec.decode(record.value)
        assert isinstance(event, MeterInstalled)
        seen.append(int(event.meter_id))
        if len(self.sample) < _SAMPLE:
            self.sample.append(record)
        else:
            self.sample[self.chance.randrange(_SAMPLE)] = record
