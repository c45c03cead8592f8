"""python -m services.export api relay project: some or all roles as one process.

rebuild, alone, makes a projection again beside the live one; with --help it says more.
"""

from __future__ import annotations

import argparse
import sys

from eventlog.rebuild_command import run_rebuild
from services.export.app import ROLES, run_service
from services.export.rebuild_app import rebuildables
from services.export.settings import ExportSettings


def main() -> None:
    """Read the roles from the command line and run them."""
    if sys.argv[1:2] == ["rebuild"]:
        sys.exit(run_rebuild(sys.argv[2:], ExportSettings, rebuildables))
    parser = argparse.ArgumentParser(prog="services.export", description=__doc__)
    parser.add_argument("roles", nargs="+", choices=ROLES)
    run_service(parser.parse_args().roles)


if __name__ == "__main__":
    main()
