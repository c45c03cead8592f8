"""People sign in on one computer: `oidc-provider-mock`, an OpenID provider without passwords. For local use only.

Whoever reaches it may sign in as any of `DEMO_PEOPLE` with one click, so it listens on the loopback address alone.
Environment: PEOPLE_PORT. The issuer is `http://127.0.0.1:<port>` (it answers with the name it is called by, so always
call it by that), discovery is at `/.well-known/openid-configuration`.

How a portal gets a token with roles from it, and how a service checks it:

- Authorization code flow at `/oauth2/authorize` and `/oauth2/token`, scope `openid profile`, any client id and secret,
  any redirect address; PKCE parameters are let through unchecked, a `nonce` comes back.
- Its access token is an opaque text that only its own `/userinfo` knows: no use to our services. The **id_token** is
  the token to send on: a JWT, RS256, without `kid`, `aud` = [the portal's client id] (`PORTAL_CLIENT_ID`), living one
  hour, with the person's `sub`, `name` and `roles`. The portal keeps it in its session, on the server's side, and
  sends `Authorization: Bearer <id_token>`.
- The called service trusts it by `people_issuer(url)`, an entry of its TRUSTED_ISSUERS: audience the portal's client
  id instead of the service's own name, RS256, roles operator, net_user and holder. In JSON:
  {"issuer": "http://127.0.0.1:8407", "jwks_url": "http://127.0.0.1:8407/jwks",
   "roles": ["operator", "net_user", "holder"], "kind": "people", "audiences": ["portal"], "algorithms": ["RS256"]}
- A person has no scopes: `require(authenticator, roles=["operator"], scope="files.read")` asks the scope of machines
  only. A service that people do not call (metering) has no such entry.
- Its signing key is new at each start: everybody signs in again then (a token of before gets 401).
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from typing import Any, Final

from werkzeug.serving import make_server

from eventlog.trust import TrustedIssuer
from stack.demo.folk import sign_ins

HOST: Final = "127.0.0.1"
PORTAL_CLIENT_ID: Final = "portal"

DEMO_PEOPLE: Final[dict[str, dict[str, object]]] = {
    "operator": {"name": "Operator", "roles": ["operator"]},
    **sign_ins(),
}


def people_issuer(url: str) -> TrustedIssuer:
    """Return what a service trusts of the local people issuer at `url` (no slash at the end)."""
    return TrustedIssuer(
        issuer=url,
        jwks_url=f"{url}/jwks",
        roles=("operator", "net_user", "holder"),
        kind="people",
        audiences=(PORTAL_CLIENT_ID,),
        algorithms=("RS256",),
    )


def create_app(people: dict[str, dict[str, object]]) -> Any:
    """Return the provider as a WSGI app that knows `people` by their `sub`, with the mock's debugger taken off."""
    with warnings.catch_warnings(record=True):  # authlib announces its own future to everyone who imports the mock
        import oidc_provider_mock
    users = [oidc_provider_mock.User(sub=sub, claims=claims) for sub, claims in people.items()]
    app = oidc_provider_mock.app(user_claims=users)
    app.debug = False
    app.wsgi_app = app.wsgi_app.app  # the debugger wraps the real one
    return app


def main() -> None:
    """Run the provider until SIGTERM."""
    port = os.environ.get("PEOPLE_PORT", "")
    if not port.isdecimal():
        sys.exit("people: set PEOPLE_PORT to the port to listen on")
    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # plain HTTP, on the loopback address
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # its request lines hold codes
    print(f"people: sign-in without passwords on http://{HOST}:{port}, for local use only", file=sys.stderr)
    make_server(HOST, int(port), create_app(DEMO_PEOPLE), threaded=True).serve_forever()


if __name__ == "__main__":
    main()
