"""What a browser is told about every answer: nothing from elsewhere, nothing inline, nothing kept, nothing framed."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SIGN_OUT: Final = "/sign-out"
_STATIC: Final = "/static/"
_TARGETS: Final = "form_targets"
_ORIGIN: Final = re.compile(r"https?://([a-z0-9.-]+|\[[0-9a-f:]+\])(:[0-9]{1,5})?", re.ASCII)


def is_local_path(path: str) -> bool:
    """Whether a browser stays with us when it is sent to `path`."""
    has_controls = any(ord(sign) <= 0x20 or ord(sign) == 0x7F for sign in path)
    return path.startswith("/") and not path.startswith(("//", "/\\")) and "\\" not in path and not has_controls


def path_or_home(path: str) -> str:
    """`path` where it is one of ours, else the first page."""
    return path if is_local_path(path) else "/"


def asked_for(request: Request) -> str:
    """The path and query of `request`, to come back to; every form but one has its page at its own address."""
    if request.url.path == SIGN_OUT:
        return "/"
    query = request.url.query
    return path_or_home(f"{request.url.path}?{query}" if query else request.url.path)


def let_forms_lead_to(request: Request, address: str) -> None:
    """Let the answer to a form of this page send the browser on to `address`; browsers check that too.

    Raises:
        ValueError: its origin is not one that can stand in a policy.
    """
    parts = urlsplit(address)
    origin = f"{parts.scheme}://{parts.netloc}"
    if not _ORIGIN.fullmatch(origin):
        raise ValueError("not an address that a browser can be sent to")
    request.scope.setdefault("state", {}).setdefault(_TARGETS, []).append(origin)


class SecurityHeaders:
    """Adds the headers to every answer; files under /static/ may be kept, pages never."""

    def __init__(self, app: ASGIApp, *, issuer: str, is_secure: bool) -> None:
        self._app = app
        self._issuer = issuer
        self._headers = {
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
        }
        if is_secure:
            self._headers["Strict-Transport-Security"] = "max-age=31536000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(self._headers)
                headers["Content-Security-Policy"] = self._policy(scope.get("state", {}).get(_TARGETS, []))
                is_file = scope["path"].startswith(_STATIC) and message["status"] < 400
                headers["Cache-Control"] = "public, max-age=86400" if is_file else "no-store"
            await send(message)

        await self._app(scope, receive, send_with_headers)

    def _policy(self, form_targets: list[str]) -> str:
        targets = " ".join(["'self'", self._issuer, *form_targets])
        return (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
            "connect-src 'self'; "
            f"form-action {targets}; frame-ancestors 'none'; base-uri 'none'"
        )
