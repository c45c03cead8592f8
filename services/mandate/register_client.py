"""Mandate's way to the register: who is the person that signed in, and which points are theirs."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import date
from http import HTTPStatus
from typing import Final, Literal
from uuid import UUID

import httpx
from pydantic import BaseModel, ValidationError

from eventlog.problems import Problem
from eventlog.service_token import ServiceToken
from market.channel import Energy, MeterKind
from market.ean import Ean
from services.mandate.domain.consent import PointUse

_SCOPE: Final = "net-users.read"
_log: Final = logging.getLogger(__name__)


class RegisterUnavailable(Problem):
    """The register cannot be asked now: 503 to whoever asks us."""

    def __init__(self) -> None:
        super().__init__(
            503, "RegisterUnavailable", "the register cannot be asked now; try again", headers={"Retry-After": "2"}
        )


class _Use(BaseModel):
    ean: str
    energy: Literal["E", "G"]
    meter_kind: Literal["DIGITAL", "AMR", "CLASSIC", "UNKNOWN"]
    net_user_id: UUID
    is_whole: bool
    first_on: date
    last_on: date | None


class _Lookup(BaseModel):
    net_user_ids: list[UUID]
    points: list[_Use]


@dataclass(frozen=True, slots=True, kw_only=True)
class NetUser:
    """The one who signed in, as the register knows them; nobody where `net_user_ids` is empty."""

    net_user_ids: frozenset[UUID]
    uses: tuple[PointUse, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterClient:
    """Asks the register as the service mandate; `http` has the timeouts and lives as long as the process."""

    base_url: str
    token: ServiceToken
    http: httpx.AsyncClient

    async def lookup(self, *, person_ref: str = "", kbo: str = "") -> NetUser:
        """Return the net user with this reference, or this enterprise number: one of the two.

        Raises:
            RegisterUnavailable: the register does not answer, or not as agreed.
        """
        question = {"kbo": kbo} if kbo else {"person_ref": person_ref}
        try:
            headers = {"Authorization": f"Bearer {await self.token.bearer('register', _SCOPE)}"}
            answer = await self.http.post(f"{self.base_url}/net-users/lookup", json=question, headers=headers)
        except httpx.HTTPError as error:
            _log.warning("the register or the token issuer cannot be reached: %s", type(error).__name__)
            raise RegisterUnavailable from error
        if answer.status_code != HTTPStatus.OK:
            _log.error("the register answered %d to a lookup", answer.status_code)
            raise RegisterUnavailable
        try:
            found = _Lookup.model_validate_json(answer.content)
        except ValidationError as error:
            _log.error("the register answered what cannot be read: %d errors", error.error_count())
            raise RegisterUnavailable from None
        return NetUser(net_user_ids=frozenset(found.net_user_ids), uses=tuple(_to_use(each) for each in found.points))


def _to_use(answer: _Use) -> PointUse:
    return PointUse(
        ean=Ean(answer.ean),
        energy=Energy(answer.energy),
        meter_kind=MeterKind[answer.meter_kind],
        net_user_id=answer.net_user_id,
        is_whole=answer.is_whole,
        first_on=answer.first_on,
        last_on=answer.last_on,
    )
