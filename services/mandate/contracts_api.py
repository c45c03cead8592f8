"""Contracts over HTTP: sign, end, return roots; operators only."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Literal

from fastapi import APIRouter, Depends, Header
from sqlalchemy import Connection
from starlette.responses import JSONResponse

from eventlog.events import DataAccessContractSigned, MandateEnded, ReturnRootRegistered
from eventlog.idempotency import KEY_LENGTH_LIMIT, MAX_COMMAND_BYTES, Answer
from eventlog.problems import Problem
from eventlog.trust import Authenticator, Caller, require
from market.kbo import Kbo
from services.mandate import store
from services.mandate.answers import ERRORS, READ_ERRORS, REFUSALS, ContractAnswer, ContractState, refusal_answer
from services.mandate.bodies import ContractBody, ContractEndBody, ContractNumberText, ReturnRootBody
from services.mandate.desk import Desk
from services.mandate.domain.addresses import InvalidAddress, parse_return_root
from services.mandate.domain.contract import (
    ContractCommand,
    ContractNumber,
    EndContract,
    HolderName,
    RegisterReturnRoot,
    SignContract,
)
from services.mandate.handlers import Origin, handle_contract


def contracts_router(desk: Desk, authenticator: Authenticator) -> APIRouter:
    """Return the routes about contracts."""
    router = APIRouter(tags=["contracts"])
    writer = Depends(require(authenticator, roles=("operator",), scope="contracts.write"))
    reader = Depends(require(authenticator, roles=("operator",), scope="contracts.read"))
    command: dict[str, Any] = {
        "response_model": ContractAnswer,
        "response_model_exclude_none": True,
        "responses": ERRORS,
        "max_body_size": MAX_COMMAND_BYTES,
    }

    @router.post("/contracts", status_code=HTTPStatus.CREATED, **command)
    def sign_contract(
        body: ContractBody,
        caller: Caller = writer,
        idempotency_key: str | None = Header(default=None, max_length=KEY_LENGTH_LIMIT),
    ) -> JSONResponse:
        """Sign a data access contract. The same again changes nothing and answers 200."""
        number = ContractNumber(body.contract_number)
        wish = SignContract(
            contract_number=number,
            holder_kbo=Kbo(body.holder_kbo),
            valid_from=body.valid_from,
            holder_name=HolderName(body.holder_name) if body.holder_name else None,
        )
        return desk.answer(_work(wish), caller, idempotency_key, body.command())

    @router.post("/contracts/{contract_number}/end", **command)
    def end_contract(
        contract_number: ContractNumberText,
        body: ContractEndBody,
        caller: Caller = writer,
        idempotency_key: str | None = Header(default=None, max_length=KEY_LENGTH_LIMIT),
    ) -> JSONResponse:
        """End a contract, and with it every mandate under it; an end may still become earlier, never later."""
        wish = EndContract(contract_number=ContractNumber(contract_number), ended_on=body.ended_on)
        return desk.answer(_work(wish), caller, idempotency_key, body.command(contract_number=contract_number))

    @router.post("/contracts/{contract_number}/return-roots", status_code=HTTPStatus.CREATED, **command)
    def register_return_root(
        contract_number: ContractNumberText,
        body: ReturnRootBody,
        caller: Caller = writer,
        idempotency_key: str | None = Header(default=None, max_length=KEY_LENGTH_LIMIT),
    ) -> JSONResponse:
        """Let the holder send customers back to addresses that begin with this root. The same again answers 200."""
        try:
            root = parse_return_root(body.root, allows_loopback=desk.allows_loopback_returns)
        except InvalidAddress as error:
            reasons = [f"root: {error}"]
            raise Problem(400, "ValidationError", "the request is not valid", validation_errors=reasons) from None
        wish = RegisterReturnRoot(contract_number=ContractNumber(contract_number), root=root)
        return desk.answer(_work(wish), caller, idempotency_key, body.command(contract_number=contract_number))

    @router.get(
        "/contracts/{contract_number}", response_model=ContractState, responses={**READ_ERRORS, 404: ERRORS[404]}
    )
    def read_contract(contract_number: ContractNumberText, _: Caller = reader) -> dict[str, Any]:
        """A contract with its return roots."""
        with desk.engine.begin() as tx:
            found = store.find_contract(tx, contract_number)
        if found is None:
            raise Problem(404, "NoSuchContract", "there is no contract with this number")
        return found

    return router


def _work(command: ContractCommand) -> Any:
    def work(tx: Connection, origin: Origin) -> Answer:
        try:
            events = handle_contract(tx, command, origin)
        except REFUSALS as refusal:
            return refusal_answer(refusal)
        body: dict[str, Any] = {"contract_number": command.contract_number, "outcome": _outcome(events)}
        if isinstance(command, EndContract):
            body["ended_mandate_count"] = sum(isinstance(each, MandateEnded) for each in events)
        made = (DataAccessContractSigned, ReturnRootRegistered)
        is_new = any(isinstance(each, made) for each in events)
        return Answer(HTTPStatus.CREATED if is_new else HTTPStatus.OK, body)

    return work


def _outcome(events: list[Any]) -> Literal["signed", "ended", "registered", "unchanged"]:
    match events:
        case []:
            return "unchanged"
        case [DataAccessContractSigned()]:
            return "signed"
        case [ReturnRootRegistered()]:
            return "registered"
        case _:
            return "ended"
