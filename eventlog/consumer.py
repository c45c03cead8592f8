"""Keeping a projection up to date: the settings of a group's member, and its lives one after the other."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from eventlog.kafka import KafkaAccess
from eventlog.member import Member
from eventlog.progress import Progress
from eventlog.projection import Projection
from eventlog.standstill import TICK_SECONDS

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
_FETCH_BYTES: Final = 2**20
_ANSWER_BYTES: Final = 16 * 2**20
"""Of all partitions together: what one answer of the broker takes in memory."""

_log = logging.getLogger(__name__)


async def consume(
    projection: Projection,
    *,
    service: str,
    kafka: KafkaAccess,
    replica: str,
    max_run_records: int = 2_000,
    concurrent_run_count: int = 1,
    fetch_bytes: int = _FETCH_BYTES,
    progress: Progress | None = None,
) -> None:
    """Keep `projection` up to date until cancelled; wait out every outage of broker and database.

    `replica` tells members of the group apart and stays the same over a restart. While runs are applied, the next ones
    are fetched; `concurrent_run_count` partitions are applied at a time. `fetch_bytes` is what the broker sends of a
    partition at once, and so bounds a run too. `progress` is kept up to date for probes.

    A member that stands still for half of the progress's limit, while neither broker nor database is seen to fail, is
    ended and followed by another one with new connections. What that does not mend, /livez shows at the limit.

    Where a human has to look (records are missing from the log, or a bad one may not be passed over) the partition
    halts: /readyz and a metric say so, the others go on, and every minute it is tried again.

    Raises:
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
            await _live(member, projection, _consumer(projection, service, kafka, replica, fetch_bytes), watched)
        except KafkaError as error:
            watched.standstill.note_outage(time.monotonic())
            _log.warning("%s begins again: %s", projection.name, type(error).__name__)
        await asyncio.sleep(_RETRY_SECONDS)


async def _live(member: Member, projection: Projection, consumer: AIOKafkaConsumer, progress: Progress) -> None:
    """Let `member` live, tick beside it, and end it when it stands still; raises what it raises."""
    living, clock = asyncio.create_task(member.live(consumer)), progress.standstill
    begun = clock.unexplained_seconds
    try:
        while not living.done() and clock.unexplained_seconds - begun < progress.stall_limit_seconds / 2:
            await asyncio.wait({living}, timeout=TICK_SECONDS)
            progress.tick(projection, time.monotonic())
            begun = min(begun, clock.unexplained_seconds)
    finally:
        is_ended = living.cancel()
        await asyncio.gather(living, return_exceptions=True)
    if is_ended:
        _log.error("%s stands still for no reason that is seen: its member is replaced", projection.name)
    if not living.cancelled():
        living.result()


def _consumer(
    projection: Projection, service: str, kafka: KafkaAccess, replica: str, fetch_bytes: int
) -> AIOKafkaConsumer:
    # The topic too: a static member that comes back is given its old partitions, whatever it subscribes to now.
    group = f"{service}.{projection.name}.{projection.topic}"
    return AIOKafkaConsumer(
        **kafka.client_arguments(),
        client_id=f"{group}-{replica}",
        group_id=group,
        group_instance_id=f"{group}-{replica}",
        max_partition_fetch_bytes=fetch_bytes,
        fetch_max_bytes=max(_ANSWER_BYTES, fetch_bytes),
        **MEMBER_SETTINGS,
    )
