"""Which port serves what, and whether it is free."""

from __future__ import annotations

import socket
from collections.abc import Collection, Mapping

from stack.problem import Problem

HOST = "127.0.0.1"
DEFAULT_BASE = 8400
OFFSETS = {
    "portal": 0,
    "register": 1,
    "mandate": 2,
    "metering": 3,
    "export": 4,
    "metering-project": 5,
    "identity": 6,
    "oidc": 7,
    "kafka": 8,
    "kafka-controller": 9,
    "postgres": 10,
    "metering-watch": 11,
}
STEP = 20
LAST_BASE = 60_000


def is_free(port: int, host: str = HOST) -> bool:
    """Return whether somebody could listen on `port` now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_ports(count: int, host: str = HOST) -> list[int]:
    """Return `count` different ports that the system calls free."""
    probes = [socket.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in range(count)]
    try:
        for probe in probes:
            probe.bind((host, 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def ports_from(base: int, names: Collection[str]) -> dict[str, int]:
    """Return the port of each of `names` with the portal on `base`."""
    return {name: base + offset for name, offset in OFFSETS.items() if name in names}


def choose_ports(names: Collection[str], *, base: int | None, last: Mapping[str, int] | None) -> dict[str, int]:
    """Return a free port per name: from `base`, else those of `last` time, else 8400 and up, else free ones.

    Raises:
        Problem: `base` was asked for and one of its ports is taken; or nothing is free.
    """
    if base is not None:
        ports = ports_from(base, names)
        for name, port in ports.items():
            if not is_free(port):
                raise Problem(f"port {port} ({name}) is taken: end what uses it, or give another --port BASE")
        return ports
    if last:
        # What this version has more than the one that wrote them down lies where it would have.
        ports = {**ports_from(last.get("portal", DEFAULT_BASE), names), **{n: last[n] for n in names if n in last}}
        if all(is_free(port) for port in ports.values()):
            return ports
    for candidate in range(DEFAULT_BASE, LAST_BASE, STEP):
        ports = ports_from(candidate, names)
        if all(is_free(port) for port in ports.values()):
            return ports
    raise Problem(f"no {len(names)} ports in a row are free from {DEFAULT_BASE} on: give a --port BASE")
