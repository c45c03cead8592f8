"""What mandate decides about consent sessions: who may open one, where it may lead, and that it is good once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from eventlog.events import ConsentSessionUsed, DataAccessContractEnded, Event, ReturnRootRegistered
from services.mandate.domain import contract
from services.mandate.domain.contract import Contract
from services.mandate.domain.session import (
    InvalidReference,
    LinkSpent,
    NoSuchSession,
    OpenSession,
    ReferenceNumber,
    RequestedService,
    ReturnAddressRefused,
    Session,
    SessionId,
    SessionRefused,
    UseSession,
    decide,
    fold,
    parse_reference,
    parse_services,
    services_text,
)
from tests.examples import CONTRACT, CONTRACT_SIGNED, HOLDER_KBO, NOON, OTHER_KBO
from tests.mandate_examples import LATER, SESSION_ID, SESSION_OPENED
from tests.spec import Given, given

ROOT = ReturnRootRegistered(contract_number="1000000001", root="https://holder.example/")
ENDED = DataAccessContractEnded(contract_number="1000000001", ended_on=date(2026, 11, 20))
USED = ConsentSessionUsed(session_id=SESSION_ID, used_at=LATER)
SERVICES = (
    RequestedService(type="VH_kwartier_uur", first_day=date(2026, 1, 1)),
    RequestedService(type="IG"),
)
OPEN = OpenSession(
    session_id=SessionId(SESSION_ID),
    contract_number=CONTRACT,
    holder_kbo=HOLDER_KBO,
    reference_number=ReferenceNumber("order-1"),
    flow="B2C",
    services=SERVICES,
    number_of_eans=2,
    return_url_success="",
    return_url_failed="",
    enterprise_number="",
    now=NOON,
)


def under(contract_past: Iterable[Event], past: Iterable[Event] = ()) -> Given[OpenSession | UseSession, Session]:
    """A sentence about a session under a contract with `contract_past`."""
    state: Contract = contract.fold(contract_past)
    return given(decide, partial(fold, contract=state), list(past))


def test_a_holder_opens_a_session_for_fourteen_days() -> None:
    assert SESSION_OPENED.valid_to == datetime(2026, 12, 4, 12, 0, tzinfo=UTC)
    under([CONTRACT_SIGNED]).when(OPEN).then(SESSION_OPENED)


@pytest.mark.parametrize("contract_past", [[], [CONTRACT_SIGNED, ENDED]])
def test_a_session_needs_a_contract_in_force(contract_past: list[Event]) -> None:
    under(contract_past).when(OPEN).refused(SessionRefused, "contract")


def test_a_contract_of_another_holder_opens_nothing() -> None:
    under([CONTRACT_SIGNED]).when(replace(OPEN, holder_kbo=OTHER_KBO)).refused(SessionRefused, "this holder has no")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"services": ()}, "one to four"),
        ({"services": (SERVICES[0], SERVICES[0])}, "each type once"),
        ({"number_of_eans": 0}, "1 to 100"),
        ({"number_of_eans": 101}, "1 to 100"),
        (
            {"services": (RequestedService(type="IG", first_day=date(2026, 2, 1), last_day=date(2026, 1, 31)),)},
            "begins after its end",
        ),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused(changes: dict[str, Any], words: str) -> None:
    under([CONTRACT_SIGNED]).when(replace(OPEN, **changes)).refused(SessionRefused, words)


def test_the_browser_returns_below_a_registered_root() -> None:
    success, failed = "https://holder.example/thanks?order=1", "https://holder.example/sorry"
    wish = replace(OPEN, return_url_success=success, return_url_failed=failed)
    under([CONTRACT_SIGNED, ROOT]).when(wish).then(
        replace(SESSION_OPENED, return_url_success=success, return_url_failed=failed)
    )


@pytest.mark.parametrize(
    ("success", "failed", "words"),
    [
        ("https://holder.example/thanks", "", "both"),
        ("", "https://holder.example/sorry", "both"),
        ("https://holder.example/thanks", "https://holder.example.evil/", "root"),
        ("https://holder.example", "https://holder.example/", "root"),
    ],
)
def test_any_other_return_address_is_refused(success: str, failed: str, words: str) -> None:
    wish = replace(OPEN, return_url_success=success, return_url_failed=failed)
    under([CONTRACT_SIGNED, ROOT]).when(wish).refused(ReturnAddressRefused, words)


def test_a_session_is_used_once() -> None:
    under([CONTRACT_SIGNED], [SESSION_OPENED]).when(UseSession(now=LATER)).then(USED)
    under([CONTRACT_SIGNED], [SESSION_OPENED, USED]).when(UseSession(now=LATER)).refused(LinkSpent, "used before")


def test_a_link_is_good_until_its_time_is_over() -> None:
    last = SESSION_OPENED.valid_to - timedelta(microseconds=1)
    sentence = under([CONTRACT_SIGNED], [SESSION_OPENED])
    sentence.when(UseSession(now=last)).then(ConsentSessionUsed(session_id=SESSION_ID, used_at=last))
    sentence.when(UseSession(now=SESSION_OPENED.valid_to)).refused(LinkSpent, "over")


def test_a_link_of_a_contract_that_ended_is_good_for_nothing() -> None:
    under([CONTRACT_SIGNED, ENDED], [SESSION_OPENED]).when(UseSession(now=LATER)).refused(LinkSpent, "not in force")


def test_a_link_that_was_never_given_out_is_unknown() -> None:
    under([CONTRACT_SIGNED]).when(UseSession(now=LATER)).refused(NoSuchSession, "no such link")


def test_services_go_through_the_event_and_back() -> None:
    assert parse_services(services_text(SERVICES)) == SERVICES
    assert services_text(SERVICES) == SESSION_OPENED.services


@pytest.mark.parametrize("text", ["a", "A-b_c.9", "0" * 64, "00000000-0000-4000-8000-000000000001"])
def test_a_reference_is_the_holders_own(text: str) -> None:
    assert parse_reference(text) == text


@pytest.mark.parametrize("text", ["", "0" * 65, "a b", "é", "a/b", "a\n"])
def test_other_texts_are_no_reference(text: str) -> None:
    with pytest.raises(InvalidReference, match="1 to 64"):
        parse_reference(text)
