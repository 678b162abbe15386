from __future__ import annotations

import hashlib

from harness.contract.files import file_name


def test_digests_that_begin_alike_have_files_of_their_own() -> None:
    names = {file_name(f"acme-dots-version-1-{images}-{size}") for images in (12, 16, 20) for size in (24, 32)}
    assert len(names) == 6 and all(len(name) == 16 for name in names)


def test_a_sha256_keeps_its_first_digits() -> None:
    digest = hashlib.sha256(b"x").hexdigest()
    assert file_name(digest) == digest[:16]
    assert file_name(digest[:40]) != digest[:16]
