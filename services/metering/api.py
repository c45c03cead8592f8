"""HTTP of metering: readings and indexes in; receipts; and, for those who may read, what is kept of them out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI

from eventlog.problems import answer_problems
from eventlog.trust import answer_refusals
from services.metering.publisher import Publisher
from services.metering.topic_ends import TopicEnds


def create_api(routers: Sequence[APIRouter], *, kafka: Sequence[Publisher | TopicEnds]) -> FastAPI:
    """Return the API of metering; with it end the connections to `kafka`."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        for each in kafka:
            await each.stop()

    # No /docs, no /redoc: these pages load their script from another host.
    app = FastAPI(
        title="Kwartier metering", version="1", description=__doc__, docs_url=None, redoc_url=None, lifespan=lifespan
    )
    answer_problems(app)
    answer_refusals(app)
    for router in routers:
        app.include_router(router)
    return app
