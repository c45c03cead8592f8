"""How Kafka is reached: settings that do not fit are named, and no secret is shown."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from pydantic import SecretStr

from eventlog.kafka import KafkaAccess
from eventlog.settings import KafkaSettings, read_settings

BOOTSTRAP = "broker-1:9093,broker-2:9093"


def test_an_address_alone_is_reached_in_the_clear() -> None:
    assert KafkaAccess(BOOTSTRAP).client_arguments() == {
        "bootstrap_servers": BOOTSTRAP,
        "security_protocol": "PLAINTEXT",
    }


@pytest.mark.parametrize("bootstrap", ["", "broker", "broker:", ":9092x", "broker:9092,", "kafka://broker:9092"])
def test_an_address_without_host_or_port_is_refused_at_once(bootstrap: str) -> None:
    with pytest.raises(ValueError, match=r"^KAFKA_BOOTSTRAP is host:port, several divided by commas$"):
        KafkaAccess(bootstrap)


def test_tls_checks_the_certificate_and_the_name_of_the_broker() -> None:
    context = KafkaAccess(BOOTSTRAP, security_protocol="SSL").client_arguments()["ssl_context"]
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_every_client_has_the_same_tls_context() -> None:
    first, second = (KafkaAccess(BOOTSTRAP, security_protocol="SSL").client_arguments() for _ in range(2))
    assert first["ssl_context"] is second["ssl_context"]


def test_sasl_gives_name_password_and_mechanism() -> None:
    access = KafkaAccess(
        BOOTSTRAP,
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_username="metering",
        sasl_password=SecretStr("s3cret"),
    )
    assert access.client_arguments() == {
        "bootstrap_servers": BOOTSTRAP,
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "metering",
        "sasl_plain_password": "s3cret",
    }
    assert "s3cret" not in f"{access} {access!r}"


def test_what_a_service_is_told_is_what_the_command_was_told() -> None:
    access = KafkaAccess(
        BOOTSTRAP,
        security_protocol="SASL_SSL",
        sasl_mechanism="PLAIN",
        sasl_username="export",
        sasl_password=SecretStr("s3cret"),
    )
    told = access.environment()
    assert (told["KAFKA_BOOTSTRAP"], told["KAFKA_SASL_PASSWORD"], told["KAFKA_CA_FILE"]) == (BOOTSTRAP, "s3cret", "")
    assert KafkaAccess.from_environment(told) == access


WRONG = [
    ({"SECURITY_PROTOCOL": "TLS"}, "KAFKA_SECURITY_PROTOCOL is one of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL"),
    ({"SASL_USERNAME": "export"}, "KAFKA_SECURITY_PROTOCOL=SASL_SSL, or unset KAFKA_SASL_USERNAME"),
    (
        {"SECURITY_PROTOCOL": "SASL_SSL", "SASL_MECHANISM": "PLAIN"},
        "KAFKA_SECURITY_PROTOCOL=SASL_SSL needs KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD",
    ),
    (
        {
            "SECURITY_PROTOCOL": "SASL_SSL",
            "SASL_MECHANISM": "GSSAPI",
            "SASL_USERNAME": "export",
            "SASL_PASSWORD": "s3cret",
        },
        "KAFKA_SASL_MECHANISM is one of SCRAM-SHA-512, SCRAM-SHA-256, PLAIN",
    ),
    ({"CA_FILE": "ca.pem"}, "KAFKA_SECURITY_PROTOCOL=SSL or SASL_SSL, or unset KAFKA_CA_FILE"),
    (
        {"SECURITY_PROTOCOL": "SSL", "CA_FILE": "nowhere.pem"},
        "KAFKA_CA_FILE is to be a readable PEM file with the brokers' authority",
    ),
    (
        {"SECURITY_PROTOCOL": "SSL", "CLIENT_CERT_FILE": "client.pem"},
        "KAFKA_CLIENT_CERT_FILE and KAFKA_CLIENT_KEY_FILE go together: set both, or neither",
    ),
    (
        {"SECURITY_PROTOCOL": "SSL", "CLIENT_CERT_FILE": "client.pem", "CLIENT_KEY_FILE": "client.key"},
        "KAFKA_CLIENT_CERT_FILE and KAFKA_CLIENT_KEY_FILE are to be readable PEM files that belong together",
    ),
]


@pytest.mark.parametrize(("given", "said"), WRONG, ids=[said for _, said in WRONG])
def test_settings_that_do_not_fit_end_the_process_with_one_line(
    given: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in KafkaSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in {"BOOTSTRAP": BOOTSTRAP, **given}.items():
        monkeypatch.setenv(f"KAFKA_{name}", value)
    with pytest.raises(SystemExit) as end:
        read_settings(KafkaSettings)
    assert end.value.code == 2
    assert capsys.readouterr().err == f"set these in the environment: {said}\n"


def test_a_file_that_is_no_certificate_is_named_and_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("no certificate")
    with pytest.raises(ValueError, match="KAFKA_CA_FILE is to be a readable PEM file") as error:
        KafkaAccess(BOOTSTRAP, security_protocol="SSL", ca_file=str(file))
    assert "no certificate" not in str(error.value)
