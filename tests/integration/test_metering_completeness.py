"""Completeness on real processes: what the register has, what came, and what `kwartier gaps` says of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from stack.platform import endpoints
from stack.state import write_json
from tests.kwartier import Kwartier
from tests.metering_room import new_ean
from tests.running import Running, running
from tests.topics import until

pytestmark = pytest.mark.integration

OCTOBER_CHANGE = date(2025, 10, 26)
HOUSE, EMPTY = sorted((new_ean(), new_ean()))
QUARTERS = "OFFTAKE_ACTIVE_QUARTER_HOURLY"
SCOPE = "metering/completeness.read"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory, own_kafka: str, own_database: str) -> Iterator[Running]:
    names = ("register", "metering", "metering-project")
    folder = tmp_path_factory.mktemp("platform")
    with running(folder, names, kafka_bootstrap=own_kafka, admin_url=own_database) as platform:
        headers = platform.headers("kwartier", "register/access-points.write")
        with platform.client("register") as register:
            for ean in (HOUSE, EMPTY):
                point = {"ean": ean, "energy": "E", "meter_kind": "DIGITAL", "registered_on": "2025-10-01"}
                register.post("/access-points", json=point, headers=headers).raise_for_status()
        for sequence, values in enumerate(([*range(50), *[None] * 50], [*range(98)])):
            platform.deliver(reading(values, sequence).encode(), "application/x-ndjson")
        yield platform


def reading(values: list[int | None], sequence: int) -> str:
    return json.dumps(
        {
            "source_at": "2025-10-27T04:00:00Z",
            "source_sequence": sequence,
            "ean": HOUSE,
            "meter_kind": "DIGITAL",
            "channel": QUARTERS,
            "day": OCTOBER_CHANGE.isoformat(),
            "values": values,
            "part": True,
        }
    )


def ask(platform: Running, path: str, *, who: str = "kwartier", scope: str = SCOPE, **query: str) -> Any:
    with platform.client("metering") as metering:
        return metering.get(path, params=query, headers=platform.headers(who, scope)).raise_for_status().json()


async def test_a_day_says_what_of_it_is_there(platform: Running) -> None:
    day = OCTOBER_CHANGE.isoformat()

    def answer() -> Any:
        return ask(platform, "/completeness", ean=HOUSE, **{"from": day, "to": day})

    await until(lambda: bool(answer()["known"]))
    assert answer() == {
        "ean": HOUSE,
        "known": True,
        "rows": [
            {
                "first_on": day,
                "channel": QUARTERS,
                "expected": 100,
                "present": 98,
                "missing": 2,
                "not_yet_due": 0,
                "estimated": 0,
                "late": 98,
                "unexpected": 0,
                "revised_blocks": 1,
            }
        ],
    }


async def test_every_point_with_a_gap_is_found_page_by_page(platform: Running) -> None:
    found, after = [], ""
    while True:
        page = ask(platform, "/gaps", day=OCTOBER_CHANGE.isoformat(), limit="1", **({"after": after} if after else {}))
        found += [(gap["ean"], gap["present"], gap["missing"]) for gap in page["gaps"]]
        if page["next"] is None:
            break
        after = page["next"]
    assert found == sorted([(HOUSE, 98, 2), (EMPTY, 0, 100)])
    assert ask(platform, "/gaps", day="2025-09-30")["gaps"] == []


async def test_a_month_has_its_total_and_peak_for_export_alone(platform: Running) -> None:
    scope = "metering/blocks.read"
    span = {"from": "2025-10-01", "to": "2025-10-01"}
    [month] = ask(platform, "/months", who="export", scope=scope, ean=HOUSE, **span)["months"]
    assert (month["total"], month["unit"], month["final"]) == (sum(range(98)), "Wh", False)
    assert month["peak"] == {"value": 97, "starts_at": "2025-10-26T22:15:00Z", "quality": "MEASURED"}
    assert (month["expected"], month["present"]) == (31 * 96 + 4, 98)
    history = ask(
        platform, "/peak-history", who="export", scope=scope, ean=HOUSE, month="2025-10-01", channel=QUARTERS
    )["history"]
    assert [(each["peak"]["value"], each["peak"]["starts_at"]) for each in history] == [
        (49, "2025-10-26T10:15:00Z"),
        (97, "2025-10-26T22:15:00Z"),
    ]
    with platform.client("metering") as metering:
        refused = metering.get("/months", params={"ean": HOUSE, **span}, headers=platform.headers("kwartier", SCOPE))
    assert refused.status_code == 403


async def test_an_operator_asks_on_the_command_line(platform: Running) -> None:
    layout = platform.layout
    credentials = {"client_id": "kwartier", "client_secret": layout.secrets.clients["kwartier"]}
    with layout.state.held() as is_mine:
        assert is_mine
        write_json(layout.state.endpoints, endpoints(layout))
        write_json(layout.state.credentials, {"operator": credentials})
        tell(Kwartier(layout.state.folder))


def tell(kwartier: Kwartier) -> None:
    day = kwartier.run("gaps", "--day", OCTOBER_CHANGE.isoformat())
    assert day.returncode == 1
    assert f"{HOUSE}  {QUARTERS}  98 of 100, 2 missing" in day.stdout.splitlines()
    month = kwartier.ok("gaps", "--ean", HOUSE, "--from", "2025-10-01", "--to", "2025-10-31", "--by", "month")
    assert month == f"2025-10-01  {QUARTERS}  2980 expected, 98 present, 2882 missing, 98 late, 1 revised blocks\n"
    wrong = kwartier.run("gaps", "--ean", HOUSE)
    assert (wrong.returncode, wrong.stderr) == (2, "kwartier: give --day, or --ean with --from and --to\n")
