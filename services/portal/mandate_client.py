"""The portal's way to mandate: links as the portal itself, everything else with the person's own token."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final, Literal
from uuid import UUID

from services.portal.mandates import Link, Mandate, UnreadableMandate, read_link, read_mandates
from services.portal.neighbours import Neighbour, OwnCalls, ServiceAway

Side = Literal["net_user", "holder"]
_CREATED, _NOT_FOUND, _CONFLICT = 201, 404, 409
_LIMIT: Final = 1000


class ConsentRefused(RuntimeError):
    """Mandate grants nothing; `code` is its own word for why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Listed:
    """Mandates, the newest first; there are more than fit where `is_cut`."""

    mandates: list[Mandate]
    is_cut: bool


class MandateClient:
    """Mandate over HTTP."""

    def __init__(self, mandate: Neighbour, own_calls: OwnCalls) -> None:
        self._mandate = mandate
        self._own_calls = own_calls

    async def link(self, link_id: str) -> Link | None:
        """The link with that id; None where it was never given out.

        Raises:
            ServiceAway: as it says.
        """
        answer = await self._own_calls.ask("GET", f"/sessions/{link_id}", expected=(200, _NOT_FOUND))
        if answer.status_code == _NOT_FOUND:
            return None
        try:
            return read_link(answer.content)
        except UnreadableMandate as error:
            raise ServiceAway("mandate", str(error)) from error

    async def consent(self, token: str, link_id: str, eans: Collection[str], *, key: str) -> None:
        """Let the holder read what the link asks, of `eans`; the same `key` again changes nothing.

        Raises:
            ConsentRefused: a rule forbids it, or the link is spent; nothing changed.
            ServiceAway, TokenRefused, NotAllowed: as they say.
        """
        answer = await self._mandate.ask(
            "POST",
            f"/sessions/{link_id}/consent",
            token,
            expected=(_CREATED, _NOT_FOUND, _CONFLICT),
            headers={"Idempotency-Key": key},
            json={"eans": list(eans)},
        )
        if answer.status_code != _CREATED:
            raise ConsentRefused(_code(answer.json()))

    async def mandates(self, token: str, side: Side, *, ean: str = "") -> Listed:
        """The person's own mandates, as the net user who gave them or as the holder who has them.

        Raises:
            ServiceAway, TokenRefused, NotAllowed: as they say.
        """
        query = {"as": side, "limit": str(_LIMIT), **({"ean": ean} if ean else {})}
        answer = await self._mandate.ask("GET", "/mandates", token, params=query)
        try:
            return Listed(read_mandates(answer.content), answer.json()["has_more"] is True)
        except (UnreadableMandate, KeyError, TypeError) as error:
            raise ServiceAway("mandate", "the answer of /mandates has an unknown shape") from error

    async def withdraw(self, token: str, ean: str, mandate_id: UUID) -> bool:
        """Take a mandate back; False where the person has no such one. Again changes nothing.

        Raises:
            ServiceAway, TokenRefused, NotAllowed: as they say.
        """
        path = f"/mandates/{ean}/{mandate_id}/withdrawal"
        answer = await self._mandate.ask("POST", path, token, expected=(200, _NOT_FOUND))
        return answer.status_code != _NOT_FOUND


def _code(answer: Any) -> str:
    return str(answer.get("Code", "")) if isinstance(answer, dict) else ""
