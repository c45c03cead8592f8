"""Commands about points as they come over HTTP, and what they mean."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Annotated, Final, Literal, Protocol
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from market.channel import Energy, MeterKind
from market.day import parse_day
from market.ean import Ean, parse_ean
from market.kbo import parse_kbo
from services.register.domain import commands
from services.register.domain.commands import AllocationDirection, PointCommand, SubHeadPointKind

_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)", re.ASCII)
PERSON_REF_LENGTH_LIMIT: Final = 200


def parse_instant(text: object) -> datetime:
    """Return `text`, ISO 8601 with a zone, in UTC.

    Raises:
        ValueError: not such a text; the message does not repeat it.
    """
    if not isinstance(text, str) or not _INSTANT.fullmatch(text):
        raise ValueError("an instant is written YYYY-MM-DDThh:mm:ssZ")
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("there is no such instant in the calendar") from None


EanText = Annotated[str, AfterValidator(parse_ean)]
KboText = Annotated[str, AfterValidator(parse_kbo)]
Day = Annotated[date, BeforeValidator(parse_day)]
Instant = Annotated[datetime, BeforeValidator(parse_instant)]
KnownKind = Literal["DIGITAL", "AMR", "CLASSIC"]
AllocationPointId = Annotated[str, Field(pattern="^[1-9]$", description="Number of the allocation point, 1 to 9.")]
Code = Annotated[str, Field(max_length=64, pattern=r"^[\w .:/-]*$")]
MeterId = Annotated[
    str, Field(min_length=1, max_length=64, pattern=r"^[\w.:/-]+$", description="As the meter's owner numbers it.")
]
Find = Callable[["NetUserBody"], UUID]


class Body(BaseModel):
    """A command; a field that it does not have is a mistake, not something to pass over."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class PointBody(Protocol):
    """A command about a point, as it came."""

    def to_command(self, ean: Ean, find: Find) -> PointCommand:
        """Return the command; `find` tells the id of a net user."""
        ...


class RegistrationBody(Body):
    """A point to register, with one allocation point, "1"."""

    energy: Energy = Field(description="E (electricity) or G (gas).")
    meter_kind: KnownKind = Field(description="What stands at the point.")
    registered_on: Day = Field(description="First local day (gas: gas day) on which it exists.")
    direction: AllocationDirection = Field(default="OFFTAKE", description="Which way energy goes there.")

    def to_command(self, ean: Ean, find: Find) -> PointCommand:
        kind = MeterKind[self.meter_kind]
        return commands.RegisterAccessPoint(
            ean=ean, energy=self.energy, meter_kind=kind, registered_on=self.registered_on, direction=self.direction
        )


class AllocationPointBody(Body):
    """A further allocation point."""

    allocation_point_id: AllocationPointId
    direction: AllocationDirection = Field(description="Which way energy goes there.")
    added_on: Day = Field(description="First local day (gas: gas day).")

    def to_command(self, ean: Ean, find: Find) -> PointCommand:
        return commands.AddAllocationPoint(ean=ean, **self.model_dump(include=set(AllocationPointBody.model_fields)))


class SubHeadPointBody(Body):
    """A measurement with an EAN of its own behind an AMR point."""

    sub_ean: EanText = Field(description="Its own EAN, 18 digits with a GS1 check digit.")
    kind: SubHeadPointKind = Field(description="What it measures.")
    installation_id: Code = Field(default="", description="The installation that is measured.")
    production_type: Code = Field(default="", description="What produces, such as SOLAR; for PRODUCTION alone.")
    added_on: Day = Field(description="First local day.")

    def to_command(self, ean: Ean, find: Find) -> PointCommand:
        return commands.AddSubHeadPoint(ean=ean, **self.model_dump(include=set(SubHeadPointBody.model_fields)))


class MeterBody(Body):
    """A meter to install where none measures."""

    meter_id: MeterId
    meter_kind: KnownKind = Field(description="What is installed.")
    installed_at: Instant = Field(description="Instant from which it measures, with its zone.")

    def to_command(self, ean: Ean, find: Find) -> PointCommand:
        kind = MeterKind[self.meter_kind]
        return commands.InstallMeter(ean=ean, meter_id=self.meter_id, meter_kind=kind, installed_at=self.installed_at)


class MeterSwapBody(Body):
    """A meter to put in the place of the one that measures."""

    meter_id: MeterId
    meter_kind: KnownKind = Field(description="What is installed.")
    swapped_at: Instant = Field(description="Instant, with its zone, from which it measures instead; any instant.")
    removed_meter_id: Code = Field(default="", description="The meter that must be there now; empty: whichever is.")

    def to_command(self, ean: Ean, find: Find) -> PointCommand:
        return commands.SwapMeter(
            ean=ean,
            meter_id=self.meter_id,
            meter_kind=MeterKind[self.meter_kind],
            swapped_at=self.swapped_at,
            removed_meter_id=self.removed_meter_id,
        )


class NetUserBody(Body):
    """Who: exactly one of the three."""

    net_user_id: UUID | None = Field(default=None, description="Id of the net user.")
    person_ref: str | None = Field(
        default=None, min_length=1, max_length=PERSON_REF_LENGTH_LIMIT, description="Reference of a person."
    )
    kbo: KboText | None = Field(default=None, description="Enterprise number, 10 digits.")

    @model_validator(mode="after")
    def _check_one(self) -> NetUserBody:
        if sum(each is not None for each in (self.net_user_id, self.person_ref, self.kbo)) != 1:
            raise ValueError("give exactly one of net_user_id, person_ref and kbo")
        return self


class MoveInBody(NetUserBody):
    """A net user who comes; who was there goes the day before."""

    on: Day = Field(description="First local day (gas: gas day), inclusive.")
    allocation_point_id: AllocationPointId | None = Field(default=None, description="Where; left out: everywhere.")

    def to_command(self, ean: Ean, find: Find) -> PointCommand:
        return commands.MoveIn(
            ean=ean, allocation_point_id=self.allocation_point_id, net_user_id=find(self), moved_in_on=self.on
        )


class MoveOutBody(NetUserBody):
    """A net user who goes."""

    last_on: Day = Field(description="Last local day (gas: gas day), inclusive.")
    allocation_point_id: AllocationPointId | None = Field(default=None, description="Where; left out: everywhere.")

    def to_command(self, ean: Ean, find: Find) -> PointCommand:
        return commands.MoveOut(
            ean=ean, allocation_point_id=self.allocation_point_id, net_user_id=find(self), last_on=self.last_on
        )


class ClosureBody(Body):
    """The end of a point."""

    last_on: Day = Field(description="Last local day (gas: gas day) on which it exists, inclusive.")
    replaced_by: EanText | None = Field(default=None, description="The EAN to use instead, where it was doubled.")

    def to_command(self, ean: Ean, find: Find) -> PointCommand:
        if self.replaced_by is None:
            return commands.CloseAccessPoint(ean=ean, last_on=self.last_on)
        return commands.CloseAccessPoint(ean=ean, last_on=self.last_on, replaced_by=Ean(self.replaced_by))
