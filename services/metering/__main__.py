"""python -m services.metering api relay: one or several roles as one process; the role project keeps the store.

rebuild, alone, makes the store again beside the live one; with --help it says more.
"""

from __future__ import annotations

import argparse
import sys

from eventlog.rebuild_command import run_rebuild
from services.metering.app import ROLES, run_service
from services.metering.rebuild_app import rebuildables
from services.metering.settings import MeteringSettings


def main() -> None:
    """Read the roles from the command line and run them."""
    if sys.argv[1:2] == ["rebuild"]:
        sys.exit(run_rebuild(sys.argv[2:], MeteringSettings, rebuildables))
    parser = argparse.ArgumentParser(prog="services.metering", description=__doc__)
    parser.add_argument("roles", nargs="+", choices=ROLES)
    run_service(parser.parse_args().roles)


if __name__ == "__main__":
    main()
