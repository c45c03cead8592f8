"""The demo world comes in through the front doors, once, however often it is interrupted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from stack.credentials import write_credentials
from stack.demo.loading import bring
from stack.demo.marker import Marker, begin, path_of, read_marker
from stack.demo.plan import Plan, make_plan
from stack.problem import Problem
from stack.state import State, read_json, write_json
from tests.running import Running, running

pytestmark = pytest.mark.integration

TODAY = date(2026, 11, 24)
PROCESSES = ("register", "metering", "metering-project")


class Interrupted(Exception):
    """Somebody pulled the plug."""


@pytest.fixture(scope="module")
def platform(
    tmp_path_factory: pytest.TempPathFactory, kafka_bootstrap: str, postgres_admin_url: str
) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("demo")
    with running(folder, PROCESSES, kafka_bootstrap=kafka_bootstrap, admin_url=postgres_admin_url) as found:
        layout = found.layout
        write_credentials(layout.state, layout.secrets, token_url=layout.token_url, sign_ins=[])
        yield found


def small_plan(*places: int) -> Plan:
    plan = make_plan(date(2026, 11, 23))
    return replace(plan, points=tuple(plan.points[place] for place in places))


def load(platform: Running, plan: Plan, marker: Marker, *, until: str = "") -> None:
    """Bring the plan in; with `until`, be interrupted before the step that is reported so."""

    def report(line: str) -> None:
        if until and until in line:
            raise Interrupted

    endpoints = {name: platform.layout.url(name) for name in ("register", "metering")}
    bring(plan, marker, endpoints, read_json(platform.layout.state.credentials), report)


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
        load(platform, plan, begin(state, TODAY), until="part 8 of 20")
    kept = read_json(path_of(state))
    assert kept["steps"] == ["begun", "settled", *(f"readings {number}" for number in range(7))]
    # Cut off after sending and before noting it: the part is sent again.
    write_json(path_of(state), {**kept, "steps": kept["steps"][:-1]})

    load(platform, plan, begin(state, date(2026, 11, 27)))

    days = {point.ean: blocks(platform, point.ean).group_by("channel").len()["len"].to_list() for point in plan.points}
    assert list(days.values()) == [[400], [400, 400], [399, 399]]
    marker = read_marker(state)
    assert marker is not None
    assert marker.last_day == date(2026, 11, 23)
    assert len(marker.steps) == 22


def test_loading_what_is_there_already_asks_nothing_but_receipts(platform: Running, tmp_path: Path) -> None:
    plan = small_plan(1)
    marker = begin(State(tmp_path), TODAY)
    load(platform, plan, marker)
    told: list[str] = []
    endpoints = {name: platform.layout.url(name) for name in ("register", "metering")}
    bring(plan, marker, endpoints, read_json(platform.layout.state.credentials), told.append)
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

    endpoints = {name: platform.layout.url(name) for name in ("register", "metering")}
    bring(plan, begin(State(tmp_path), TODAY), endpoints, read_json(platform.layout.state.credentials), report)
    assert blocks(platform, plan.points[0].ean).height == 400


def test_a_refusal_is_one_line_that_names_the_service(platform: Running, tmp_path: Path) -> None:
    plan = small_plan(3)
    credentials = read_json(platform.layout.state.credentials)
    credentials["access_holder"] = credentials["publisher"]
    endpoints = {name: platform.layout.url(name) for name in ("register", "metering")}
    with pytest.raises(Problem, match=r"no token for register/access-points.write"):
        bring(plan, begin(State(tmp_path), TODAY), endpoints, credentials, lambda _: None)
