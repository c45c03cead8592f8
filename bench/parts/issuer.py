"""An issuer of tokens for a benchmark: its key set over HTTP, and tokens for export."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from joserfc import jwt
from joserfc.jwk import ECKey

_LIFETIME_SECONDS = 12 * 3600


@dataclass(frozen=True, slots=True)
class Issuer:
    """A running issuer at `url`."""

    url: str
    key: ECKey

    def trusted(self) -> str:
        """Return the setting TRUSTED_ISSUERS of a service that trusts it."""
        return json.dumps([{"issuer": self.url, "jwks_url": f"{self.url}/jwks.json", "roles": ["service"]}])

    def token(self) -> str:
        """Return a token with which export reads metering's blocks."""
        claims = {"iss": self.url, "aud": "metering", "sub": "export", "roles": ["service"], "scope": "blocks.read"}
        lives = {"exp": int(time.time()) + _LIFETIME_SECONDS}
        return jwt.encode({"alg": "ES256", "kid": self.key.kid}, {**claims, **lives}, self.key)


@contextmanager
def running_issuer() -> Iterator[Issuer]:
    """Serve a new key until the block ends."""
    key = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"}, private=True, auto_kid=True)
    body = json.dumps({"keys": [key.as_dict(private=False)]}).encode()

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that it is called with
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield Issuer(f"http://127.0.0.1:{server.server_port}", key)
    finally:
        server.shutdown()
        server.server_close()
