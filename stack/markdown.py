"""Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

GENERATED = "<!-- Written by `python -m stack.reference`. Change the source, not this page. -->"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table; a bar or a line break inside a cell does not break it."""
    return [_row(heads), _row(["-"] * len(heads)), *(_row(row) for row in rows)]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|").replace("<", "&lt;") for cell in cells) + " |"


def page(lines: Iterable[str]) -> str:
    """Return the text of a page: its lines, the note that it is generated after the first, a line break at the end."""
    title, *rest = lines
    return "\n".join([title, "", GENERATED, *rest]) + "\n"
