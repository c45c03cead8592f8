"""Kafka's own jars: fetched once by coordinates, checked against the sums in `kafka_jars.txt` at every start."""

from __future__ import annotations

import fcntl
import hashlib
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stack.problem import Problem

KAFKA = "org.apache.kafka:kafka_2.13:4.3.1+org.slf4j:slf4j-simple:2.0.17"
LIST = Path(__file__).with_name("kafka_jars.txt")
KAFKA_INSTEAD = "set KAFKA_BOOTSTRAP to a Kafka that runs elsewhere"
TRIES = 3

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Jar:
    """One pinned file; `coordinates` are group:artifact:version, `classifier` and `packaging` Maven's."""

    sha256: str
    coordinates: str
    classifier: str = ""
    packaging: str = "jar"

    @property
    def file_name(self) -> str:
        _, artifact, version = self.coordinates.split(":")
        return "-".join(filter(None, (artifact, version, self.classifier))) + f".{self.packaging}"

    def path(self, repository: Path) -> Path:
        group, artifact, version = self.coordinates.split(":")
        return repository / group.replace(".", "/") / artifact / version / self.file_name

    def is_whole(self, repository: Path) -> bool:
        path = self.path(repository)
        return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == self.sha256


def cache_folder() -> Path:
    """Return the folder for what is fetched: KWARTIER_CACHE, else `.kwartier-cache` beside the packages."""
    return Path(os.environ.get("KWARTIER_CACHE") or Path(__file__).resolve().parent.parent / ".kwartier-cache")


def pinned_jars() -> list[Jar]:
    """Return the committed list, in its order."""
    lines = (line.split() for line in LIST.read_text().splitlines() if not line.startswith("#"))
    return [Jar(sha256=sha256, coordinates=coordinates) for sha256, coordinates in lines]


def kafka_classpath(report: Report) -> str:
    """Return the class path of Kafka; fetch what is missing or damaged first, telling `report`.

    Raises:
        Problem: a jar cannot be fetched, or what came has another sum than the committed one.
    """
    repository = cache_folder() / "m2"
    jars = pinned_jars()
    with locked(repository):
        missing = [jar for jar in jars if not jar.is_whole(repository)]
        if missing:
            _fetch_all(missing, repository, report)
    return os.pathsep.join(str(jar.path(repository)) for jar in jars)


@contextmanager
def locked(repository: Path) -> Iterator[None]:
    """Keep others from fetching into `repository` meanwhile; makes it."""
    try:
        repository.mkdir(parents=True, exist_ok=True)
        lock = (repository / ".lock").open("w")
    except OSError as error:
        raise Problem(f"{repository} cannot be written ({error.strerror}): set KWARTIER_CACHE to a folder") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetch_all(jars: list[Jar], repository: Path, report: Report) -> None:
    report(f"Kafka: fetching {len(jars)} jars, once (46 MB in all)")
    pool = ThreadPoolExecutor(max_workers=6)
    try:
        futures = [pool.submit(fetch, jar, repository, KAFKA_INSTEAD) for jar in jars]
        for count, future in enumerate(as_completed(futures), start=1):
            future.result()
            report(f"Kafka: fetched {count} of {len(jars)} jars")
    finally:
        pool.shutdown(cancel_futures=True)


def fetch(jar: Jar, repository: Path, instead: str) -> None:
    """Fetch one jar; the resolver writes straight to the final path, so a broken try is removed before the next.

    Raises:
        Problem: it cannot be fetched, or has another sum; `instead` says what else helps than the network.
    """
    from jgo.maven import MavenContext

    group, artifact, version = jar.coordinates.split(":")
    context = MavenContext(repo_cache=repository, local_repos=[], timeout=30)
    reason = ""
    for _ in range(TRIES):
        jar.path(repository).unlink(missing_ok=True)
        try:
            component = context.project(group, artifact).at_version(version)
            component.artifact(classifier=jar.classifier, packaging=jar.packaging).resolve()
        except Exception as error:  # the resolver lets every library's errors through
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            continue
        if jar.is_whole(repository):
            return
        reason = "its SHA-256 sum is not the committed one"
    raise Problem(f"{jar.file_name} cannot be fetched: check the network, or {instead}", detail=reason)


def _resolve() -> list[str]:
    """Return the list's lines anew, from coordinates alone; for whoever moves to another Kafka."""
    import jgo

    lines = []
    for artifact in jgo.resolve(KAFKA):
        sha256 = hashlib.sha256(artifact.resolve().read_bytes()).hexdigest()
        lines.append(f"{sha256}  {artifact.groupId}:{artifact.artifactId}:{artifact.version}")
    return sorted(lines)


if __name__ == "__main__":
    os.environ["M2_REPO"] = str(cache_folder() / "m2")
    head = LIST.read_text().splitlines()[0]
    sys.stdout.write("\n".join([head, *_resolve()]) + "\n")
