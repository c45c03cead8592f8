"""Parked records of a platform: in whose schema they are, and how a record is read that is not parked."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from eventlog.database import create_engine
from eventlog.envelope import Record
from eventlog.halt import Coordinates
from eventlog.kafka import KafkaAccess
from stack.credentials import load_secrets
from stack.problem import Problem
from stack.roles import url_of
from stack.state import State
from stack.versions import OWNERS

SERVICES: Final = {**OWNERS, "mandate-policy": "mandate"}
"""All projections, and whose they are."""
_SECONDS: Final = 10


def service_of(projection: str) -> str:
    """Return whose `projection` is.

    Raises:
        Problem: there is none of that name.
    """
    if projection not in SERVICES:
        raise Problem(f"{projection} is no projection: give one of {', '.join(sorted(SERVICES))}", exit_code=2)
    return SERVICES[projection]


@contextmanager
def schema_of(state: State, endpoints: dict[str, Any], service: str) -> Iterator[Engine]:
    """Lend the schema of `service`, as its own role.

    Raises:
        Problem: the database refuses.
    """
    url = url_of(endpoints["database"], role=service, password=load_secrets(state).roles[service])
    engine = create_engine(url, application_name="kwartier-parked")
    try:
        yield engine
    except SQLAlchemyError as error:
        raise Problem("the database refuses: ask kwartier status", detail=type(error).__name__) from error
    finally:
        engine.dispose()


def has_letters(tx: Connection) -> bool:
    """Whether the service has ever run, so that it may have parked something."""
    return tx.scalar(text("select to_regclass('dead_letter')")) is not None


def read_record(kafka: KafkaAccess, place: Coordinates) -> Record:
    """Return the record that lies there.

    Raises:
        Problem: the topic does not hold it, or Kafka does not answer.
    """
    try:
        return asyncio.run(_read(kafka, place))
    except TimeoutError:
        raise Problem(f"{place} is neither parked nor on the topic: look at kwartier parked list") from None
    except KafkaError as error:
        raise Problem("Kafka refuses: ask kwartier status", detail=f"{type(error).__name__}: {error}") from error


async def _read(kafka: KafkaAccess, place: Coordinates) -> Record:
    async with AIOKafkaConsumer(**kafka.client_arguments(), enable_auto_commit=False) as consumer:
        partition = TopicPartition(place.topic, place.partition)
        consumer.assign([partition])
        if place.offset >= (await consumer.end_offsets([partition]))[partition]:
            raise TimeoutError
        consumer.seek(partition, place.offset)
        record: Record = await asyncio.wait_for(consumer.getone(partition), _SECONDS)
        if record.offset != place.offset:
            raise TimeoutError
        return record
