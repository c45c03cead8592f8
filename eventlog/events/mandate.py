"""What the mandate service publishes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from eventlog.events.event import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class DataAccessContractSigned(Event):
    """A data access holder may from now on ask for mandates.

    `contract_number` has ten digits; `holder_kbo` is the holder's KBO number (ten digits); `valid_from` is the first
    local day of the contract.
    """

    contract_number: str
    holder_kbo: str
    valid_from: date
