"""python -m services.export api relay project: some or all roles as one process."""

from __future__ import annotations

import argparse

from services.export.app import ROLES, run_service


def main() -> None:
    """Read the roles from the command line and run them."""
    parser = argparse.ArgumentParser(prog="services.export", description=__doc__)
    parser.add_argument("roles", nargs="+", choices=ROLES)
    run_service(parser.parse_args().roles)


if __name__ == "__main__":
    main()
