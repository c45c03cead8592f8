"""`kwartier download`: the portal's file for one point."""

from __future__ import annotations

import argparse
import re
import sys
from datetime import date
from pathlib import Path
from typing import Any

import httpx

from stack.problem import Problem
from stack.running import call, operator_token, read_endpoints, told_reason

GRANULARITIES = ("quarter", "hour", "day", "month", "month-total")
FORMATS = ("csv", "xlsx", "parquet")
DIRECTIONS = ("offtake", "injection", "production", "auxiliary")


def add(subparsers: Any) -> argparse.ArgumentParser:
    """Return this command's own parser."""
    own: argparse.ArgumentParser = subparsers.add_parser(
        "download",
        help="the portal's file for one point",
        description="Write the file that the portal gives for one point; days are inclusive. The download stands in "
        "the ledger as the operator's.",
    )
    own.add_argument("--ean", required=True)
    own.add_argument("--from", required=True, dest="first_day", type=_day, metavar="YYYY-MM-DD")
    own.add_argument("--to", required=True, dest="last_day", type=_day, metavar="YYYY-MM-DD")
    own.add_argument("--granularity", required=True, choices=GRANULARITIES)
    own.add_argument("--lang", choices=("nl", "en", "fr"), default="nl", help="default: nl")
    own.add_argument("--direction", help=f"one of {', '.join(DIRECTIONS)}, ... (default: all)")
    own.add_argument("--format", choices=FORMATS, default="csv", help="default: csv")
    own.add_argument("--out", metavar="FILE", help="default: the name the portal gives it; - for standard output")
    return own


def run(arguments: argparse.Namespace) -> int:
    """Fetch the file and write it."""
    if arguments.first_day > arguments.last_day:
        raise Problem("--from lies after --to: give the days in order", exit_code=2)
    endpoints = read_endpoints(arguments.state)
    token = operator_token(arguments.state, endpoints, "export/files.read")
    response = call(
        "GET",
        f"{endpoints['export']}/files/portal-{arguments.format}",
        params=_query(arguments),
        headers={"Authorization": f"Bearer {token}"},
        timeout_seconds=300,
    )
    if response.status_code != httpx.codes.OK:
        raise Problem(told_reason(response), exit_code=_exit_code(response))
    _write(response, arguments.out, arguments.format)
    return 0


def _query(arguments: argparse.Namespace) -> dict[str, str]:
    query = {
        "ean": arguments.ean,
        "from": arguments.first_day.isoformat(),
        "to": arguments.last_day.isoformat(),
        "granularity": arguments.granularity,
        "lang": arguments.lang,
    }
    return query | ({"direction": arguments.direction} if arguments.direction else {})


def _exit_code(response: httpx.Response) -> int:
    """Return 2 for a question that makes no sense (wrong EAN, quarters of gas), 1 for no data and for failures."""
    return 2 if response.status_code in {httpx.codes.BAD_REQUEST, httpx.codes.UNPROCESSABLE_ENTITY} else 1


def _write(response: httpx.Response, out: str | None, extension: str) -> None:
    if out == "-":
        sys.stdout.buffer.write(response.content)
        return
    path = Path(out or _offered_name(response, extension))
    try:
        path.write_bytes(response.content)
    except OSError as error:
        raise Problem(f"{path} cannot be written ({error.strerror}): give another --out", exit_code=1) from error
    print(path)


def _offered_name(response: httpx.Response, extension: str) -> str:
    """Return the file name of Content-Disposition, without any folder in it."""
    found = re.search(r'filename="?([^";]+)"?', response.headers.get("content-disposition", ""))
    return Path(found.group(1)).name if found else f"kwartier.{extension}"


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day: give it as in 2026-11-20") from None
