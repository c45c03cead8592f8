"""HTTP of the access register: parse, carry out, answer."""

from __future__ import annotations

from fastapi import FastAPI

from eventlog.problems import answer_problems
from eventlog.trust import Authenticator, answer_refusals
from services.register import bulk_api, net_users_api, points_api
from services.register.desk import Desk


def create_api(desk: Desk, authenticator: Authenticator, *, bulk_max_bytes: int) -> FastAPI:
    """Return the register's API at `desk`."""
    # No /docs, no /redoc: these pages load their script from another host.
    app = FastAPI(title="Kwartier register", version="1", description=__doc__, docs_url=None, redoc_url=None)
    answer_problems(app)
    answer_refusals(app)
    app.include_router(points_api.create_router(desk, authenticator))
    app.include_router(net_users_api.create_router(desk, authenticator))
    app.include_router(bulk_api.create_router(desk, authenticator, max_bytes=bulk_max_bytes))
    return app
