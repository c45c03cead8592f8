"""How the data access API is spoken: paths in any case, JSON with its time, smaller for who can take it."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Mapping
from typing import Final

import pyarrow as pa
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

JSON: Final = "application/json; charset=utf-8"
LIVE: Final = "/esco-live/v3"
OPERATIONS: Final = ("/api/shortUrlIdentifier", "/api/mandate", "/api/mandate/energy")
_CANONICAL: Final = {f"{LIVE}{each}".lower(): f"{LIVE}{each}" for each in OPERATIONS}
_SMALLEST: Final = 1_000
_FAST: Final = 1


class AnyCase:
    """Lets the paths of the data access API match without regard to case. Others pass as they are.

    The scope stays the same object: what is found in it further in, such as the route, is what metrics are told by.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = _CANONICAL.get(scope["path"].rstrip("/").lower())
            if path is not None:
                scope.update(path=path, raw_path=path.encode())
        await self._app(scope, receive, send)


async def json_answer(request: Request, body: bytes) -> Response:
    """Return `body` (JSON) as an answer, compressed where the client takes it."""
    encoding = _encoding(request.headers.get("accept-encoding", "")) if len(body) >= _SMALLEST else ""
    headers: Mapping[str, str] = {"Vary": "Accept-Encoding", "Cache-Control": "no-store"}
    if encoding:
        body = await asyncio.to_thread(_compress, body, encoding)
        headers = {**headers, "Content-Encoding": encoding}
    return Response(body, headers=headers, media_type=JSON)


def _encoding(accepted: str) -> str:
    """The one we make that the client takes: zstd before gzip; "" for none."""
    taken = set()
    for each in accepted.lower().split(","):
        name, _, weight = each.partition(";")
        if weight.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}:
            taken.add(name.strip())
    return next((name for name in ("zstd", "gzip") if name in taken), "")


def _compress(body: bytes, encoding: str) -> bytes:
    if encoding == "gzip":
        return gzip.compress(body, _FAST, mtime=0)
    packed: bytes = pa.Codec("zstd", compression_level=_FAST).compress(body, asbytes=True)
    return packed
