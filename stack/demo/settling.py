"""The demo world's points, meters and net users on their way into the register. Every command may be sent twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from market.channel import MeterKind
from market.local_time import day_start
from stack.demo.doors import Doors, Machine
from stack.demo.folk import NetUser, Stay, stays
from stack.demo.plan import DemoPoint, Plan, SubPoint
from stack.jars import Report
from stack.problem import Problem

Command = dict[str, Any]
_SCOPE: Final = "register/access-points.write"
_REFUSED: Final = 400


def settle(plan: Plan, doors: Doors, access_holder: Machine, report: Report) -> None:
    """Register all points with their meters, all net users, and who used what before the consents were given.

    Raises:
        Problem: the register refuses, or is away for too long.
    """
    own = _stays_of(plan)
    early, _ = before_and_after(own)
    commands = [*introductions(own), *registrations(plan), *move_ins(early), *closures(plan)]
    report(f"demo world: {len(plan.points)} points and who lives there, into the register")
    _carry_out(commands, doors, access_holder)


def move_on(plan: Plan, doors: Doors, access_holder: Machine) -> None:
    """Let those move in who come after somebody whose consents are given by now.

    Raises:
        Problem: the register refuses, or is away for too long.
    """
    _, late = before_and_after(_stays_of(plan))
    if late:
        _carry_out(list(move_ins(late)), doors, access_holder)


def introductions(own: Iterable[Stay]) -> Iterator[Command]:
    """Yield the commands that make the net users known, each once."""
    for net_user in dict.fromkeys(stay.net_user for stay in own):
        contact = {"name": net_user.name, "email": net_user.email, "household": net_user.kbo is None}
        yield {"command": "net-user", **_reference(net_user), **contact}


def registrations(plan: Plan) -> Iterator[Command]:
    """Yield the commands that make the points and what stands there."""
    for point in plan.points:
        yield {"command": "access-point", **_registration(point)}
        if point.sub is not None:
            yield {"command": "sub-head-point", "ean": point.ean, **_sub_head_point(point, point.sub)}
        if point.meter_kind is not MeterKind.AMR:
            installed_at = day_start(point.energy, point.registered_on).isoformat()
            yield {"command": "meter", **_meter(point, point.meter_id), "installed_at": installed_at}
        if point.swap is not None:
            swap = {"swapped_at": point.swap.at.isoformat(), "removed_meter_id": point.meter_id}
            yield {"command": "meter-swap", **_meter(point, point.swap.meter_id), **swap}


def move_ins(own: Iterable[Stay]) -> Iterator[Command]:
    """Yield the moves; the register moves whoever was there out the day before."""
    for stay in own:
        yield {"command": "move-in", "ean": stay.ean, **_reference(stay.net_user), "on": stay.first_on.isoformat()}


def closures(plan: Plan) -> Iterator[Command]:
    """Yield the commands that close points."""
    for point in plan.points:
        if point.is_closed:
            yield {"command": "closure", "ean": point.ean, "last_on": point.last_day.isoformat()}


def before_and_after(own: Iterable[Stay]) -> tuple[list[Stay], list[Stay]]:
    """Return the stays that begin before the consents are given, and those told to the register only after them."""
    early: list[Stay] = []
    late: list[Stay] = []
    waiting: set[str] = set()
    for stay in own:
        (late if stay.ean in waiting else early).append(stay)
        if stay.ends_after_consent:
            waiting.add(stay.ean)
    return early, late


def _registration(point: DemoPoint) -> dict[str, Any]:
    return {
        "ean": point.ean,
        "energy": point.energy.value,
        "meter_kind": point.meter_kind.name,
        "registered_on": point.registered_on.isoformat(),
        "direction": "BOTH" if point.sun_kwp else "OFFTAKE",
    }


def _sub_head_point(point: DemoPoint, sub: SubPoint) -> dict[str, Any]:
    return {
        "sub_ean": sub.ean,
        "kind": "PRODUCTION",
        "installation_id": sub.installation_id,
        "production_type": "PV",
        "added_on": point.registered_on.isoformat(),
    }


def _meter(point: DemoPoint, meter_id: str) -> dict[str, str]:
    return {"ean": point.ean, "meter_id": meter_id, "meter_kind": point.meter_kind.name}


def _reference(net_user: NetUser) -> dict[str, str]:
    return {"kbo": net_user.kbo} if net_user.kbo else {"person_ref": net_user.person_ref}


def _stays_of(plan: Plan) -> list[Stay]:
    points = {point.ean for point in plan.points}
    return [stay for stay in stays(plan) if stay.ean in points]


def _carry_out(commands: list[Command], doors: Doors, access_holder: Machine) -> None:
    """Send all commands in one bulk; each is done or was done before.

    Raises:
        Problem: one is refused.
    """
    answer = doors.post("register", "/bulk", access_holder.token(_SCOPE), json={"commands": commands})
    refused = [each for each in answer["results"] if each["status"] >= _REFUSED]
    if refused:
        raise Problem(f"the demo world: the register refuses: {refused[0]['Message']}")
