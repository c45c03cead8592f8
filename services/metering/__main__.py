"""python -m services.metering api relay: one or several roles as one process; the role project keeps the store."""

from __future__ import annotations

import argparse

from services.metering.app import ROLES, run_service


def main() -> None:
    """Read the roles from the command line and run them."""
    parser = argparse.ArgumentParser(prog="services.metering", description=__doc__)
    parser.add_argument("roles", nargs="+", choices=ROLES)
    run_service(parser.parse_args().roles)


if __name__ == "__main__":
    main()
