"""The body of `POST /api/shortUrlIdentifier`, as clients send it, and as mandate takes it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Final

from eventlog.problems import Problem
from market.channel import Energy
from market.local_time import day_of
from services.export.instants import InvalidInstant, parse_bare_day, parse_instant

_FLOWS: Final = {"b2c": "B2C", "b2b": "B2B"}
_SERVICES: Final = {each.lower(): each for each in ("VH_onbepaald", "VH_kwartier_uur", "VH_dag", "IG")}
_DIGITS: Final = 9
_TEXTS: Final = (
    ("returnUrlSuccess", "return_url_success"),
    ("returnUrlFailed", "return_url_failed"),
    ("enterpriseNumber", "enterprise_number"),
)


def read_consent_request(body: object, *, holder_kbo: str) -> dict[str, Any]:
    """Return the session that `body` asks for, as JSON of mandate's `POST /sessions`.

    Names match without regard to case; what is not known is passed over; null is absent. What the values must be is
    mandate's to say.

    Raises:
        Problem: 400; its list of messages names every field that is wrong.
    """
    if not isinstance(body, Mapping):
        raise Problem(400, "ValidationError", "the body is a JSON object")
    fields = _by_name(body)
    wrong: list[str] = []
    session: dict[str, Any] = {
        "contract_number": _text("dataAccessContractNumber", fields, wrong, is_required=True),
        "holder_kbo": holder_kbo,
        "reference_number": _text("referenceNumber", fields, wrong, is_required=True),
        "flow": _FLOWS.get(str(fields.get("flow", "")).lower()),
        "services": _services(fields.get("dataservices"), wrong),
        "number_of_eans": _count(fields.get("numberofeans"), wrong),
    }
    if session["flow"] is None:
        wrong.append("flow: B2C or B2B")
    session |= {own: _text(name, fields, wrong) for name, own in _TEXTS}
    if wrong:
        raise Problem(400, "ValidationError", "the request is not valid", validation_errors=wrong)
    return session


def _by_name(given: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(name).lower(): value for name, value in given.items() if value is not None}


def _text(name: str, fields: Mapping[str, Any], wrong: list[str], *, is_required: bool = False) -> str | None:
    value = fields.get(name.lower())
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if value in (None, "") and not is_required:
        return None
    if not isinstance(value, str) or not value or not _is_text(value):
        wrong.append(f"{name}: this field is required, a text" if value in (None, "") else f"{name}: a text")
        return None
    return value


def _is_text(value: str) -> bool:
    """Whether it can be written at all: JSON lets half a letter through, which no encoding has."""
    return not any("\ud800" <= letter <= "\udfff" for letter in value)


def _count(value: object, wrong: list[str]) -> int | None:
    if isinstance(value, str) and value.isdecimal() and len(value) <= _DIGITS:
        value = int(value)
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    wrong.append("numberOfEans: a whole number")
    return None


def _services(given: object, wrong: list[str]) -> list[dict[str, Any]]:
    if not isinstance(given, list) or not given or not all(isinstance(each, Mapping) for each in given):
        wrong.append("dataServices: this field is required, a list of objects")
        return []
    return [_service(_by_name(each), f"dataServices[{place}]", wrong) for place, each in enumerate(given)]


def _service(fields: Mapping[str, Any], place: str, wrong: list[str]) -> dict[str, Any]:
    kind = _SERVICES.get(str(fields.get("dataservicetype", "")).lower())
    if kind is None:
        wrong.append(f"{place}.dataServiceType: one of {', '.join(_SERVICES.values())}")
    first = _day(fields.get("dataperiodfrom"), f"{place}.dataPeriodFrom", wrong, before=timedelta(0))
    last = _day(fields.get("dataperiodto"), f"{place}.dataPeriodTo", wrong, before=timedelta(microseconds=1))
    return {"type": kind, "from": first, "to": last}


def _day(value: object, name: str, wrong: list[str], *, before: timedelta) -> str | None:
    """The local day that holds the instant `value`, or the one that ends with it; a bare date is that day."""
    if value in (None, ""):
        return None
    day: date | None = None
    try:
        text = str(value)
        day = parse_bare_day(text) or day_of(Energy.ELECTRICITY, parse_instant(text) - before)
    except InvalidInstant as error:
        wrong.append(f"{name}: {error}")
    return None if day is None else day.isoformat()
