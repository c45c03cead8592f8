"""A process of a service: stops cleanly when told, and not at all quietly when something in it is broken."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]
PROCESS = """
import asyncio, sys
from fastapi import FastAPI
from eventlog.probes import ops_routes
from eventlog.process import run

app = FastAPI()
app.router.routes.extend(ops_routes(is_ready=lambda: ["not yet"]))

async def works() -> None:
    try:
        await asyncio.Event().wait()
    finally:
        print("put away", flush=True)

async def breaks() -> None:
    await asyncio.sleep(0.1)
    raise RuntimeError("out of order")

async def returns() -> None:
    pass

tasks = {"works": works, "breaks": breaks, "returns": returns}
run("metering", app=app, host="127.0.0.1", port=int(sys.argv[1]), tasks=[tasks[name] for name in sys.argv[2:]])
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def process(port: int, *tasks: str) -> Iterator[subprocess.Popen[str]]:
    arguments = [sys.executable, "-c", PROCESS, str(port), *tasks]
    with subprocess.Popen(arguments, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as started:
        try:
            yield started
        finally:
            started.kill()


def answer(port: int, path: str) -> httpx.Response:
    deadline = time.monotonic() + 60
    while True:
        try:
            return httpx.get(f"http://127.0.0.1:{port}{path}")
        except httpx.TransportError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_cleanly(number: signal.Signals) -> None:
    port = free_port()
    with process(port, "works") as running:
        assert answer(port, "/livez").status_code == 200
        running.send_signal(number)
        said, logged = running.communicate(timeout=60)
    assert (running.returncode, said) == (0, "put away\n")
    assert "critical" not in logged


@pytest.mark.parametrize(
    ("task", "message"), [("breaks", "breaks ended: out of order"), ("returns", "returns ended: it returned")]
)
def test_a_broken_task_ends_it_with_70_and_a_critical_line(task: str, message: str) -> None:
    with process(free_port(), "works", task) as running:
        said, logged = running.communicate(timeout=60)
    assert (running.returncode, said) == (70, "put away\n")
    critical = [each for each in map(json.loads, logged.splitlines()) if each["level"] == "critical"]
    assert [each["message"] for each in critical] == [message]


def test_a_port_that_is_taken_is_said_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with process(port, "works") as running:
            _, logged = running.communicate(timeout=60)
    assert running.returncode == 1
    (line,) = map(json.loads, logged.splitlines())
    assert line["message"].startswith(f"cannot listen on 127.0.0.1 port {port}")


def test_probes_and_metrics_are_there() -> None:
    port = free_port()
    with process(port, "works"):
        ready = answer(port, "/readyz")
        assert (ready.status_code, ready.json()) == (503, {"ready": False, "reasons": ["not yet"]})
        assert answer(port, "/projections").json() == {"projections": [], "unpublished": 0}
        counted = answer(port, "/metrics").text
    assert 'http_requests_total{method="GET",route="/readyz",service="metering",status="503"} 1.0' in counted
