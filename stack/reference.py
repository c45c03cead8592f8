"""Writes `docs/events.md`, `docs/tables.md` and `docs/metrics.md`: `python -m stack.reference [--check]`.

They come from the schemas, the services' tables and the metrics themselves; with `--check` nothing is written, and the
pages that differ are named. The same source gives the same bytes.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from stack.reference_events import events_page
from stack.reference_metrics import metrics_page
from stack.reference_tables import tables_page

DOCS: Final = Path(__file__).resolve().parents[1] / "docs"


def pages() -> dict[str, str]:
    """Return the text of every generated page by its file name."""
    return {"events.md": events_page(), "metrics.md": metrics_page(), "tables.md": tables_page()}


def stale(directory: Path) -> list[str]:
    """Return the names of the pages in `directory` that are not what the source says, or not there."""
    paths = {directory / name: text for name, text in pages().items()}
    return [path.name for path, text in paths.items() if not path.exists() or path.read_text(encoding="utf-8") != text]


def write(directory: Path) -> None:
    """Write all pages into `directory`."""
    directory.mkdir(exist_ok=True)
    for name, text in pages().items():
        (directory / name).write_text(text, encoding="utf-8")


def main(arguments: Sequence[str]) -> int:
    """Write the pages, or with `--check` only compare them; return the exit code."""
    if list(arguments) not in ([], ["--check"]):
        print("usage: python -m stack.reference [--check]", file=sys.stderr)
        return 2
    if not arguments:
        write(DOCS)
        return 0
    names = stale(DOCS)
    for name in names:
        print(f"docs/{name} is not what the source says: run `python -m stack.reference`", file=sys.stderr)
    return 1 if names else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
