"""How points and mandates are put together for the people they are about. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter

from services.portal.mandates import Mandate
from services.portal.own_points import OwnPoint


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnGroup:
    """A net user's point: their `stays` there (none where only mandates are known), the oldest first, and who may
    read it (`active`) or no longer may (`over`)."""

    ean: str
    stays: tuple[OwnPoint, ...]
    is_now: bool
    has_readings: bool
    active: tuple[Mandate, ...]
    over: tuple[Mandate, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HolderGroups:
    """A holder's mandates: those to be renewed (the first to end first), the others that give access, and the rest."""

    renew: tuple[Mandate, ...]
    active: tuple[Mandate, ...]
    over: tuple[Mandate, ...]


def own_groups(
    points: Sequence[OwnPoint], mandates: Iterable[Mandate], with_readings: Collection[str], now: datetime
) -> list[OwnGroup]:
    """A group for each point, those that are theirs at `now` first."""
    stays: defaultdict[str, list[OwnPoint]] = defaultdict(list)
    for point in sorted(points, key=attrgetter("ean", "first_on")):
        stays[point.ean].append(point)
    given: defaultdict[str, list[Mandate]] = defaultdict(list)
    for mandate in mandates:
        given[mandate.ean].append(mandate)
    groups = [
        OwnGroup(
            ean=ean,
            stays=tuple(stays.get(ean, ())),
            is_now=any(stay.is_now(now) for stay in stays.get(ean, ())),
            has_readings=ean in with_readings,
            active=tuple(each for each in given[ean] if each.is_active),
            over=tuple(each for each in given[ean] if not each.is_active),
        )
        for ean in sorted({*stays, *given})
    ]
    return sorted(groups, key=lambda group: not group.is_now)


def holder_groups(mandates: Sequence[Mandate]) -> HolderGroups:
    """The same mandates, by what a holder has to do about them; `mandates` has the newest first."""
    active = sorted((each for each in mandates if each.is_active), key=attrgetter("ean"))
    renew = [each for each in active if each.state == "renew"]
    return HolderGroups(
        renew=tuple(sorted(renew, key=attrgetter("expires_at"))),
        active=tuple(each for each in active if each.state != "renew"),
        over=tuple(each for each in mandates if not each.is_active),
    )
