"""`kwartier up` with its demo world, as a user has it: cut off while it loads, and typed again."""

from __future__ import annotations

import fcntl
import signal
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from market.channel import Energy, Resolution
from market.local_time import day_bounds, slice_count
from stack.demo.plan import make_plan
from stack.demo.readings import chunks
from tests.kwartier import Kwartier

READABLE = [
    "541448800000910019",
    "541448800000910033",
    "541448800000920018",
    "541448800000930017",
    "541448800000930024",
    "541448800000940016",
]
pytestmark = [pytest.mark.fault, pytest.mark.integration, pytest.mark.timeout(600)]


def is_loading(kwartier: Kwartier) -> bool:
    with (kwartier.folder / "demo.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@pytest.fixture
def kwartier(tmp_path: Path) -> Iterator[Kwartier]:
    made = Kwartier(tmp_path / "state")
    yield made
    made.run("down")


def _wait_for_step(kwartier: Kwartier, step: str) -> None:
    deadline = time.monotonic() + 120
    while step not in kwartier.read("demo.json").get("steps", []):
        assert time.monotonic() < deadline, f"never came to {step}"
        time.sleep(0.02)


def energy(kwartier: Kwartier, ean: str, day: str) -> list[Any]:
    """The quarters of a local day, as the live holder of the credentials file gets them."""
    holder = kwartier.read("credentials.json")["live"]
    form = {name: holder[name] for name in ("client_id", "client_secret", "scope")} | {
        "grant_type": "client_credentials"
    }
    token = httpx.post(holder["token_url"], data=form, trust_env=False).raise_for_status().json()["access_token"]
    first, end = day_bounds(Energy.ELECTRICITY, date.fromisoformat(day))
    answer = httpx.get(
        f"{holder['base_url']}/api/mandate/energy",
        params={"ean": ean, "periodType": "readTime", "from": first.isoformat(), "to": end.isoformat()},
        headers={"Authorization": f"Bearer {token}", "Ocp-Apim-Subscription-Key": holder["subscription_key"]},
        trust_env=False,
    )
    meters = answer.raise_for_status().json()["data"]["headpoint"]["physicalMeters"]
    return list(meters[0]["quarterHourlyEnergy"])


def test_ctrl_c_while_it_loads_leaves_nothing_running_and_the_next_up_goes_on(kwartier: Kwartier) -> None:
    with kwartier.start("up") as front:
        assert front.stdout is not None
        assert front.stdout.readline().startswith("ready: the portal is at ")
        _wait_for_step(kwartier, "readings 2")
        front.send_signal(signal.SIGINT)
        told, errors = front.communicate(timeout=60)
        assert front.returncode == 0, errors
    assert "three things to try" not in told
    assert not is_loading(kwartier)
    begun = kwartier.read("demo.json")
    assert "whole" not in begun["steps"]

    told = kwartier.ok("up", "--detach")

    assert "the demo world: 57 points (20 without sun, 15 with sun, 16 gas, 6 large)" in told
    assert kwartier.read("demo.json")["steps"][: len(begun["steps"])] == begun["steps"]
    plan = make_plan(date.fromisoformat(begun["last_day"]))
    records = [record for chunk in chunks(plan, source="demo-publisher") for record in chunk.records]
    blocks = {(each["ean"], each["meter_id"], each["channel"], each["day"]) for each in records}
    with psycopg.connect(kwartier.read("endpoints.json")["database"]) as connection:
        stored = connection.execute("select count(*), max(input_count) from metering.block").fetchone()
    assert stored == (len(blocks), 2)  # two inputs: the gas of a month, provisional and definitive

    assert kwartier.read("credentials.json")["live"]["eans"] == READABLE
    quarters = energy(kwartier, READABLE[2], begun["last_day"])
    assert len(quarters) == slice_count(Energy.ELECTRICITY, Resolution.QUARTER_HOURLY, plan.last_day)
    assert kwartier.read("demo.json")["notes"]["link"] in told

    loaded = kwartier.read("demo.json")
    assert "three things to try" in kwartier.ok("up")
    assert kwartier.read("demo.json") == loaded
