"""What a process does about the schema registry when it starts: reads with it, and publishes nothing unregistered."""

from __future__ import annotations

import sys
import time
from typing import Final, NoReturn

from eventlog import framing, registry
from eventlog.schema_registry import NotRegistered, RegistryAccess, RegistryAway, SchemaRegistry

_WAIT_SECONDS: Final = 30.0
_RETRY_SECONDS: Final = 1.0


def use_schema_registry(access: RegistryAccess | None, *, publishes: str = "") -> None:
    """Let this process read and publish with the schema registry `access`; without one, in single-object framing.

    `publishes` is the service whose events this process puts on topics, "" for none. Ends the process (exit code 1)
    with one line when one of them is not registered, or the registry does not answer for 30 s.
    """
    if access is None:
        framing.use(None)
        return
    known = SchemaRegistry(access)
    framing.use(known)
    deadline = time.monotonic() + _WAIT_SECONDS
    while publishes:
        try:
            demand_registered(known, publishes)
        except NotRegistered as error:
            _end(f"{error}: run `kwartier schemas register --url {access.url}`")
        except RegistryAway as error:
            if time.monotonic() > deadline:
                _end(f"{error}: start it, or unset SCHEMA_REGISTRY_URL")
            time.sleep(_RETRY_SECONDS)
        else:
            return


def demand_registered(known: SchemaRegistry, service: str) -> None:
    """Look up every version of the events of `service`: an older one may still wait for its publication.

    Raises:
        NotRegistered: one is missing.
        RegistryAway: it cannot be asked now.
    """
    for schema in registry.published().by_version.values():
        if schema.service == service:
            known.number(schema)


def _end(line: str) -> NoReturn:
    sys.stderr.write(f"{line}\n")
    raise SystemExit(1)
