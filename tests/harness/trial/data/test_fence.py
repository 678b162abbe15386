"""The fence: sealed files cannot be opened, by whatever way Python opens files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
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


ROUNDABOUT = {
    "os.link": lambda path: os.link(path, path.parents[1] / "copy"),
    "os.symlink": lambda path: os.symlink(path, path.parents[1] / "copy"),
    "os.rename": lambda path: path.rename(path.parents[1] / "copy"),
    "rename of its folder": lambda path: path.parent.rename(path.parents[1] / "others"),
    "shutil.move": lambda path: shutil.move(path, path.parents[1] / "copy"),
    "subprocess": lambda path: subprocess.run(["cat", str(path)], stdout=subprocess.DEVNULL),
    "bytes to a process": lambda path: subprocess.run([b"cat", os.fsencode(path)], stdout=subprocess.DEVNULL),
    "a process in its folder": lambda path: subprocess.run(["cat", path.name], cwd=path.parent, capture_output=True),
    "a shell": lambda path: subprocess.run(f"cat < {path} > /dev/null", shell=True),
    "a pattern": lambda path: subprocess.run(f"cat {path.parent}/*.npy > /dev/null", shell=True),
    "its folder": lambda path: subprocess.run(["cp", "-r", str(path.parent), str(path.parents[1] / "copy")]),
    "a script": lambda path: subprocess.run([sys.executable, "-c", f"open({str(path)!r}).close()"]),
    "os.system": lambda path: os.system(f"cat {path} > /dev/null"),
    "os.posix_spawn": lambda path: os.posix_spawn("/bin/cat", ["cat", str(path)], os.environ),
}


@pytest.mark.parametrize("way", ROUNDABOUT)
def test_a_sealed_file_cannot_be_reached_in_a_roundabout_way(mask: Path, way: str):
    with pytest.raises(SealedFile, match="masks"), sealed([mask]):
        ROUNDABOUT[way](mask)
    assert np.load(mask).shape == (4, 4) and not (mask.parents[1] / "copy").exists()


def test_a_child_that_replaces_itself_by_another_program_is_stopped(mask: Path):
    with sealed([mask]):
        assert os.spawnv(os.P_WAIT, "/bin/cat", ["cat", str(mask)]) == 127  # refused in the child


def test_other_processes_links_and_renames_work_as_ever(mask: Path, tmp_path: Path):
    other = tmp_path / "other.txt"
    other.write_text("here")
    with sealed([mask]):
        assert subprocess.run(["cat", str(other)], capture_output=True, text=True).stdout == "here"
        assert subprocess.run("echo masks a", shell=True, capture_output=True).returncode == 0
        os.link(other, tmp_path / "link")
        other.rename(tmp_path / "renamed.txt")
    assert (tmp_path / "link").read_text() == (tmp_path / "renamed.txt").read_text() == "here"


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
    with pytest.raises(SealedFile, match="used while it was sealed"), sealed([mask]):
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
