"""The fence: sealed files cannot be opened, by whatever way Python opens files."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.trial.data.fence import Seal, SealedFile, sealed


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    path = tmp_path / "masks" / "a.npy"
    path.parent.mkdir()
    np.save(path, np.zeros((4, 4), np.uint8))
    return path


WAYS = {
    "open": lambda path: open(path),
    "Path.open": lambda path: path.open("rb"),
    "os.open": lambda path: os.open(path, os.O_RDONLY),
    "bytes": lambda path: open(os.fsencode(path)),
    "numpy.load": lambda path: np.load(path),
    "numpy.memmap": lambda path: np.memmap(path, mode="r"),
    "Pillow": lambda path: Image.open(path),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_sealed_file_cannot_be_opened(mask: Path, way: str):
    with pytest.raises(SealedFile, match="a.npy"), sealed([mask]):
        WAYS[way](mask)


def test_a_sealed_folder_seals_what_is_in_it(mask: Path):
    with pytest.raises(SealedFile), sealed([mask.parent]):
        np.load(mask)


def test_links_and_relative_paths_lead_nowhere(mask: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "link").symlink_to(mask)
    monkeypatch.chdir(tmp_path)
    for path in ("link", "masks/a.npy", "masks/../masks/a.npy"):
        with pytest.raises(SealedFile), sealed([mask]):
            open(path)


def test_other_files_open_as_ever(mask: Path, tmp_path: Path):
    other = tmp_path / "masks_of_someone_else.npy"
    with sealed([mask, mask.parent]):
        np.save(other, np.ones(3))
        assert np.load(other).sum() == 3


def test_the_seal_ends_with_its_block(mask: Path):
    with sealed([mask]), sealed([mask]):
        pass
    assert np.load(mask).shape == (4, 4)


def test_nested_seals_end_one_by_one(mask: Path):
    seal = Seal.of([mask])
    with pytest.raises(SealedFile), sealed(seal):
        with sealed(seal):
            pass
        np.load(mask)


def test_a_swallowed_error_comes_back_at_the_end(mask: Path):
    with pytest.raises(SealedFile, match="opened while it was sealed"), sealed([mask]):
        try:
            np.load(mask)
        except SealedFile:
            pass


def test_threads_are_under_the_seal_too(mask: Path):
    found: list[BaseException] = []

    def peek() -> None:
        try:
            np.load(mask)
        except SealedFile as error:
            found.append(error)

    with pytest.raises(SealedFile), sealed([mask]):
        thread = threading.Thread(target=peek)
        thread.start()
        thread.join()
    assert len(found) == 1


def test_what_was_mapped_before_stays_readable(mask: Path):
    mapped = np.load(mask, mmap_mode="r")
    with sealed([mask]):
        assert mapped.sum() == 0
