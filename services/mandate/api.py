"""HTTP of mandate: contracts, consent sessions, mandates."""

from __future__ import annotations

from fastapi import FastAPI

from eventlog.problems import answer_problems
from eventlog.trust import Authenticator, answer_refusals
from services.mandate.contracts_api import contracts_router
from services.mandate.desk import Desk
from services.mandate.mandates_api import mandates_router
from services.mandate.sessions_api import sessions_router


def create_api(desk: Desk, authenticator: Authenticator) -> FastAPI:
    """Return mandate's API at `desk`, for callers that `authenticator` tells."""
    # No /docs, no /redoc: these pages load their script from another host.
    app = FastAPI(title="Kwartier mandate", version="1", description=__doc__, docs_url=None, redoc_url=None)
    answer_problems(app)
    answer_refusals(app)
    for router in (contracts_router, sessions_router, mandates_router):
        app.include_router(router(desk, authenticator))
    return app
