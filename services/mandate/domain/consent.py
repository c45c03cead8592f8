"""A customer's consent: which points and services, and whether it is theirs to give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from eventlog.events import ConsentSessionOpened
from market.channel import Energy, MeterKind
from market.ean import Ean
from market.local_time import day_of
from services.mandate.domain.decision import GrantMandate
from services.mandate.domain.session import DataServiceType, RequestedService, parse_services
from services.mandate.domain.switch import Switch


class ConsentRefused(Exception):
    """A rule forbids the consent; the message says which."""


class NotNetUser(ConsentRefused):
    """Somebody else would have to agree."""

    def __init__(self) -> None:
        super().__init__(
            "you are not the net user of every part of each chosen point; asking the net user to agree (the two-step "
            "route) is not there yet, so nothing was granted"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PointUse:
    """A net user's time at an access point, as the register has it; both days inclusive, `last_on` None for no end.

    `is_whole`: at every allocation point of it.
    """

    ean: Ean
    energy: Energy
    meter_kind: MeterKind
    net_user_id: UUID
    is_whole: bool
    first_on: date
    last_on: date | None

    def is_now(self, now: datetime) -> bool:
        """Whether the net user is there at `now`."""
        today = day_of(self.energy, now)
        return self.first_on <= today and (self.last_on is None or today <= self.last_on)


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """What the customer agrees to: points, and types of data services. `kbo` is the enterprise that the customer acts
    for, empty for a person. `now` is UTC."""

    eans: tuple[Ean, ...]
    types: tuple[DataServiceType, ...]
    kbo: str
    now: datetime


def grants(
    consent: Consent,
    session: ConsentSessionOpened,
    uses: Sequence[PointUse],
    switches: Mapping[Ean, Sequence[Switch]],
    mandate_ids: Mapping[tuple[Ean, DataServiceType], UUID],
) -> list[GrantMandate]:
    """Return what follows from `consent` within `session`: a mandate for each point and service.

    `uses` are the customer's, `switches` those that the register announced for the points.

    Raises:
        ConsentRefused: it asks for more than the session, or than the customer may give.
    """
    if session.enterprise_number and session.enterprise_number != consent.kbo:
        raise ConsentRefused("the link is for another enterprise")
    services = _services(consent, session)
    if not consent.eans or len(set(consent.eans)) != len(consent.eans):
        raise ConsentRefused("pick at least one point, each once")
    if len(consent.eans) > session.number_of_eans:
        raise ConsentRefused(f"pick at most {session.number_of_eans} points")
    return [
        GrantMandate(
            ean=use.ean,
            mandate_id=mandate_ids[use.ean, service.type],
            session=session,
            service=service,
            net_user_id=use.net_user_id,
            occupied_from=use.first_on,
            switches=ends,
            now=consent.now,
        )
        for use, ends in [_use(ean, uses, switches.get(ean, ()), consent.now) for ean in consent.eans]
        for service in services
    ]


def _services(consent: Consent, session: ConsentSessionOpened) -> list[RequestedService]:
    asked = {each.type: each for each in parse_services(session.services)}
    if not consent.types or len(set(consent.types)) != len(consent.types):
        raise ConsentRefused("agree to at least one data service, each once")
    if not asked.keys() >= set(consent.types):
        raise ConsentRefused("the holder did not ask for that data service")
    return [asked[each] for each in consent.types]


def _use(
    ean: Ean, uses: Sequence[PointUse], switches: Sequence[Switch], now: datetime
) -> tuple[PointUse, tuple[Switch, ...]]:
    """Return the customer's use of the point now, and every switch that ends it on a day ahead."""
    use = next((each for each in uses if each.ean == ean and each.is_whole and each.is_now(now)), None)
    if use is None:
        raise NotNetUser
    known = [*switches, *_known_end(use)]
    ends = tuple(each for each in known if each.ends(use.net_user_id, use.first_on))
    if any(each.first_day <= day_of(use.energy, now) for each in ends):  # news that the register's answer lacked
        raise NotNetUser
    if use.meter_kind not in {MeterKind.DIGITAL, MeterKind.AMR}:
        raise ConsentRefused("consent needs a digital or AMR meter on each chosen point")
    return use, ends


def _known_end(use: PointUse) -> list[Switch]:
    if use.last_on is None:
        return []
    first_day = use.last_on + timedelta(days=1)
    return [Switch(ean=use.ean, kind="DEPARTURE", net_user_id=use.net_user_id, first_day=first_day)]
