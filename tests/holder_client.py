"""A holder's client of the data access API, and the front doors that lead to its first answer."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

import httpx

from tests.running import Running

DEADLINE_SECONDS = 30.0


@dataclass(kw_only=True)
class HolderClient:
    """Calls as one holder does; the token is fetched at the first call."""

    base_url: str
    tenant_id: str
    client_id: str
    client_secret: str = field(repr=False)
    subscription_key: str = field(repr=False)
    http: httpx.Client = field(repr=False)
    _token: str = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def token(self, **form: str) -> httpx.Response:
        """Ask the token address; the secret is in the body unless `form` says otherwise."""
        given = {
            "grant_type": "client_credentials",
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "scope": "api://kwartier-live/.default",
            **form,
        }
        return self.http.post(f"{self.base_url}/{self.tenant_id}/oauth2/v2.0/token", data=given)

    @property
    def headers(self) -> dict[str, str]:
        if not self._token:
            self._token = self.token().raise_for_status().json()["access_token"]
        return {"Authorization": f"Bearer {self._token}", "Ocp-Apim-Subscription-Key": self.subscription_key}

    def get(self, path: str, **query: str) -> httpx.Response:
        """Ask one of the operations, as `mandate/energy`; a trailing underscore of a name is dropped."""
        named = {name.rstrip("_"): value for name, value in query.items()}
        return self.http.get(f"{self.base_url}/esco-live/v3/api/{path}", params=named, headers=self.headers)

    def energy(self, ean: str, **query: str) -> httpx.Response:
        """Ask for readings by the time they were measured."""
        return self.get("mandate/energy", **{"ean": ean, "periodType": "readTime", **query})

    def post(self, path: str, body: Mapping[str, Any]) -> httpx.Response:
        return self.http.post(f"{self.base_url}/esco-live/v3/api/{path}", json=body, headers=self.headers)


@dataclass(frozen=True)
class FrontDoors:
    """What operators, access holders and people do, on a platform that runs."""

    platform: Running

    def ask(self, service: str, path: str, scope: str, body: Any, *, client_id: str = "kwartier") -> Any:
        """POST as a machine, and return what it is answered."""
        with self.platform.client(service) as client:
            headers = self.platform.headers(client_id, f"{service}/{scope}")
            answer = client.post(path, json=body, headers=headers)
        assert answer.is_success, (path, answer.status_code, answer.text)
        return answer.json()

    def holder(self, kbo: str, contract_number: str, *, since: str = "2020-01-01") -> HolderClient:
        """Sign a contract and issue a client of its own."""
        contract = {"contract_number": contract_number, "holder_kbo": kbo}
        self.ask("mandate", "/contracts", "contracts.write", {**contract, "valid_from": since})
        issued = self.ask("export", "/credentials", "credentials.write", contract)
        client = HolderClient(
            base_url=self.platform.layout.url("export"),
            tenant_id=issued["tenant_id"],
            client_id=issued["client_id"],
            client_secret=issued["client_secret"],
            subscription_key=issued["subscription_key"],
            http=httpx.Client(trust_env=False, timeout=30),
        )
        deadline = time.monotonic() + DEADLINE_SECONDS
        while client.get("mandate").status_code == httpx.codes.SERVICE_UNAVAILABLE:  # export has not heard of it yet
            assert time.monotonic() < deadline, "the holder is not let in"
            time.sleep(0.05)
        return client

    def point(self, ean: str, *, energy: str = "E", meter_kind: str = "DIGITAL", since: str = "2019-01-01") -> None:
        body = {"ean": ean, "energy": energy, "meter_kind": meter_kind, "registered_on": since}
        self.ask("register", "/access-points", "access-points.write", body)

    def net_user(self, person_ref: str) -> str:
        """Take a person in, and return the net user's id."""
        body = {"person_ref": person_ref, "name": "N. N.", "email": "nn@example.org", "household": True}
        return str(self.ask("register", "/net-users", "access-points.write", body)["net_user_id"])

    def move_in(self, ean: str, net_user_id: str, on: str) -> None:
        body = {"net_user_id": net_user_id, "on": on}
        self.ask("register", f"/access-points/{ean}/move-ins", "access-points.write", body)

    def readings(
        self, ean: str, channel: str, day: str, values: list[int | None], *, meter_id: str, **more: Any
    ) -> None:
        """Deliver one day of one channel, and wait until it is stored."""
        line = {
            "source_at": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            "ean": ean,
            "meter_id": meter_id,
            "meter_kind": "DIGITAL",
            "channel": channel,
            "day": day,
            "values": values,
            "quality": "MEASURED",
            **more,
        }
        answer = self.platform.deliver(json.dumps(line).encode(), "application/x-ndjson")
        assert answer["accepted"] == 1, answer


def reference() -> str:
    """A reference number that nobody used."""
    return secrets.token_hex(8)


def consent(
    platform: Running,
    holder: HolderClient,
    eans: list[str],
    *,
    who: str = "anouk",
    service: str = "VH_onbepaald",
    contract_number: str = "1000000001",
    **more: Any,
) -> list[dict[str, Any]]:
    """Open a session as the holder and consent to it as a person; return the mandates as mandate names them."""
    body = {
        "dataAccessContractNumber": contract_number,
        "referenceNumber": reference(),
        "flow": "B2C",
        "dataServices": [{"dataServiceType": service, **more}],
        "numberOfEans": len(eans),
        "returnUrlSuccess": None,
    }
    opened = holder.post("shortUrlIdentifier", body)
    assert opened.status_code == 200, opened.text
    session_id = opened.json()["data"]["shortUrlIdentifier"]
    with platform.client("mandate") as mandate:
        answer = mandate.post(f"/sessions/{session_id}/consent", json={"eans": eans}, headers=platform.person(who))
    assert answer.status_code == 201, answer.text
    granted: list[dict[str, Any]] = answer.json()["mandates"]
    return granted


def withdraw(platform: Running, mandate: dict[str, Any], *, who: str = "anouk") -> None:
    """Take a mandate back, as the net user; return when mandate has it in its book."""
    path = f"/mandates/{mandate['ean']}/{mandate['mandate_id']}/withdrawal"
    headers = platform.person(who)
    with platform.client("mandate") as client:
        assert client.post(path, headers=headers).status_code == 200


def until_answered(holder: HolderClient, ean: str, status: int, **query: str) -> tuple[httpx.Response, float]:
    """Ask until the answer has `status`; return it and how many seconds that took."""
    began = time.monotonic()
    while True:
        answer = holder.energy(ean, **query)
        if answer.status_code == status:
            return answer, time.monotonic() - began
        assert time.monotonic() - began < 30, (answer.status_code, answer.text)
        time.sleep(0.01)
