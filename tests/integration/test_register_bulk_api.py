"""Many commands in one request: net users first, each point whole or not at all."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, func, select

from eventlog.tables import event
from market.ean import check_digit
from tests.examples import GAS_HOUSE, HOUSE, HOUSE_METER
from tests.register_room import make_engine, register_client

pytestmark = pytest.mark.integration

ANNA = {
    "command": "net-user",
    "person_ref": "anna",
    "name": "Anna Voorbeeld",
    "email": "anna@example.org",
    "household": True,
}


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    with make_engine(database_url) as engine:
        yield engine


@pytest.fixture
async def client(engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    async with register_client(engine) as client:
        yield client


def house(ean: str = HOUSE, meter_id: str = HOUSE_METER, person_ref: str = "anna") -> list[dict[str, Any]]:
    """The commands that make a house somebody lives in."""
    return [
        {
            "command": "access-point",
            "ean": ean,
            "energy": "E",
            "meter_kind": "DIGITAL",
            "registered_on": "2026-01-01",
            "direction": "BOTH",
        },
        {
            "command": "meter",
            "ean": ean,
            "meter_id": meter_id,
            "meter_kind": "DIGITAL",
            "installed_at": "2026-01-01T00:00:00+01:00",
        },
        {"command": "move-in", "ean": ean, "person_ref": person_ref, "on": "2026-01-01"},
    ]


async def send(client: httpx.AsyncClient, commands: list[dict[str, Any]], key: str = "") -> list[dict[str, Any]]:
    headers = {"Idempotency-Key": key} if key else {}
    answer = await client.post("/bulk", json={"commands": commands}, headers=headers)
    assert answer.status_code == 200, answer.text
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


def event_count(engine: Engine) -> int:
    with engine.begin() as tx:
        return int(tx.execute(select(func.count()).select_from(event)).scalar_one())


async def test_results_are_in_the_order_of_the_commands_and_net_users_come_first(client: httpx.AsyncClient) -> None:
    results = await send(client, [*house(), ANNA])
    net_user_id = results[3]["net_user_id"]
    assert results == [
        {"status": 201, "ean": HOUSE, "outcome": "registered"},
        {"status": 201, "ean": HOUSE, "outcome": "installed"},
        {"status": 201, "ean": HOUSE, "outcome": "moved-in"},
        {"status": 201, "net_user_id": net_user_id, "outcome": "registered"},
    ]
    found = (await client.get(f"/access-points/{HOUSE}")).json()
    assert [each["net_user_id"] for each in found["occupancies"]] == [net_user_id]
    assert [each["outcome"] for each in await send(client, [*house(), ANNA])] == ["unchanged"] * 4


async def test_a_refusal_leaves_its_point_as_it_was_and_the_others_go_on(client: httpx.AsyncClient) -> None:
    stranger = house(GAS_HOUSE, "M2", person_ref="stranger")
    results = await send(client, [ANNA, *stranger, *house()])
    assert [each["status"] for each in results] == [201, 424, 424, 409, 201, 201, 201]
    assert results[1]["Code"] == "PointRefused"
    assert results[3]["Message"] == "the register does not know this net user; register them first"
    assert (await client.get(f"/access-points/{GAS_HOUSE}")).status_code == 404
    results = await send(client, [{**house(GAS_HOUSE)[1]}])
    assert (results[0]["status"], results[0]["Code"]) == (404, "NoSuchPoint")


async def test_a_rule_that_the_last_command_breaks_undoes_the_first(client: httpx.AsyncClient, engine: Engine) -> None:
    meters = house()
    meters[2] = {**meters[1], "meter_id": "M2"}
    results = await send(client, meters)
    assert [each["status"] for each in results] == [424, 424, 409]
    assert results[2]["Message"] == "another meter measures here; swap it"
    assert event_count(engine) == 0


async def test_a_key_gets_the_first_answers_again(client: httpx.AsyncClient, engine: Engine) -> None:
    first = await send(client, [ANNA, *house()], key="world")
    count = event_count(engine)
    assert await send(client, [ANNA, *house()], key="world") == first
    assert event_count(engine) == count
    more = {"commands": [ANNA, *house()[:2]]}
    answer = await client.post("/bulk", json=more, headers={"Idempotency-Key": "world"})
    assert (answer.status_code, answer.json()["Code"]) == (422, "IdempotencyKeyReused")


@pytest.mark.parametrize(
    ("commands", "message"),
    [
        ([], "at least 1 item"),
        ([{"command": "dance", "ean": HOUSE}], "does not match any of the expected tags"),
        ([{"command": "closure", "ean": HOUSE}], "last_on: Field required"),
    ],
)
async def test_a_bulk_with_something_unreadable_is_refused_as_a_whole(
    client: httpx.AsyncClient, commands: list[dict[str, Any]], message: str
) -> None:
    answer = await client.post("/bulk", json={"commands": commands})
    assert answer.status_code == 400
    assert message in answer.text


async def test_a_world_of_sixty_points_is_there_in_seconds(client: httpx.AsyncClient, engine: Engine) -> None:
    eans = [f"{first}{check_digit(first)}" for first in (f"54144880000001{number:03d}" for number in range(60))]
    people = [{**ANNA, "person_ref": f"person-{number}"} for number in range(60)]
    points = [part for number, ean in enumerate(eans) for part in house(ean, f"M{number}", f"person-{number}")]
    begin = time.monotonic()
    results = await send(client, [*people, *points])
    seconds = time.monotonic() - begin
    assert {each["status"] for each in results} == {201}
    assert event_count(engine) == 60 + 60 * 4
    assert seconds < 20, "sixty points take a few seconds"
