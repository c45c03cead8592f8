"""The portal's file as it comes in: bytes to blocks, every line that cannot be taken named with its reason. Pure.

Reads the current Dutch header, its older forms, English and French; quarters, hours, days and month peaks; digital and
AMR meters. The customer's label (`Omschrijving`) is personal and is not read.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from market.portal_file import Layout, UnknownHeader, read_header
from services.metering.block_input import PortalFile, Refusal
from services.metering.portal_csv_blocks import BlockGatherer
from services.metering.portal_csv_rows import RowReader, RowRefused

MAX_ROW_COUNT: Final = 2_000_000
MAX_REFUSAL_COUNT: Final = 1_000
_MAX_LINE_LENGTH: Final = 1_000
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


class _LineRefused(ValueError):
    """The line is not text that can be read; the message says where."""


def read_portal_csv(data: bytes, *, max_row_count: int = MAX_ROW_COUNT) -> PortalFile:
    """Return the blocks of a portal file and the lines that were refused; never raises, whatever the bytes.

    UTF-8 with or without byte order mark, lines end in CRLF or LF. Rows are parts: a slice without a row and one
    without consumption are both missing. An unknown header refuses the whole file. Of more than `max_row_count` rows
    the rest is refused in one line, and so are refusals past the first `MAX_REFUSAL_COUNT`.
    """
    lines = data.removeprefix(_BYTE_ORDER_MARK).split(b"\n")
    if not data.strip():
        return _nothing("the file is empty")
    try:
        layout = read_header(_decode(lines[0]))
    except (_LineRefused, UnknownHeader) as error:
        return _nothing(str(error))
    portal_file = _read_rows(layout, lines, max_row_count)
    return _shorten(portal_file)


def _nothing(reason: str) -> PortalFile:
    return PortalFile(blocks=[], refusals=[Refusal(1, reason)])


def _read_rows(layout: Layout, lines: list[bytes], max_row_count: int) -> PortalFile:
    reader, gatherer = RowReader(layout), BlockGatherer()
    refusals: list[Refusal] = []
    for number, line in enumerate(lines[1:], start=2):
        if not line or line == b"\r":
            continue
        if number > max_row_count + 1:
            refusals.append(Refusal(number, f"the file has more than {max_row_count} rows: split it"))
            break
        try:
            gatherer.add(reader.read(number, _decode(line)))
        except (_LineRefused, RowRefused) as error:
            refusals.append(Refusal(number, str(error)))
    return gatherer.close(refusals)


def _decode(line: bytes) -> str:
    if len(line) > _MAX_LINE_LENGTH:
        raise _LineRefused(f"the line is longer than {_MAX_LINE_LENGTH} bytes")
    try:
        return line.rstrip(b"\r").decode()
    except UnicodeDecodeError as error:
        column = len(line[: error.start].decode()) + 1
        sign = f"byte {line[error.start]:#04x} in column {column}"
        raise _LineRefused(f"{sign} is not UTF-8; save the file as UTF-8, not as Latin-1") from error


def _shorten(portal_file: PortalFile) -> PortalFile:
    refusals = portal_file.refusals
    if len(refusals) <= MAX_REFUSAL_COUNT:
        return portal_file
    next_one, left_count = refusals[MAX_REFUSAL_COUNT], len(refusals) - MAX_REFUSAL_COUNT
    more = Refusal(next_one.line, f"this line and others below, {left_count} in all, are refused and not listed")
    return replace(portal_file, refusals=[*refusals[:MAX_REFUSAL_COUNT], more])
