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
        help="print addresses and the demo publisher's credentials for a shell",
        description='Print lines for a shell: eval "$(kwartier env)" sets KWARTIER_METERING, KWARTIER_TOKEN_URL, '
        "PUBLISHER_ID and PUBLISHER_SECRET (and the other services' addresses).",
    )
    return own


def run(arguments: argparse.Namespace) -> int:
    """Print the export lines."""
    endpoints = read_endpoints(arguments.state)
    publisher = read_json(arguments.state.credentials)["publisher"]
    services = ("register", "mandate", "metering", "export", "portal")
    variables = {f"KWARTIER_{name.upper()}": endpoints[name] for name in services}
    variables |= {
        "KWARTIER_TOKEN_URL": endpoints["token_url"],
        "PUBLISHER_ID": publisher["client_id"],
        "PUBLISHER_SECRET": publisher["client_secret"],
    }
    for name, value in variables.items():
        print(f"export {name}={shlex.quote(value)}")
    return 0
