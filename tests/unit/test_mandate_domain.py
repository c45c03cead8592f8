"""What mandate decides about contracts."""

from __future__ import annotations

from datetime import date

import pytest

from eventlog.events import DataAccessContractSigned
from market.kbo import Kbo
from services.mandate.domain import (
    ContractRefused,
    InvalidContractNumber,
    SignContract,
    decide,
    fold,
    parse_contract_number,
    stream_of,
)
from tests.examples import CONTRACT, CONTRACT_SIGNED, HOLDER_KBO, OTHER_KBO
from tests.spec import given


def sign(*, holder: Kbo = HOLDER_KBO, valid_from: date = date(2026, 1, 1)) -> SignContract:
    return SignContract(contract_number=CONTRACT, holder_kbo=holder, valid_from=valid_from)


def test_a_new_contract_is_signed() -> None:
    given(decide, fold).when(sign()).then(
        DataAccessContractSigned(contract_number="1000000001", holder_kbo="0123456749", valid_from=date(2026, 1, 1))
    )


def test_the_same_signature_again_changes_nothing() -> None:
    given(decide, fold, [CONTRACT_SIGNED]).when(sign()).then()


def test_a_contract_does_not_pass_to_another_holder() -> None:
    given(decide, fold, [CONTRACT_SIGNED]).when(sign(holder=OTHER_KBO)).refused(ContractRefused, "another holder")


def test_a_contract_keeps_its_first_day() -> None:
    given(decide, fold, [CONTRACT_SIGNED]).when(sign(valid_from=date(2026, 2, 1))).refused(
        ContractRefused, "another first day"
    )


def test_a_contract_has_its_own_stream() -> None:
    assert stream_of(CONTRACT) == "contract:1000000001"


@pytest.mark.parametrize("text", ["", "123456789", "12345678901", "100000000a", "١٠٠٠٠٠٠٠٠١"])
def test_a_contract_number_is_ten_digits(text: str) -> None:
    with pytest.raises(InvalidContractNumber, match="10 digits"):
        parse_contract_number(text)
