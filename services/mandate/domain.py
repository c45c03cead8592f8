"""What mandate decides: one stream per data access contract, `contract:<number>`. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import reduce
from typing import Final, NewType

from eventlog.events import DataAccessContractSigned, Event
from market.kbo import Kbo

ContractNumber = NewType("ContractNumber", str)

_TEN_DIGITS: Final = re.compile(r"[0-9]{10}", re.ASCII)


class ContractRefused(Exception):
    """A rule forbids the command; the message says which."""


class InvalidContractNumber(ValueError):
    """The text is not the number of a data access contract."""


def parse_contract_number(text: str) -> ContractNumber:
    """Return `text` as the number of a contract: ten digits.

    Raises:
        InvalidContractNumber: anything else.
    """
    if not _TEN_DIGITS.fullmatch(text):
        raise InvalidContractNumber("a contract number is 10 digits")
    return ContractNumber(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignContract:
    """Make an enterprise a data access holder from the local day `valid_from` on."""

    contract_number: ContractNumber
    holder_kbo: Kbo
    valid_from: date


@dataclass(frozen=True, slots=True)
class Contract:
    """The state of one contract; `signature` is None as long as it is not signed."""

    signature: DataAccessContractSigned | None = None


UNSIGNED: Final = Contract()


def stream_of(number: ContractNumber) -> str:
    """The stream that holds all events of the contract."""
    return f"contract:{number}"


def decide(command: SignContract, state: Contract) -> list[Event]:
    """Return the events that follow from `command`; an empty list when the contract is already signed just so.

    Raises:
        ContractRefused: a rule forbids the command.
    """
    wished = DataAccessContractSigned(
        contract_number=command.contract_number, holder_kbo=command.holder_kbo, valid_from=command.valid_from
    )
    if state.signature is None:
        return [wished]
    if state.signature == wished:
        return []
    if state.signature.holder_kbo != wished.holder_kbo:
        raise ContractRefused("the contract is already signed by another holder")
    raise ContractRefused("the contract is already signed with another first day")


def evolve(state: Contract, event: Event) -> Contract:
    """Return the state after `event`."""
    if isinstance(event, DataAccessContractSigned):
        return Contract(signature=event)
    return state


def fold(events: Iterable[Event]) -> Contract:
    """Return the state after all `events` of one stream, in order."""
    return reduce(evolve, events, UNSIGNED)
