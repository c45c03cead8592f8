"""What went wrong, said to the person at the keyboard."""

from __future__ import annotations


class Problem(Exception):
    """One line that says what happened and what to do; `exit_code` 1 is refused or failed, 2 is wrong use.

    `detail` holds more lines (the tail of a log), printed after the line.
    """

    def __init__(self, line: str, *, exit_code: int = 1, detail: str = "") -> None:
        super().__init__(line)
        self.exit_code = exit_code
        self.detail = detail
