"""Running a service: its HTTP server and its tasks, as one process that stops cleanly or not at all."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Final, NoReturn

import uvicorn
from starlette.types import ASGIApp

from eventlog.logs import setup_logging
from eventlog.metrics import MetricsMiddleware
from eventlog.tracing import TraceMiddleware, setup_tracing

FAULT: Final = 70  # EX_SOFTWARE of sysexits.h
_GRACE_SECONDS: Final = 10

_log = logging.getLogger(__name__)
Task = Callable[[], Awaitable[None]]


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # signals are the process's, not the server's


def run(
    service: str, *, app: ASGIApp, host: str, port: int, tasks: Sequence[Task] = (), tracing_endpoint: str = ""
) -> NoReturn:
    """Serve `app` and run `tasks` until SIGTERM or SIGINT, then end with exit code 0.

    The process ends with 70 when a task raises, or returns before it was told to: what is broken must be seen. Measures
    and logs every request. Traces are exported to `tracing_endpoint`, if any.
    """
    setup_logging(service)
    setup_tracing(service, tracing_endpoint)
    listening = listen(host, port)
    code = asyncio.run(_serve(TraceMiddleware(MetricsMiddleware(app, service=service)), listening, tasks))
    logging.shutdown()
    sys.exit(code)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens there, or end the process (exit code 1) with a line that says what to do."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        _log.critical("cannot listen on %s port %d (%s): free it, or set PORT to another", host, port, error.strerror)
        sys.exit(1)
    # Connections inherit it; asyncio sets it only on sockets made with IPPROTO_TCP, and without it an answer's last
    # piece waits 40 ms for the client's acknowledgement.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


async def _serve(app: ASGIApp, listening: socket.socket, tasks: Sequence[Task]) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    config = uvicorn.Config(
        app, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=_GRACE_SECONDS
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listening]), name="http")
    working = [asyncio.create_task(_run_task(each), name=_name(each)) for each in tasks]
    stopping = asyncio.create_task(stop.wait(), name="signal")
    everything: set[asyncio.Task[Any]] = {serving, stopping, *working}
    ended, _ = await asyncio.wait(everything, return_when=asyncio.FIRST_COMPLETED)
    faults = [each for each in ended if each is not stopping]
    for each in faults:
        _log.critical("%s ended: %s", each.get_name(), each.exception() or "it returned", exc_info=each.exception())
    server.should_exit = True
    for task in everything - {serving}:
        task.cancel()
    await asyncio.gather(*everything, return_exceptions=True)
    return FAULT if faults else 0


async def _run_task(task: Task) -> None:
    await task()


def _name(task: Task) -> str:
    return getattr(task, "__name__", None) or type(task).__name__
