"""Commands as they come over HTTP."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from market.day import parse_day
from market.ean import parse_ean
from market.kbo import parse_kbo
from services.mandate.domain.addresses import LENGTH_LIMIT
from services.mandate.domain.contract import parse_contract_number, parse_holder_name
from services.mandate.domain.session import EAN_LIMIT, DataServiceType, Flow, RequestedService, parse_reference


def _optional_day(value: object) -> date | None:
    return None if value is None else parse_day(value)


def _name_or_none(text: str) -> str:
    return text and parse_holder_name(text)


ContractNumberText = Annotated[str, AfterValidator(parse_contract_number)]
KboText = Annotated[str, AfterValidator(parse_kbo)]
EanText = Annotated[str, AfterValidator(parse_ean)]
Day = Annotated[date, BeforeValidator(parse_day)]
OptionalDay = Annotated[date | None, BeforeValidator(_optional_day)]
Address = Annotated[str, Field(max_length=LENGTH_LIMIT)]


class Body(BaseModel):
    """A command; what it does not have is ignored."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True, populate_by_name=True)

    def command(self, **more: object) -> dict[str, Any]:
        """Return the command as JSON, with what its address says, to know it again by."""
        return {**self.model_dump(mode="json"), **more}


class ContractBody(Body):
    """A contract to sign."""

    contract_number: ContractNumberText = Field(description="10 digits.")
    holder_kbo: KboText = Field(description="The holder's enterprise number, 10 digits.")
    valid_from: Day = Field(description="First local day.")
    holder_name: Annotated[str, AfterValidator(_name_or_none)] = Field(
        default="", description="The holder's public name, which customers see: 1 to 120 characters; empty for none."
    )


class ContractEndBody(Body):
    """The end of a contract and of all its mandates."""

    ended_on: Day = Field(description="First local day without it, ahead or behind.")


class ReturnRootBody(Body):
    """An address below which customers may be sent back."""

    root: Address = Field(description="https://host/ with a path that ends in a slash.")


class ServiceBody(Body):
    """A data service that is asked for."""

    type: DataServiceType
    first_day: OptionalDay = Field(
        default=None, alias="from", description="First day (gas: gas day) of the data period; null for no bound."
    )
    last_day: OptionalDay = Field(
        default=None, alias="to", description="Last day (gas: gas day), inclusive; null for no bound."
    )

    def to_service(self) -> RequestedService:
        """Return the service that it asks for."""
        return RequestedService(type=self.type, first_day=self.first_day, last_day=self.last_day)


class SessionBody(Body):
    """A consent to ask for. Fields without a value may be left out or null."""

    contract_number: ContractNumberText = Field(description="The holder's data access contract, 10 digits.")
    holder_kbo: KboText = Field(description="The holder that asks, as its credentials say.")
    reference_number: Annotated[str, AfterValidator(parse_reference)] = Field(
        description="The holder's own: 1 to 64 of A-Z a-z 0-9 - _ ."
    )
    flow: Flow = Field(description="B2C or B2B.")
    services: list[ServiceBody] = Field(min_length=1, max_length=4)
    number_of_eans: Annotated[int, Field(ge=1, le=EAN_LIMIT)] | None = Field(
        default=None, description="How many points may be picked at most; 1 if left out."
    )
    return_url_success: Address | None = Field(default=None, description="Where the browser goes then.")
    return_url_failed: Address | None = Field(default=None, description="Where the browser goes else.")
    enterprise_number: KboText | None = Field(default=None, description="The customer's enterprise number (B2B).")


class ConsentBody(Body):
    """What the customer agrees to."""

    eans: list[EanText] = Field(min_length=1, max_length=EAN_LIMIT, description="The points picked, each once.")
    services: list[DataServiceType] | None = Field(
        default=None, min_length=1, max_length=4, description="The data services agreed to; all if left out."
    )
