"""A contract for import-linter: some modules import these and nothing else. For what is pure, and stays so.

The linter's own `forbidden` names what may not be imported, and lets through whatever nobody thought of.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output

# No input, output, clock, chance or log. (`datetime` and `uuid` hold values, and can ask too: test_doors looks.)
_PURE: Final = frozenset(
    (
        *("__future__", "abc", "array", "base64", "bisect", "collections", "contextlib", "copy", "csv", "dataclasses"),
        *("datetime", "decimal", "enum", "fractions", "functools", "hashlib", "hmac", "itertools", "json", "math"),
        *("operator", "re", "statistics", "string", "struct", "types", "typing", "unicodedata", "uuid", "zoneinfo"),
    )
)


class AllowedImports(Contract):
    """`modules` and all below them import each other, `allowed`, and the pure part of the standard library."""

    type_name = "allowed_imports"
    modules = fields.ListField(subfield=fields.StringField())
    allowed = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        wrong = sorted(set(self._wrong(graph)))
        return ContractCheck(kept=not wrong, metadata={"wrong": wrong})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for importer, imported in check.metadata["wrong"]:
            output.print_error(f"{importer} may not import {imported}")

    def _wrong(self, graph: ImportGraph) -> Iterator[tuple[str, str]]:
        own = [str(each) for each in self.modules]
        places = [*own, *(str(each) for each in self.allowed)]
        for package in own:
            for module in {package} | graph.find_descendants(package):
                for imported in graph.find_modules_directly_imported_by(module):
                    if not (_is_pure_standard(imported) or any(_is_in(imported, place) for place in places)):
                        yield module, imported


def _is_in(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def _is_pure_standard(module: str) -> bool:
    return module.partition(".")[0] in _PURE
