"""Settings: read from the environment, secrets hidden, and a line that says what to set."""

from __future__ import annotations

import pytest

from eventlog.settings import Settings, read_settings

ENVIRONMENT = {
    "SERVICE": "metering",
    "DATABASE_URL": "postgresql://metering:secret@127.0.0.1:8410/kwartier",
    "KAFKA_BOOTSTRAP": "127.0.0.1:8408",
    "PORT": "8403",
    "CLIENT_SECRET": "also secret",
    "TRUSTED_ISSUERS": '[{"issuer": "http://i", "jwks_url": "http://i/jwks", "roles": ["service"]}]',
}


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    settings = read_settings(Settings)
    assert (settings.service, settings.port, settings.host) == ("metering", 8403, "127.0.0.1")
    assert settings.database_url.get_secret_value() == ENVIRONMENT["DATABASE_URL"]
    assert settings.trusted_issuers[0].roles == ("service",)
    assert ":secret@" not in repr(settings)
    assert "also secret" not in repr(settings)


def test_what_is_missing_or_wrong_is_named_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", ENVIRONMENT["DATABASE_URL"])
    monkeypatch.setenv("SERVICE", "metering")
    monkeypatch.setenv("PORT", "many")
    with pytest.raises(SystemExit) as end:
        read_settings(Settings)
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "KAFKA_BOOTSTRAP (field required)" in said
    assert "PORT" in said
    assert "secret" not in said
