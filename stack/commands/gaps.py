"""`kwartier gaps`: what is there and what is missing, of one point over time or of all points on one day."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from datetime import date
from typing import Any, Final

import httpx

from stack.problem import Problem
from stack.running import call, operator_token, read_endpoints, told_reason
from stack.terminal import progress

SCOPE: Final = "metering/completeness.read"
_COUNTS: Final = (
    "expected",
    "present",
    "missing",
    "not_yet_due",
    "estimated",
    "late",
    "unexpected",
    "revised_blocks",
)


def add(subparsers: Any) -> argparse.ArgumentParser:
    """Return this command's own parser."""
    own: argparse.ArgumentParser = subparsers.add_parser(
        "gaps",
        help="what is missing: of one point over time, or of all points on one day",
        description="With --day: every point that has overdue gaps on that day, a line each; exit code 1 when there "
        "are any. With --ean, --from and --to: expected, present and missing slices of one point. Days are local (gas: "
        "gas days) and inclusive.",
    )
    own.add_argument("--day", type=date.fromisoformat, metavar="YYYY-MM-DD", help="all points on this day")
    own.add_argument("--ean", help="one point")
    own.add_argument("--from", dest="first_day", type=date.fromisoformat, metavar="YYYY-MM-DD")
    own.add_argument("--to", dest="last_day", type=date.fromisoformat, metavar="YYYY-MM-DD")
    own.add_argument("--by", choices=("day", "month", "year"), default="day", help="rows of one point; default: day")
    own.add_argument("--json", action="store_true", help="one object per line")
    return own


def run(arguments: argparse.Namespace) -> int:
    """Ask metering and print what it says."""
    span = (arguments.ean, arguments.first_day, arguments.last_day)
    if (arguments.day is None) == (None in span) or (arguments.day and any(span)):
        raise Problem("give --day, or --ean with --from and --to", exit_code=2)
    endpoints = read_endpoints(arguments.state)
    token = operator_token(arguments.state, endpoints, SCOPE)
    if arguments.day is None:
        return _tell_point(arguments, endpoints["metering"], token)
    count = 0
    for gap in _gaps(arguments.day, endpoints["metering"], token):
        count += 1
        line = f"{gap['ean']}  {gap['channel']}  {gap['present']} of {gap['expected']}, {gap['missing']} missing"
        sys.stdout.write(f"{json.dumps(gap) if arguments.json else line}\n")
    if not count and not arguments.json:
        sys.stdout.write(f"no gaps on {arguments.day}: what is due of every registered point is there\n")
    return 1 if count else 0


def _gaps(day: date, metering: str, token: str) -> Iterator[dict[str, Any]]:
    after, looked_at = "", 0
    with progress() as report:
        while True:
            query = {"day": day.isoformat(), **({"after": after} if after else {})}
            answer = _ask(f"{metering}/gaps", query, token)
            yield from answer["gaps"]
            looked_at += 1_000
            if answer["next"] is None:
                return
            after = answer["next"]
            report(f"{looked_at} points looked at")


def _tell_point(arguments: argparse.Namespace, metering: str, token: str) -> int:
    query = {
        "ean": arguments.ean,
        "from": arguments.first_day.isoformat(),
        "to": arguments.last_day.isoformat(),
        "by": arguments.by,
    }
    answer = _ask(f"{metering}/completeness", query, token)
    if not answer["known"]:
        sys.stderr.write("the register does not know this point (yet): nothing is expected of it\n")
    for row in answer["rows"]:
        told = ", ".join(f"{row[name]} {name.replace('_', ' ')}" for name in _COUNTS if row[name] or name == "expected")
        line = f"{row['first_on']}  {row['channel']}  {told}"
        sys.stdout.write(f"{json.dumps(row) if arguments.json else line}\n")
    return 0


def _ask(url: str, query: dict[str, str], token: str) -> dict[str, Any]:
    response = call("GET", url, params=query, headers={"Authorization": f"Bearer {token}"}, timeout_seconds=120)
    if response.status_code != httpx.codes.OK:
        raise Problem(told_reason(response), exit_code=2 if response.status_code == httpx.codes.BAD_REQUEST else 1)
    found: dict[str, Any] = response.json()
    return found
