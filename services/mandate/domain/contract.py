"""Data access contracts: who is a holder, from when to when, and where it may send customers back to.

One stream per contract, `contract:<number>`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from functools import reduce
from typing import Final, NewType, assert_never

from eventlog.events import DataAccessContractEnded, DataAccessContractSigned, Event, ReturnRootRegistered
from market.kbo import Kbo
from services.mandate.domain.addresses import ReturnRoot

ContractNumber = NewType("ContractNumber", str)
HolderName = NewType("HolderName", str)

NAME_LIMIT: Final = 120
_TEN_DIGITS: Final = re.compile(r"[0-9]{10}", re.ASCII)
_ROOT_LIMIT: Final = 50


class ContractRefused(Exception):
    """A rule forbids the command; the message says which."""


class NoSuchContract(ContractRefused):
    """Nobody signed a contract with this number."""


class InvalidContractNumber(ValueError):
    """The text is not the number of a data access contract."""


class InvalidHolderName(ValueError):
    """The text is not the name of an enterprise that can be shown; the message does not repeat it."""


def parse_contract_number(text: str) -> ContractNumber:
    """Return `text` as the number of a contract: ten digits.

    Raises:
        InvalidContractNumber: anything else.
    """
    if not _TEN_DIGITS.fullmatch(text):
        raise InvalidContractNumber("a contract number is 10 digits")
    return ContractNumber(text)


def parse_holder_name(text: str) -> HolderName:
    """Return `text` as the public name of a holder, which people see when they are asked for consent.

    What cannot be printed (control characters, turns of direction, line ends) could make one name look like another.

    Raises:
        InvalidHolderName: not 1 to 120 printable characters, or a space at an end.
    """
    if not (0 < len(text) <= NAME_LIMIT and text.isprintable() and text == text.strip()):
        raise InvalidHolderName(f"a name is 1 to {NAME_LIMIT} printable characters without a space at the ends")
    return HolderName(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignContract:
    """Make an enterprise a data access holder from the local day `valid_from` on; None where it gave no name."""

    contract_number: ContractNumber
    holder_kbo: Kbo
    valid_from: date
    holder_name: HolderName | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndContract:
    """End a contract; `ended_on` is the first local day without it, ahead or behind."""

    contract_number: ContractNumber
    ended_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterReturnRoot:
    """Let the holder send customers back to addresses that begin with `root`."""

    contract_number: ContractNumber
    root: ReturnRoot


ContractCommand = SignContract | EndContract | RegisterReturnRoot


@dataclass(frozen=True, slots=True)
class Contract:
    """The state of one contract; `signature` is None as long as it is not signed, `ended_on` while no end is known."""

    signature: DataAccessContractSigned | None = None
    ended_on: date | None = None
    roots: frozenset[str] = frozenset()

    def is_in_force(self, day: date) -> bool:
        """Whether the contract holds on the local day `day`."""
        if self.signature is None or day < self.signature.valid_from:
            return False
        return self.ended_on is None or day < self.ended_on


UNSIGNED: Final = Contract()


def stream_of(number: str) -> str:
    """The stream that holds all events of the contract."""
    return f"contract:{number}"


def decide(command: ContractCommand, state: Contract) -> list[Event]:
    """Return the events that follow from `command`; an empty list when all is so already.

    Raises:
        ContractRefused: a rule forbids the command.
    """
    match command:
        case SignContract():
            return _sign(command, state)
        case EndContract():
            return _end(command, state)
        case RegisterReturnRoot():
            return _register_root(command, state)
        case _:
            assert_never(command)


def _sign(command: SignContract, state: Contract) -> list[Event]:
    wished = DataAccessContractSigned(
        contract_number=command.contract_number,
        holder_kbo=command.holder_kbo,
        valid_from=command.valid_from,
        holder_name=command.holder_name or "",
    )
    if state.signature is None:
        return [wished]
    if state.signature == wished:
        return []
    if state.signature.holder_kbo != wished.holder_kbo:
        raise ContractRefused("the contract is already signed by another holder")
    if state.signature.valid_from != wished.valid_from:
        raise ContractRefused("the contract is already signed with another first day")
    raise ContractRefused("the contract is already signed under another name")


def _end(command: EndContract, state: Contract) -> list[Event]:
    signature = _demand_signature(state)
    if command.ended_on < signature.valid_from:
        raise ContractRefused("the contract begins after that day")
    if state.ended_on == command.ended_on:
        return []
    if state.ended_on is not None and state.ended_on < command.ended_on:
        raise ContractRefused("the contract ends on an earlier day; an end does not become later")
    return [DataAccessContractEnded(contract_number=command.contract_number, ended_on=command.ended_on)]


def _register_root(command: RegisterReturnRoot, state: Contract) -> list[Event]:
    _demand_signature(state)
    if command.root in state.roots:
        return []
    if len(state.roots) >= _ROOT_LIMIT:
        raise ContractRefused(f"a contract has at most {_ROOT_LIMIT} return roots")
    return [ReturnRootRegistered(contract_number=command.contract_number, root=command.root)]


def _demand_signature(state: Contract) -> DataAccessContractSigned:
    if state.signature is None:
        raise NoSuchContract("there is no contract with this number")
    return state.signature


def evolve(state: Contract, event: Event) -> Contract:
    """Return the state after `event`."""
    match event:
        case DataAccessContractSigned():
            return replace(state, signature=event)
        case DataAccessContractEnded():
            return replace(state, ended_on=event.ended_on)
        case ReturnRootRegistered():
            return replace(state, roots=state.roots | {event.root})
        case _:
            return state


def fold(events: Iterable[Event]) -> Contract:
    """Return the state after all `events` of one stream, in order."""
    return reduce(evolve, events, UNSIGNED)
