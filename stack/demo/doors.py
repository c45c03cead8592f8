"""The front doors of the running platform, as one machine client goes through them."""

from __future__ import annotations

import time
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
    """The doors of the services for one machine of the credentials file (`publisher`, `access_holder`, `operator`).

    A context manager: its end closes the connections.
    """

    endpoints: dict[str, Any]
    machine: dict[str, str] = field(repr=False)
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=120, trust_env=False), repr=False)
    tokens: dict[str, tuple[str, float]] = field(default_factory=dict, repr=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def post(self, service: str, path: str, permission: str, **more: Any) -> Any:
        """Return what `service` answers to a POST, once it is done.

        Waits while the service is away or asks to come again; sending twice must be safe.

        Raises:
            Problem: it refuses, or is away for too long.
        """
        return self._ask("POST", service, path, permission, **more)

    def get(self, service: str, path: str, permission: str) -> Any:
        """Return what `service` answers to a GET; waits and raises like `post`."""
        return self._ask("GET", service, path, permission)

    def _ask(self, method: str, service: str, path: str, permission: str, **more: Any) -> Any:
        deadline = time.monotonic() + PATIENCE_SECONDS
        headers = more.pop("headers", {})
        while True:
            bearer = {"Authorization": f"Bearer {self._token(f'{service}/{permission}')}"}
            answer = self._answer(method, self.endpoints[service] + path, deadline, headers=headers | bearer, **more)
            if answer is not None and answer.is_success:
                return answer.json()
            if answer is not None and answer.status_code not in _TRY_AGAIN:
                raise Problem(f"the demo world: {service} refuses {path.split('/')[1]}: {told_reason(answer)}")
            time.sleep(min(float(answer.headers.get("retry-after", "1")), 5.0) if answer is not None else 0.5)

    def _answer(self, method: str, url: str, deadline: float, **more: Any) -> httpx.Response | None:
        """Return the answer, None where there is none yet or it is to be asked for again."""
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

    def _token(self, scope: str) -> str:
        token, fetched_at = self.tokens.get(scope, ("", 0.0))
        if not token or time.monotonic() - fetched_at > _TOKEN_SECONDS:
            form = {"grant_type": "client_credentials", "scope": scope}
            credentials = (self.machine["client_id"], self.machine["client_secret"])
            answer = call("POST", self.machine["token_url"], data=form, auth=credentials)
            if not answer.is_success:
                raise Problem(f"the demo world: no token for {scope} ({answer.status_code}): type kwartier up again")
            token = str(answer.json()["access_token"])
            self.tokens[scope] = (token, time.monotonic())
        return token
