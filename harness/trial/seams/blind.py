"""What a component may know of a sample: a digest in place of its name, and its labels in training only.

It prevents mistakes, not malice: docs/design.md states what stays open.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace

import torch

from harness.contract.nn import Batch


def digests(names: Iterable[str], key: str) -> tuple[str, ...]:
    """Return a digest of 16 hexadecimal digits for each name; the same on every machine.

    Args:
        names: ids or groups; equal names have equal digests.
        key: the digest of the data set. "" leaves the names unchanged, for data that no component sees.
    """
    if not key:
        return tuple(names)
    secret = hashlib.sha256(key.encode()).digest()
    return tuple(hashlib.blake2b(name.encode(), digest_size=8, key=secret).hexdigest() for name in names)


def unlabelled(batch: Batch) -> Batch:
    """Return the batch as `forward` and explainers receive it outside training: labels are NaN, masks are absent."""
    return replace(batch, labels=torch.full_like(batch.labels, torch.nan), targets=None, weights=None)
