"""`python -m services.portal api`: the pages."""

from __future__ import annotations

import sys

from eventlog.process import run
from eventlog.settings import WRONG_USE, read_settings
from services.portal.app import create_app
from services.portal.settings import PortalSettings


def main(roles: list[str]) -> None:
    """Run the roles of the portal; it has one."""
    if roles != ["api"]:
        sys.stderr.write("usage: python -m services.portal api\n")
        raise SystemExit(WRONG_USE)
    settings = read_settings(PortalSettings)
    run(
        settings.service,
        app=create_app(settings),
        host=settings.host,
        port=settings.port,
        tracing_endpoint=settings.tracing_otlp_endpoint,
    )


if __name__ == "__main__":
    main(sys.argv[1:])
