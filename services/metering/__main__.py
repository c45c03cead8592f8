"""python -m services.metering api relay: one or several roles as one process; the role project keeps the store.

rebuild, alone, makes the store again beside the live one, compares the two and ends: 0 identical, 1 not.
"""

from __future__ import annotations

import argparse

from services.metering.app import ROLES, run_service
from services.metering.rebuild_app import run_rebuild


def main() -> None:
    """Read the roles from the command line and run them."""
    parser = argparse.ArgumentParser(prog="services.metering", description=__doc__)
    parser.add_argument("roles", nargs="+", choices=(*ROLES, "rebuild"))
    roles = parser.parse_args().roles
    if roles == ["rebuild"]:
        run_rebuild()
    if "rebuild" in roles:
        parser.error("rebuild runs alone")
    run_service(roles)


if __name__ == "__main__":
    main()
