"""Seeds from names, so that two uses of randomness never share a stream."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def of(*names: object) -> int:
    """Return a seed in [0, 2**31) that depends on all names and on nothing else.

    `seeds.of("init", spec.seed)` is the same in every process, on every machine and in every
    variant. Two variants at one seed are therefore a pair.
    """
    text = "\x1f".join(str(name) for name in names)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "big") >> 1


def generator(*names: object) -> torch.Generator:
    """Return a generator of random numbers whose draws depend on the names and on nothing else.

    Draws from it leave torch's global generator as it is. It is on the CPU: draw there and move the values, so that
    every device gets the same ones.

    Args:
        names: the purpose first, then what the draws may depend on, such as an image's id.
    """
    import torch

    return torch.Generator().manual_seed(of(*names))
