"""Seeds from names, so that no two uses of randomness share a stream by accident."""

from __future__ import annotations

import hashlib


def of(*names: object) -> int:
    """A seed in [0, 2**31) that depends on every name and on nothing else.

    `seeds.of("init", spec.seed)` is the same in every process, on every machine and in every
    variant, which is what makes two variants at one seed a pair.
    """
    text = "\x1f".join(str(name) for name in names)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "big") >> 1
