"""`kwartier import`: readings out of files."""

from __future__ import annotations

import argparse
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from stack.problem import Problem
from stack.running import call, operator_token, read_endpoints, told_reason
from stack.terminal import complain, progress

AVRO_MAGIC = b"Obj\x01"
ARROW_MAGIC = b"\xff\xff\xff\xff"
PATIENCE_SECONDS = 120.0


def add(subparsers: Any) -> argparse.ArgumentParser:
    """Return this command's own parser."""
    own: argparse.ArgumentParser = subparsers.add_parser(
        "import",
        help="readings out of files",
        description="Import portal CSV, Avro container, Arrow stream or NDJSON files. Prints a line per file; what is "
        "refused goes to stderr with its line and reason, the rest of the file is kept, and the exit code is 1.",
    )
    own.add_argument("files", nargs="+", metavar="FILE", type=Path)
    own.add_argument("--source-at", type=_instant, metavar="INSTANT", help="when the readings were made (default: now)")
    return own


def run(arguments: argparse.Namespace) -> int:
    """Send each file to metering; return 1 when anything in any of them was refused."""
    for path in arguments.files:
        if not path.is_file():
            raise Problem(f"{path} is no file: give files that exist", exit_code=2)
    endpoints = read_endpoints(arguments.state)
    token = operator_token(arguments.state, endpoints, "metering/readings.write")
    query = {"skip_unchanged": "true"}
    if arguments.source_at is not None:
        query["source_at"] = arguments.source_at.isoformat()
    is_clean = True
    for number, path in enumerate(arguments.files, start=1):
        with progress() as report:
            report(f"importing {path} ({number} of {len(arguments.files)})")
            response = _send(path, f"{endpoints['metering']}/readings", token, query)
        is_clean = _tell(path, response) and is_clean
    return 0 if is_clean else 1


def content_type(content: bytes) -> str:
    """Return what `content` is: an Avro object container, an Arrow stream, NDJSON, else a portal file."""
    if content.startswith(AVRO_MAGIC):
        return "avro/binary"
    if content.startswith(ARROW_MAGIC):
        return "application/vnd.apache.arrow.stream"
    return "application/x-ndjson" if content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") else "text/csv"


def _send(path: Path, url: str, token: str, query: dict[str, str]) -> httpx.Response:
    """Return metering's answer; asks again while it says that the log is not to be had just now."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Problem(f"{path} cannot be read ({error.strerror}): give a file that you may read") from error
    headers = {"Authorization": f"Bearer {token}", "Content-Type": content_type(content)}
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        response = call("POST", url, params=query, headers=headers, content=content, timeout_seconds=600)
        if response.status_code != httpx.codes.SERVICE_UNAVAILABLE or time.monotonic() > deadline:
            return response
        time.sleep(min(float(response.headers.get("retry-after", "1")), 5.0))


def _tell(path: Path, response: httpx.Response) -> bool:
    """Print the file's line and its refusals; return whether nothing was refused."""
    if response.status_code != httpx.codes.ACCEPTED:
        complain(f"{path}: {told_reason(response)}")
        return False
    answer = response.json()
    counts = f"{answer['accepted']} accepted, {answer['unchanged']} unchanged, {answer['refused']} refused"
    print(f"{path}: {counts}", flush=True)
    for refusal in answer["refusals"]:
        print(f"{path}:{refusal['line']}: {refusal['reason']}", file=sys.stderr)
    return not answer["refused"] and not answer["refusals"]


def _instant(text: str) -> datetime:
    """Return an instant in UTC; one without a zone is refused."""
    try:
        instant = datetime.fromisoformat(text)
        if instant.tzinfo is not None:
            return instant.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise argparse.ArgumentTypeError(f"{text!r} is no instant with its zone: give it as in 2026-11-20T04:00:00Z")
