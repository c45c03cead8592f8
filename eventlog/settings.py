"""What a service is told from outside, through its environment."""

from __future__ import annotations

import sys
from typing import Self, TypeVar

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from eventlog.kafka import KafkaAccess
from eventlog.passed_over import PassedOver
from eventlog.schema_registry import RegistryAccess
from eventlog.trust import TrustedIssuer

WRONG_USE = 2


class KafkaSettings(BaseSettings):
    """Where Kafka is and how to come in; the names and what goes together are those of `KafkaAccess`."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    kafka_bootstrap: str
    kafka_security_protocol: str = "PLAINTEXT"
    kafka_sasl_mechanism: str = ""
    kafka_sasl_username: str = ""
    kafka_sasl_password: SecretStr = SecretStr("")
    kafka_ca_file: str = ""
    kafka_client_cert_file: str = ""
    kafka_client_key_file: str = ""

    @model_validator(mode="after")
    def _check_kafka(self) -> Self:
        _ = self.kafka
        return self

    @property
    def kafka(self) -> KafkaAccess:
        """How to reach Kafka."""
        return KafkaAccess(
            bootstrap=self.kafka_bootstrap,
            security_protocol=self.kafka_security_protocol,
            sasl_mechanism=self.kafka_sasl_mechanism,
            sasl_username=self.kafka_sasl_username,
            sasl_password=self.kafka_sasl_password,
            ca_file=self.kafka_ca_file,
            client_cert_file=self.kafka_client_cert_file,
            client_key_file=self.kafka_client_key_file,
        )


class RegistrySettings(BaseSettings):
    """Where the schema registry is, if one is used, and how to come in; as `RegistryAccess` has them."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    schema_registry_url: str = ""
    schema_registry_username: str = ""
    schema_registry_password: SecretStr = SecretStr("")
    schema_registry_ca_file: str = ""

    @model_validator(mode="after")
    def _check_schema_registry(self) -> Self:
        _ = self.schema_registry
        return self

    @property
    def schema_registry(self) -> RegistryAccess | None:
        """How to reach the schema registry; None where none is used."""
        if not self.schema_registry_url:
            return None
        return RegistryAccess(
            url=self.schema_registry_url,
            username=self.schema_registry_username,
            password=self.schema_registry_password,
            ca_file=self.schema_registry_ca_file,
        )


class Settings(KafkaSettings, RegistrySettings):
    """Settings that every service has; a service with more of them subclasses this. Environment names are the
    upper-case field names; lists and records are JSON.

    `replica` names this process among others with the same role, and must stay the same when it starts again.
    A projection that has stood still for `stall_limit_seconds`, for no reason that is seen, turns /livez red.
    `passed_over` names foreign records that a projection of permissions may pass over, as `PassedOver` reads them.
    `client_id`, `client_secret` and `token_url` are this service's own credentials for calling others. Traces are
    exported where `tracing_otlp_endpoint` is set, the base address of an OTLP/HTTP receiver.
    """

    service: str
    database_url: SecretStr
    host: str = "127.0.0.1"
    port: int
    replica: str = "0"
    topics_profile: str = "local"
    stall_limit_seconds: float = Field(default=60.0, ge=10)
    trusted_issuers: list[TrustedIssuer] = []
    passed_over: list[str] = []
    client_id: str = ""
    client_secret: SecretStr = SecretStr("")
    token_url: str = ""
    register_url: str = ""
    mandate_url: str = ""
    metering_url: str = ""
    export_url: str = ""
    portal_url: str = ""
    tracing_otlp_endpoint: str = ""

    @field_validator("passed_over")
    @classmethod
    def _check_passed_over(cls, entries: list[str]) -> list[str]:
        PassedOver.parse(entries)
        return entries


SettingsT = TypeVar("SettingsT", bound=BaseSettings)


def read_settings(kind: type[SettingsT]) -> SettingsT:
    """Return the settings in the environment, or end the process (exit code 2) with one line that says what to set."""
    try:
        return kind()
    except ValidationError as error:
        wrong = [_wrong(each["loc"], each["msg"]) for each in error.errors()]
        sys.stderr.write(f"set these in the environment: {', '.join(wrong)}\n")
        raise SystemExit(WRONG_USE) from None


def _wrong(place: tuple[int | str, ...], message: str) -> str:
    # A rule over several settings has no place and names them itself.
    return f"{str(place[0]).upper()} ({message.lower()})" if place else message.removeprefix("Value error, ")
