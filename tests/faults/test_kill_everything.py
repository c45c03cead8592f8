"""The platform as a user has it: killed in the middle, stopped, and started again."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from market.ean import check_digit
from tests.kwartier import Kwartier

pytestmark = [pytest.mark.fault, pytest.mark.integration, pytest.mark.timeout(300)]

POINTS, DAYS = 100, 100
FIRST_DAY = date(2025, 4, 1)  # no day of 92 or 100 quarters among the hundred


@dataclass(frozen=True)
class Platform(Kwartier):
    """The command, and what runs."""

    def pids(self) -> list[int]:
        document = self.read("processes.json")
        return [document["supervisor"], *(each["pid"] for each in document["processes"])]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.read("endpoints.json")["database"]) as connection:
            return connection.execute(query.encode()).fetchall()


@pytest.fixture
def kwartier(tmp_path: Path) -> Iterator[Platform]:
    made = Platform(tmp_path / "state")
    yield made
    made.run("down")


def _ndjson() -> str:
    """10,000 blocks of 96 quarters, each quarter 3 Wh."""
    eans = [first + str(check_digit(first)) for first in (f"54144880000{number:06d}" for number in range(POINTS))]
    days = [FIRST_DAY + timedelta(days=number) for number in range(DAYS)]
    fixed = {"meter_kind": "DIGITAL", "channel": "OFFTAKE_ACTIVE_QUARTER_HOURLY", "source_at": "2026-01-01T00:00:00Z"}
    lines = (fixed | {"ean": ean, "day": day.isoformat(), "values": [3] * 96} for ean in eans for day in days)
    return "".join(json.dumps(line) + "\n" for line in lines)


def _until(is_so: Callable[[], bool], what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.02)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def _kill(pids: Sequence[int]) -> None:
    for pid in pids:
        if _lives(pid):
            os.kill(pid, signal.SIGKILL)
    _until(lambda: not any(_lives(pid) for pid in pids), "every killed process is gone")


def test_everything_killed_in_the_middle_of_an_import_and_the_store_holds_each_value_once(
    kwartier: Platform, tmp_path: Path
) -> None:
    file = tmp_path / "readings.ndjson"
    file.write_text(_ndjson())
    kwartier.ok("up", "--detach", "--empty")
    importing = kwartier.start("import", str(file))
    _until(lambda: kwartier.rows("select count(*) from metering.block") > [(0,)], "the first block is stored")

    ports = kwartier.read("ports.json")
    _kill(kwartier.pids())

    _, errors = importing.communicate(timeout=60)
    assert importing.returncode == 1, "the import was over before the kill: take more blocks"
    assert errors.startswith("kwartier: ")

    kwartier.ok("up", "--detach", "--empty")
    kwartier.ok("import", str(file))
    kwartier.ok("wait")

    assert kwartier.read("ports.json") == ports

    assert kwartier.rows("select count(*), sum(total), max(input_count) from metering.block") == [
        (10_000, 10_000 * 96 * 3, 1)
    ]
    projections = json.loads(kwartier.ok("status", "--json"))["projections"]
    assert {each["name"]: each["parked"] for each in projections if each["name"] == "block"} == {"block": 0}
    assert kwartier.ok("import", str(file)) == f"{file}: 0 accepted, 10000 unchanged, 0 refused\n"


def test_a_killed_supervisor_takes_everything_along_and_the_next_start_has_the_same_ports(kwartier: Platform) -> None:
    kwartier.ok("up", "--detach", "--empty")
    ports, pids = kwartier.read("ports.json"), kwartier.pids()

    os.kill(pids[0], signal.SIGKILL)
    kwartier.ok("up", "--detach", "--empty")

    assert kwartier.read("ports.json") == ports
    assert [pid for pid in pids if _lives(pid)] == []


def test_two_starts_at_once_are_one_platform_and_both_say_ready(kwartier: Platform) -> None:
    starts = [kwartier.start("up", "--detach", "--empty") for _ in range(2)]
    for each in starts:
        told, errors = each.communicate(timeout=200)
        assert (each.returncode, errors) == (0, "")
        assert told.startswith("ready: the portal is at ")

    status = json.loads(kwartier.ok("status", "--json"))
    assert (status["ready"], len(status["processes"])) == (True, 11)


def test_ctrl_c_leaves_nothing_running_and_a_killed_part_comes_back_before(kwartier: Platform) -> None:
    with kwartier.start("up", "--empty") as front:
        assert front.stdout is not None
        assert front.stdout.readline().startswith("ready: the portal is at http://127.0.0.1:")
        before = kwartier.pids()
        _kill([before[-1]])
        told = kwartier.ok("up", "--empty")
        assert f"it runs in process {front.pid}" in told
        assert json.loads(kwartier.ok("status", "--json"))["ready"]
        pids = kwartier.pids()
        assert before[-1] not in pids

        os.killpg(front.pid, signal.SIGINT)
        front.communicate(timeout=60)

    assert front.returncode == 0
    assert [pid for pid in pids if _lives(pid)] == []
    assert kwartier.run("status").returncode == 1
