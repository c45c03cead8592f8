"""What mandate decides about contracts and their return roots."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from eventlog.events import DataAccessContractEnded, DataAccessContractSigned, ReturnRootRegistered
from market.kbo import Kbo
from services.mandate.domain.addresses import ReturnRoot
from services.mandate.domain.contract import (
    Contract,
    ContractRefused,
    EndContract,
    HolderName,
    InvalidContractNumber,
    InvalidHolderName,
    NoSuchContract,
    RegisterReturnRoot,
    SignContract,
    decide,
    fold,
    parse_contract_number,
    parse_holder_name,
    stream_of,
)
from tests.examples import CONTRACT, CONTRACT_SIGNED, HOLDER_KBO, OTHER_KBO
from tests.spec import given

ENDED = DataAccessContractEnded(contract_number="1000000001", ended_on=date(2026, 12, 1))
NAMED = DataAccessContractSigned(
    contract_number="1000000001",
    holder_kbo="0123456749",
    valid_from=date(2026, 1, 1),
    holder_name="Energiecoach België NV",
)
ROOT = ReturnRoot("https://holder.example/")
ROOT_REGISTERED = ReturnRootRegistered(contract_number="1000000001", root="https://holder.example/")


def sign(*, holder: Kbo = HOLDER_KBO, valid_from: date = date(2026, 1, 1)) -> SignContract:
    return SignContract(contract_number=CONTRACT, holder_kbo=holder, valid_from=valid_from)


def named(name: str | None) -> SignContract:
    return replace(sign(), holder_name=None if name is None else HolderName(name))


def end(ended_on: date) -> EndContract:
    return EndContract(contract_number=CONTRACT, ended_on=ended_on)


def test_a_new_contract_is_signed() -> None:
    given(decide, fold).when(sign()).then(
        DataAccessContractSigned(contract_number="1000000001", holder_kbo="0123456749", valid_from=date(2026, 1, 1))
    )


def test_the_same_signature_again_changes_nothing() -> None:
    given(decide, fold, [CONTRACT_SIGNED]).when(sign()).then()


def test_a_contract_does_not_pass_to_another_holder() -> None:
    given(decide, fold, [CONTRACT_SIGNED]).when(sign(holder=OTHER_KBO)).refused(ContractRefused, "another holder")


def test_a_contract_carries_the_name_that_customers_are_shown() -> None:
    given(decide, fold).when(named("Energiecoach België NV")).then(NAMED)
    given(decide, fold, [NAMED]).when(named("Energiecoach België NV")).then()


@pytest.mark.parametrize("name", ["Another NV", "energiecoach België NV", None])
def test_a_contract_keeps_its_name(name: str | None) -> None:
    given(decide, fold, [NAMED]).when(named(name)).refused(ContractRefused, "another name")


def test_a_contract_keeps_its_first_day() -> None:
    given(decide, fold, [CONTRACT_SIGNED]).when(sign(valid_from=date(2026, 2, 1))).refused(
        ContractRefused, "another first day"
    )


def test_a_contract_ends() -> None:
    given(decide, fold, [CONTRACT_SIGNED]).when(end(date(2026, 12, 1))).then(ENDED)


def test_an_end_may_become_earlier() -> None:
    given(decide, fold, [CONTRACT_SIGNED, ENDED]).when(end(date(2026, 11, 1))).then(
        DataAccessContractEnded(contract_number="1000000001", ended_on=date(2026, 11, 1))
    )


def test_the_same_end_again_changes_nothing() -> None:
    given(decide, fold, [CONTRACT_SIGNED, ENDED]).when(end(date(2026, 12, 1))).then()


def test_an_end_does_not_become_later() -> None:
    given(decide, fold, [CONTRACT_SIGNED, ENDED]).when(end(date(2026, 12, 2))).refused(ContractRefused, "not become")


def test_a_contract_does_not_end_before_it_begins() -> None:
    given(decide, fold, [CONTRACT_SIGNED]).when(end(date(2025, 12, 31))).refused(ContractRefused, "begins after")


def test_what_nobody_signed_neither_ends_nor_has_roots() -> None:
    given(decide, fold).when(end(date(2026, 12, 1))).refused(NoSuchContract, "no contract")
    given(decide, fold).when(RegisterReturnRoot(contract_number=CONTRACT, root=ROOT)).refused(
        NoSuchContract, "no contract"
    )


def test_a_return_root_is_registered_once() -> None:
    wish = RegisterReturnRoot(contract_number=CONTRACT, root=ROOT)
    given(decide, fold, [CONTRACT_SIGNED]).when(wish).then(ROOT_REGISTERED)
    given(decide, fold, [CONTRACT_SIGNED, ROOT_REGISTERED]).when(wish).then()


def test_roots_do_not_grow_without_end() -> None:
    roots = [ReturnRootRegistered(contract_number="1000000001", root=f"https://h{i}.example/") for i in range(50)]
    given(decide, fold, [CONTRACT_SIGNED, *roots]).when(
        RegisterReturnRoot(contract_number=CONTRACT, root=ROOT)
    ).refused(ContractRefused, "at most 50")


@pytest.mark.parametrize(
    ("day", "is_in_force"),
    [
        (date(2025, 12, 31), False),
        (date(2026, 1, 1), True),
        (date(2026, 11, 30), True),
        (date(2026, 12, 1), False),
    ],
)
def test_a_contract_holds_from_its_first_day_to_the_day_before_its_end(day: date, is_in_force: bool) -> None:
    assert fold([CONTRACT_SIGNED, ENDED]).is_in_force(day) is is_in_force


def test_what_is_not_signed_is_not_in_force() -> None:
    assert not Contract().is_in_force(date(2026, 6, 1))


def test_a_contract_has_its_own_stream() -> None:
    assert stream_of(CONTRACT) == "contract:1000000001"


@pytest.mark.parametrize("text", ["", "123456789", "12345678901", "100000000a", "١٠٠٠٠٠٠٠٠١"])
def test_a_contract_number_is_ten_digits(text: str) -> None:
    with pytest.raises(InvalidContractNumber, match="10 digits"):
        parse_contract_number(text)


@pytest.mark.parametrize("text", ["E", "Énergie & Fils (SRL)", "é" * 120])
def test_a_name_is_what_can_be_printed(text: str) -> None:
    assert parse_holder_name(text) == text


@pytest.mark.parametrize(
    "text", ["", " ", " NV", "NV ", "N\nV", "N\0V", "N\x7fV", "N\u202eV", "N\u200bV", "N\u2028V", "\ud800", "e" * 121]
)
def test_a_name_that_could_pass_for_another_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(
        InvalidHolderName, match=r"^a name is 1 to 120 printable characters without a space at the ends$"
    ):
        parse_holder_name(text)
