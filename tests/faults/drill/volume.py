"""A small volume for the database, so that its disk can be full.

It is a file system in memory, in a mount namespace that ends with the drill. Root may make one; others where the system
lets them be root in a namespace of their own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

INSIDE: Final = "KWARTIER_DRILL_NAMESPACE"
AS_ROOT: Final = ["unshare", "--mount", "--propagation", "private", "--"]
AS_ANYBODY: Final = ["unshare", "--user", "--map-root-user", "--mount", "--propagation", "private", "--"]
_PIECE: Final = 1 << 20


def enter_namespace(module: str) -> None:
    """Become the same program in a mount namespace of its own, if there is a way; else go on here."""
    if INSIDE in os.environ:
        return
    way = AS_ROOT if os.geteuid() == 0 else AS_ANYBODY
    can_mount = [*way, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    try:
        done = subprocess.run(can_mount, capture_output=True, check=False)
    except FileNotFoundError:
        return
    if done.returncode == 0:
        os.environ[INSIDE] = "1"
        os.execvp(way[0], [*way, sys.executable, "-m", module, *sys.argv[1:]])  # noqa: S606 (itself, elsewhere)


class Volume:
    """A folder of at most `mebibytes`; without a namespace it has no limit of its own, and `is_limited` says so."""

    def __init__(self, folder: Path, mebibytes: int) -> None:
        self.folder = folder
        self.is_limited = INSIDE in os.environ
        folder.mkdir(parents=True)
        if self.is_limited:
            size = f"size={mebibytes}m,mode=0755"
            subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder)], check=True)

    @property
    def _ballast(self) -> Path:
        return self.folder / "ballast"

    def fill(self) -> None:
        """Leave no room."""
        with self._ballast.open("ab", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(bytes(_PIECE))
            except OSError:
                pass

    def free(self) -> None:
        """Give the room back."""
        self._ballast.unlink(missing_ok=True)

    def close(self) -> None:
        """Give the whole volume back, with what is in it."""
        if self.is_limited:
            subprocess.run(["umount", "--lazy", str(self.folder)], check=False)
