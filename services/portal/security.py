"""What a browser is told about every answer: nothing from elsewhere, nothing inline, nothing kept, nothing framed."""

from __future__ import annotations

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_STATIC: Final = "/static/"


def is_local_path(path: str) -> bool:
    """Whether a browser stays with us when it is sent to `path`."""
    has_controls = any(ord(sign) <= 0x20 or ord(sign) == 0x7F for sign in path)
    return path.startswith("/") and not path.startswith(("//", "/\\")) and "\\" not in path and not has_controls


def path_or_home(path: str) -> str:
    """`path` where it is one of ours, else the first page."""
    return path if is_local_path(path) else "/"


def asked_for(request: Request) -> str:
    """The path and query of `request`, to come back to; the first page where it cannot be asked again."""
    if request.method != "GET":
        return "/"
    query = request.url.query
    return path_or_home(f"{request.url.path}?{query}" if query else request.url.path)


class SecurityHeaders:
    """Adds the headers to every answer; files under /static/ may be kept, pages never."""

    def __init__(self, app: ASGIApp, *, issuer: str, is_secure: bool) -> None:
        self._app = app
        self._headers = {
            "Content-Security-Policy": (
                "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
                f"form-action 'self' {issuer}; frame-ancestors 'none'; base-uri 'none'"
            ),
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
                is_file = scope["path"].startswith(_STATIC) and message["status"] < 400
                headers["Cache-Control"] = "public, max-age=86400" if is_file else "no-store"
            await send(message)

        await self._app(scope, receive, send_with_headers)
