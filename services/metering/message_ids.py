"""Message ids as the store keeps them: a UUID in its 16 bytes, any other text as it is. Pure."""

from __future__ import annotations

from typing import Final
from uuid import UUID

import numpy as np
import polars as pl
import pyarrow as pa

from services.metering.byte_column import from_matrix

_TEXT_LENGTH: Final = 36
_PACKED_LENGTH: Final = 16
_HYPHENS: Final = (8, 13, 18, 23)
_DIGITS: Final = [place for place in range(_TEXT_LENGTH) if place not in _HYPHENS]
_NO_DIGIT: Final = 255
_LETTERS: Final = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
_DIGIT_OF: Final = np.full(256, _NO_DIGIT, dtype=np.uint8)
_DIGIT_OF[_LETTERS] = np.arange(16, dtype=np.uint8)


def pack_ids(ids: pl.Series) -> pl.Series:
    """Return `ids` (text without NUL) in their packed form: no two ids share one.

    What `str(UUID)` writes becomes 16 bytes; another text stays, and one of just 16 bytes gets a NUL behind it.
    """
    lengths = ids.str.len_bytes()
    if len(ids) and lengths.min() == lengths.max() == _TEXT_LENGTH:
        text = np.frombuffer("".join(ids.to_list()).encode(), dtype=np.uint8).reshape(-1, _TEXT_LENGTH)
        digits = _DIGIT_OF[text[:, _DIGITS]]
        if digits.max() != _NO_DIGIT and (text[:, _HYPHENS] == ord("-")).all():
            packed = from_matrix((digits[:, 0::2] << np.uint8(4)) | digits[:, 1::2])
            return pl.Series(ids.name, pl.from_arrow(packed.to_arrow()))
    return pl.Series(ids.name, [_pack(each) for each in ids], dtype=pl.Binary)


def _pack(text: str) -> bytes:
    encoded = text.encode()
    if len(encoded) == _PACKED_LENGTH:
        return encoded + b"\0"
    is_uuid = len(encoded) == _TEXT_LENGTH and all(encoded[place] == ord("-") for place in _HYPHENS)
    if is_uuid and all(_DIGIT_OF[encoded[place]] != _NO_DIGIT for place in _DIGITS):
        return UUID(text).bytes
    return encoded


def unpack_ids(packed: pl.Series) -> pl.Series:
    """Return the texts of packed ids."""
    if len(packed) and packed.bin.size().min() == packed.bin.size().max() == _PACKED_LENGTH:
        numbers = np.frombuffer(b"".join(packed.to_list()), dtype=np.uint8).reshape(-1, _PACKED_LENGTH)
        text = np.full((len(packed), _TEXT_LENGTH), ord("-"), dtype=np.uint8)
        text[:, _DIGITS[0::2]], text[:, _DIGITS[1::2]] = _LETTERS[numbers >> 4], _LETTERS[numbers & 15]
        return pl.Series(packed.name, pl.from_arrow(from_matrix(text).to_arrow().cast(pa.string())))
    return pl.Series(packed.name, [unpack_id(each) for each in packed], dtype=pl.String)


def unpack_id(packed: bytes) -> str:
    """Return the text of a packed id."""
    return str(UUID(bytes=packed)) if len(packed) == _PACKED_LENGTH else packed.removesuffix(b"\0").decode()
