"""A schema registry over its Confluent API: which id means which schema. Asked once per id, by readers and producers.

Nothing is registered from here while a service runs: `kwartier schemas register` does that when one is deployed.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from eventlog.framing import UnknownSchema
from eventlog.registry import Schema, foreign_schema

COMPATIBILITY: Final = "FULL_TRANSITIVE"
_TIMEOUT: Final = httpx.Timeout(2.0, connect=1.0)  # a projection may ask inside its transaction
_UNKNOWN_SECONDS: Final = 10.0
_UNKNOWN_LIMIT: Final = 10_000
_NOT_FOUND: Final = frozenset({40401, 40402, 40403, 40408})  # no such subject, version, schema, subject's own rule
_OTHERS_FAULT: Final = frozenset({401, 403, 407, 408, 425, 429})
_MEDIA_TYPE: Final = "application/vnd.schemaregistry.v1+json"


class RegistryAway(ConnectionError):
    """The schema registry does not answer, or not as one: try again. The message holds no secret."""


class NotRegistered(LookupError):
    """The schema registry does not have this schema of ours."""


class Refused(Exception):
    """The schema registry does not take a schema; the message says why."""


@dataclass(frozen=True, slots=True)
class RegistryAccess:
    """Where a schema registry is and how to come in; printing it shows no secret.

    `url` is its Confluent API (Apicurio's is `http://HOST:PORT/apis/ccompat/v7`). `username` and `password` (HTTP
    Basic) are both there or both empty; `ca_file` (PEM) is who signed its certificate, else httpx's own authorities.

    Raises:
        ValueError: the settings do not fit each other; the message says what to set.
    """

    url: str
    username: str = ""
    password: SecretStr = field(default=SecretStr(""), repr=False)
    ca_file: str = ""

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("SCHEMA_REGISTRY_URL is to be http://host:port/path")
        if parts.username or parts.password:
            raise ValueError(
                "SCHEMA_REGISTRY_USERNAME and SCHEMA_REGISTRY_PASSWORD hold what SCHEMA_REGISTRY_URL may not"
            )
        if bool(self.username) != bool(self.password.get_secret_value()):
            raise ValueError("SCHEMA_REGISTRY_USERNAME and SCHEMA_REGISTRY_PASSWORD go together: set both, or neither")

    def environment(self) -> dict[str, str]:
        """Return the variables that say all this to a service; the password is among them."""
        return {
            "SCHEMA_REGISTRY_URL": self.url,
            "SCHEMA_REGISTRY_USERNAME": self.username,
            "SCHEMA_REGISTRY_PASSWORD": self.password.get_secret_value(),
            "SCHEMA_REGISTRY_CA_FILE": self.ca_file,
        }

    @classmethod
    def from_environment(cls, values: Mapping[str, str]) -> RegistryAccess | None:
        """Return what `values` say, variables as `environment` has them; None without an address.

        Raises:
            ValueError: as for the class itself.
        """
        given = {name: values.get(f"SCHEMA_REGISTRY_{name.upper()}", "") for name in ("url", "username", "ca_file")}
        password = SecretStr(values.get("SCHEMA_REGISTRY_PASSWORD", ""))
        return cls(**given, password=password) if given["url"] else None

    def client(self) -> httpx.Client:
        """Return a client for its API.

        Raises:
            ValueError: `ca_file` cannot be read.
        """
        try:
            verify: ssl.SSLContext | bool = ssl.create_default_context(cafile=self.ca_file) if self.ca_file else True
        except (OSError, ssl.SSLError):
            raise ValueError("SCHEMA_REGISTRY_CA_FILE is to be a readable PEM file with its authority") from None
        return httpx.Client(
            base_url=self.url.rstrip("/"),
            auth=(self.username, self.password.get_secret_value()) if self.username else None,
            headers={"Accept": f"{_MEDIA_TYPE}, application/json"},
            timeout=_TIMEOUT,
            trust_env=False,
            verify=verify,
        )


class SchemaRegistry:
    """The ids of schemas; from several threads at once. What an id means is kept for ever, that one means nothing for
    10 s.

    The subject of a schema is the full name of its record (`kwartier.metering.RunApplied`): every version of an event
    reads every other wherever it lies, on whatever topic.
    """

    def __init__(self, access: RegistryAccess, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.access = access
        self._client = access.client()
        self._monotonic = monotonic
        self._schemas: dict[int, Schema] = {}
        self._numbers: dict[bytes, int] = {}
        self._unknown: dict[int, tuple[float, str]] = {}

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def schema(self, number: int) -> Schema:
        """Return the schema with the id `number`.

        Raises:
            UnknownSchema: there is none, or it is none of an event that we know.
            RegistryAway: it cannot be asked now.
        """
        known = self._schemas.get(number)
        if known is not None:
            return known
        until, reason = self._unknown.get(number, (0.0, ""))
        if self._monotonic() < until:
            raise UnknownSchema(reason)
        found = self._ask("GET", f"/schemas/ids/{number}")
        if found is None:
            raise self._forgotten(number, "no schema has this id")
        schema = foreign_schema(str(found.get("schema"))) if found.get("schemaType", "AVRO") == "AVRO" else None
        if schema is None:
            raise self._forgotten(number, "the schema of this id is none of our events")
        self._schemas[number] = schema
        return schema

    def number(self, schema: Schema) -> int:
        """Return the id of `schema`, one of ours.

        Raises:
            NotRegistered: it has none.
            RegistryAway: it cannot be asked now.
        """
        known = self._numbers.get(schema.fingerprint)
        if known is not None:
            return known
        found = self._ask("POST", f"/subjects/{schema.full_name}", {"schema": schema.text})
        if found is None:
            raise NotRegistered(f"{schema.name} v{schema.version} is not registered")
        self._numbers[schema.fingerprint] = number = int(found["id"])
        return number

    def register(self, schema: Schema) -> int:
        """Register `schema` as the next version of its subject and return its id; the same again changes nothing.

        Raises:
            Refused: it is not compatible with a version that is there, or not valid.
            RegistryAway: it cannot be asked now.
        """
        found = self._ask("POST", f"/subjects/{schema.full_name}/versions", {"schema": schema.text})
        if found is None:
            raise RegistryAway(f"{self._place()} has no place for {schema.full_name}")
        return int(found["id"])

    def demand_compatibility(self, subject: str) -> None:
        """Let every version of `subject` have to read every other.

        Raises:
            RegistryAway: it cannot be asked now.
        """
        self._ask("PUT", f"/config/{subject}", {"compatibility": COMPATIBILITY})

    def compatibility(self, subject: str) -> str:
        """Return what the registry demands of `subject` by itself, "" where that is nothing.

        Raises:
            RegistryAway: it cannot be asked now.
        """
        found = self._ask("GET", f"/config/{subject}") or {}
        return str(found.get("compatibilityLevel", ""))

    def subjects(self) -> list[str]:
        """Return the names of all subjects.

        Raises:
            RegistryAway: it cannot be asked now.
        """
        return [str(each) for each in self._ask("GET", "/subjects") or []]

    def texts(self, subject: str) -> list[str]:
        """Return the schemas of `subject`, oldest first.

        Raises:
            RegistryAway: it cannot be asked now.
        """
        numbers = self._ask("GET", f"/subjects/{subject}/versions") or []
        found = [self._ask("GET", f"/subjects/{subject}/versions/{number}") for number in numbers]
        return [str(each["schema"]) for each in found if each is not None]

    def _forgotten(self, number: int, reason: str) -> UnknownSchema:
        if len(self._unknown) >= _UNKNOWN_LIMIT:
            self._unknown.clear()
        self._unknown[number] = (self._monotonic() + _UNKNOWN_SECONDS, reason)
        return UnknownSchema(reason)

    def _ask(self, method: str, path: str, body: dict[str, str] | None = None) -> Any:
        """Return the answer, None where there is no such thing."""
        try:
            response = self._client.request(method, path, json=body)
        except httpx.HTTPError as error:
            raise RegistryAway(f"{self._place()} does not answer ({type(error).__name__})") from error
        try:
            answer = response.json()
        except ValueError:
            raise RegistryAway(f"{self._place()} answers {response.status_code}, not as a schema registry") from None
        if response.is_success and isinstance(answer, dict | list):
            return answer
        code = answer.get("error_code") if isinstance(answer, dict) else None
        if response.status_code == httpx.codes.NOT_FOUND and code in _NOT_FOUND:
            return None
        if response.is_server_error or response.status_code in _OTHERS_FAULT or code is None:
            raise RegistryAway(f"{self._place()} answers {response.status_code}")
        raise Refused(str(answer.get("message", response.status_code)))

    def _place(self) -> str:
        parts = urlsplit(self.access.url)
        return f"the schema registry at {parts.hostname}:{parts.port or ''}".rstrip(":")
