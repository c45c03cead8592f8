"""What the portal is told from outside; environment names are the upper-case field names."""

from __future__ import annotations

from pydantic import SecretStr

from eventlog.settings import Settings


class PortalSettings(Settings):
    """Settings of the portal beside those that every service has.

    `oidc_issuer` signs people in (OpenID Connect, discovered from its address); `export_url` answers for readings,
    `mandate_url` for who may read them, `register_url` for whose points are whose; `token_url` gives the portal's own
    tokens. `watch_url` shows what arrives (the process metering-watch).
    """

    oidc_issuer: str = ""
    oidc_client_id: str = "portal"
    oidc_client_secret: SecretStr = SecretStr("")
    watch_url: str = ""
    session_seconds: int = 8 * 3600
