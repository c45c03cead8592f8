"""The demo world comes in through the front doors, once, however often it is interrupted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from stack.credentials import write_credentials
from stack.demo.doors import Doors, Machine
from stack.demo.marker import Marker, begin, path_of, read_marker
from stack.demo.plan import Plan, make_plan
from stack.demo.publishing import publish
from stack.demo.settling import settle
from stack.jars import Report
from stack.problem import Problem
from stack.state import State, read_json, write_json
from tests.running import Running, running

pytestmark = pytest.mark.integration

TODAY = date(2026, 11, 24)
PROCESSES = ("register", "metering", "metering-project")


class Interrupted(Exception):
    """Somebody pulled the plug."""


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory, own_kafka: str, own_database: str) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("demo")
    with running(folder, PROCESSES, kafka_bootstrap=own_kafka, admin_url=own_database) as found:
        layout = found.layout
        write_credentials(
            layout.state, layout.secrets, token_url=layout.token_url, export_url=layout.url("export"), sign_ins=[]
        )
        yield found


def small_plan(*places: int) -> Plan:
    plan = make_plan(date(2026, 11, 23))
    return replace(plan, points=tuple(plan.points[place] for place in places))


def bring(platform: Running, plan: Plan, marker: Marker, report: Report) -> None:
    """Bring in the plan's points and readings, as far as the marker does not have them."""
    credentials = read_json(platform.layout.state.credentials)
    with Doors({name: platform.layout.url(name) for name in ("register", "metering")}) as doors:
        if not marker.has("settled"):
            settle(plan, doors, Machine(credentials["access_holder"]), report)
            marker.keep("settled")
        publish(plan, marker, doors, Machine(credentials["publisher"]), report)


def until(step: str) -> Report:
    """Return a report that is interrupted before `step`."""

    def report(line: str) -> None:
        if step in line:
            raise Interrupted

    return report


def silent(line: str) -> None:
    """Take a line of progress."""


def blocks(platform: Running, ean: str) -> pl.DataFrame:
    headers = platform.headers("export", "metering/blocks.read")
    query = {"ean": ean, "from": "2025-10-20", "to": "2026-11-23"}
    with platform.client("metering") as metering:
        answer = metering.get("/blocks", params=query, headers=headers).raise_for_status()
    return pl.read_ipc_stream(answer.content)


def test_an_interrupted_load_goes_on_where_it_was_and_nothing_comes_twice(platform: Running, tmp_path: Path) -> None:
    plan = small_plan(0, 20, 35)  # without sun, with sun, gas; all of them whole
    state = State(tmp_path)
    with pytest.raises(Interrupted):
        bring(platform, plan, begin(state, TODAY), until("part 8 of 20"))
    kept = read_json(path_of(state))
    assert kept["steps"] == ["begun", "settled", *(f"readings {number}" for number in range(7))]
    # Cut off after sending and before noting it: the part is sent again.
    write_json(path_of(state), {**kept, "steps": kept["steps"][:-1]})

    bring(platform, plan, begin(state, date(2026, 11, 27)), silent)

    days = {point.ean: blocks(platform, point.ean).group_by("channel").len()["len"].to_list() for point in plan.points}
    assert list(days.values()) == [[400], [400, 400], [399, 399]]
    marker = read_marker(state)
    assert marker is not None
    assert marker.last_day == date(2026, 11, 23)
    assert len(marker.steps) == 22


def test_loading_what_is_there_already_asks_nothing_but_receipts(platform: Running, tmp_path: Path) -> None:
    plan = small_plan(1)
    marker = begin(State(tmp_path), TODAY)
    bring(platform, plan, marker, silent)
    told: list[str] = []
    bring(platform, plan, marker, told.append)
    assert all("storing" in line for line in told)


def test_a_service_that_is_away_for_a_while_is_waited_for(platform: Running, tmp_path: Path) -> None:
    plan = small_plan(2)
    is_away = False

    def report(line: str) -> None:
        nonlocal is_away
        if "part 3 of 20" in line and not is_away:
            is_away = True
            platform.kill("metering-project")
        if "storing, partition 1" in line:
            platform.start_again("metering-project")

    bring(platform, plan, begin(State(tmp_path), TODAY), report)
    assert blocks(platform, plan.points[0].ean).height == 400


def test_a_refusal_is_one_line_that_names_the_service(platform: Running) -> None:
    credentials = read_json(platform.layout.state.credentials)
    with Doors({"register": platform.layout.url("register")}) as doors:
        with pytest.raises(Problem, match=r"no token for register/access-points.write"):
            settle(small_plan(3), doors, Machine(credentials["publisher"]), silent)
        token = platform.headers("demo-access-holder", "register/access-points.write")["Authorization"].split()[1]
        with pytest.raises(Problem, match="register refuses access-points: the request is not valid"):
            doors.post("register", "/access-points", token, json={"ean": "1"})
