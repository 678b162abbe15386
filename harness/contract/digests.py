"""What files are called that belong to a data set: plugins choose their digests, files have short names."""

from __future__ import annotations

import hashlib
import re

_SHA256 = re.compile("[0-9a-f]{64}")


def file_name(digest: str) -> str:
    """Sixteen hexadecimal digits that tell digests apart.

    Of a SHA-256 its first ones. Any other text is hashed first: `acme-dots-1-400-64` and `acme-dots-1-200-64` begin
    alike, and cut short they would name the same files.
    """
    whole = digest if _SHA256.fullmatch(digest) else hashlib.sha256(digest.encode()).hexdigest()
    return whole[:16]
