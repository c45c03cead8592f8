"""The public keys of trusted issuers: fetched once, kept, and asked for again when a token names an unknown key."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import httpx
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, OctKey, OKPKey, RSAKey

Key = OctKey | RSAKey | ECKey | OKPKey
Fetch = Callable[[str], Awaitable[Any]]

KEEP_SECONDS: Final = 3600.0
PAUSE_SECONDS: Final = 10.0
_TIMEOUT_SECONDS: Final = 5.0

_log = logging.getLogger("kwartier.trust")


class KeysUnavailable(Exception):
    """The issuer's keys were never seen, and cannot be fetched now."""


async def fetch_json(url: str) -> Any:
    """Return the JSON at `url`.

    Raises:
        httpx.HTTPError: no answer within five seconds, or not a 200.
        ValueError: the answer is not JSON.
    """
    async with httpx.AsyncClient(timeout=_TIMEOUT_SECONDS, trust_env=False) as client:
        response = await client.get(url)
        response.raise_for_status()
        return response.json()


class IssuerKeys:
    """The keys behind one JWKS address.

    A key is used for an hour without asking again. An unknown key id leads to one fetch, but fetches are at least ten
    seconds apart, whatever tokens say. Keys that were seen stay in use while their issuer does not answer.
    """

    def __init__(self, url: str, *, fetch: Fetch = fetch_json, now: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._fetch = fetch
        self._now = now
        self._keys: list[Key] = []
        self._fetched_at = float("-inf")
        self._tried_at = float("-inf")
        self._lock = asyncio.Lock()

    async def candidates(self, key_id: str | None) -> list[Key]:
        """Return the keys called `key_id`, or all keys where it is None; none where the issuer has no such key.

        Raises:
            KeysUnavailable: no keys were ever fetched.
        """
        found = self._find(key_id)
        if not found or self._now() - self._fetched_at > KEEP_SECONDS:
            await self.refresh()
            found = self._find(key_id)
        if not self._keys:
            raise KeysUnavailable(self._url)
        return found

    async def refresh(self) -> bool:
        """Fetch the keys again unless that was tried in the last ten seconds; return whether they were fetched."""
        async with self._lock:
            if self._now() - self._tried_at < PAUSE_SECONDS:
                return False
            self._tried_at = self._now()
            try:
                keys = list(KeySet.import_key_set(await self._fetch(self._url)).keys)
            except (httpx.HTTPError, JoseError, ValueError, KeyError, TypeError) as error:
                _log.warning("the keys at %s cannot be fetched: %s", self._url, type(error).__name__)
                return False
            self._keys, self._fetched_at = keys, self._now()
            return True

    def _find(self, key_id: str | None) -> list[Key]:
        return [key for key in self._keys if key_id is None or key.kid == key_id]
