"""What the access register publishes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from eventlog.events.event import Event
from market.ean import Ean


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessPointRegistered(Event):
    """A dwelling or business unit got its access point.

    `energy` is "E" or "G", `meter_kind` a name of `market.channel.MeterKind`; `registered_on` is the first local day
    (gas: gas day) on which the point exists.
    """

    ean: Ean
    energy: str
    meter_kind: str
    registered_on: date
