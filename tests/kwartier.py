"""The command `kwartier` as a user has it, on a state of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Kwartier:
    """The command on the state in `folder`; the servers of the environment are not used."""

    folder: Path

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Type a command and do not wait for its end."""
        elsewhere = {"KAFKA_BOOTSTRAP", "DATABASE_URL", "SCHEMA_REGISTRY_URL"}
        return subprocess.Popen(
            [sys.executable, "-m", "stack.cli", *arguments, "--state", str(self.folder)],
            env={name: value for name, value in os.environ.items() if name not in elsewhere},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Type a command and wait for its end."""
        with self.start(*arguments) as process:
            out, errors = process.communicate(timeout=300)
        return subprocess.CompletedProcess(process.args, process.returncode, out, errors)

    def ok(self, *arguments: str) -> str:
        """Type a command that has to succeed, and return what it prints."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def read(self, name: str) -> Any:
        """Return what a JSON file of the state holds; nothing where it is not there yet."""
        path = self.folder / name
        return json.loads(path.read_text()) if path.exists() else {}
