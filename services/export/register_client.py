"""Export's way to the register: under which ids the person that signed in uses the network."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from uuid import UUID

import httpx
from pydantic import BaseModel, ValidationError

from eventlog.problems import Problem
from eventlog.service_token import ServiceToken

_SCOPE: Final = "net-users.read"
_log: Final = logging.getLogger(__name__)


class _Lookup(BaseModel):
    net_user_ids: list[UUID]


class RegisterUnavailable(Problem):
    """The register cannot be asked now: 503 to whoever asks us."""

    def __init__(self) -> None:
        message = "the register cannot be asked now; try again"
        super().__init__(503, "RegisterUnavailable", message, headers={"Retry-After": "2"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterClient:
    """Asks the register as the service export; `http` has the timeouts and lives as long as the process."""

    base_url: str
    token: ServiceToken
    http: httpx.AsyncClient

    async def net_user_ids(self, question: dict[str, str]) -> frozenset[UUID]:
        """Return who has this `person_ref` or `kbo` (one of the two); nobody where the register knows none.

        Raises:
            RegisterUnavailable: it does not answer, or not as agreed.
        """
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
            return frozenset(_Lookup.model_validate_json(answer.content).net_user_ids)
        except ValidationError as error:
            _log.error("the register answered what cannot be read: %d errors", error.error_count())
            raise RegisterUnavailable from None
