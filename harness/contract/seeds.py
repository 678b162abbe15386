"""Seeds from names, so that two uses of randomness never share a stream."""

from __future__ import annotations

import hashlib


def of(*names: object) -> int:
    """Return a seed in [0, 2**31) that depends on all names and on nothing else.

    `seeds.of("init", spec.seed)` is the same in every process, on every machine and in every
    variant. Two variants at one seed are therefore a pair.
    """
    text = "\x1f".join(str(name) for name in names)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "big") >> 1
