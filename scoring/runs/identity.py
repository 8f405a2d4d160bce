"""Which rows are of one patient: identifiers compared and hashed, many at a time."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_STEP = np.uint64(0x9E3779B97F4A7C15)  # odd, so that no power of it is 0: 2^64 over the golden ratio
_MIX = (
    np.uint64(0xBF58476D1CE4E5B9),
    np.uint64(0x94D049BB133111EB),
)  # of splitmix64: Steele 2014, 10.1145/2714064.2660195
_LONGEST = 4096  # bytes of an identifier that are hashed

Hashes = NDArray[np.uint64]


def joined(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """A column in one piece."""
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def nobody(identities: pa.Array) -> NDArray[np.bool_]:
    """(n,) where a row names no patient, and so is one of its own.

    >>> nobody(pa.array(["a", None, " "])).tolist()
    [False, True, True]
    """
    missing = pc.is_null(identities, nan_is_null=pa.types.is_floating(identities.type))
    if pa.types.is_string(identities.type) or pa.types.is_large_string(identities.type):
        missing = pc.or_(missing, pc.fill_null(pc.equal(pc.ascii_trim_whitespace(identities), ""), True))
    return np.asarray(missing.to_numpy(zero_copy_only=False), np.bool_)


def starts(identities: pa.Array) -> NDArray[np.bool_]:
    """(n,) where a row is not of the same patient as the one before; the first always.

    >>> starts(pa.array(["a", "a", None, None, "b"])).tolist()
    [True, False, True, True, True]
    """
    found = np.ones(len(identities), np.bool_)
    if len(identities) > 1 and not pa.types.is_null(identities.type):
        other = pc.fill_null(pc.not_equal(identities[1:], identities[:-1]), True)
        found[1:] = other.to_numpy(zero_copy_only=False)
        found |= nobody(identities)
    return found


def hashes(identities: pa.Array) -> Hashes:
    """(n,) 64 bits of each identifier: the same on every machine; two that share them are rare and do no harm.

    >>> found = hashes(pa.array(["a", "b", "a"]))
    >>> bool(found[0] == found[2]), bool(found[0] == found[1])
    (True, False)
    """
    kind = identities.type
    if pa.types.is_null(kind):
        return np.zeros(len(identities), np.uint64)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _mixed(_of_texts(identities))
    plain = pc.fill_null(identities, 0).to_numpy(zero_copy_only=False)
    bits = plain.astype(np.float64).view(np.uint64) if pa.types.is_floating(kind) else plain.astype(np.uint64)
    return _mixed(bits)


def _of_texts(identities: pa.Array) -> Hashes:
    """A polynomial of the bytes of each text: sums of a running total, which wraps around as it should."""
    filled = pc.fill_null(identities, "").cast(pa.large_binary())
    if len(filled) == 0:
        return np.empty(0, np.uint64)
    longest = pc.max(pc.binary_length(filled)).as_py()
    if longest > _LONGEST:
        filled = pc.binary_slice(filled, 0, _LONGEST)
    _, offsets, data = filled.buffers()
    ends = np.frombuffer(offsets, np.int64)[filled.offset : filled.offset + len(filled) + 1]
    letters = (
        np.frombuffer(data, np.uint8)[ends[0] : ends[-1]].astype(np.uint64) if data is not None else _no_letters()
    )
    ends = ends - ends[0]
    lengths = np.diff(ends)
    powers = np.cumprod(np.full(int(lengths.max()) + 1, _STEP, np.uint64))
    places = np.arange(len(letters)) - np.repeat(ends[:-1], lengths)
    totals = np.concatenate((np.zeros(1, np.uint64), np.cumsum((letters + np.uint64(1)) * powers[places])))
    found: Hashes = totals[ends[1:]] - totals[ends[:-1]] + lengths.astype(np.uint64)
    return found


def _no_letters() -> Hashes:
    return np.empty(0, np.uint64)


def _mixed(bits: Hashes) -> Hashes:
    """So that every bit of the input sways every bit of the output."""
    bits = (bits ^ (bits >> np.uint64(30))) * _MIX[0]
    bits = (bits ^ (bits >> np.uint64(27))) * _MIX[1]
    return bits ^ (bits >> np.uint64(31))
