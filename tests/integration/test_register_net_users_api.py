"""Net users over HTTP: taken in once, found by reference, and nothing about them outside their own key."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import Engine, select, text

from eventlog import event_store
from eventlog.events import NetUserRegistered
from services.register.personal_data import PersonalData, unseal
from services.register.tables import net_user
from tests.callers import machine, person
from tests.examples import HOLDER_KBO, HOUSE, NOON
from tests.register_events import FREE_EAN
from tests.register_room import SUPPLIER, make_engine, register_client

pytestmark = pytest.mark.integration

ANNA = {"person_ref": "P-0001", "name": "Anna Voorbeeld", "email": "anna@example.org", "household": True}
FIRM = {"kbo": HOLDER_KBO, "name": "Bakkerij Voorbeeld", "email": "post@example.org", "household": False}
PORTAL = machine("portal", role="service", audience="register", scope="net-users.read")


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    with make_engine(database_url) as engine:
        yield engine


@pytest.fixture
async def client(engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    async with register_client(engine) as client:
        yield client


async def take_in(client: httpx.AsyncClient, body: dict[str, Any]) -> str:
    answer = await client.post("/net-users", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["net_user_id"])


async def look_up(client: httpx.AsyncClient, **reference: str) -> dict[str, Any]:
    answer = await client.post("/net-users/lookup", json=reference, headers=PORTAL)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_net_user_is_one_event_whose_personal_data_only_the_key_opens(
    client: httpx.AsyncClient, engine: Engine
) -> None:
    net_user_id = UUID(await take_in(client, ANNA))
    with engine.begin() as tx:
        (event,), version = event_store.load(tx, f"net-user:{net_user_id}")
        key = tx.execute(select(net_user.c.key)).scalar_one()
    assert version == 1
    assert isinstance(event, NetUserRegistered)
    assert (event.net_user_id, event.is_household, event.kbo, event.registered_at) == (net_user_id, True, "", NOON)
    assert unseal(event.personal_data, net_user_id=net_user_id, key=key) == PersonalData(
        name="Anna Voorbeeld", email="anna@example.org"
    )


async def test_nothing_in_the_database_or_a_log_says_who_it_is(
    client: httpx.AsyncClient, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    keyed = {"Idempotency-Key": "one"}
    await client.post("/net-users", json=ANNA, headers=keyed)
    await client.post("/net-users", json={**ANNA, "name": "Anna Anders"})
    await look_up(client, person_ref="P-0001")
    with engine.begin() as tx:
        tables = tx.execute(text("select tablename from pg_tables where schemaname = current_schema()")).scalars()
        dump = "".join(
            str(row)
            for table in tables.all()
            for row in tx.execute(text(f"select encode(convert_to(t::text, 'UTF8'), 'escape') from \"{table}\" t"))
        )
        payloads = b"".join(tx.execute(select(event_store.event.c.payload)).scalars())
    for secret in ("P-0001", "Anna", "Voorbeeld", "anna@example.org"):
        assert secret not in dump
        assert secret.encode().hex() not in dump
        assert secret.encode() not in payloads
        assert secret not in caplog.text


async def test_the_same_person_again_is_the_same_net_user(client: httpx.AsyncClient) -> None:
    net_user_id = await take_in(client, ANNA)
    answer = await client.post("/net-users", json=ANNA)
    assert (answer.status_code, answer.json()) == (200, {"net_user_id": net_user_id, "outcome": "unchanged"})
    many = await asyncio.gather(*(client.post("/net-users", json=FIRM) for _ in range(6)))
    assert sorted(each.status_code for each in many) == [200] * 5 + [201]
    assert len({each.json()["net_user_id"] for each in many}) == 1


async def test_a_key_gets_the_first_answer_again_and_is_not_for_another_person(client: httpx.AsyncClient) -> None:
    keyed = {"Idempotency-Key": "one"}
    first = await client.post("/net-users", json=ANNA, headers=keyed)
    again = await client.post("/net-users", json=ANNA, headers=keyed)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    answer = await client.post("/net-users", json=FIRM, headers=keyed)
    assert (answer.status_code, answer.json()["Code"]) == (422, "IdempotencyKeyReused")


@pytest.mark.parametrize("change", [{"name": "Anna Anders"}, {"email": "a@example.org"}, {"household": False}])
async def test_other_data_of_the_same_person_are_refused(client: httpx.AsyncClient, change: dict[str, Any]) -> None:
    await take_in(client, ANNA)
    answer = await client.post("/net-users", json={**ANNA, **change})
    assert (answer.status_code, answer.json()["Message"]) == (
        409,
        "the net user is registered already, with other data",
    )


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({**FIRM, "household": True}, "a household has no enterprise number"),
        ({**ANNA, "kbo": HOLDER_KBO}, "give exactly one of person_ref and kbo"),
        ({key: value for key, value in ANNA.items() if key != "person_ref"}, "give exactly one of"),
        ({**FIRM, "kbo": "0123456700"}, "kbo: the check number of the enterprise number is wrong"),
        ({**ANNA, "email": "nowhere"}, "email: String should match pattern"),
    ],
)
async def test_a_net_user_that_does_not_fit_is_refused(
    client: httpx.AsyncClient, body: dict[str, Any], message: str
) -> None:
    answer = await client.post("/net-users", json=body)
    assert answer.status_code in {400, 409}
    assert message in answer.text
    assert "nowhere" not in answer.text


async def test_a_service_finds_the_points_of_a_person(client: httpx.AsyncClient) -> None:
    anna, firm = await take_in(client, ANNA), await take_in(client, FIRM)
    for ean, energy in ((FREE_EAN, "G"), (HOUSE, "E")):
        body = {"ean": ean, "energy": energy, "meter_kind": "DIGITAL", "registered_on": "2026-01-01"}
        await client.post("/access-points", json=body)
        await client.post(f"/access-points/{ean}/move-ins", json={"net_user_id": anna, "on": "2026-01-01"})
    await client.post(f"/access-points/{FREE_EAN}/move-ins", json={"kbo": HOLDER_KBO, "on": "2026-03-01"})
    second = {"allocation_point_id": "2", "direction": "INJECTION", "added_on": "2026-01-01"}
    await client.post(f"/access-points/{HOUSE}/allocation-points", json=second)
    house = {"ean": HOUSE, "energy": "E", "meter_kind": "DIGITAL", "net_user_id": anna, "first_on": "2026-01-01"}
    flat = {"ean": FREE_EAN, "energy": "G", "meter_kind": "DIGITAL", "allocation_points": ["1"], "is_whole": True}
    assert await look_up(client, person_ref="P-0001") == {
        "net_user_ids": [anna],
        "points": [
            {**house, "allocation_points": ["1"], "is_whole": False, "last_on": None},
            {**flat, "net_user_id": anna, "first_on": "2026-01-01", "last_on": "2026-02-28"},
        ],
    }
    assert await look_up(client, kbo=HOLDER_KBO) == {
        "net_user_ids": [firm],
        "points": [{**flat, "net_user_id": firm, "first_on": "2026-03-01", "last_on": None}],
    }
    at_both = {"net_user_id": anna, "on": "2026-02-01", "allocation_point_id": "2"}
    await client.post(f"/access-points/{HOUSE}/move-ins", json=at_both)
    assert (await look_up(client, person_ref="P-0001"))["points"][0] == {
        **house,
        "allocation_points": ["1", "2"],
        "is_whole": True,
        "first_on": "2026-02-01",
        "last_on": None,
    }


async def test_nobody_is_found_by_an_unknown_reference(client: httpx.AsyncClient) -> None:
    assert await look_up(client, person_ref="P-0002") == {"net_user_ids": [], "points": []}
    assert await look_up(client, kbo=HOLDER_KBO) == {"net_user_ids": [], "points": []}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": ""}, 401),
        (machine("supplier", **SUPPLIER), 403),
        (machine("metering", role="service", audience="register", scope="net-users.read"), 403),
        (machine("portal", role="service", audience="register", scope="access-points.write"), 403),
        (machine("portal", role="operator", audience="register", scope="net-users.read"), 403),
        (person("portal", role="operator"), 403),
        (machine("mandate", role="service", audience="register", scope="net-users.read"), 200),
        (machine("export", role="service", audience="register", scope="net-users.read"), 200),
    ],
)
async def test_only_mandate_portal_and_export_look_people_up(
    client: httpx.AsyncClient, headers: dict[str, str], status: int
) -> None:
    answer = await client.post("/net-users/lookup", json={"person_ref": "P-0001"}, headers=headers)
    assert answer.status_code == status
