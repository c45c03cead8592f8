"""Locks released schemas: `python -m stack.schema_lock [--check]`.

`schemas/avro/LOCK.toml` holds the SHA-256 of every released `.avsc`. A locked file never changes; a new version is a
new file. Without `--check`, files that are not locked yet are added; a changed one is never locked anew.
"""

from __future__ import annotations

import hashlib
import sys
import tomllib
from pathlib import Path

from eventlog.registry import SCHEMA_DIR

_HEAD = """\
# SHA-256 of every released schema. Written by `python -m stack.schema_lock`; a locked file never changes.

[sha256]
"""


def digests(directory: Path) -> dict[str, str]:
    """Return the SHA-256 (hex) of every schema file under `directory`, by its path from there, sorted."""
    paths = sorted(directory.glob("*/*.avsc"))
    return {path.relative_to(directory).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def locked(directory: Path) -> dict[str, str]:
    """Return what LOCK.toml in `directory` holds; nothing where there is no such file."""
    path = directory / "LOCK.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))["sha256"] if path.exists() else {}


def problems(directory: Path) -> list[str]:
    """Return one line for every schema that is changed, gone, or not locked; none when all is well."""
    now, then = digests(directory), locked(directory)
    changed = [
        f"{name} is locked and changed: restore it and write the next version"
        for name in sorted(then)
        if name in now and now[name] != then[name]
    ]
    gone = [
        f"{name} is locked and gone: records written with it could not be read"
        for name in sorted(then)
        if name not in now
    ]
    new = [
        f"{name} is not locked: run `python -m stack.schema_lock` when it is released"
        for name in now
        if name not in then
    ]
    return [*changed, *gone, *new]


def lock(directory: Path) -> None:
    """Add the schemas that are not in LOCK.toml yet; those that are stay as they were."""
    entries = {**digests(directory), **locked(directory)}
    lines = [f'"{name}" = "{entries[name]}"\n' for name in sorted(entries)]
    (directory / "LOCK.toml").write_text(_HEAD + "".join(lines), encoding="utf-8")


def main(arguments: list[str]) -> int:
    """Lock what is new, or with `--check` only look; return the exit code."""
    if arguments not in ([], ["--check"]):
        print("usage: python -m stack.schema_lock [--check]", file=sys.stderr)
        return 2
    if not arguments:
        lock(SCHEMA_DIR)
    found = problems(SCHEMA_DIR)
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
