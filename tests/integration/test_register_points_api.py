"""The life of a point over HTTP: parts, meters, moves, the end; what is answered can be read at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from itertools import pairwise
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, func, select

from eventlog.tables import event
from tests.callers import machine
from tests.examples import FACTORY, HOUSE, HOUSE_METER
from tests.register_events import FACTORY_SUN, FREE_EAN
from tests.register_room import make_engine, register_client

pytestmark = pytest.mark.integration

REGISTRATION = {"energy": "E", "meter_kind": "DIGITAL", "registered_on": "2026-01-01"}
METER = {"meter_id": HOUSE_METER, "meter_kind": "DIGITAL", "installed_at": "2026-01-01T09:00:00+01:00"}
SWAP = {"meter_id": "1SAG0000000002", "meter_kind": "DIGITAL", "swapped_at": "2026-11-19T09:20:00Z"}
SUN = {
    "sub_ean": FACTORY_SUN,
    "kind": "PRODUCTION",
    "production_type": "SOLAR",
    "installation_id": "PV-0001",
    "added_on": "2026-01-01",
}
NOBODY = "00000000-0000-4000-8000-0000000000ff"


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    with make_engine(database_url) as engine:
        yield engine


@pytest.fixture
async def client(engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    async with register_client(engine) as client:
        yield client


async def register(client: httpx.AsyncClient, ean: str = HOUSE, **other: str) -> None:
    answer = await client.post("/access-points", json={"ean": ean, **REGISTRATION, **other})
    assert answer.status_code in {200, 201}, answer.text


async def take_in(client: httpx.AsyncClient, person_ref: str) -> str:
    body = {"person_ref": person_ref, "name": "Anna Voorbeeld", "email": "anna@example.org", "household": True}
    return str((await client.post("/net-users", json=body)).json()["net_user_id"])


async def change(client: httpx.AsyncClient, path: str, body: dict[str, Any], ean: str = HOUSE) -> tuple[int, str]:
    answer = await client.post(f"/access-points/{ean}/{path}", json=body)
    return answer.status_code, answer.json().get("outcome") or answer.json()["Message"]


def event_count(engine: Engine) -> int:
    with engine.begin() as tx:
        return int(tx.execute(select(func.count()).select_from(event)).scalar_one())


async def test_the_life_of_a_house(client: httpx.AsyncClient) -> None:
    await register(client, direction="OFFTAKE")
    anna, bert = await take_in(client, "anna"), await take_in(client, "bert")
    second = {"allocation_point_id": "2", "direction": "INJECTION", "added_on": "2026-01-01"}
    assert await change(client, "allocation-points", second) == (201, "added")
    assert await change(client, "meters", METER) == (201, "installed")
    assert await change(client, "move-ins", {"net_user_id": anna, "on": "2026-01-01"}) == (201, "moved-in")
    assert await change(client, "move-ins", {"person_ref": "bert", "on": "2026-03-01"}) == (201, "moved-in")
    assert await change(client, "meter-swaps", SWAP) == (201, "swapped")
    assert await change(client, "move-outs", {"net_user_id": bert, "last_on": "2026-12-15"}) == (201, "moved-out")
    assert await change(client, "closure", {"last_on": "2026-12-31"}) == (201, "closed")
    answer = await client.get(f"/access-points/{HOUSE}")
    assert answer.status_code == 200
    assert answer.json() == {
        "ean": HOUSE,
        "energy": "E",
        "meter_kind": "DIGITAL",
        "registered_on": "2026-01-01",
        "last_on": "2026-12-31",
        "replaced_by": "",
        "allocation_points": [
            {"allocation_point_id": "1", "direction": "OFFTAKE", "added_on": "2026-01-01"},
            {"allocation_point_id": "2", "direction": "INJECTION", "added_on": "2026-01-01"},
        ],
        "sub_head_points": [],
        "meters": [
            {
                "meter_id": HOUSE_METER,
                "meter_kind": "DIGITAL",
                "sequence_number": 1,
                "installed_at": "2026-01-01T08:00:00Z",
                "removed_at": "2026-11-19T09:20:00Z",
            },
            {
                "meter_id": "1SAG0000000002",
                "meter_kind": "DIGITAL",
                "sequence_number": 2,
                "installed_at": "2026-11-19T09:20:00Z",
                "removed_at": "2026-12-31T23:00:00Z",
            },
        ],
        "occupancies": [
            {"allocation_point_id": place, "net_user_id": who, "first_on": first, "last_on": last}
            for who, first, last in ((anna, "2026-01-01", "2026-02-28"), (bert, "2026-03-01", "2026-12-15"))
            for place in ("1", "2")
        ],
    }


async def test_everything_told_twice_is_unchanged(client: httpx.AsyncClient, engine: Engine) -> None:
    await register(client)
    await take_in(client, "anna")
    steps: list[tuple[str, dict[str, Any]]] = [
        ("meters", METER),
        ("move-ins", {"person_ref": "anna", "on": "2026-01-01"}),
        ("meter-swaps", SWAP),
        ("move-outs", {"person_ref": "anna", "last_on": "2026-06-30"}),
        ("closure", {"last_on": "2026-12-31"}),
    ]
    for path, body in steps:
        assert (await change(client, path, body))[0] == 201
    count = event_count(engine)
    await register(client)
    await take_in(client, "anna")
    for path, body in steps:
        assert await change(client, path, body) == (200, "unchanged")
    assert event_count(engine) == count


async def test_a_sub_head_point_is_behind_an_amr_point_and_its_ean_is_given_once(client: httpx.AsyncClient) -> None:
    await register(client)
    await register(client, FACTORY, meter_kind="AMR")
    assert await change(client, "sub-head-points", SUN) == (409, "only an AMR point has sub head points")
    assert await change(client, "sub-head-points", SUN, FACTORY) == (201, "added")
    assert await change(client, "sub-head-points", SUN, FACTORY) == (200, "unchanged")
    await register(client, FREE_EAN, meter_kind="AMR")
    assert await change(client, "sub-head-points", SUN, FREE_EAN) == (
        409,
        "another point has the EAN of this sub head point",
    )
    taken = {**SUN, "sub_ean": HOUSE}
    assert await change(client, "sub-head-points", taken, FACTORY) == (
        409,
        "another point has the EAN of this sub head point",
    )
    answer = await client.post("/access-points", json={"ean": FACTORY_SUN, **REGISTRATION})
    assert (answer.status_code, answer.json()["Message"]) == (409, "a sub head point has this EAN")
    found = (await client.get(f"/access-points/{FACTORY}")).json()["sub_head_points"]
    assert found == [{**SUN, "sequence_number": 1}]


async def test_a_doubled_point_is_closed_in_favour_of_the_other(client: httpx.AsyncClient) -> None:
    await register(client)
    closure = {"last_on": "2026-12-31", "replaced_by": FREE_EAN}
    words = "the register does not know the point that is to replace this one"
    assert await change(client, "closure", closure) == (409, words)
    await register(client, FREE_EAN)
    assert await change(client, "closure", closure) == (201, "closed")
    assert (await client.get(f"/access-points/{HOUSE}")).json()["replaced_by"] == FREE_EAN


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("move-ins", {"net_user_id": NOBODY, "on": "2026-01-01"}, "does not know this net user"),
        ("move-ins", {"person_ref": "nobody", "on": "2026-01-01"}, "does not know this net user"),
        ("move-outs", {"kbo": "0123456749", "last_on": "2026-01-01"}, "does not know this net user"),
        ("meter-swaps", SWAP, "no meter measures here"),
    ],
)
async def test_what_a_rule_forbids_is_refused_and_changes_nothing(
    client: httpx.AsyncClient, engine: Engine, path: str, body: dict[str, Any], message: str
) -> None:
    await register(client)
    count = event_count(engine)
    status, words = await change(client, path, body)
    assert status == 409
    assert message in words
    assert event_count(engine) == count


async def test_an_unknown_point_is_404(client: httpx.AsyncClient) -> None:
    answer = await client.post(f"/access-points/{HOUSE}/meters", json=METER)
    assert (answer.status_code, answer.json()["Code"]) == (404, "NoSuchPoint")
    answer = await client.get(f"/access-points/{HOUSE}")
    assert (answer.status_code, answer.json()["Code"]) == (404, "NoSuchPoint")


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("meters", {**METER, "installed_at": "2026-01-01T09:00:00"}, "installed_at: an instant is written"),
        ("meters", {**METER, "installed_at": "2026-02-30T09:00:00Z"}, "installed_at: there is no such instant"),
        ("meters", {**METER, "installed_at": 1}, "installed_at: an instant is written"),
        ("meters", {**METER, "colour": "grey"}, "colour: Extra inputs are not permitted"),
        ("move-ins", {"on": "2026-01-01"}, "give exactly one of net_user_id, person_ref and kbo"),
        ("move-ins", {"person_ref": "a", "kbo": "0123456749", "on": "2026-01-01"}, "give exactly one of"),
        ("allocation-points", {"allocation_point_id": "12", "direction": "BOTH", "added_on": "2026-01-01"}, "pattern"),
        ("closure", {"last_on": "31/12/2026"}, "last_on: a day is written YYYY-MM-DD"),
    ],
)
async def test_what_is_wrong_in_a_body_is_named(
    client: httpx.AsyncClient, path: str, body: dict[str, Any], message: str
) -> None:
    answer = await client.post(f"/access-points/{HOUSE}/{path}", json=body)
    assert answer.status_code == 400
    assert message in str(answer.json()["ValidationErrorMessages"])


async def test_the_same_ean_is_registered_as_head_or_behind_another_but_never_both(client: httpx.AsyncClient) -> None:
    await register(client, FACTORY, meter_kind="AMR")
    answers = await asyncio.gather(
        client.post(f"/access-points/{FACTORY}/sub-head-points", json=SUN),
        client.post("/access-points", json={"ean": FACTORY_SUN, **REGISTRATION}),
    )
    assert sorted(answer.status_code for answer in answers) == [201, 409]


async def test_switches_at_the_same_time_are_one_after_the_other(client: httpx.AsyncClient) -> None:
    await register(client)
    for name in "abcd":
        await take_in(client, name)
    answers = await asyncio.gather(
        *(
            change(client, "move-ins", {"person_ref": name, "on": f"2026-0{number}-01"})
            for number, name in enumerate("abcd", 1)
        )
    )
    found = (await client.get(f"/access-points/{HOUSE}")).json()["occupancies"]
    assert len(found) == sum(status == 201 for status, _ in answers) >= 1
    ends = [(each["first_on"], each["last_on"] or "9999-12-31") for each in found]
    assert all(end < begin for (_, end), (begin, _) in pairwise(ends))


async def test_only_who_writes_points_changes_or_reads_them(client: httpx.AsyncClient) -> None:
    await register(client)
    service = machine("export", role="service", audience="register", scope="net-users.read")
    assert (await client.post(f"/access-points/{HOUSE}/meters", json=METER, headers=service)).status_code == 403
    assert (await client.get(f"/access-points/{HOUSE}", headers=service)).status_code == 403
    assert (await client.get(f"/access-points/{HOUSE}", headers={"Authorization": ""})).status_code == 401


async def test_every_parameter_and_field_says_what_it_is(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    operations = [each for path in document["paths"].values() for each in path.values()]
    silent = [
        (operation["operationId"], parameter["name"])
        for operation in operations
        for parameter in operation.get("parameters", [])
        if not parameter.get("description")
    ]
    assert silent == []
    fields = {
        (name, field)
        for name, schema in document["components"]["schemas"].items()
        if name.endswith("Body") and name != "ErrorBody"
        for field, kind in schema["properties"].items()
        if not kind.get("description")
    }
    assert fields == set()
    assert len({operation["operationId"] for operation in operations}) == len(operations) == 12
