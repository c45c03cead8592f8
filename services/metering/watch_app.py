"""The process of the live watch: a Faust worker, and beside it the addresses that show what it sees."""

from __future__ import annotations

import contextlib
import logging
import socket
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import faust
import mode
import uvicorn
from fastapi import Depends, FastAPI
from starlette.types import ASGIApp

from eventlog.logs import setup_logging
from eventlog.metrics import MetricsMiddleware
from eventlog.probes import ops_routes
from eventlog.process import listen
from eventlog.registered import use_schema_registry
from eventlog.settings import read_settings
from eventlog.trust import Authenticator, answer_refusals, require
from market.channel import Energy
from market.local_time import day_of
from services.metering import watch_metrics as metrics
from services.metering.arrival import Picture
from services.metering.settings import MeteringSettings
from services.metering.watch import Watched, make_app

_SHOW_SECONDS: Final = 5.0
_TALKERS: Final = ("faust", "mode", "aiokafka", __name__)


def run_watch() -> None:
    """Watch `metering-events` and show what arrives, until told to stop. Keeps nothing; never returns normally."""
    settings = read_settings(MeteringSettings)
    setup_logging(settings.service)
    for name in _TALKERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    use_schema_registry(settings.schema_registry, publishes="")
    watched = Watched()
    with tempfile.TemporaryDirectory(prefix="kwartier-watch-") as datadir:
        app = make_app(settings.kafka, watched, datadir=datadir)
        shown = show_app(watched, Authenticator(settings.trusted_issuers, settings.service), now=_now)
        listening = listen(settings.host, settings.port)
        measured = MetricsMiddleware(shown, service=settings.service)
        worker = _Worker(app, Shown(watched, measured, listening), quiet=True, redirect_stdouts=False)
        worker.execute_from_commandline()


class _Worker(faust.Worker):
    """Faust's worker with the logs of every other process, not its own."""

    def _setup_logging(self) -> None:
        pass


class Shown(mode.Service):
    """Serves `app` on `listening` beside the Faust app, also while that joins its group, and sets the gauges."""

    def __init__(self, watched: Watched, app: ASGIApp, listening: socket.socket) -> None:
        super().__init__()
        self._watched = watched
        self._listening = listening
        # The worker owns the signals and the event loop.
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                lifespan="off",
                loop="none",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=1,
            )
        )
        self._server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]

    @mode.Service.task
    async def serve(self) -> None:
        """Answer until the service stops."""
        await self._server.serve(sockets=[self._listening])

    @mode.Service.timer(_SHOW_SECONDS)
    async def show(self) -> None:
        """Set the gauges to what is known now."""
        metrics.show(_picture(self._watched, _now()), lag=self._watched.lag)

    async def on_stop(self) -> None:
        """Let the server end."""
        self._server.should_exit = True


def show_app(watched: Watched, authenticator: Authenticator, *, now: Callable[[], datetime]) -> FastAPI:
    """Return the web application: probes, metrics, and the picture, for the portal alone, which shows it to operators.

    It holds counts of blocks by source, day and energy, and nothing of any point. `now` gives the time in UTC.
    """
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    answer_refusals(app)
    may_read = require(authenticator, roles=("service",), scope="arrivals.read", subject="portal")

    app.router.routes.extend(ops_routes(is_ready=watched.unready, stalled=watched.stalled))

    @app.get("/arrivals", dependencies=[Depends(may_read)])
    async def arrivals() -> dict[str, Any]:
        """The picture of this moment."""
        return as_json(_picture(watched, now()), is_current=not watched.unready())

    return app


def as_json(picture: Picture, *, is_current: bool) -> dict[str, Any]:
    """Return `picture` as it is sent; `is_current` is false while the watch is still reading what came before."""
    return {
        "as_of": _instant(picture.as_of),
        "today": picture.today.isoformat(),
        "is_current": is_current,
        "minutes": picture.minutes,
        "sources": [
            {"name": each.name, "last_at": _instant(each.last_at), "block_count": each.block_count}
            for each in picture.sources
        ],
        "days": [
            {
                "day": each.day.isoformat(),
                "energy": each.energy,
                "block_count": each.block_count,
                "completed_count": each.completed_count,
                "open_count": each.open_count,
                "late_count": each.late_count,
                "revised_count": each.revised_count,
            }
            for each in picture.days
        ],
        "oldest_gaps": {energy: day.isoformat() for energy, day in sorted(picture.oldest_gaps.items())},
    }


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _picture(watched: Watched, at: datetime) -> Picture:
    return watched.arrivals.picture(at, day_of(Energy.ELECTRICITY, at))


def _now() -> datetime:
    return datetime.now(UTC)
