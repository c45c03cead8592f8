"""Export's way to mandate: opening a consent session for a holder."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final

import httpx
from pydantic import BaseModel, ValidationError

from eventlog.problems import Problem
from eventlog.service_token import ServiceToken

_SCOPE: Final = "sessions.write"
_REFUSALS: Final = (HTTPStatus.BAD_REQUEST, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.NOT_FOUND)
_CLIENT_NAMES: Final = {
    "contract_number": "dataAccessContractNumber",
    "reference_number": "referenceNumber",
    "services": "dataServices",
    "number_of_eans": "numberOfEans",
    "return_url_success": "returnUrlSuccess",
    "return_url_failed": "returnUrlFailed",
    "enterprise_number": "enterpriseNumber",
}
_log: Final = logging.getLogger(__name__)


class OpenedSession(BaseModel):
    """A session that was opened: the identifier in its link, and until when the link is good (UTC)."""

    session_id: str
    valid_to: datetime


class _Refusal(BaseModel):
    Message: str
    ValidationErrorMessages: list[str] | None = None


class MandateUnavailable(Problem):
    """Mandate cannot be asked now: 503 to whoever asks us."""

    def __init__(self) -> None:
        message = "a consent cannot be started now; try again"
        super().__init__(503, "MandateUnavailable", message, headers={"Retry-After": "2"})


@dataclass(frozen=True, slots=True, kw_only=True)
class MandateClient:
    """Asks mandate as the service export; `http` has the timeouts and lives as long as the process."""

    base_url: str
    token: ServiceToken
    http: httpx.AsyncClient

    async def open_session(self, session: Mapping[str, Any]) -> OpenedSession:
        """Open a consent session.

        Raises:
            Problem: 400 with mandate's own words, where a rule forbids it.
            MandateUnavailable: it does not answer, or not as agreed.
        """
        try:
            headers = {"Authorization": f"Bearer {await self.token.bearer('mandate', _SCOPE)}"}
            answer = await self.http.post(f"{self.base_url}/sessions", json=session, headers=headers)
        except httpx.HTTPError as error:
            _log.warning("mandate or the token issuer cannot be reached: %s", type(error).__name__)
            raise MandateUnavailable from error
        try:
            if answer.status_code in _REFUSALS:
                refusal = _Refusal.model_validate_json(answer.content)
                messages = [in_clients_words(each) for each in refusal.ValidationErrorMessages or [refusal.Message]]
                raise Problem(400, "ValidationError", refusal.Message, validation_errors=messages)
            if answer.status_code == HTTPStatus.CREATED:
                return OpenedSession.model_validate_json(answer.content)
        except ValidationError as error:
            _log.error("mandate answered what cannot be read: %d errors", error.error_count())
            raise MandateUnavailable from None
        _log.error("mandate answered %d to a session", answer.status_code)
        raise MandateUnavailable


def in_clients_words(message: str) -> str:
    """Return what mandate says of a session (`name: what is wrong`) under the name that clients know."""
    name, colon, rest = message.partition(": ")
    return f"{_CLIENT_NAMES.get(name, name)}{colon}{rest}"
