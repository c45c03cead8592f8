"""Taking a net user in: one stream each, `net-user:<id>`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from eventlog.events import NetUserRegistered
from market.kbo import Kbo
from services.register.domain.refusals import RegistrationRefused


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterNetUser:
    """Take in a household or an enterprise; `sealed` is its personal data, encrypted."""

    net_user_id: UUID
    is_household: bool
    kbo: Kbo | Literal[""]
    sealed: bytes
    now: datetime


def net_user_stream_of(net_user_id: UUID) -> str:
    """The stream that holds all events of the net user."""
    return f"net-user:{net_user_id}"


def register_net_user(command: RegisterNetUser) -> NetUserRegistered:
    """Return the event that follows from `command`.

    Raises:
        RegistrationRefused: a household with an enterprise number.
    """
    if command.is_household and command.kbo:
        raise RegistrationRefused("a household has no enterprise number")
    return NetUserRegistered(
        net_user_id=command.net_user_id,
        is_household=command.is_household,
        kbo=command.kbo,
        personal_data=command.sealed,
        registered_at=command.now,
    )
