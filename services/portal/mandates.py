"""What mandate answers, as values: a holder's link, and mandates. Pure.

Days are local (gas: gas days) and both ends of a period are inside; instants are UTC.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

from market.local_time import BRUSSELS

SERVICE_TYPES: Final = frozenset({"VH_onbepaald", "VH_kwartier_uur", "VH_dag", "IG"})

_WITH_SLICES: Final = frozenset({"VH_onbepaald", "VH_kwartier_uur"})


class UnreadableMandate(ValueError):
    """Mandate answered in a shape that this portal does not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataService:
    """A kind of data, and of which days; None for no bound."""

    type: str
    first_on: date | None
    last_on: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A holder's question to a customer. `kbo` is the holder's number, `customer_kbo` the customer's or empty;
    `holder_name` is empty where the holder gave none.

    `state` is that of the moment of asking; the link is good until `valid_to` (exclusive). Return addresses are empty
    where there are none.
    """

    link_id: str
    state: Literal["open", "used", "expired"]
    kbo: str
    holder_name: str
    customer_kbo: str
    reference: str
    services: tuple[DataService, ...]
    point_limit: int
    return_success: str
    return_failed: str
    valid_to: datetime

    @property
    def last_day(self) -> date:
        """The last local day on which it is good, for some of it."""
        return (self.valid_to - timedelta(microseconds=1)).astimezone(BRUSSELS).date()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mandate:
    """A holder's permission for one kind of data of one point.

    `holder_name` is empty where the holder gave none. `expires_at` is exclusive; `withdrawn_at` is when it was taken
    back, None where it was not; `ends_on` is the first day without access, ahead or behind, None where no end was told;
    `end_reason` is empty then.
    """

    mandate_id: UUID
    ean: str
    kbo: str
    holder_name: str
    reference: str
    service: DataService
    granted_at: datetime
    expires_at: datetime
    is_active: bool
    is_to_be_renewed: bool
    withdrawn_at: datetime | None
    ends_on: date | None
    end_reason: str

    @property
    def since(self) -> date:
        """The local day on which it was given."""
        return self.granted_at.astimezone(BRUSSELS).date()

    @property
    def until(self) -> date:
        """The last local day with access: of its three years, or before an end that was told."""
        last = self.expires_at.astimezone(BRUSSELS).date() - timedelta(days=1)
        return last if self.ends_on is None else min(last, self.ends_on - timedelta(days=1))

    @property
    def over_on(self) -> date:
        """The local day on which it was taken back, else the first without access that was told, else the last with."""
        if self.withdrawn_at is not None:
            return self.withdrawn_at.astimezone(BRUSSELS).date()
        return self.ends_on or self.until

    @property
    def opens_slices(self) -> bool:
        """Whether it gives quarter-hours or hours, not day totals alone."""
        return self.service.type in _WITH_SLICES

    @property
    def state(self) -> str:
        """How the texts call its state: `active`, `renew`, `ending`, or `over_<REASON>`."""
        if self.is_active:
            return "ending" if self.ends_on else "renew" if self.is_to_be_renewed else "active"
        return f"over_{self.end_reason or 'EXPIRED'}"


def gives_days_alone(mandates: Iterable[Mandate]) -> bool:
    """Whether those of the mandates that are active give day totals and nothing finer; False where none is active."""
    active = [each for each in mandates if each.is_active]
    return bool(active) and not any(each.opens_slices for each in active)


def three_years_on(day: date) -> date:
    """The last day of a permission that is given on `day`; where February is too short, its last day."""
    try:
        return day.replace(year=day.year + 3)
    except ValueError:
        return day.replace(year=day.year + 3, day=28)


def read_link(body: bytes) -> Link:
    """The link in the answer of `GET /sessions/{id}`.

    Raises:
        UnreadableMandate: it is not such an answer.
    """
    try:
        answer = json.loads(body)
        return Link(
            link_id=str(answer["session_id"]),
            state=answer["state"],
            kbo=str(answer["holder_kbo"]),
            holder_name=str(answer["holder_name"]),
            customer_kbo=str(answer["enterprise_number"]),
            reference=str(answer["reference_number"]),
            services=tuple(_service(each["type"], each["from"], each["to"]) for each in answer["services"]),
            point_limit=int(answer["number_of_eans"]),
            return_success=str(answer["return_url_success"]),
            return_failed=str(answer["return_url_failed"]),
            valid_to=datetime.fromisoformat(answer["valid_to"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise UnreadableMandate("the answer about a link has an unknown shape") from error


def read_mandates(body: bytes) -> list[Mandate]:
    """The mandates in the answer of `GET /mandates`.

    Raises:
        UnreadableMandate: it is not such an answer.
    """
    try:
        return [_mandate(each) for each in json.loads(body)["mandates"]]
    except (ValueError, KeyError, TypeError) as error:
        raise UnreadableMandate("the answer of /mandates has an unknown shape") from error


def _mandate(entry: Mapping[str, Any]) -> Mandate:
    return Mandate(
        mandate_id=UUID(entry["mandate_id"]),
        ean=str(entry["ean"]),
        kbo=str(entry["holder_kbo"]),
        holder_name=str(entry["holder_name"]),
        reference=str(entry["reference_number"]),
        service=_service(entry["data_service_type"], entry["data_period_from"], entry["data_period_to"]),
        granted_at=datetime.fromisoformat(entry["granted_at"]),
        expires_at=datetime.fromisoformat(entry["expires_at"]),
        is_active=entry["is_active"] is True,
        is_to_be_renewed=entry["renewal_status"] == "ToBeRenewed",
        withdrawn_at=_instant(entry["withdrawn_at"]),
        ends_on=_day(entry["ends_on"]),
        end_reason=str(entry["end_reason"] or ""),
    )


def _service(kind: str, first: str | None, last: str | None) -> DataService:
    if kind not in SERVICE_TYPES:
        raise UnreadableMandate("mandate knows a data service that this portal does not")
    return DataService(type=kind, first_on=_day(first), last_on=_day(last))


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
