"""Signing a contract over HTTP: one event, once, whoever asks how often."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import date
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import Engine

from eventlog import event_store, idempotency
from eventlog.database import create_engine, create_tables
from eventlog.events import DataAccessContractSigned
from services.mandate.api import create_api
from tests.callers import authenticator, machine, person
from tests.examples import CONTRACT, CONTRACT_SIGNED, HOLDER_KBO, NOON, OTHER_KBO

pytestmark = pytest.mark.integration

CONTRACT_BODY = {"contract_number": CONTRACT, "holder_kbo": HOLDER_KBO, "valid_from": "2026-01-01"}
OPERATOR = {"role": "operator", "audience": "mandate", "scope": "contracts.write"}


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(database_url, application_name="test")
    create_tables(engine, idempotency.metadata)
    yield engine
    engine.dispose()


@pytest.fixture
async def client(engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    app = create_api(engine, authenticator("mandate"), clock=lambda: NOON, new_id=uuid4)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = machine("kwartier", **OPERATOR)
    async with httpx.AsyncClient(transport=transport, base_url="http://mandate.test", headers=headers) as client:
        yield client


def events(engine: Engine) -> list[object]:
    with engine.begin() as tx:
        return list(event_store.load(tx, f"contract:{CONTRACT}")[0])


async def test_a_signed_contract_is_one_event_on_its_stream(client: httpx.AsyncClient, engine: Engine) -> None:
    answer = await client.post("/contracts", json=CONTRACT_BODY)
    assert answer.status_code == 201
    assert answer.json() == {"contract_number": CONTRACT, "outcome": "signed"}
    assert events(engine) == [
        DataAccessContractSigned(contract_number="1000000001", holder_kbo="0123456749", valid_from=date(2026, 1, 1))
    ]


async def test_the_same_command_again_answers_200_and_writes_nothing(client: httpx.AsyncClient, engine: Engine) -> None:
    await client.post("/contracts", json=CONTRACT_BODY)
    answer = await client.post("/contracts", json=CONTRACT_BODY)
    assert answer.status_code == 200
    assert answer.json() == {"contract_number": CONTRACT, "outcome": "unchanged"}
    assert events(engine) == [CONTRACT_SIGNED]


async def test_another_holder_is_refused_with_the_reason(client: httpx.AsyncClient, engine: Engine) -> None:
    await client.post("/contracts", json=CONTRACT_BODY)
    answer = await client.post("/contracts", json={**CONTRACT_BODY, "holder_kbo": OTHER_KBO})
    assert answer.status_code == 409
    assert answer.json() == {
        "Type": "Conflict",
        "Code": "ContractRefused",
        "Message": "the contract is already signed by another holder",
    }
    assert events(engine) == [CONTRACT_SIGNED]


async def test_what_is_wrong_is_named_without_repeating_it(client: httpx.AsyncClient, engine: Engine) -> None:
    answer = await client.post("/contracts", json={"contract_number": "1", "holder_kbo": "0123456700"})
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
    assert events(engine) == []


async def test_a_body_that_no_command_has_is_not_read_to_its_end(client: httpx.AsyncClient) -> None:
    answer = await client.post("/contracts", content=b" " * 70_000, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413


async def test_a_key_gets_the_first_answer_again(client: httpx.AsyncClient, engine: Engine) -> None:
    keyed = {"Idempotency-Key": "one"}
    first = await client.post("/contracts", json=CONTRACT_BODY, headers=keyed)
    again = await client.post("/contracts", json=CONTRACT_BODY, headers=keyed)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json() == {"contract_number": CONTRACT, "outcome": "signed"}
    assert events(engine) == [CONTRACT_SIGNED]


async def test_a_key_is_not_for_another_command(client: httpx.AsyncClient, engine: Engine) -> None:
    keyed = {"Idempotency-Key": "one"}
    await client.post("/contracts", json=CONTRACT_BODY, headers=keyed)
    answer = await client.post("/contracts", json={**CONTRACT_BODY, "holder_kbo": OTHER_KBO}, headers=keyed)
    assert (answer.status_code, answer.json()["Code"]) == (422, "IdempotencyKeyReused")
    assert events(engine) == [CONTRACT_SIGNED]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": ""}, 401),
        (machine("kwartier", role="operator", audience="register", scope="contracts.write"), 401),
        (machine("supplier", role="access_holder", audience="mandate", scope="contracts.write"), 403),
        (machine("kwartier", role="operator", audience="mandate", scope="access-points.write"), 403),
        (person("operator-1", role="operator"), 201),
    ],
)
async def test_only_operators_sign(
    client: httpx.AsyncClient, engine: Engine, headers: dict[str, str], status: int
) -> None:
    answer = await client.post("/contracts", json=CONTRACT_BODY, headers=headers)
    assert answer.status_code == status
    if status != 201:
        assert answer.content == b""
        assert events(engine) == []
