"""Contracts over HTTP: one event, once, whoever asks how often; return roots; the end and what ends with it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import date
from typing import Any

import pytest
from sqlalchemy import Engine

from eventlog.database import create_engine, create_tables
from eventlog.events import DataAccessContractEnded, DataAccessContractSigned, MandateEnded, ReturnRootRegistered
from services.mandate import tables
from tests.callers import machine, person
from tests.examples import CONTRACT, CONTRACT_SIGNED, GAS_HOUSE, HOUSE, OTHER_KBO
from tests.mandate_room import ANNA, CONTRACT_BODY, OPERATOR, Room, mandate_room, use

pytestmark = pytest.mark.integration

STREAM = f"contract:{CONTRACT}"


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(database_url, application_name="test")
    create_tables(engine, tables.metadata)
    yield engine
    engine.dispose()


@pytest.fixture
async def room(engine: Engine) -> AsyncIterator[Room]:
    async with mandate_room(engine) as room:
        yield room


async def test_a_signed_contract_is_one_event_on_its_stream(room: Room) -> None:
    answer = await room.post("/contracts", CONTRACT_BODY, OPERATOR)
    assert answer.status_code == 201
    assert answer.json() == {"contract_number": CONTRACT, "outcome": "signed"}
    assert room.events(STREAM) == [
        DataAccessContractSigned(contract_number="1000000001", holder_kbo="0123456749", valid_from=date(2026, 1, 1))
    ]


async def test_the_same_command_again_answers_200_and_writes_nothing(room: Room) -> None:
    await room.post("/contracts", CONTRACT_BODY, OPERATOR)
    answer = await room.post("/contracts", CONTRACT_BODY, OPERATOR)
    assert answer.status_code == 200
    assert answer.json() == {"contract_number": CONTRACT, "outcome": "unchanged"}
    assert room.events(STREAM) == [CONTRACT_SIGNED]


async def test_another_holder_is_refused_with_the_reason(room: Room) -> None:
    await room.post("/contracts", CONTRACT_BODY, OPERATOR)
    answer = await room.post("/contracts", {**CONTRACT_BODY, "holder_kbo": OTHER_KBO}, OPERATOR)
    assert answer.status_code == 409
    assert answer.json() == {
        "Type": "Conflict",
        "Code": "ContractRefused",
        "Message": "the contract is already signed by another holder",
    }
    assert room.events(STREAM) == [CONTRACT_SIGNED]


async def test_what_is_wrong_is_named_without_repeating_it(room: Room) -> None:
    answer = await room.post("/contracts", {"contract_number": "1", "holder_kbo": "0123456700"}, OPERATOR)
    assert answer.status_code == 400
    body = answer.json()
    assert (body["Type"], body["Code"], body["Message"]) == (
        "BadRequest",
        "ValidationError",
        "the request is not valid",
    )
    assert body["ValidationErrorMessages"] == [
        "contract_number: a contract number is 10 digits",
        "holder_kbo: the check number of the enterprise number is wrong",
        "valid_from: Field required",
    ]
    assert "0123456700" not in answer.text
    assert room.events(STREAM) == []


async def test_a_name_is_kept_and_shown(room: Room) -> None:
    body = {**CONTRACT_BODY, "holder_name": "Energiecoach België NV"}
    assert (await room.post("/contracts", body, OPERATOR)).status_code == 201
    assert (await room.post("/contracts", body, OPERATOR)).json()["outcome"] == "unchanged"
    shown = await room.client.get(f"/contracts/{CONTRACT}", headers=OPERATOR)
    assert shown.json()["holder_name"] == "Energiecoach België NV"
    other = await room.post("/contracts", {**body, "holder_name": "Another NV"}, OPERATOR)
    assert (other.status_code, other.json()["Message"]) == (409, "the contract is already signed under another name")


async def test_a_name_that_could_pass_for_another_is_refused(room: Room) -> None:
    answer = await room.post("/contracts", {**CONTRACT_BODY, "holder_name": "VN\u202eEnergie"}, OPERATOR)
    assert answer.status_code == 400
    assert answer.json()["ValidationErrorMessages"] == [
        "holder_name: a name is 1 to 120 printable characters without a space at the ends"
    ]
    assert room.events(STREAM) == []


async def test_a_body_that_no_command_has_is_not_read_to_its_end(room: Room) -> None:
    headers = {**OPERATOR, "Content-Type": "application/json"}
    answer = await room.client.post("/contracts", content=b" " * 70_000, headers=headers)
    assert answer.status_code == 413


async def test_a_key_gets_the_first_answer_again(room: Room) -> None:
    keyed = {"Idempotency-Key": "one"}
    first = await room.post("/contracts", CONTRACT_BODY, OPERATOR, **keyed)
    again = await room.post("/contracts", CONTRACT_BODY, OPERATOR, **keyed)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json() == {"contract_number": CONTRACT, "outcome": "signed"}
    assert room.events(STREAM) == [CONTRACT_SIGNED]


async def test_a_key_is_not_for_another_command(room: Room) -> None:
    keyed = {"Idempotency-Key": "one"}
    await room.post("/contracts", CONTRACT_BODY, OPERATOR, **keyed)
    answer = await room.post("/contracts", {**CONTRACT_BODY, "holder_kbo": OTHER_KBO}, OPERATOR, **keyed)
    assert (answer.status_code, answer.json()["Code"]) == (422, "IdempotencyKeyReused")
    assert room.events(STREAM) == [CONTRACT_SIGNED]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        (machine("kwartier", role="operator", audience="register", scope="contracts.write"), 401),
        (machine("supplier", role="access_holder", audience="mandate", scope="contracts.write"), 403),
        (machine("kwartier", role="operator", audience="mandate", scope="access-points.write"), 403),
        (ANNA, 403),
        (person("operator-1", role="operator"), 201),
    ],
)
async def test_only_operators_sign(room: Room, headers: dict[str, str], status: int) -> None:
    answer = await room.post("/contracts", CONTRACT_BODY, headers)
    assert answer.status_code == status
    if status != 201:
        assert answer.content == b""
        assert room.events(STREAM) == []


async def test_a_return_root_is_registered_and_shown(room: Room) -> None:
    await room.post("/contracts", CONTRACT_BODY, OPERATOR)
    path, body = f"/contracts/{CONTRACT}/return-roots", {"root": "https://holder.example/"}
    first, again = await room.post(path, body, OPERATOR), await room.post(path, body, OPERATOR)
    assert (first.status_code, first.json()["outcome"]) == (201, "registered")
    assert (again.status_code, again.json()["outcome"]) == (200, "unchanged")
    assert room.events(STREAM)[1:] == [ReturnRootRegistered(contract_number=CONTRACT, root="https://holder.example/")]
    shown = await room.client.get(f"/contracts/{CONTRACT}", headers=OPERATOR)
    assert shown.json() == {
        "contract_number": CONTRACT,
        "holder_kbo": "0123456749",
        "holder_name": "",
        "valid_from": "2026-01-01",
        "ended_on": None,
        "return_roots": ["https://holder.example/"],
    }


async def test_a_root_that_is_none_is_refused(room: Room) -> None:
    await room.post("/contracts", CONTRACT_BODY, OPERATOR)
    answer = await room.post(f"/contracts/{CONTRACT}/return-roots", {"root": "http://127.0.0.1:9/"}, OPERATOR)
    assert answer.status_code == 400
    assert answer.json()["ValidationErrorMessages"] == ["root: a return root is https"]


@pytest.mark.parametrize(
    ("path", "body"),
    [("/end", {"ended_on": "2026-12-01"}), ("/return-roots", {"root": "https://holder.example/"}), ("", None)],
)
async def test_a_contract_that_nobody_signed_is_404(room: Room, path: str, body: Any) -> None:
    method = "POST" if body else "GET"
    answer = await room.client.request(method, f"/contracts/{CONTRACT}{path}", json=body, headers=OPERATOR)
    assert (answer.status_code, answer.json()["Code"]) == (404, "NoSuchContract")


async def test_the_end_of_a_contract_ends_all_its_mandates_at_once(room: Room) -> None:
    room.people["p-anna"] = [use(HOUSE), use(GAS_HOUSE, energy="G")]
    granted = await room.grant(HOUSE, GAS_HOUSE)
    assert len(granted) == 4
    answer = await room.post(f"/contracts/{CONTRACT}/end", {"ended_on": "2026-11-20"}, OPERATOR)
    assert (answer.status_code, answer.json()) == (
        200,
        {"contract_number": CONTRACT, "outcome": "ended", "ended_mandate_count": 4},
    )
    assert room.events(STREAM)[-1] == DataAccessContractEnded(contract_number=CONTRACT, ended_on=date(2026, 11, 20))
    ends = [event for ean in (HOUSE, GAS_HOUSE) for event in room.events(f"point:{ean}")[2:]]
    assert [(type(each), getattr(each, "reason", "")) for each in ends] == [(MandateEnded, "CONTRACT_ENDED")] * 4
    assert {each["status"] for each in await room.mandates(ANNA)} == {"Finished"}
    assert await room.mandates(ANNA, active="true") == []


async def test_an_end_ahead_lets_mandates_live_until_then(room: Room) -> None:
    await room.grant()
    path = f"/contracts/{CONTRACT}/end"
    assert (await room.post(path, {"ended_on": "2026-12-01"}, OPERATOR)).json()["ended_mandate_count"] == 2
    first = (await room.mandates(ANNA))[0]
    assert (first["status"], first["is_active"], first["ends_on"], first["end_reason"]) == (
        "Approved",
        True,
        "2026-12-01",
        "CONTRACT_ENDED",
    )
    room.now = room.now.replace(day=30, hour=23)  # local midnight: 1 December
    assert {each["is_active"] for each in await room.mandates(ANNA)} == {False}
    assert (await room.post(path, {"ended_on": "2026-12-01"}, OPERATOR)).json() == {
        "contract_number": CONTRACT,
        "outcome": "unchanged",
        "ended_mandate_count": 0,
    }
