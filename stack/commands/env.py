"""`kwartier env`: what a curl needs, as lines for the shell."""

from __future__ import annotations

import argparse
import shlex
from typing import Any

from stack.running import read_endpoints
from stack.state import read_json


def add(subparsers: Any) -> argparse.ArgumentParser:
    """Return this command's own parser."""
    own: argparse.ArgumentParser = subparsers.add_parser(
        "env",
        help="print addresses and the demo credentials for a shell",
        description='Print lines for a shell: eval "$(kwartier env)" sets KWARTIER_METERING, KWARTIER_TOKEN_URL, '
        "PUBLISHER_ID and PUBLISHER_SECRET (and the other services' addresses), HOLDER_API, HOLDER_TOKEN_URL, "
        "HOLDER_ID, HOLDER_SECRET, HOLDER_SCOPE, HOLDER_KEY, HOLDER_CONTRACT and, in the demo world, HOLDER_EAN.",
    )
    return own


def run(arguments: argparse.Namespace) -> int:
    """Print the export lines."""
    endpoints = read_endpoints(arguments.state)
    credentials = read_json(arguments.state.credentials)
    publisher = credentials["publisher"]
    services = ("register", "mandate", "metering", "export", "portal")
    variables = {f"KWARTIER_{name.upper()}": endpoints[name] for name in services}
    variables |= {
        "KWARTIER_TOKEN_URL": endpoints["token_url"],
        "PUBLISHER_ID": publisher["client_id"],
        "PUBLISHER_SECRET": publisher["client_secret"],
        **_holder(credentials["live"]),
    }
    for name, value in variables.items():
        print(f"export {name}={shlex.quote(value)}")
    return 0


def _holder(live: dict[str, Any]) -> dict[str, str]:
    """The live holder's variables; no point where there is none that it may read."""
    variables = {
        "HOLDER_API": live["base_url"],
        "HOLDER_TOKEN_URL": live["token_url"],
        "HOLDER_ID": live["client_id"],
        "HOLDER_SECRET": live["client_secret"],
        "HOLDER_SCOPE": live["scope"],
        "HOLDER_KEY": live["subscription_key"],
        "HOLDER_CONTRACT": live["data_access_contract_number"],
    }
    return variables | dict(zip(["HOLDER_EAN"], live["eans"], strict=False))
