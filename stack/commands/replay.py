"""`kwartier replay`: a projection made again from offset 0 beside the live one, and compared with it bit by bit."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import sql

from stack import child
from stack.condition import observe_projections
from stack.credentials import load_secrets
from stack.jars import Report
from stack.problem import Problem
from stack.roles import url_of
from stack.running import kafka_access, read_endpoints
from stack.terminal import progress

REPLAYABLE: Final = {"block": "metering"}
"""The projections that can be replayed, and whose they are."""


def add(subparsers: Any) -> argparse.ArgumentParser:
    """Return this command's own parser."""
    own: argparse.ArgumentParser = subparsers.add_parser(
        "replay",
        help="rebuild a projection from offset 0 and compare it with the live one",
        description="Rebuild a projection beside the live one, from the first record of its topic to where the live "
        "one stands now, and compare all rows bit by bit. Prints identical, or which partition differs (exit code 1). "
        "The live one goes on meanwhile; what was rebuilt is removed afterwards.",
    )
    own.add_argument("projection", metavar="PROJECTION", help=f"one of: {', '.join(REPLAYABLE)}")
    return own


def run(arguments: argparse.Namespace) -> int:
    """Rebuild and compare; return 0 where both are identical."""
    endpoints = read_endpoints(arguments.state)
    service = _service_of(arguments.projection, endpoints)
    password = load_secrets(arguments.state).roles[service]
    environment = {
        "SERVICE": service,
        "DATABASE_URL": url_of(endpoints["database"], role=service, password=password),
        **kafka_access(endpoints).environment(),
        **endpoints.get("schema_registry", {}),
        "PORT": "0",
        "TOPICS_PROFILE": "local",
        "TZ": "UTC",
    }
    with progress() as report, _schema_for(endpoints["database"], service):
        code, outcome = _rebuild(service, environment, arguments.state.folder, report)
    print(outcome, end="")
    return code


def _service_of(projection: str, endpoints: dict[str, Any]) -> str:
    if projection in REPLAYABLE:
        return REPLAYABLE[projection]
    known = {each.name for each in observe_projections(endpoints)[0]}
    words = "cannot be replayed" if projection in known else "is no projection"
    raise Problem(f"{projection} {words}: give one that can be replayed ({', '.join(REPLAYABLE)})", exit_code=2)


@contextmanager
def _schema_for(admin_url: str, role: str) -> Iterator[None]:
    """Lend an empty schema ROLE_rebuild that belongs to `role`; one replay at a time.

    Raises:
        Problem: another replay runs, or the database refuses.
    """
    schema = f"{role}_rebuild"
    drop = sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(schema))
    make = sql.SQL("create schema {} authorization {}").format(sql.Identifier(schema), sql.Identifier(role))
    with _admin(admin_url) as connection:
        free = connection.execute("select pg_try_advisory_lock(hashtextextended(%s, 0))", [schema]).fetchone()
        if free != (True,):
            raise Problem(f"another replay of {role} runs: wait for its end")
        connection.execute(drop)
        connection.execute(make)
        try:
            yield
        finally:
            connection.execute(drop)


@contextmanager
def _admin(url: str) -> Iterator[psycopg.Connection]:
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            yield connection
    except psycopg.Error as error:
        raise Problem("the database refuses: ask kwartier status", detail=str(error).splitlines()[0]) from error


def _rebuild(service: str, environment: dict[str, str], folder: Path, report: Report) -> tuple[int, str]:
    """Run the rebuild in `folder` and return its exit code (0 or 1) and what it printed.

    Raises:
        Problem: it could not compare.
    """
    program = child.command([sys.executable, "-m", f"services.{service}", "rebuild"])
    process = subprocess.Popen(
        program,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
        cwd=folder,
        start_new_session=True,
    )
    try:
        last = _follow(process, report)
        outcome, _ = process.communicate()
    except BaseException:
        process.kill()
        process.wait()
        raise
    if not outcome:
        raise Problem(f"the rebuild failed: {last}")
    return process.returncode, outcome


def _follow(process: subprocess.Popen[str], report: Report) -> str:
    """Show what the process logs, as long as it does; return the last line that is no log, where there is one."""
    last = f"process {process.pid} did not say why"
    for line in process.stderr or ():
        message = _logged(line)
        if message is None:
            last = line.strip() or last
        else:
            report(message)
    return last


def _logged(line: str) -> str | None:
    """Return the message of a line of a log, None for any other line."""
    try:
        return str(json.loads(line)["message"])
    except (ValueError, KeyError, TypeError):
        return None
