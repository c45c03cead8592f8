"""What operations ask a process: is it alive, is it ready, what does it count, how far has it come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from eventlog import checkpoint, dead_letter
from eventlog.halt import Halt
from eventlog.progress import Progress
from eventlog.projection import Projection

_STILL_SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectionStatus:
    """How far a projection has come. `lag` counts records of the partitions read here; None while it is not known."""

    name: str
    topic: str
    lag: int | None
    parked: int
    checkpoints: dict[int, int]
    halts: tuple[Halt, ...] = ()


def projection_status(engine: Engine, projection: Projection, progress: Progress) -> ProjectionStatus:
    """Return the status of `projection`, which a task of this process keeps up to date and notes in `progress`."""
    with engine.begin() as tx:
        checkpoints = checkpoint.read(tx, projection=projection.name, topic=projection.topic)
        parked = dead_letter.count_parked(tx, projection.name)
    return ProjectionStatus(
        name=projection.name,
        topic=projection.topic,
        lag=progress.lag_behind(checkpoints),
        parked=parked,
        checkpoints=checkpoints,
        halts=tuple(halt for _, halt in sorted(progress.halts.items())),
    )


def unready_database(engine: Engine) -> list[str]:
    """Return why the database cannot be used now; empty when it can."""
    try:
        with engine.connect() as connection:
            connection.execute(text("select 1"))
    except SQLAlchemyError as error:
        return [f"database: {type(error).__name__}"]
    return []


def unready_projections(progresses: Sequence[Progress]) -> list[str]:
    """Return why a consumer of this process cannot work now, or does not; empty when all can."""
    reasons = [str(halt) for progress in progresses for _, halt in sorted(progress.halts.items())]
    for progress in progresses:
        still_seconds = progress.standstill.seconds
        if not progress.is_joined:
            reasons.append("a projection has not joined its group")
        elif progress.unclaimed_count:
            reasons.append(f"{progress.unclaimed_count} partitions are not claimed")
        elif still_seconds >= _STILL_SECONDS:
            reasons.append(f"{progress.name} stands still since {still_seconds:.0f} s with {_work(progress)} to apply")
    return reasons


def stalled_projections(progresses: Sequence[Progress]) -> list[str]:
    """Return which projections of this process stand still so that a new process may help; empty when none does.

    One does when for its limit there was work and nothing was committed, and no failure of the broker or the database
    was seen within the last minute: ending the process ends no outage, and a new one would only wait as this one does.
    A standstill within an outage shows in /readyz and in the metric projection_stalled_seconds.
    """
    return [
        f"{each.name} stands still since {each.standstill.seconds:.0f} s with {_work(each)} to apply, although neither "
        "Kafka nor the database is seen to fail: start this process again; if it comes back, see docs/operations.md"
        for each in progresses
        if each.standstill.unexplained_seconds >= each.stall_limit_seconds
    ]


def _work(progress: Progress) -> str:
    return "an unknown number of records" if progress.lag is None else f"{progress.lag} record(s)"


def ops_routes(
    *,
    is_ready: Callable[[], list[str]],
    stalled: Callable[[], list[str]] = list,
    projections: Callable[[], list[ProjectionStatus]] = list,
    unpublished: Callable[[], int] = int,
) -> list[Route]:
    """Return the routes /livez, /readyz, /metrics and /projections.

    `is_ready` returns the reasons why the process is not ready. It, `projections` and `unpublished` are called in
    threads, and may ask the database. /projections answers 503 when it cannot. `stalled` returns the reasons why the
    process had better be started again, and asks nobody; a process whose event loop hangs does not answer at all.
    """

    async def live(request: Request) -> Response:
        reasons = stalled()
        return PlainTextResponse("\n".join(reasons or ["alive"]) + "\n", status_code=503 if reasons else 200)

    async def ready(request: Request) -> Response:
        reasons = await asyncio.to_thread(is_ready)
        return JSONResponse({"ready": not reasons, "reasons": reasons}, status_code=503 if reasons else 200)

    async def count(request: Request) -> Response:
        return Response(await asyncio.to_thread(generate_latest), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def progress(request: Request) -> Response:
        try:
            statuses, waiting = await asyncio.gather(asyncio.to_thread(projections), asyncio.to_thread(unpublished))
        except SQLAlchemyError as error:
            return JSONResponse({"error": f"database: {type(error).__name__}"}, status_code=503)
        return JSONResponse({"projections": [_as_json(each) for each in statuses], "unpublished": waiting})

    return [
        Route("/livez", live),
        Route("/readyz", ready),
        Route("/metrics", count),
        Route("/projections", progress),
    ]


def _as_json(status: ProjectionStatus) -> dict[str, object]:
    return {
        "name": status.name,
        "topic": status.topic,
        "lag": status.lag,
        "parked": status.parked,
        "checkpoints": {str(partition): offset for partition, offset in status.checkpoints.items()},
        "halts": [
            {"at": str(each.place), "rule": each.reason.rule, "reason": each.reason.text} for each in status.halts
        ],
    }
