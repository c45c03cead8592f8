"""This service's own tokens for calling others."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import httpx

_EARLY_SECONDS: Final = 60.0


class ServiceToken:
    """This service's own tokens for calling others, per audience and scope; kept until a minute before they expire."""

    def __init__(
        self, token_url: str, client_id: str, client_secret: str, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._token_url = token_url
        self._credentials = httpx.BasicAuth(client_id, client_secret)
        self._monotonic = monotonic
        self._kept: dict[tuple[str, str], tuple[str, float]] = {}

    async def bearer(self, audience: str, scope: str) -> str:
        """Return a token for `audience` (a service's name) with `scope` (as `blocks.read`; several with spaces).

        It goes into the header as `f"Bearer {token}"`.

        Raises:
            httpx.HTTPError: the issuer does not answer, or refuses.
        """
        token, good_until = self._kept.get((audience, scope), ("", 0.0))
        if self._monotonic() < good_until:
            return token
        wanted = " ".join(f"{audience}/{each}" for each in scope.split())
        asked_at = self._monotonic()
        async with httpx.AsyncClient(timeout=5.0, trust_env=False) as client:
            form = {"grant_type": "client_credentials", "scope": wanted}
            response = await client.post(self._token_url, data=form, auth=self._credentials)
            response.raise_for_status()
        answer = response.json()
        lifetime = float(answer["expires_in"])
        self._kept[audience, scope] = (answer["access_token"], asked_at + lifetime - min(_EARLY_SECONDS, lifetime / 2))
        return str(answer["access_token"])
