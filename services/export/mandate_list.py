"""The mandates of one holder, as `GET /api/mandate` filters and shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, select

from eventlog.problems import Problem
from market.channel import Energy
from market.local_time import day_start
from services.export.energy_query import split
from services.export.instants import InvalidInstant, instant_text, parse_bare_day, parse_instant
from services.export.tables import access_point, mandate

_STATUSES: Final = {each.lower(): each for each in ("Requested", "Approved", "Rejected", "Finished")}
_RENEWALS: Final = {each.lower(): each for each in ("ToBeRenewed", "RenewalRequested", "Expired")}
_SERVICES: Final = {each.lower(): each for each in ("VH_onbepaald", "VH_kwartier_uur", "VH_dag", "IG")}
_ENERGIES: Final = {"e": "E", "g": "G"}
_ONE_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class MandateFilter:
    """What is asked for; None filters nothing. Instants are UTC; the updates are those after the one instant and not
    after the other. `expires_on` is a day (UTC) or an instant."""

    reference_number: str | None = None
    ean: str | None = None
    services: tuple[str, ...] | None = None
    energy: str | None = None
    status: str | None = None
    renewal_status: str | None = None
    expires_on: date | datetime | None = None
    updated_after: datetime | None = None
    updated_until: datetime | None = None


def read_mandate_filter(parameters: Mapping[str, str]) -> MandateFilter:
    """Return the filter in `parameters` (names in small letters).

    Raises:
        Problem: 400; its list of messages names every parameter that is wrong.
    """
    wrong: list[str] = []
    names = split(parameters.get("dataservicetypes", ""))
    services = tuple(_SERVICES[name] for name in names if name in _SERVICES)
    if len(services) < len(names):
        wrong.append(f"dataServiceTypes: {', '.join(_SERVICES.values())}")
    found = MandateFilter(
        reference_number=parameters.get("referencenumber"),
        ean=parameters.get("ean"),
        services=services if names else None,
        energy=_one_of(_ENERGIES, "energyType", parameters, wrong),
        status=_one_of(_STATUSES, "status", parameters, wrong),
        renewal_status=_one_of(_RENEWALS, "renewalStatus", parameters, wrong),
        expires_on=_expiry(parameters, wrong),
        updated_after=_instant("lastUpdatedFrom", parameters, wrong),
        updated_until=_instant("lastUpdatedTo", parameters, wrong),
    )
    if wrong:
        raise Problem(400, "ValidationError", "the request is not valid", validation_errors=wrong)
    return found


def _one_of(known: Mapping[str, str], name: str, parameters: Mapping[str, str], wrong: list[str]) -> str | None:
    text = parameters.get(name.lower())
    if text is None:
        return None
    if text.lower() not in known:
        wrong.append(f"{name}: one of {', '.join(known.values())}")
    return known.get(text.lower())


def _instant(name: str, parameters: Mapping[str, str], wrong: list[str]) -> datetime | None:
    text = parameters.get(name.lower())
    try:
        return None if text is None else parse_instant(text)
    except InvalidInstant as error:
        wrong.append(f"{name}: {error}")
        return None


def _expiry(parameters: Mapping[str, str], wrong: list[str]) -> date | datetime | None:
    day = parse_bare_day(parameters.get("mandateexpirationdate", ""))
    return day or _instant("mandateExpirationDate", parameters, wrong)


def find_mandates(tx: Connection, holder_kbo: str, wanted: MandateFilter, *, now: datetime) -> list[dict[str, Any]]:
    """Return the mandates of `holder_kbo` that pass the filter, oldest first, as the API shows them."""
    own = mandate.c
    query = (
        select(mandate, access_point.c.energy)
        .outerjoin(access_point, access_point.c.ean == own.ean)
        .where(own.holder_kbo == holder_kbo)
        .order_by(own.granted_at, own.mandate_id)
    )
    same = ((own.reference_number, wanted.reference_number), (own.ean, wanted.ean))
    for column, value in same:
        if value is not None:
            query = query.where(column == value.replace("\0", ""))
    if wanted.services is not None:
        query = query.where(own.data_service_type.in_(wanted.services))
    if wanted.updated_after is not None:
        query = query.where(own.updated_at > wanted.updated_after)
    if wanted.updated_until is not None:
        query = query.where(own.updated_at <= wanted.updated_until)
    rows: Sequence[Any] = tx.execute(query).all()
    shown = [(row, _shown(row, now)) for row in rows]
    return [each for row, each in shown if _passes(row, each, wanted)]


def _passes(row: Any, shown: Mapping[str, Any], wanted: MandateFilter) -> bool:
    named = (("energyType", wanted.energy), ("status", wanted.status), ("renewalStatus", wanted.renewal_status))
    return all(value is None or shown[name] == value for name, value in named) and _expires(row, wanted.expires_on)


def _expires(row: Any, wanted: date | datetime | None) -> bool:
    match wanted:
        case None:
            return True
        case datetime():
            return bool(row.expires_at == wanted)
        case _:
            return bool(row.expires_at.astimezone(UTC).date() == wanted)


def _shown(row: Any, now: datetime) -> dict[str, Any]:
    """A mandate; its data period runs from the start of its first day to the end of its last one."""
    energy = Energy(row.energy or Energy.ELECTRICITY)
    first, last = row.data_period_from, row.data_period_to
    has_ended = row.ends_on is not None and now >= day_start(energy, row.ends_on)
    return {
        "referenceNumber": row.reference_number,
        "status": "Finished" if row.is_over or has_ended else "Approved",
        "ean": row.ean,
        "energyType": row.energy,
        "dataPeriodFrom": None if first is None else instant_text(day_start(energy, first)),
        "dataPeriodTo": None if last is None else instant_text(day_start(energy, last + _ONE_DAY)),
        "dataServiceType": row.data_service_type,
        "mandateExpirationDate": instant_text(row.expires_at),
        "renewalStatus": row.renewal_status,
    }
