"""A real broker with TLS, names and passwords (SCRAM) and access rules, and an authority made for it."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import SecretStr

from eventlog.kafka import KafkaAccess
from stack.kafka import QUICK_START, KafkaServer
from stack.ports import HOST, free_ports
from stack.readiness import wait_until_ready

ADMIN = "admin"
USERS = (ADMIN, "kwartier", "register", "mandate", "metering", "export")


@dataclass(frozen=True)
class SecuredKafka:
    """Where the broker is, what it is trusted by, and everybody's password."""

    bootstrap: str
    ca_file: Path
    passwords: dict[str, str]

    def access(self, user: str) -> KafkaAccess:
        """How `user` comes in."""
        return KafkaAccess(
            self.bootstrap,
            security_protocol="SASL_SSL",
            sasl_mechanism="SCRAM-SHA-512",
            sasl_username=user,
            sasl_password=SecretStr(self.passwords[user]),
            ca_file=str(self.ca_file),
        )

    def with_password(self, user: str, password: str) -> KafkaAccess:
        """How somebody comes in as `user` who believes in another password."""
        return replace(self.access(user), sasl_password=SecretStr(password))


@contextmanager
def secured_kafka(folder: Path) -> Iterator[SecuredKafka]:
    """Run a broker for as long as the block lasts. It lets in by name and password over TLS alone, and by no rule."""
    port, controller_port, secure_port = free_ports(3)
    passwords = {user: secrets.token_urlsafe(18) for user in USERS}
    authority = Authority.make()
    ca_file, broker_file = folder / "ca.pem", folder / "broker.pem"
    ca_file.write_bytes(authority.certificate_pem)
    broker_file.write_bytes(authority.issue())
    broker = KafkaServer(
        folder=folder / "broker",
        port=port,
        controller_port=controller_port,
        log=folder / "kafka.log",
        heap_mebibytes=256,
        java_options=QUICK_START,
        settings=_settings(port, controller_port, secure_port, broker_file),
        scram_passwords=passwords,
    )
    child = broker.start(logging.getLogger(__name__).info)
    try:
        wait_until_ready(child, broker.is_ready, timeout_seconds=90)
        yield SecuredKafka(f"{HOST}:{secure_port}", ca_file, passwords)
    finally:
        child.stop(grace_seconds=0)


def _settings(port: int, controller_port: int, secure_port: int, broker_file: Path) -> dict[str, str]:
    plain, secure = f"PLAINTEXT://{HOST}:{port}", f"SECURE://{HOST}:{secure_port}"
    login = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    return {
        "listeners": f"{plain},{secure},CONTROLLER://{HOST}:{controller_port}",
        "advertised.listeners": f"{plain},{secure}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,SECURE:SASL_SSL,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.name.secure.sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.secure.scram-sha-512.sasl.jaas.config": login,
        "listener.name.secure.ssl.keystore.type": "PEM",
        "listener.name.secure.ssl.keystore.location": str(broker_file),
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        # The broker itself, on the listeners that no client is told of.
        "super.users": f"User:ANONYMOUS;User:{ADMIN}",
    }


@dataclass(frozen=True)
class Authority:
    """Who says that a broker is the one it says."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def make(cls) -> Authority:
        """An authority of its own, good for an hour."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("Kwartier test authority")
        builder = _builder(name, name, key).add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        return cls(key, builder.sign(key, hashes.SHA256()))

    @property
    def certificate_pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def issue(self) -> bytes:
        """The key and the certificate of a broker on this machine, as PEM: PKCS #8, then the chain."""
        key = ec.generate_private_key(ec.SECP256R1())
        addresses = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(HOST))])
        builder = _builder(_name("broker"), self.certificate.subject, key).add_extension(addresses, critical=False)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        chain = builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        return pem + chain + self.certificate_pem


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(hours=1))
    )
