"""The data access API, version 3, as holders' clients speak it: consent, mandates, energy."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from fastapi import APIRouter, Depends, Request
from sqlalchemy import Engine, text
from starlette.responses import Response

from eventlog.problems import ErrorBody, Problem
from services.export.consent_request import read_consent_request
from services.export.energy_query import by_name, read_energy_query
from services.export.exchange import Exchange
from services.export.facts import CHECKPOINTS, checkpoints_of
from services.export.freshness import Freshness, PermissionsStale
from services.export.holders import KEY_HEADER, Holder, Holders
from services.export.instants import instant_text
from services.export.mandate_client import MandateClient
from services.export.mandate_list import MandateFilter, find_mandates, read_mandate_filter
from services.export.wire import JSON, LIVE, json_answer

_ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    400: {"model": ErrorBody, "description": "The request is not valid; `ValidationErrorMessages` says why."},
    401: {"description": "No good token or subscription key; empty body."},
    403: {"description": "The holder may not use this service; empty body. Never for want of data or a mandate."},
    404: {"model": ErrorBody, "description": "`NoData`: nothing for this holder, whatever the reason."},
    429: {"model": ErrorBody, "description": "Come again after `Retry-After` seconds."},
    503: {"model": ErrorBody, "description": "Try again after `Retry-After` seconds."},
}
_ANSWER: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {JSON: {}}, "description": "The answer."},
    **_ERRORS,
}
_KEY: Final = {"name": KEY_HEADER, "in": "header", "required": True, "schema": {"type": "string"}}
_MAX_BODY_BYTES: Final = 64 * 1024
_SETTLE_SECONDS: Final = 2.0
_POLL_SECONDS: Final = 0.05


def _parameters(required: Mapping[str, str], optional: Mapping[str, str]) -> dict[str, Any]:
    """The parameters for the document: they are read without regard to case, so not by the framework."""
    named = [(name, words, True) for name, words in required.items()]
    named += [(name, words, False) for name, words in optional.items()]
    rows = [
        {"name": name, "in": "query", "required": needed, "description": words, "schema": {"type": "string"}}
        for name, words, needed in named
    ]
    return {"parameters": [_KEY, *rows]}


_ENERGY: Final = _parameters(
    {"ean": "EAN of the head point, 18 digits.", "periodType": "readTime or insertTime."},
    {
        "referenceNumber": "Only mandates with this reference.",
        "granularity": "daily, hourly_quarterhourly, or both with a comma; all that is allowed if left out.",
        "complexEnergyTypes": "active, reactive, or both with a comma; active if left out.",
        "from": "Date-time or date (00:00 UTC); 24 hours before `to` if left out.",
        "to": "Date-time or date (00:00 UTC); now if left out. At most 184 days and one hour after `from`.",
    },
)
_MANDATES: Final = _parameters(
    {},
    {
        "referenceNumber": "The holder's own reference.",
        "ean": "EAN of the head point.",
        "dataServiceTypes": "VH_onbepaald, VH_kwartier_uur, VH_dag, IG; several with commas.",
        "energyType": "E or G.",
        "status": "Requested, Approved, Rejected or Finished.",
        "mandateExpirationDate": "A date (UTC) or an instant.",
        "renewalStatus": "ToBeRenewed, RenewalRequested or Expired.",
        "lastUpdatedFrom": "Changed after this instant.",
        "lastUpdatedTo": "Changed at this instant at the latest.",
    },
)
_CONSENT: Final[dict[str, Any]] = {
    "parameters": [_KEY],
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["dataAccessContractNumber", "referenceNumber", "flow", "dataServices"],
                    "properties": {
                        "dataAccessContractNumber": {"type": "string"},
                        "referenceNumber": {"type": "string"},
                        "flow": {"type": "string", "enum": ["B2C", "B2B"]},
                        "dataServices": {"type": "array", "items": {"type": "object"}},
                        "numberOfEans": {"type": "integer", "nullable": True},
                        "returnUrlSuccess": {"type": "string", "nullable": True},
                        "returnUrlFailed": {"type": "string", "nullable": True},
                        "enterpriseNumber": {"type": "string", "nullable": True},
                    },
                }
            }
        },
    },
}


def holders_router(
    engine: Engine,
    holders: Holders,
    exchange: Exchange,
    mandates: MandateClient,
    freshness: Freshness,
    *,
    clock: Callable[[], datetime],
) -> APIRouter:
    """Return the operations of the environment `live`."""
    router = APIRouter(tags=["data access"], prefix=f"{LIVE}/api")
    holder_calls = Depends(holders.require("live"))

    @router.get("/mandate/energy", responses=_ANSWER, openapi_extra=_ENERGY, response_class=Response)
    async def energy(request: Request, holder: Holder = holder_calls) -> Response:
        """The readings of one point, as far as a mandate goes."""
        query = read_energy_query(by_name(request.query_params.multi_items()), clock())
        body = await exchange.answer(holder, query)
        return await json_answer(request, body.json)

    @router.get("/mandate", responses=_ANSWER, openapi_extra=_MANDATES, response_class=Response)
    async def mandate_list(request: Request, holder: Holder = holder_calls) -> Response:
        """The holder's own mandates; none found is an empty list."""
        wanted = read_mandate_filter(by_name(request.query_params.multi_items()))
        listing = _Listing(engine, freshness, clock)
        found, fetched_at = await listing.find(holder, wanted)
        return await json_answer(request, _enveloped({"mandates": found}, fetched_at))

    @router.post("/shortUrlIdentifier", responses=_ANSWER, openapi_extra=_CONSENT, response_class=Response)
    async def short_url_identifier(request: Request, holder: Holder = holder_calls) -> Response:
        """Start a consent; the customer opens the portal's page with the identifier."""
        session = read_consent_request(await _json(request), holder_kbo=holder.kbo)
        opened = await mandates.open_session(session)
        data = {
            "status": "success",
            "shortUrlIdentifier": opened.session_id,
            "validTo": instant_text(opened.valid_to),
        }
        return await json_answer(request, _enveloped(data, clock()))

    return router


