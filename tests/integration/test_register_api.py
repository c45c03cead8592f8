"""Registering a point over HTTP: once, whoever asks how often."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import date

import httpx
import pytest
from sqlalchemy import Engine

from eventlog import event_store
from eventlog.events import AccessPointRegistered, AllocationPointAdded
from tests.callers import machine, person
from tests.examples import HOUSE, HOUSE_REGISTERED
from tests.register_room import SUPPLIER, make_engine, register_client

pytestmark = pytest.mark.integration

HOUSE_BODY = {"ean": HOUSE, "energy": "E", "meter_kind": "DIGITAL", "registered_on": "2026-01-01"}
FIRST_ALLOCATION_POINT = AllocationPointAdded(
    ean=HOUSE, allocation_point_id="1", direction="OFFTAKE", added_on=date(2026, 1, 1)
)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    with make_engine(database_url) as engine:
        yield engine


@pytest.fixture
async def client(engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    async with register_client(engine) as client:
        yield client


def events(engine: Engine) -> list[object]:
    with engine.begin() as tx:
        return list(event_store.load(tx, f"point:{HOUSE}")[0])


async def test_a_registered_point_and_its_first_part_are_on_its_stream(
    client: httpx.AsyncClient, engine: Engine
) -> None:
    answer = await client.post("/access-points", json=HOUSE_BODY)
    assert answer.status_code == 201
    assert answer.json() == {"ean": HOUSE, "outcome": "registered"}
    assert events(engine) == [
        AccessPointRegistered(ean=HOUSE, energy="E", meter_kind="DIGITAL", registered_on=date(2026, 1, 1)),
        AllocationPointAdded(ean=HOUSE, allocation_point_id="1", direction="OFFTAKE", added_on=date(2026, 1, 1)),
    ]


async def test_the_same_command_again_answers_200_and_writes_nothing(client: httpx.AsyncClient, engine: Engine) -> None:
    await client.post("/access-points", json=HOUSE_BODY)
    answer = await client.post("/access-points", json=HOUSE_BODY)
    assert answer.status_code == 200
    assert answer.json() == {"ean": HOUSE, "outcome": "unchanged"}
    assert events(engine) == [HOUSE_REGISTERED, FIRST_ALLOCATION_POINT]


async def test_another_kind_of_meter_is_refused_with_the_reason(client: httpx.AsyncClient, engine: Engine) -> None:
    await client.post("/access-points", json=HOUSE_BODY)
    answer = await client.post("/access-points", json={**HOUSE_BODY, "meter_kind": "AMR"})
    assert answer.status_code == 409
    assert answer.json() == {
        "Type": "Conflict",
        "Code": "RegistrationRefused",
        "Message": "the point is already registered with another kind of meter",
    }
    assert events(engine) == [HOUSE_REGISTERED, FIRST_ALLOCATION_POINT]


async def test_what_is_wrong_is_named_without_repeating_it(client: httpx.AsyncClient, engine: Engine) -> None:
    answer = await client.post("/access-points", json={"ean": "541448800000000018", "energy": "E", "registered_on": 1})
    assert answer.status_code == 400
    body = answer.json()
    assert (body["Type"], body["Code"], body["Message"]) == (
        "BadRequest",
        "ValidationError",
        "the request is not valid",
    )
    assert sorted(body["ValidationErrorMessages"]) == [
        "ean: the check digit of the EAN is wrong",
        "meter_kind: Field required",
        "registered_on: a day is written YYYY-MM-DD",
    ]
    assert "541448800000000018" not in answer.text
    assert events(engine) == []


async def test_a_body_that_no_command_has_is_not_read_to_its_end(client: httpx.AsyncClient) -> None:
    answer = await client.post("/access-points", content=b" " * 70_000, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413


async def test_a_key_gets_the_first_answer_again(client: httpx.AsyncClient, engine: Engine) -> None:
    keyed = {"Idempotency-Key": "one"}
    first = await client.post("/access-points", json=HOUSE_BODY, headers=keyed)
    again = await client.post("/access-points", json=HOUSE_BODY, headers=keyed)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json() == {"ean": HOUSE, "outcome": "registered"}
    assert events(engine) == [HOUSE_REGISTERED, FIRST_ALLOCATION_POINT]


async def test_a_key_is_not_for_another_command(client: httpx.AsyncClient, engine: Engine) -> None:
    keyed = {"Idempotency-Key": "one"}
    await client.post("/access-points", json=HOUSE_BODY, headers=keyed)
    answer = await client.post("/access-points", json={**HOUSE_BODY, "meter_kind": "AMR"}, headers=keyed)
    assert (answer.status_code, answer.json()["Code"]) == (422, "IdempotencyKeyReused")
    assert events(engine) == [HOUSE_REGISTERED, FIRST_ALLOCATION_POINT]


async def test_another_caller_may_choose_the_same_key(client: httpx.AsyncClient) -> None:
    keyed = {"Idempotency-Key": "one"}
    await client.post("/access-points", json=HOUSE_BODY, headers=keyed)
    other = machine("other-supplier", **SUPPLIER)
    answer = await client.post("/access-points", json=HOUSE_BODY, headers={**keyed, **other})
    assert (answer.status_code, answer.json()["outcome"]) == (200, "unchanged")


async def test_many_at_once_are_one_registration(client: httpx.AsyncClient, engine: Engine) -> None:
    answers = await asyncio.gather(*(client.post("/access-points", json=HOUSE_BODY) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert events(engine) == [HOUSE_REGISTERED, FIRST_ALLOCATION_POINT]


async def test_a_command_is_tried_three_times_again_and_then_asks_for_patience(
    client: httpx.AsyncClient, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = 0
    append = event_store.append

    def beaten(tx: object, stream_id: str, *arguments: object, **more: object) -> object:
        nonlocal tries
        tries += 1
        if tries <= beaten_count:
            raise event_store.StreamChanged
        return append(tx, stream_id, *arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(event_store, "append", beaten)
    beaten_count = 4
    answer = await client.post("/access-points", json=HOUSE_BODY)
    assert (answer.status_code, answer.headers["Retry-After"], answer.json()["Code"]) == (503, "1", "Busy")
    assert (tries, events(engine)) == (4, [])
    tries, beaten_count = 0, 3
    answer = await client.post("/access-points", json=HOUSE_BODY)
    assert (answer.status_code, tries) == (201, 4)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": ""}, 401),
        (machine("supplier", role="access_holder", audience="mandate", scope="access-points.write"), 401),
        (machine("publisher", role="publisher", audience="register", scope="access-points.write"), 403),
        (machine("supplier", role="access_holder", audience="register", scope="contracts.write"), 403),
        (machine("kwartier", role="operator", audience="register", scope="access-points.write"), 201),
        (person("operator-1", role="operator"), 201),
    ],
)
async def test_only_access_holders_and_operators_register(
    client: httpx.AsyncClient, engine: Engine, headers: dict[str, str], status: int
) -> None:
    answer = await client.post("/access-points", json=HOUSE_BODY, headers=headers)
    assert answer.status_code == status
    if status != 201:
        assert answer.content == b""
        assert events(engine) == []


async def test_the_api_describes_itself(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    operation = document["paths"]["/access-points"]["post"]
    assert {"201", "400", "401", "403", "409", "422", "503"} <= set(operation["responses"])
    assert [parameter["name"] for parameter in operation["parameters"]] == ["Idempotency-Key"]
