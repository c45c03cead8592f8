"""Each import contract breaks on an import that it forbids: planted in a copy of the tree, seen by the linter."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTRACTS = {
    entry["id"]: entry["name"]
    for entry in tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
}
PLANTS = [
    ("market", "market/ean.py", "import sqlalchemy"),
    ("market", "market/ean.py", "import logging"),
    ("market", "market/ean.py", "import eventlog.events"),
    ("events", "eventlog/events/event.py", "import eventlog.codec"),
    ("events", "eventlog/events/event.py", "import fastavro"),
    ("domains", "services/register/domain/moving.py", "import eventlog.event_store"),
    ("domains", "services/mandate/domain/decision.py", "import time"),
    ("domains", "services/export/domain/daily.py", "import services.export.settings"),
    ("domains", "services/export/domain/daily.py", "import numpy"),
    ("files", "services/export/files/portal_csv.py", "import pathlib"),
    ("files", "services/export/readings_json.py", "import services.export.metering_client"),
    ("energy", "services/export/energy/days.py", "import sqlalchemy"),
    ("energy", "services/export/energy/series.py", "import services.export.facts"),
    ("blocks", "services/metering/fold.py", "import services.metering.store"),
    ("eventlog", "eventlog/relay.py", "import services.register.domain"),
    ("services", "services/export/store.py", "import services.metering.tables"),
    ("services", "services/portal/exports.py", "import services.export.domain.series"),
    ("stack", "services/register/app.py", "import stack.ports"),
    ("stack", "eventlog/process.py", "import tests"),
    ("stack-tests", "stack/ports.py", "import tests"),
    ("register", "services/register/store.py", "import services.register.handlers"),
    ("mandate", "services/mandate/handlers.py", "import services.mandate.api"),
    ("export", "services/export/store.py", "import services.export.metering_client"),
    ("export", "services/export/handlers.py", "import services.export.questions"),
    ("metering", "services/metering/store.py", "import services.metering.receipts"),
    ("pages", "services/portal/figures.py", "import httpx"),
    ("portal", "services/portal/store.py", "import services.portal.sessions"),
]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of everything that the linter reads."""
    copy = tmp_path_factory.mktemp("tree")
    for package in ("market", "eventlog", "services", "stack", "tests"):
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    return copy


@contextmanager
def planted(module: Path, line: str) -> Iterator[None]:
    """`module` with one more line, until the block ends."""
    before = module.read_text(encoding="utf-8")
    module.write_text(f"{before}\n{line}\n", encoding="utf-8")
    try:
        yield
    finally:
        module.write_text(before, encoding="utf-8")


def lint(tree: Path, *contracts: str) -> tuple[int, str]:
    """The exit code and the words of the linter over `tree`; of all contracts where none is named."""
    chosen = [word for contract in contracts for word in ("--contract", contract)]
    linter = Path(sysconfig.get_path("scripts")) / "lint-imports"
    done = subprocess.run(
        [sys.executable, str(linter), "--no-logo", "--cache-dir", str(tree / "cache"), *chosen],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_tree_as_it_is_keeps_every_contract(tree: Path) -> None:
    code, words = lint(tree)
    assert code == 0, words
    assert f"{len(CONTRACTS)} kept, 0 broken" in words


def test_every_contract_has_an_import_that_breaks_it() -> None:
    assert {contract for contract, _, _ in PLANTS} == set(CONTRACTS)


@pytest.mark.parametrize(("contract", "module", "line"), PLANTS)
def test_a_forbidden_import_breaks_its_contract(tree: Path, contract: str, module: str, line: str) -> None:
    with planted(tree / module, line):
        code, words = lint(tree, contract)
    assert code == 1, words
    assert f"{CONTRACTS[contract]} BROKEN" in words
    assert line.removeprefix("import ") in words


@pytest.mark.parametrize(
    "place", ["market", "services/register/domain", "services/mandate/domain", "services/export/domain"]
)
def test_what_is_pure_asks_no_clock_and_no_chance(place: str) -> None:
    path = ROOT / place
    modules = [path] if path.is_file() else sorted(path.rglob("*.py"))
    assert modules
    for module in modules:
        text = module.read_text(encoding="utf-8")
        for call in ("datetime.now(", "date.today(", "utcnow(", "uuid4(", "uuid1("):
            assert call not in text, f"{module.name} calls {call})"
