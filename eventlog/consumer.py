"""Keeping a projection up to date: the settings of a group's member, and its lives one after the other."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from eventlog.kafka import KafkaAccess
from eventlog.member import Member
from eventlog.progress import Progress
from eventlog.projection import Projection

__all__ = ["MEMBER_SETTINGS", "Progress", "consume"]

MEMBER_SETTINGS: Final[dict[str, Any]] = {
    "auto_offset_reset": "none",
    "enable_auto_commit": False,
    "session_timeout_ms": 6_000,
    "heartbeat_interval_ms": 1_500,
    "rebalance_timeout_ms": 10_000,
    "request_timeout_ms": 20_000,  # above the rebalance timeout, or a JoinGroup times out and a partition stands still
    "max_poll_interval_ms": 30_000,
    "metadata_max_age_ms": 10_000,
    "retry_backoff_ms": 500,
}
_RETRY_SECONDS: Final = 1.0

_log = logging.getLogger(__name__)


async def consume(
    projection: Projection,
    *,
    service: str,
    kafka: KafkaAccess,
    replica: str,
    max_run_records: int = 2_000,
    concurrent_run_count: int = 1,
    progress: Progress | None = None,
) -> None:
    """Keep `projection` up to date until cancelled; wait out every outage of broker and database.

    `replica` tells members of the group apart and stays the same over a restart. While runs are applied, the next ones
    are fetched; `concurrent_run_count` partitions are applied at a time. `progress` is kept up to date for probes.

    Raises:
        ProjectionStopped: a human has to look; records are missing from the log, or a bad one may not be passed over.
        Exception: a fault of the projection itself.
    """
    watched = progress or Progress()
    while True:
        member = Member(
            projection,
            owner=f"{service}/{replica}/{os.getpid()}",
            max_run_records=max_run_records,
            concurrent_run_count=concurrent_run_count,
            progress=watched,
        )
        try:
            await member.live(_consumer(projection, service, kafka, replica))
        except KafkaError as error:
            _log.warning("%s begins again: %s", projection.name, type(error).__name__)
        await asyncio.sleep(_RETRY_SECONDS)


def _consumer(projection: Projection, service: str, kafka: KafkaAccess, replica: str) -> AIOKafkaConsumer:
    # The topic too: a static member that comes back is given its old partitions, whatever it subscribes to now.
    group = f"{service}.{projection.name}.{projection.topic}"
    return AIOKafkaConsumer(
        **kafka.client_arguments(),
        client_id=f"{group}-{replica}",
        group_id=group,
        group_instance_id=f"{group}-{replica}",
        **MEMBER_SETTINGS,
    )
