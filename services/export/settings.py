"""What export is told from outside; environment names are the upper-case field names."""

from __future__ import annotations

from datetime import date

from pydantic import PositiveFloat, PositiveInt, SecretStr

from eventlog.settings import Settings


class ExportSettings(Settings):
    """Settings of export beside those that every service has. Days are local, ends inclusive.

    `max_days` bounds one answer to the operator (three years; the data access API has a limit of its own);
    `oldest_day` and `newest_day` bound what is plausible. Metering has `metering_connect_seconds` to take a call and
    `metering_silence_seconds` between two pieces of its answer, which holds at most `metering_max_bytes`;
    `neighbour_seconds` is what mandate and register have for an answer.

    `token_signing_keys` is a JWKS document with private P-256 keys, each with a `kid`: the first signs tokens, all of
    them are published. `credential_key` is what secrets are kept under: change it and every secret is void. A holder
    may come `requests_per_second` times, and `request_burst` times at once. Nothing leaves by permissions that are
    older than `freshness_seconds`.
    """

    service: str = "export"
    max_days: PositiveInt = 1_096
    oldest_day: date = date(2000, 1, 1)
    newest_day: date = date(2100, 12, 31)
    metering_connect_seconds: PositiveFloat = 2.0
    metering_silence_seconds: PositiveFloat = 15.0
    metering_max_bytes: PositiveInt = 256 * 2**20
    neighbour_seconds: PositiveFloat = 5.0
    token_signing_keys: SecretStr = SecretStr("")
    credential_key: SecretStr = SecretStr("")
    requests_per_second: PositiveFloat = 50.0
    request_burst: PositiveInt = 100
    freshness_seconds: PositiveFloat = 15.0
