"""The role `project`: keeps blocks, indexes and what is installed up to date, and says how far each has come."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Engine

from eventlog.consumer import Progress, consume
from eventlog.probes import ProjectionStatus, projection_status, stalled_projections, unready_projections
from eventlog.process import Task
from eventlog.topics import load_topics
from market.channel import Energy
from market.local_time import day_of
from services.metering import index_projection, installation, partitions, store
from services.metering.index_projection import IndexProjection
from services.metering.projector import (
    CONCURRENT_RUNS,
    FETCH_BYTES,
    MAX_RUN_RECORDS,
    BlockProjection,
    collect_garbage_rarely,
)
from services.metering.settings import MeteringSettings


class Projecting:
    """The projections, each as a task of its own, and one more that makes partitions ahead."""

    def __init__(self, settings: MeteringSettings, engine: Engine) -> None:
        self._settings = settings
        self._engine = engine
        topics, limit = load_topics(settings.topics_profile), settings.stall_limit_seconds
        self._blocks = BlockProjection(
            engine=engine,
            database_url=settings.database_url.get_secret_value(),
            partition_count=topics[store.TOPIC].partitions,
            park_limit=settings.max_parked_in_a_row,
        )
        self._installed = installation.installation_projection(engine, topics[installation.TOPIC].partitions)
        self._indexes = IndexProjection(
            engine=engine,
            partition_count=topics[index_projection.TOPIC].partitions,
            park_limit=settings.max_parked_in_a_row,
        )
        self._progresses = [Progress(stall_limit_seconds=limit) for _ in range(3)]

    def tasks(self) -> list[Task]:
        """Return what runs until it is cancelled."""
        return [self.project_blocks, self.project_installation, self.project_indexes, self.make_partitions]

    async def project_blocks(self) -> None:
        """Keep the store up to date until cancelled."""
        collect_garbage_rarely()
        try:
            await consume(
                self._blocks,
                service=self._settings.service,
                kafka=self._settings.kafka,
                replica=self._settings.replica,
                max_run_records=MAX_RUN_RECORDS,
                concurrent_run_count=CONCURRENT_RUNS,
                fetch_bytes=FETCH_BYTES,
                progress=self._progresses[0],
            )
        finally:
            self._blocks.close()

    async def project_installation(self) -> None:
        """Keep what is installed up to date until cancelled."""
        await consume(
            self._installed,
            service=self._settings.service,
            kafka=self._settings.kafka,
            replica=self._settings.replica,
            progress=self._progresses[1],
        )

    async def project_indexes(self) -> None:
        """Keep indexes and period volumes up to date until cancelled."""
        await consume(
            self._indexes,
            service=self._settings.service,
            kafka=self._settings.kafka,
            replica=self._settings.replica,
            progress=self._progresses[2],
        )

    async def make_partitions(self) -> None:
        """Keep the partitions of the coming months made, until cancelled."""
        await partitions.keep_ahead(self._engine, lambda: day_of(Energy.ELECTRICITY, datetime.now(UTC)))

    def unready(self) -> list[str]:
        """Return why it cannot work now."""
        return unready_projections(self._progresses)

    def stalled(self) -> list[str]:
        """Return why the process had better be started again."""
        return stalled_projections(self._progresses)

    def statuses(self) -> list[ProjectionStatus]:
        """Return how far each has come."""
        blocks, installed, indexes = self._progresses
        return [
            projection_status(self._engine, self._blocks, blocks),
            projection_status(self._engine, self._installed, installed),
            projection_status(self._engine, self._indexes, indexes),
        ]
