"""A look at Kafka every few seconds: does it let us in, are our topics there, and are all replicas in sync?

Clients that are refused try again for ever, and one that may not see a topic waits for it in silence; this says why.
It is about what a human has to mend. That Kafka does not answer at all is an outage: clients say so, and wait it out.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Iterable, Sequence
from typing import Any, Final

from aiokafka.conn import AIOKafkaConnection, create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    UnsupportedSaslMechanismError,
    for_code,
)
from aiokafka.protocol.metadata import MetadataRequest

from eventlog import metrics
from eventlog.kafka import KafkaAccess
from eventlog.topics import Topic

_EVERY_SECONDS: Final = 15.0
_DENIED_SECONDS: Final = 3.0
_ANSWER_MS: Final = 10_000

_log = logging.getLogger(__name__)


def topics_of(service: str, topics: Iterable[Topic]) -> list[Topic]:
    """Return those of `topics` that `service` writes or reads."""
    return [topic for topic in topics if service in topic.writers or service in topic.readers]


class KafkaWatch:
    """Watches Kafka for a process that lives on `topics`; `unready` says what a human has to mend."""

    def __init__(self, kafka: KafkaAccess, topics: Sequence[Topic]) -> None:
        self._kafka = kafka
        self._topics = {topic.name: topic for topic in topics}
        self._faults: list[str] = []

    def unready(self) -> list[str]:
        """Return why Kafka does not let this process work, each reason with what to do; empty where it does."""
        return list(self._faults)

    async def watch(self) -> None:
        """Look until cancelled; every fault, and its end, is one line in the log."""
        while True:
            self.note(await self.look())
            await asyncio.sleep(_DENIED_SECONDS if self._faults else _EVERY_SECONDS)

    def note(self, faults: list[str]) -> None:
        """Take what a look found; what is new goes to the log."""
        for fault in faults:
            if fault not in self._faults:
                _log.error("%s", fault)
        if self._faults and not faults:
            _log.info("Kafka lets us work again")
        self._faults = faults
        metrics.KAFKA_FAULTS.set(len(faults))

    async def look(self) -> list[str]:
        """Return the faults that the first broker that answers shows; none in an outage."""
        for place in self._kafka.bootstrap.split(","):
            try:
                connection = await self._connect(place)
            except ssl.SSLCertVerificationError as error:
                why = error.verify_message
                return [f"the certificate of {place} is not trusted ({why}): set KAFKA_CA_FILE, or renew it"]
            except (SaslAuthenticationFailed, AuthenticationFailedError):
                return [f"Kafka refuses the password of {self._kafka.sasl_username}: set KAFKA_SASL_PASSWORD"]
            except (UnsupportedSaslMechanismError, IllegalSaslStateError):
                return [f"Kafka does not take {self._kafka.sasl_mechanism}: set KAFKA_SASL_MECHANISM"]
            except (OSError, KafkaError, TimeoutError):
                continue
            try:
                return self._judge(await connection.send(MetadataRequest(list(self._topics), False)))
            except (KafkaError, TimeoutError):
                continue
            finally:
                connection.close()
        return []

    async def _connect(self, place: str) -> AIOKafkaConnection:
        host, _, port = place.strip().rpartition(":")
        arguments = {name: value for name, value in self._kafka.client_arguments().items() if "bootstrap" not in name}
        connection = await create_conn(
            host, int(port), client_id="kafka-watch", request_timeout_ms=_ANSWER_MS, **arguments
        )
        _note_certificate(connection)
        return connection

    def _judge(self, answer: Any) -> list[str]:
        faults = []
        for code, name, _, partitions in answer.topics:
            error, topic = for_code(code), self._topics[name]
            if error is TopicAuthorizationFailedError:
                faults.append(f"Kafka does not show {name} to this user: give the rules of kwartier topics acls")
            elif error is UnknownTopicOrPartitionError:
                faults.append(f"topic {name} is missing: kwartier topics create")
            elif not code:
                _note_replicas(topic, partitions)
                if len(partitions) != topic.partitions:
                    wrong = f"topic {name} has {len(partitions)} partitions, and topics.toml says {topic.partitions}"
                    faults.append(f"{wrong}: set TOPICS_PROFILE to the profile that it was made with")
        return faults


def _note_replicas(topic: Topic, partitions: Sequence[Any]) -> None:
    in_sync = [(len(replicas), len(isr)) for _, _, _, replicas, isr, *_ in partitions]
    metrics.KAFKA_UNDER_REPLICATED.labels(topic.name).set(sum(isr < replicas for replicas, isr in in_sync))
    metrics.KAFKA_UNWRITABLE.labels(topic.name).set(sum(isr < topic.min_insync_replicas for _, isr in in_sync))


def _note_certificate(connection: AIOKafkaConnection) -> None:
    """Note until when the broker's certificate is good, where there is one."""
    shown = connection._writer.get_extra_info("peercert")  # the library has no other door to it
    if shown:
        metrics.KAFKA_CERTIFICATE_EXPIRES.set(ssl.cert_time_to_seconds(shown["notAfter"]))
