"""What the register can be asked about one access point.

Days are local days (gas: gas days), the first and the last one inclusive; instants are UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal
from uuid import UUID

from market.channel import Energy, MeterKind
from market.ean import Ean

AllocationDirection = Literal["OFFTAKE", "INJECTION", "BOTH"]
SubHeadPointKind = Literal["OFFTAKE", "PRODUCTION", "AUXILIARY"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterAccessPoint:
    """Take a dwelling or business unit into the register, with one allocation point, "1".

    `registered_on` is the first day on which the point exists; `direction` is that of the allocation point.
    """

    ean: Ean
    energy: Energy
    meter_kind: MeterKind
    registered_on: date
    direction: AllocationDirection = "OFFTAKE"


@dataclass(frozen=True, slots=True, kw_only=True)
class AddAllocationPoint:
    """Attribute volumes of the point at a further place from `added_on` on."""

    ean: Ean
    allocation_point_id: str
    direction: AllocationDirection
    added_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class AddSubHeadPoint:
    """Take in a measurement behind an AMR head point from `added_on` on."""

    ean: Ean
    sub_ean: Ean
    kind: SubHeadPointKind
    installation_id: str
    production_type: str
    added_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallMeter:
    """Let a meter measure from `installed_at` on, where none does."""

    ean: Ean
    meter_id: str
    meter_kind: MeterKind
    installed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapMeter:
    """Let another meter measure from `swapped_at` on; `removed_meter_id`, if not empty, must be the one that did."""

    ean: Ean
    meter_id: str
    meter_kind: MeterKind
    swapped_at: datetime
    removed_meter_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveIn:
    """Let `net_user_id` use the network from `moved_in_on` on: at one allocation point, or (None) at all of them.

    Who used it until then is moved out the day before: that is a customer switch.
    """

    ean: Ean
    allocation_point_id: str | None
    net_user_id: UUID
    moved_in_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveOut:
    """End the occupancy of `net_user_id` after `last_on`: at one allocation point, or (None) wherever it is."""

    ean: Ean
    allocation_point_id: str | None
    net_user_id: UUID
    last_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseAccessPoint:
    """Let the point exist until `last_on`; `replaced_by` is the EAN to use instead, or empty."""

    ean: Ean
    last_on: date
    replaced_by: Ean | Literal[""] = ""


PointCommand = (
    RegisterAccessPoint
    | AddAllocationPoint
    | AddSubHeadPoint
    | InstallMeter
    | SwapMeter
    | MoveIn
    | MoveOut
    | CloseAccessPoint
)
