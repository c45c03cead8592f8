"""Composition root of the portal: the only place that knows all its parts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlsplit

import httpx
from sqlalchemy import Engine
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from eventlog.database import create_engine, create_tables
from eventlog.probes import ops_routes, unready_database
from eventlog.service_token import ServiceToken
from eventlog.tracing import pass_on
from market.local_time import BRUSSELS
from services.portal.api import Points
from services.portal.consent_api import Consents
from services.portal.cookies import Cookies
from services.portal.doors import SIGN_IN_RETURN, Doors
from services.portal.drawing import Drawer
from services.portal.exports import Export
from services.portal.home_api import Homes
from services.portal.live_api import Live
from services.portal.mandate_client import MandateClient
from services.portal.neighbours import Neighbour, OwnCalls
from services.portal.provider import Provider
from services.portal.refusals import Refusals
from services.portal.register_client import RegisterClient
from services.portal.rendering import STATIC, Pages
from services.portal.security import SecurityHeaders
from services.portal.sessions import Sessions
from services.portal.settings import PortalSettings
from services.portal.store import metadata
from services.portal.withdrawal_api import Withdrawals

_PATIENCE = httpx.Timeout(20.0, connect=3.0)


def create_app(settings: PortalSettings) -> Starlette:
    """Return the portal; its tables are made when it starts, its drawing process is warm when it is ready."""
    engine = create_engine(settings.database_url.get_secret_value(), application_name="portal")
    client = httpx.AsyncClient(
        timeout=_PATIENCE, trust_env=False, follow_redirects=False, event_hooks={"request": [pass_on]}
    )
    drawer, pages, is_secure = Drawer(), Pages(), urlsplit(settings.portal_url).scheme == "https"
    sessions = Sessions(engine, now=_now, lasts=timedelta(seconds=settings.session_seconds))
    cookies = Cookies(is_secure=is_secure)
    doors = Doors(sessions, _provider(settings, client), cookies)
    routes = [
        *ops_routes(is_ready=lambda: unready_database(engine)),
        *doors.routes(),
        *_pages(settings, client, doors, pages, drawer),
        Mount("/static", StaticFiles(directory=STATIC), name="static"),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(SecurityHeaders, issuer=_origin(settings.oidc_issuer), is_secure=is_secure)],
        exception_handlers=Refusals(pages, sessions, cookies).handlers(),
        lifespan=_lifespan(engine, client, drawer),
    )


def _lifespan(
    engine: Engine, client: httpx.AsyncClient, drawer: Drawer
) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        create_tables(engine, metadata)
        await drawer.warm()
        try:
            yield
        finally:
            await drawer.close()
            await client.aclose()
            engine.dispose()

    return lifespan


def _pages(
    settings: PortalSettings, client: httpx.AsyncClient, doors: Doors, pages: Pages, drawer: Drawer
) -> list[Route]:
    """The routes of everything that a signed-in person sees."""
    token = ServiceToken(settings.token_url, settings.client_id, settings.client_secret.get_secret_value())
    to_mandate = Neighbour(client, "mandate", settings.mandate_url)
    to_register = Neighbour(client, "register", settings.register_url)
    mandate = MandateClient(to_mandate, OwnCalls(to_mandate, token, audience="mandate", scope="sessions.read"))
    register = RegisterClient(OwnCalls(to_register, token, audience="register", scope="net-users.read"))
    to_watch = Neighbour(client, "watch", settings.watch_url)
    watch = OwnCalls(to_watch, token, audience="metering", scope="arrivals.read")
    export = Export(client, settings.export_url)
    points = Points(doors, export, mandate, drawer, pages, _today)
    return [
        *points.routes(),
        *Homes(doors, pages, points, export, mandate, register, _now).routes(),
        *Consents(doors, pages, mandate, register, _now).routes(),
        *Withdrawals(doors, pages, mandate).routes(),
        *Live(doors, pages, watch).routes(),
    ]


def _provider(settings: PortalSettings, client: httpx.AsyncClient) -> Provider:
    return Provider(
        client,
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        client_secret=settings.oidc_client_secret.get_secret_value(),
        redirect_uri=f"{settings.portal_url.rstrip('/')}{SIGN_IN_RETURN}",
    )


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def _now() -> datetime:
    return datetime.now(UTC)


def _today() -> date:
    return datetime.now(BRUSSELS).date()
