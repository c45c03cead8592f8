"""The demo world's holders: their credentials, and what their clients ask over the data access API."""

from __future__ import annotations

import time
from typing import Any, Final

import httpx

from stack.credentials import make_holder
from stack.demo.doors import Doors
from stack.demo.folk import HOLDERS, Consent
from stack.problem import Problem
from stack.running import call
from stack.state import State, read_json, write_json

SEEN_SECONDS: Final = 60.0
_API: Final = "/esco-live/v3/api"


def second_holder(state: State) -> dict[str, Any]:
    """Return the credentials of the other holder, as the credentials file has those of the first; made once."""
    path = state.folder / "demo-holder.json"
    found = read_json(path)
    if found is None:
        found = {"holder_kbo": HOLDERS[1].kbo, **make_holder("live")}
        write_json(path, found)
    return dict(found)


def open_session(consent: Consent, holder: dict[str, Any], doors: Doors) -> str:
    """Return the identifier of a new consent session for what `consent` will agree to.

    Raises:
        Problem: export refuses, or is away for too long.
    """
    service = {"dataServiceType": consent.data_service_type}
    if consent.period_from is not None:
        service["dataPeriodFrom"] = consent.period_from.isoformat()
    body = {
        "dataAccessContractNumber": holder["data_access_contract_number"],
        "referenceNumber": consent.reference_number,
        "flow": "B2B" if consent.net_user.kbo else "B2C",
        "dataServices": [service],
        "numberOfEans": len(consent.eans),
    }
    token, headers = holder_token(holder, doors), _key(holder)
    answer = doors.post("export", f"{_API}/shortUrlIdentifier", token, json=body, headers=headers)
    return str(answer["data"]["shortUrlIdentifier"])


def wait_for_mandates(references: set[str], holder: dict[str, Any], doors: Doors) -> list[str]:
    """Return the EANs the holder may read, once it sees an approved mandate under each of `references`.

    Raises:
        Problem: it does not in a minute, or export refuses or is away.
    """
    deadline = time.monotonic() + SEEN_SECONDS
    token = holder_token(holder, doors)
    while True:
        query = {"status": "Approved"}
        answer = doors.get("export", f"{_API}/mandate", token, params=query, headers=_key(holder))
        mandates = answer["data"]["mandates"]
        if references <= {each["referenceNumber"] for each in mandates}:
            return sorted({each["ean"] for each in mandates})
        if time.monotonic() > deadline:
            raise Problem("the demo world: export does not see the mandates yet: ask kwartier status")
        time.sleep(0.2)


def holder_token(holder: dict[str, Any], doors: Doors) -> str:
    """Return a token of the holder's client.

    Raises:
        Problem: export gives none.
    """
    url = f"{doors.endpoints['export']}/{holder['tenant_id']}/oauth2/v2.0/token"
    form = {name: holder[name] for name in ("client_id", "client_secret", "scope")}
    answer = call("POST", url, data={"grant_type": "client_credentials", **form})
    if answer.status_code != httpx.codes.OK:
        raise Problem(f"the demo world: export gives a holder no token ({answer.status_code}): type kwartier up again")
    return str(answer.json()["access_token"])


def _key(holder: dict[str, Any]) -> dict[str, str]:
    return {"Ocp-Apim-Subscription-Key": holder["subscription_key"]}
