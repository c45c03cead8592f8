"""The portal's way to the register: which points are those of the person who is signed in."""

from __future__ import annotations

from services.portal.neighbours import NotAllowed, OwnCalls, ServiceAway
from services.portal.own_points import OwnPoint, UnreadableRegister, read_own_points
from services.portal.sessions import Viewer


class RegisterClient:
    """The register over HTTP, asked as the portal itself."""

    def __init__(self, own_calls: OwnCalls) -> None:
        self._own_calls = own_calls

    async def points(self, viewer: Viewer) -> list[OwnPoint]:
        """Where `viewer` is, was or will be net user: as the enterprise they act for, else as themselves.

        Raises:
            ServiceAway: as it says.
            NotAllowed: the sign-in does not say which net user they are.
        """
        if not (viewer.kbo or viewer.person_ref):
            raise NotAllowed("the sign-in names neither a person nor an enterprise")
        who = {"kbo": viewer.kbo} if viewer.kbo else {"person_ref": viewer.person_ref}
        try:
            return read_own_points((await self._own_calls.ask("POST", "/net-users/lookup", json=who)).content)
        except UnreadableRegister as error:
            raise ServiceAway("register", str(error)) from error
