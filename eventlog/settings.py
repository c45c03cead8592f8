"""What a service is told from outside, through its environment."""

from __future__ import annotations

import sys
from typing import TypeVar

from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from eventlog.trust import TrustedIssuer

WRONG_USE = 2


class Settings(BaseSettings):
    """Settings that every service has; a service with more of them subclasses this. Environment names are the
    upper-case field names; lists and records are JSON.

    `replica` names this process among others with the same role, and must stay the same when it starts again.
    `client_id`, `client_secret` and `token_url` are this service's own credentials for calling others.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    service: str
    database_url: SecretStr
    kafka_bootstrap: str
    host: str = "127.0.0.1"
    port: int
    replica: str = "0"
    topics_profile: str = "local"
    trusted_issuers: list[TrustedIssuer] = []
    client_id: str = ""
    client_secret: SecretStr = SecretStr("")
    token_url: str = ""
    register_url: str = ""
    mandate_url: str = ""
    metering_url: str = ""
    export_url: str = ""
    portal_url: str = ""


SettingsT = TypeVar("SettingsT", bound=BaseSettings)


def read_settings(kind: type[SettingsT]) -> SettingsT:
    """Return the settings in the environment, or end the process (exit code 2) with one line that says what to set."""
    try:
        return kind()
    except ValidationError as error:
        wrong = [
            f"{'_'.join(str(part) for part in each['loc'][:1]).upper()} ({each['msg'].lower()})"
            for each in error.errors()
        ]
        sys.stderr.write(f"set these in the environment: {', '.join(wrong)}\n")
        raise SystemExit(WRONG_USE) from None
