"""Consents of the demo world: a holder opens a session, the net user signs in and agrees; some take it back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from stack.demo.doors import Doors
from stack.demo.folk import Consent, consents, stays
from stack.demo.holding import open_session, wait_for_mandates
from stack.demo.marker import Marker
from stack.demo.plan import Plan
from stack.jars import Report

SignIn = Callable[[str], str]


def consent_to_all(
    plan: Plan, marker: Marker, doors: Doors, holders: Sequence[dict[str, Any]], sign_in: SignIn, report: Report
) -> None:
    """Let everybody agree to what is planned and not yet done; `sign_in` gives a person's token by name.

    Raises:
        Problem: a service refuses, or is away for too long.
    """
    wanted = [each for each in consents_of(plan) if not marker.has(_step(each))]
    for number, consent in enumerate(wanted, start=1):
        report(f"demo world: consent {number} of {len(wanted)}")
        _agree(consent, holders[consent.holder], marker, doors, sign_in(consent.net_user.sign_in))


def readable(plan: Plan, doors: Doors, holder: dict[str, Any], *, number: int) -> list[str]:
    """Return the EANs that the holder of this `number` may read, once it sees all that is kept.

    Raises:
        Problem: it does not see them in time, or export refuses or is away.
    """
    ended = {stay.ean for stay in stays(plan) if stay.ends_after_consent}
    kept = [each for each in consents_of(plan) if each.holder == number and not each.is_withdrawn]
    references = {each.reference_number for each in kept if not ended & set(each.eans)}
    return wait_for_mandates(references, holder, doors)


def consents_of(plan: Plan) -> list[Consent]:
    """Return the consents about points of the plan."""
    points = {point.ean for point in plan.points}
    return [each for each in consents(plan) if points.issuperset(each.eans)]


def _agree(consent: Consent, holder: dict[str, Any], marker: Marker, doors: Doors, token: str) -> None:
    """Agree once: the session is noted first, and whoever asks again with its key gets the first answer."""
    step = _step(consent)
    session_id = marker.notes.get(step) or open_session(consent, holder, doors)
    marker.note(step, session_id)
    path, headers = f"/sessions/{session_id}/consent", {"Idempotency-Key": f"demo {step}"}
    granted = doors.post("mandate", path, token, json={"eans": list(consent.eans)}, headers=headers)
    if consent.is_withdrawn:
        for each in granted["mandates"]:
            doors.post("mandate", f"/mandates/{each['ean']}/{each['mandate_id']}/withdrawal", token)
    marker.keep(step)


def _step(consent: Consent) -> str:
    return f"consent {consent.reference_number}"