class _Listing:
    """Finds mandates by what is known until one instant, and says which."""

    def __init__(self, engine: Engine, freshness: Freshness, clock: Callable[[], datetime]) -> None:
        self._engine = engine
        self._freshness = freshness
        self._clock = clock

    async def find(self, holder: Holder, wanted: MandateFilter) -> tuple[list[dict[str, Any]], datetime]:
        """Return the mandates, and the instant up to which they are complete: a client goes on from there.

        Raises:
            PermissionsStale: what is asked for is not known yet, or nothing is known for too long.
        """
        try:
            async with asyncio.timeout(_SETTLE_SECONDS):
                while (found := await asyncio.to_thread(self._find, holder, wanted)) is None:
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            raise PermissionsStale from None
        return found

    def _find(self, holder: Holder, wanted: MandateFilter) -> tuple[list[dict[str, Any]], datetime] | None:
        now = self._clock().astimezone(UTC)
        with self._engine.begin() as tx:
            known = checkpoints_of(tx.execute(text(f"select {CHECKPOINTS}")).scalar_one())
            covered = self._freshness.covered_until(known).replace(microsecond=0)
            if wanted.updated_after is None and wanted.updated_until is None:
                return find_mandates(tx, holder.kbo, wanted, now=now), now
            until = wanted.updated_until or now
            if covered < until < now - timedelta(seconds=1):
                return None  # that instant has passed, but not all of it is here yet
            cut = min(until, covered)
            return find_mandates(tx, holder.kbo, replace(wanted, updated_until=cut), now=now), max(cut, covered)


def _enveloped(data: Mapping[str, Any], fetched_at: datetime) -> bytes:
    answer = {"_meta": {"fetchTime": instant_text(fetched_at)}, "data": data}
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode()


async def _json(request: Request) -> object:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > _MAX_BODY_BYTES:
            raise Problem(413, "TooLarge", f"a request has at most {_MAX_BODY_BYTES // 1024} KiB")
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise Problem(400, "ValidationError", "the body is a JSON object") from None
