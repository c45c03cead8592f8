"""The role `project`: keeps what access is decided by up to date, and says how far it has come."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Engine

from eventlog.consumer import Progress, consume
from eventlog.passed_over import PassedOver
from eventlog.probes import ProjectionStatus, projection_status, stalled_projections, unready_projections
from eventlog.process import Task
from eventlog.projection import EventProjection
from eventlog.topics import load_topics
from services.export.facts import MANDATE_EVENTS, REGISTER_EVENTS
from services.export.projector import occupancy_projection, permission_projection
from services.export.settings import ExportSettings

_RUN_RECORDS = 200  # a run keeps answers about its points waiting


class Projecting:
    """Both projections, each as a task of its own."""

    def __init__(self, settings: ExportSettings, engine: Engine) -> None:
        self._settings = settings
        self._engine = engine
        topics, limit = load_topics(settings.topics_profile), settings.stall_limit_seconds
        permission = permission_projection(engine, topics[MANDATE_EVENTS].partitions)
        occupancy = occupancy_projection(engine, topics[REGISTER_EVENTS].partitions)
        passed_over = PassedOver.parse(settings.passed_over)
        self._projections = [
            (replace(permission, passed_over=passed_over), Progress(stall_limit_seconds=limit)),
            (replace(occupancy, passed_over=passed_over), Progress(stall_limit_seconds=limit)),
        ]

    def tasks(self) -> list[Task]:
        """Return what runs until it is cancelled, or until a projection halts."""
        return [self._task(projection, progress) for projection, progress in self._projections]

    def unready(self) -> list[str]:
        """Return why it cannot work now."""
        return unready_projections([progress for _, progress in self._projections])

    def stalled(self) -> list[str]:
        """Return why the process had better be started again."""
        return stalled_projections([progress for _, progress in self._projections])

    def statuses(self) -> list[ProjectionStatus]:
        """Return how far each has come."""
        return [projection_status(self._engine, projection, progress) for projection, progress in self._projections]

    def _task(self, projection: EventProjection, progress: Progress) -> Task:
        async def project() -> None:
            await consume(
                projection,
                service=self._settings.service,
                kafka=self._settings.kafka,
                replica=self._settings.replica,
                max_run_records=_RUN_RECORDS,
                progress=progress,
            )

        return project
