"""People of the demo world at the services: signed in at the local provider, as the portal would send them on."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from stack.people import PORTAL_CLIENT_ID
from stack.problem import Problem
from stack.running import call

_CALLBACK = "http://127.0.0.1:1/callback"


def sign_in(oidc_url: str, subject: str) -> str:
    """Return the id token of `subject`, who signs in at the local provider without a password.

    Raises:
        Problem: the provider does not answer, or not as it should.
    """
    query = {
        "client_id": PORTAL_CLIENT_ID,
        "response_type": "code",
        "redirect_uri": _CALLBACK,
        "scope": "openid profile",
    }
    page = call("POST", f"{oidc_url}/oauth2/authorize", params=query, data={"sub": subject})
    codes = parse_qs(urlsplit(page.headers.get("location", "")).query).get("code", [])
    form = {"grant_type": "authorization_code", "code": "".join(codes), "redirect_uri": _CALLBACK}
    answer = call("POST", f"{oidc_url}/oauth2/token", data=form, auth=(PORTAL_CLIENT_ID, "any"))
    if answer.status_code != httpx.codes.OK:
        raise Problem(f"the demo world: {subject} cannot sign in ({answer.status_code}): look at the log of oidc")
    found: dict[str, Any] = answer.json()
    return str(found["id_token"])
