"""The front doors of the running platform, and the tokens that open them."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Final, Self

import httpx

from stack.problem import Problem
from stack.running import call, told_reason

PATIENCE_SECONDS: Final = 120.0
_TOKEN_SECONDS: Final = 1_800.0
_TRY_AGAIN: Final = frozenset({httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE})


@dataclass(slots=True)
class Doors:
    """The services at `endpoints`. A context manager: its end closes the connections."""

    endpoints: dict[str, Any]
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=120, trust_env=False), repr=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def post(self, service: str, path: str, token: str, *, accepts: Collection[int] = (), **more: Any) -> Any:
        """Return what `service` answers to a POST, once it is done, or answers one of the statuses in `accepts`.

        Waits while the service is away or asks to come again, so sending twice must be safe.

        Raises:
            Problem: it refuses, or is away for too long.
        """
        return self._ask("POST", service, path, token, accepts, more)

    def get(self, service: str, path: str, token: str, **more: Any) -> Any:
        """Return what `service` answers to a GET; waits and raises like `post`."""
        return self._ask("GET", service, path, token, (), more)

    def _ask(
        self, method: str, service: str, path: str, token: str, accepts: Collection[int], more: dict[str, Any]
    ) -> Any:
        headers = {**more.pop("headers", {}), "Authorization": f"Bearer {token}"}
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            answer = self._answer(method, self.endpoints[service] + path, deadline, headers=headers, **more)
            if answer is not None and (answer.is_success or answer.status_code in accepts):
                return answer.json()
            if answer is not None and answer.status_code not in _TRY_AGAIN:
                what = path.split("/")[1]
                raise Problem(f"the demo world: {service} refuses {what}: {told_reason(answer)}")
            time.sleep(min(float(answer.headers.get("retry-after", "1")), 5.0) if answer is not None else 0.5)

    def _answer(self, method: str, url: str, deadline: float, **more: Any) -> httpx.Response | None:
        """Return the answer, None where there is none yet."""
        try:
            answer = self.client.request(method, url, **more)
        except httpx.TransportError as error:
            if time.monotonic() > deadline:
                host = httpx.URL(url).netloc.decode()
                raise Problem(f"the demo world: {host} does not answer: type kwartier up again") from error
            return None
        if answer.status_code in _TRY_AGAIN and time.monotonic() > deadline:
            raise Problem(f"the demo world: {told_reason(answer)}: type kwartier up again")
        return answer


@dataclass(slots=True)
class Machine:
    """A machine of the credentials file (`publisher`, `access_holder`, `operator`)."""

    credentials: dict[str, str] = field(repr=False)
    tokens: dict[str, tuple[str, float]] = field(default_factory=dict, repr=False)

    @property
    def client_id(self) -> str:
        return self.credentials["client_id"]

    def token(self, scope: str) -> str:
        """Return a token for `scope`, as `metering/readings.write`; the same for half an hour.

        Raises:
            Problem: the issuer does not answer, or refuses.
        """
        token, fetched_at = self.tokens.get(scope, ("", 0.0))
        if not token or time.monotonic() - fetched_at > _TOKEN_SECONDS:
            form = {"grant_type": "client_credentials", "scope": scope}
            secret = self.credentials["client_secret"]
            answer = call("POST", self.credentials["token_url"], data=form, auth=(self.client_id, secret))
            if not answer.is_success:
                raise Problem(f"the demo world: no token for {scope} ({answer.status_code}): type kwartier up again")
            token = str(answer.json()["access_token"])
            self.tokens[scope] = (token, time.monotonic())
        return token
