"""Sessions, consent, withdrawal: all of it in one transaction, once, and nothing for who may not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, func, select, text

from eventlog.database import create_engine, create_tables
from eventlog.events import ConsentSessionOpened, ConsentSessionUsed, MandateGranted, MandateWithdrawn
from eventlog.tables import event
from services.mandate import tables
from tests.callers import machine, person
from tests.examples import CONTRACT, FACTORY, GAS_HOUSE, HOLDER_KBO, HOUSE, NOON, OTHER_KBO
from tests.mandate_examples import NET_USER, OTHER_NET_USER
from tests.mandate_room import (
    ANNA,
    BAKER,
    CONTRACT_BODY,
    EXPORT,
    HOLDER,
    OPERATOR,
    PORTAL,
    SESSION_BODY,
    Room,
    mandate_room,
    use,
)

pytestmark = pytest.mark.integration


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


def event_count(room: Room) -> int:
    with room.engine.begin() as tx:
        return tx.execute(select(func.count()).select_from(event)).scalar_one()


async def test_a_session_is_opened_for_a_holder_and_shown_to_the_portal(room: Room) -> None:
    session_id = await room.open()
    (opened,) = room.events(f"session:{session_id}")
    assert isinstance(opened, ConsentSessionOpened)
    assert (opened.holder_kbo, opened.number_of_eans, opened.valid_to) == (
        HOLDER_KBO,
        2,
        datetime(2026, 12, 4, 12, 0, tzinfo=UTC),
    )
    shown = await room.client.get(f"/sessions/{session_id}", headers=PORTAL)
    assert shown.json() == {
        "session_id": session_id,
        "state": "open",
        "contract_number": CONTRACT,
        "holder_kbo": HOLDER_KBO,
        "holder_name": "",
        "reference_number": "order-1",
        "flow": "B2C",
        "services": [
            {"type": "VH_kwartier_uur", "from": "2026-01-01", "to": None},
            {"type": "IG", "from": None, "to": None},
        ],
        "number_of_eans": 2,
        "return_url_success": "",
        "return_url_failed": "",
        "enterprise_number": "",
        "valid_to": "2026-12-04T12:00:00Z",
    }


async def test_the_name_of_the_holder_is_in_what_the_customer_is_asked_and_has_given(room: Room) -> None:
    signed = await room.post("/contracts", {**CONTRACT_BODY, "holder_name": "Energiecoach België NV"}, OPERATOR)
    assert signed.status_code == 201
    (granted, _) = await room.grant()
    asked = await room.client.get(f"/sessions/{await room.open()}", headers=PORTAL)
    assert asked.json()["holder_name"] == "Energiecoach België NV"
    assert {each["holder_name"] for each in await room.mandates(ANNA)} == {"Energiecoach België NV"}
    await room.post(f"/mandates/{HOUSE}/{granted['mandate_id']}/withdrawal", None, ANNA)
    withdrawn = {each["mandate_id"]: each["withdrawn_at"] for each in await room.mandates(ANNA)}
    assert withdrawn.pop(granted["mandate_id"]) == "2026-11-20T12:00:00Z"
    assert list(withdrawn.values()) == [None]


@pytest.mark.parametrize("session_id", ["never-given-out-0000", "a%00b", "%ed%a0%80", "x" * 65])
async def test_what_was_never_a_link_is_no_link(room: Room, session_id: str) -> None:
    shown = await room.client.get(f"/sessions/{session_id}", headers=PORTAL)
    answer = await room.post(f"/sessions/{session_id}/consent", {"eans": [HOUSE]}, ANNA)
    assert [(each.status_code, each.json()["Code"]) for each in (shown, answer)] == [(404, "NoSuchSession")] * 2


async def test_optional_fields_may_be_null(room: Room) -> None:
    empty = ("number_of_eans", "return_url_success", "return_url_failed", "enterprise_number")
    session_id = await room.open(**dict.fromkeys(empty))
    shown = await room.client.get(f"/sessions/{session_id}", headers=PORTAL)
    assert shown.json()["number_of_eans"] == 1


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"contract_number": "1000000009"}, 409, "SessionRefused"),
        ({"holder_kbo": OTHER_KBO}, 409, "SessionRefused"),
        ({"return_url_success": "https://a.example/", "return_url_failed": "https://a.example/"}, 400, "ReturnAddress"),
        ({"reference_number": "a b"}, 400, "ValidationError"),
        ({"services": []}, 400, "ValidationError"),
        ({"services": [{"type": "everything"}]}, 400, "ValidationError"),
        ({"number_of_eans": 101}, 400, "ValidationError"),
        ({"flow": "B2G"}, 400, "ValidationError"),
    ],
)
async def test_a_session_that_may_not_be_is_refused(
    room: Room, changes: dict[str, Any], status: int, code: str
) -> None:
    await room.open()
    before = event_count(room)
    answer = await room.post("/sessions", {**SESSION_BODY, **changes}, EXPORT)
    assert answer.status_code == status
    assert answer.json()["Code"].startswith(code)
    assert event_count(room) == before


async def test_sessions_are_for_services_alone(room: Room) -> None:
    session_id = await room.open()
    other = machine("metering", role="service", audience="mandate", scope="sessions.write sessions.read")
    for headers in (OPERATOR, PORTAL, other, ANNA):
        assert (await room.post("/sessions", SESSION_BODY, headers)).status_code == 403
    for headers in (OPERATOR, EXPORT, other, ANNA):
        assert (await room.client.get(f"/sessions/{session_id}", headers=headers)).status_code == 403
    unknown = await room.client.get("/sessions/unknown", headers=PORTAL)
    assert (unknown.status_code, unknown.json()["Code"]) == (404, "NoSuchSession")


async def test_a_consent_grants_all_points_and_services_in_one_transaction(room: Room) -> None:
    room.people["p-anna"] = [use(HOUSE), use(GAS_HOUSE, energy="G"), use(FACTORY, net_user_id=NET_USER)]
    session_id = await room.open()
    answer = await room.post(f"/sessions/{session_id}/consent", {"eans": [HOUSE, GAS_HOUSE]}, ANNA)
    assert answer.status_code == 201
    body = answer.json()
    assert (body["session_id"], body["outcome"], body["return_url_success"]) == (session_id, "granted", "")
    assert [(each["ean"], each["data_service_type"], each["expires_at"]) for each in body["mandates"]] == [
        (HOUSE, "VH_kwartier_uur", "2029-11-20T23:00:00Z"),
        (HOUSE, "IG", "2029-11-20T23:00:00Z"),
        (GAS_HOUSE, "VH_kwartier_uur", "2029-11-20T23:00:00Z"),
        (GAS_HOUSE, "IG", "2029-11-20T23:00:00Z"),
    ]
    assert room.asked == [{"person_ref": "p-anna"}]
    assert room.events(f"session:{session_id}")[1:] == [ConsentSessionUsed(session_id=session_id, used_at=NOON)]
    first = room.events(f"point:{HOUSE}")[0]
    assert isinstance(first, MandateGranted)
    assert (first.net_user_id, first.occupied_from, first.data_period_from) == (
        NET_USER,
        date(2026, 3, 1),
        date(2026, 1, 1),
    )
    with room.engine.begin() as tx:
        counts = tx.scalars(select(func.count()).select_from(event).group_by(event.c.correlation_id)).all()
    assert sorted(counts) == [1, 1, 5]  # the contract, the session, and the consent with its four mandates


async def test_an_enterprise_consents_by_its_number(room: Room) -> None:
    room.people["0200000043"] = [use(FACTORY, meter_kind="AMR")]
    await room.grant(FACTORY, caller=BAKER, flow="B2B", enterprise_number="0200000043")
    assert room.asked == [{"kbo": "0200000043"}]
    session_id = await room.open(enterprise_number=HOLDER_KBO)
    answer = await room.post(f"/sessions/{session_id}/consent", {"eans": [FACTORY]}, BAKER)
    assert (answer.status_code, answer.json()["Code"]) == (409, "ConsentRefused")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"eans": [FACTORY]}, "NotNetUser"),
        ({"eans": [HOUSE, FACTORY]}, "NotNetUser"),
        ({"eans": [HOUSE, HOUSE]}, "ConsentRefused"),
        ({"eans": [HOUSE, GAS_HOUSE, FACTORY]}, "ConsentRefused"),
        ({"eans": [HOUSE], "services": ["VH_dag"]}, "ConsentRefused"),
    ],
)
async def test_a_consent_that_may_not_be_changes_nothing(room: Room, body: dict[str, Any], code: str) -> None:
    session_id = await room.open()
    before = event_count(room)
    answer = await room.post(f"/sessions/{session_id}/consent", body, ANNA)
    assert (answer.status_code, answer.json()["Code"]) == (409, code)
    assert event_count(room) == before
    assert (await room.client.get(f"/sessions/{session_id}", headers=PORTAL)).json()["state"] == "open"
    good = await room.post(f"/sessions/{session_id}/consent", {"eans": [HOUSE], "services": ["IG"]}, ANNA)
    assert [each["data_service_type"] for each in good.json()["mandates"]] == ["IG"]


async def test_the_two_step_route_is_named_as_missing(room: Room) -> None:
    room.people["p-anna"] = [use(HOUSE, is_whole=False)]
    session_id = await room.open()
    answer = await room.post(f"/sessions/{session_id}/consent", {"eans": [HOUSE]}, ANNA)
    assert answer.json()["Message"] == (
        "you are not the net user of every part of each chosen point; asking the net user to agree (the two-step "
        "route) is not there yet, so nothing was granted"
    )


async def test_a_used_link_and_an_expired_one_say_so_and_change_nothing(room: Room) -> None:
    used, old = await room.open(), await room.open(reference_number="order-2")
    path = f"/sessions/{used}/consent"
    assert (await room.post(path, {"eans": [HOUSE]}, ANNA)).status_code == 201
    before = event_count(room)
    again = await room.post(path, {"eans": [HOUSE]}, ANNA)
    assert (again.status_code, again.json()["Code"], again.json()["Message"]) == (
        409,
        "LinkSpent",
        "the link was used before",
    )
    room.now = NOON + timedelta(days=14)
    late = await room.post(f"/sessions/{old}/consent", {"eans": [HOUSE]}, ANNA)
    assert (late.status_code, late.json()["Message"]) == (409, "the time of the link is over")
    states = [(await room.client.get(f"/sessions/{each}", headers=PORTAL)).json()["state"] for each in (used, old)]
    assert states == ["used", "expired"]
    assert event_count(room) == before


async def test_a_session_that_was_never_opened_is_404(room: Room) -> None:
    answer = await room.post("/sessions/unknown/consent", {"eans": [HOUSE]}, ANNA)
    assert (answer.status_code, answer.json()["Code"]) == (404, "NoSuchSession")


async def test_two_consents_at_once_use_a_session_once(room: Room) -> None:
    session_id = await room.open()
    path = f"/sessions/{session_id}/consent"
    answers = await asyncio.gather(*[room.post(path, {"eans": [HOUSE]}, ANNA) for _ in range(6)])
    assert sorted(each.status_code for each in answers) == [201, 409, 409, 409, 409, 409]
    assert len(room.events(f"point:{HOUSE}")) == 2


async def test_a_consent_sent_twice_with_a_key_is_granted_once(room: Room) -> None:
    session_id = await room.open()
    path, keyed = f"/sessions/{session_id}/consent", {"Idempotency-Key": "one"}
    first, again = [await room.post(path, {"eans": [HOUSE]}, ANNA, **keyed) for _ in range(2)]
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert len(room.events(f"point:{HOUSE}")) == 2


async def test_a_register_that_is_away_is_503_and_nothing_changes(room: Room) -> None:
    session_id = await room.open()
    before = event_count(room)
    room.register_is_down = True
    answer = await room.post(f"/sessions/{session_id}/consent", {"eans": [HOUSE]}, ANNA)
    assert (answer.status_code, answer.json()["Code"], answer.headers["Retry-After"]) == (
        503,
        "RegisterUnavailable",
        "2",
    )
    assert event_count(room) == before


@pytest.mark.parametrize(
    "headers",
    [OPERATOR, EXPORT, PORTAL, HOLDER, person("nobody", role="net_user"), person("operator-1", role="operator")],
)
async def test_only_a_known_net_user_consents(room: Room, headers: dict[str, str]) -> None:
    session_id = await room.open()
    assert (await room.post(f"/sessions/{session_id}/consent", {"eans": [HOUSE]}, headers)).status_code == 403
    assert room.asked == []


async def test_a_net_user_sees_and_withdraws_their_mandates(room: Room) -> None:
    first, _ = await room.grant()
    listed = await room.mandates(ANNA)
    assert {each["data_service_type"] for each in listed} == {"VH_kwartier_uur", "IG"}
    assert {(each["status"], each["renewal_status"], each["is_active"]) for each in listed} == {
        ("Approved", None, True)
    }
    path = f"/mandates/{HOUSE}/{first['mandate_id']}/withdrawal"
    answer = await room.post(path, None, ANNA)
    assert (answer.status_code, answer.json()) == (
        200,
        {"ean": HOUSE, "mandate_id": first["mandate_id"], "outcome": "withdrawn"},
    )
    assert room.events(f"point:{HOUSE}")[-1] == MandateWithdrawn(
        ean=HOUSE, mandate_id=UUID(first["mandate_id"]), withdrawn_at=NOON
    )
    assert (await room.post(path, None, ANNA)).json()["outcome"] == "unchanged"
    standing = {each["data_service_type"]: each for each in await room.mandates(ANNA)}
    gone = standing["VH_kwartier_uur"]
    assert (gone["status"], gone["end_reason"], gone["is_active"]) == ("Finished", "WITHDRAWN", False)
    assert standing["IG"]["is_active"]


async def test_nobody_else_withdraws_and_all_hear_the_same_words(room: Room) -> None:
    mandate = (await room.grant())[0]
    room.people["0200000043"] = [use(FACTORY, net_user_id=OTHER_NET_USER)]
    path = f"/mandates/{HOUSE}/{mandate['mandate_id']}/withdrawal"
    theirs = await room.post(path, None, BAKER)
    unknown = await room.post(f"/mandates/{HOUSE}/{UUID(int=7)}/withdrawal", None, ANNA)
    elsewhere = await room.post(f"/mandates/{FACTORY}/{mandate['mandate_id']}/withdrawal", None, ANNA)
    assert {each.status_code for each in (theirs, unknown, elsewhere)} == {404}
    assert theirs.content == unknown.content == elsewhere.content
    for headers in (HOLDER, OPERATOR, EXPORT):
        assert (await room.post(path, None, headers)).status_code == 403
    assert (await room.mandates(ANNA, active="true"))[0]["is_active"]


async def test_everybody_sees_their_own_side(room: Room) -> None:
    await room.grant()
    room.people["0200000043"] = [use(FACTORY, net_user_id=OTHER_NET_USER)]
    other_holder = person("other", role="holder", kbo=OTHER_KBO)
    assert len(await room.mandates(HOLDER)) == 2
    assert await room.mandates(other_holder) == []
    assert await room.mandates(other_holder, holder_kbo=HOLDER_KBO) == []
    assert await room.mandates(BAKER) == []
    assert await room.mandates(BAKER, ean=HOUSE) == []
    assert len(await room.mandates(OPERATOR, ean=HOUSE)) == 2
    assert len(await room.mandates(OPERATOR, contract_number=CONTRACT, holder_kbo=HOLDER_KBO)) == 2
    assert (await room.client.get("/mandates", headers=OPERATOR)).status_code == 400
    assert (await room.client.get("/mandates", params={"as": "operator"}, headers=ANNA)).status_code == 403
    assert (await room.client.get("/mandates", headers=person("x", role="holder"))).status_code == 403
    cut = await room.client.get("/mandates", params={"limit": "1"}, headers=HOLDER)
    assert (len(cut.json()["mandates"]), cut.json()["has_more"]) == (1, True)
    assert all("net_user" not in name for each in await room.mandates(HOLDER) for name in each)


async def test_a_known_move_out_ahead_is_written_with_the_grant(room: Room) -> None:
    room.people["p-anna"] = [use(HOUSE, last_on="2026-12-31")]
    await room.grant()
    (first, _) = await room.mandates(ANNA)
    assert (first["ends_on"], first["end_reason"], first["is_active"]) == ("2027-01-01", "CUSTOMER_SWITCH", True)


async def test_a_grant_that_fails_in_the_middle_leaves_nothing(room: Room) -> None:
    room.people["p-anna"] = [use(HOUSE), use(GAS_HOUSE, energy="G")]
    session_id = await room.open()
    before = event_count(room)
    with room.engine.begin() as tx:
        tx.execute(text(f"alter table mandate add check (ean <> '{GAS_HOUSE}')"))
    answer = await room.post(f"/sessions/{session_id}/consent", {"eans": [HOUSE, GAS_HOUSE]}, ANNA)
    assert answer.status_code == 500
    assert event_count(room) == before
    assert await room.mandates(ANNA) == []


async def test_a_hundred_points_are_one_consent(room: Room) -> None:
    eans = [with_check_digit(f"5414488{number:010}") for number in range(100)]
    room.people["p-anna"] = [use(ean) for ean in eans]
    mandates = await room.grant(*eans, number_of_eans=100)
    assert len(mandates) == 200


def with_check_digit(first_17: str) -> str:
    """Weights 3 and 1 in turn from the right."""
    total = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(first_17)))
    return f"{first_17}{-total % 10}"
