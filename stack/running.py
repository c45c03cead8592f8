"""A running platform as a command finds it: its addresses, and the operator's token."""

from __future__ import annotations

from typing import Any

import httpx

from eventlog.kafka import KafkaAccess
from stack.problem import Problem
from stack.state import State, read_json


def read_endpoints(state: State) -> dict[str, Any]:
    """Return what `endpoints.json` holds.

    Raises:
        Problem: nothing runs there, or it is not ready.
    """
    if state.holder() is None:
        raise Problem(f"nothing runs on {state.folder}: type kwartier up first")
    endpoints = read_json(state.endpoints)
    if endpoints is None:
        raise Problem(f"what runs on {state.folder} is not ready yet: wait for kwartier up, or ask kwartier status")
    return dict(endpoints)


def kafka_security(access: KafkaAccess) -> dict[str, str]:
    """Return what `endpoints.json` holds beside the address: the settings of TLS and SASL, with the password."""
    return {name: value for name, value in access.environment().items() if value and name != "KAFKA_BOOTSTRAP"}


def kafka_access(endpoints: dict[str, Any]) -> KafkaAccess:
    """Return how a command reaches this platform's Kafka."""
    return KafkaAccess.from_environment({**endpoints.get("kafka_security", {}), "KAFKA_BOOTSTRAP": endpoints["kafka"]})


def operator_token(state: State, endpoints: dict[str, Any], *scopes: str) -> str:
    """Return a bearer token of the operator `kwartier` for `scopes` of one service (as `metering/readings.write`).

    Raises:
        Problem: the issuer does not answer, or refuses.
    """
    operator = read_json(state.credentials)["operator"]
    form = {"grant_type": "client_credentials", "scope": " ".join(scopes)}
    credentials = (operator["client_id"], operator["client_secret"])
    response = call("POST", endpoints["token_url"], data=form, auth=credentials)
    if response.status_code != httpx.codes.OK:
        raise Problem(f"the token issuer refuses the operator ({response.status_code}): type kwartier up again")
    return str(response.json()["access_token"])


def call(method: str, url: str, *, timeout_seconds: float = 30, **more: Any) -> httpx.Response:
    """Return the answer to one HTTP call to this platform.

    Raises:
        Problem: it does not answer.
    """
    try:
        return httpx.request(method, url, timeout=timeout_seconds, trust_env=False, **more)
    except httpx.HTTPError as error:
        reason = f"{type(error).__name__}: {error}"
        host = httpx.URL(url).netloc.decode()
        raise Problem(f"{host} does not answer: ask kwartier status, then look at its log", detail=reason) from error


def told_reason(response: httpx.Response) -> str:
    """Return the reason an error answer gives: its Message and what it adds to it, else its status."""
    try:
        problem = response.json()
        return ": ".join(
            dict.fromkeys((str(problem["Message"]), *map(str, problem.get("ValidationErrorMessages", []))))
        )
    except (ValueError, KeyError, TypeError):
        return f"HTTP {response.status_code} {response.reason_phrase}".strip()
