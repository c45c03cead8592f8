"""What the register says that ends mandates: a customer switch, and a point that is closed.

Source: technical regulation, article 5.3.13 (a customer switch ends every mandate on the point at once).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Literal
from uuid import UUID

from eventlog.events import AccessPointClosed, Event, NetUserMovedIn, NetUserMovedOut
from market.ean import Ean

SwitchKind = Literal["DEPARTURE", "ARRIVAL", "CLOSURE"]
EndReason = Literal["CUSTOMER_SWITCH", "POINT_CLOSED", "CONTRACT_ENDED"]

_ONE_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """From `first_day` on the point has another net user, or is no more. `net_user_id` goes (DEPARTURE) or comes
    (ARRIVAL); it is None for a CLOSURE."""

    ean: Ean
    kind: SwitchKind
    net_user_id: UUID | None
    first_day: date

    @property
    def reason(self) -> EndReason:
        """Why mandates end."""
        return "POINT_CLOSED" if self.kind == "CLOSURE" else "CUSTOMER_SWITCH"

    def ends(self, net_user_id: UUID, occupied_from: date) -> bool:
        """Whether it ends what `net_user_id` granted, who was there since `occupied_from`; what happened before they
        came (events of the register may be read late) ends nothing."""
        match self.kind:
            case "DEPARTURE":
                return net_user_id == self.net_user_id and self.first_day > occupied_from
            case "ARRIVAL":
                return net_user_id != self.net_user_id and self.first_day > occupied_from
            case "CLOSURE":
                return True


def switch_of(event: Event) -> Switch | None:
    """Return the switch that an event of the register is; None for all others."""
    match event:
        case NetUserMovedOut():
            return Switch(
                ean=event.ean, kind="DEPARTURE", net_user_id=event.net_user_id, first_day=event.last_on + _ONE_DAY
            )
        case NetUserMovedIn():
            return Switch(ean=event.ean, kind="ARRIVAL", net_user_id=event.net_user_id, first_day=event.moved_in_on)
        case AccessPointClosed():
            return Switch(ean=event.ean, kind="CLOSURE", net_user_id=None, first_day=event.last_on + _ONE_DAY)
        case _:
            return None
