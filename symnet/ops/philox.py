"""Philox4x32-10: random words as a function of a key and a counter (Salmon, Moraes, Dror, Shaw: Parallel random
numbers: as easy as 1, 2, 3; SC 2011).

A block of four 32-bit words is ten rounds of

    (c0, c1, c2, c3) ← (hi(M1·c2) ^ c1 ^ k0, lo(M1·c2), hi(M0·c0) ^ c3 ^ k1, lo(M0·c0)),   (k0, k1) ← (k0 + W0, k1 + W1)

on a counter of four words and a key of two. symnet's element i of the stream s in step t of a program with a given seed
is word i mod 4 of the block with

    counter = (i // 4, s, low half of t, high half of t),   key = (low half of the seed, high half of the seed)

so an element does not depend on how many threads or lanes compute it, nor on which other elements are computed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from symnet.errors import Unsupported

M0, M1 = 0xD2511F53, 0xCD9E8D57
W0, W1 = 0x9E3779B9, 0xBB67AE85
ROUNDS = 10
WORDS = 4
"""Words in a block."""
LOW = 0xFFFFFFFF

Array = np.ndarray[Any, np.dtype[Any]]


def block(counter: tuple[Any, Any, Any, Any], key: tuple[Any, Any]) -> tuple[Array, Array, Array, Array]:
    """The four words (as uint64) for counters and keys given as arrays of 32-bit words, element by element."""
    low = np.uint64(LOW)
    half = np.uint64(32)
    c0, c1, c2, c3 = (np.asarray(word).astype(np.uint64) & low for word in counter)
    k0, k1 = (np.asarray(word).astype(np.uint64) & low for word in key)
    for _ in range(ROUNDS):
        first, second = np.uint64(M0) * c0, np.uint64(M1) * c2
        c0, c1, c2, c3 = (second >> half) ^ c1 ^ k0, second & low, (first >> half) ^ c3 ^ k1, first & low
        k0, k1 = (k0 + np.uint64(W0)) & low, (k1 + np.uint64(W1)) & low
    return c0, c1, c2, c3


def words(seed: Any, step: Any, stream: Any, element: Any, bits: int) -> Array:
    """The upper `bits` bits of the words of these elements: int32 for up to 31 bits, int64 for 32."""
    element = np.asarray(element, np.int64)
    if element.size and int(element.max()) >= WORDS << 32:
        raise Unsupported("random bits: an array of random numbers has at most 2^34 elements")
    seed, step = (np.asarray(value, np.int64).astype(np.uint64) for value in (seed, step))
    half = np.uint64(32)
    counter = (element >> 2, stream, step, step >> half)
    drawn = block(counter, (seed, seed >> half))
    chosen = np.choose(element & 3, drawn)
    return np.asarray(chosen >> np.uint64(32 - bits)).astype(np.int32 if bits < 32 else np.int64)
