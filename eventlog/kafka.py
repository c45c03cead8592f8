"""Where Kafka is and how a client proves who it is: the same for producers, consumers and administration."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import Any, Final

from pydantic import SecretStr

PROTOCOLS: Final = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
_PLACE: Final = re.compile(r"[^\s/@]+:\d{1,5}")
MECHANISMS: Final = ("SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN")


@dataclass(frozen=True, slots=True)
class KafkaAccess:
    """How to reach a cluster; printing it shows no secret.

    `bootstrap` is `host:port`, several divided by commas. With SSL the brokers' certificates are checked against the
    PEM file `ca_file`, or the system's authorities where it is empty, and against the host's name; `client_cert_file`
    and `client_key_file` (PEM) are shown to them. With SASL there are a mechanism, a name and a password. Files are
    read once in a process: a certificate that was renewed is taken up by a restart.

    Raises:
        ValueError: the settings do not fit each other, or a file cannot be used; the message says what to set.
    """

    bootstrap: str
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str = ""
    sasl_username: str = ""
    sasl_password: SecretStr = field(default=SecretStr(""), repr=False)
    ca_file: str = ""
    client_cert_file: str = ""
    client_key_file: str = ""

    def __post_init__(self) -> None:
        if not all(_PLACE.fullmatch(place.strip()) for place in self.bootstrap.split(",")):
            raise ValueError("KAFKA_BOOTSTRAP is host:port, several divided by commas")
        if self.security_protocol not in PROTOCOLS:
            raise ValueError(f"KAFKA_SECURITY_PROTOCOL is one of {', '.join(PROTOCOLS)}")
        self._check_sasl()
        self._check_tls()

    def _check_sasl(self) -> None:
        given = {
            "KAFKA_SASL_MECHANISM": self.sasl_mechanism,
            "KAFKA_SASL_USERNAME": self.sasl_username,
            "KAFKA_SASL_PASSWORD": self.sasl_password.get_secret_value(),
        }
        if not self._has_sasl and (unused := [name for name, value in given.items() if value]):
            raise ValueError(f"KAFKA_SECURITY_PROTOCOL=SASL_SSL, or unset {_and(unused)}")
        if self._has_sasl and (missing := [name for name, value in given.items() if not value]):
            raise ValueError(f"KAFKA_SECURITY_PROTOCOL={self.security_protocol} needs {_and(missing)}")
        if self._has_sasl and self.sasl_mechanism not in MECHANISMS:
            raise ValueError(f"KAFKA_SASL_MECHANISM is one of {', '.join(MECHANISMS)}")

    def _check_tls(self) -> None:
        files = {
            "KAFKA_CA_FILE": self.ca_file,
            "KAFKA_CLIENT_CERT_FILE": self.client_cert_file,
            "KAFKA_CLIENT_KEY_FILE": self.client_key_file,
        }
        if not self._has_tls and (unused := [name for name, value in files.items() if value]):
            raise ValueError(f"KAFKA_SECURITY_PROTOCOL=SSL or SASL_SSL, or unset {_and(unused)}")
        if bool(self.client_cert_file) != bool(self.client_key_file):
            raise ValueError("KAFKA_CLIENT_CERT_FILE and KAFKA_CLIENT_KEY_FILE go together: set both, or neither")
        if self._has_tls:
            _ssl_context(self.ca_file, self.client_cert_file, self.client_key_file)

    @property
    def _has_sasl(self) -> bool:
        return self.security_protocol.startswith("SASL_")

    @property
    def _has_tls(self) -> bool:
        return self.security_protocol.endswith("SSL")

    def client_arguments(self) -> dict[str, Any]:
        """Return the arguments of an aiokafka client that reach the cluster; the password is among them."""
        arguments: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap,
            "security_protocol": self.security_protocol,
        }
        if self._has_tls:
            arguments["ssl_context"] = _ssl_context(self.ca_file, self.client_cert_file, self.client_key_file)
        if self._has_sasl:
            arguments["sasl_mechanism"] = self.sasl_mechanism
            arguments["sasl_plain_username"] = self.sasl_username
            arguments["sasl_plain_password"] = self.sasl_password.get_secret_value()
        return arguments

    def environment(self) -> dict[str, str]:
        """Return the variables that say all this to a service, empty ones too; the password is among them."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        values["sasl_password"] = self.sasl_password.get_secret_value()
        return {f"KAFKA_{name.upper()}": value for name, value in values.items()}

    @classmethod
    def from_environment(cls, values: Mapping[str, str]) -> KafkaAccess:
        """Return what `values` say, variables as `environment` has them; one that is missing is as if empty.

        Raises:
            ValueError: as for the class itself.
        """
        given = {each.name: values.get(f"KAFKA_{each.name.upper()}", "") for each in fields(cls)}
        password = SecretStr(given.pop("sasl_password"))
        protocol = given.pop("security_protocol") or "PLAINTEXT"
        return cls(security_protocol=protocol, sasl_password=password, **given)


@lru_cache
def _ssl_context(ca_file: str, client_cert_file: str, client_key_file: str) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca_file or None)
    except (OSError, ssl.SSLError):
        raise ValueError("KAFKA_CA_FILE is to be a readable PEM file with the brokers' authority") from None
    if client_cert_file:
        try:
            context.load_cert_chain(client_cert_file, client_key_file)
        except (OSError, ssl.SSLError):
            raise ValueError(
                "KAFKA_CLIENT_CERT_FILE and KAFKA_CLIENT_KEY_FILE are to be readable PEM files that belong together"
            ) from None
    return context


def _and(names: list[str]) -> str:
    return " and ".join(names)
