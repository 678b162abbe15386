"""Paths of a manifest: found in the spelling of the file system, or the file that is there is named."""

from __future__ import annotations

import unicodedata

import pytest

from harness.contract.errors import InputError
from tests.plugins.datasets.manifest.tables import build, draw, rows, write

NAME = "Aufnahme \u00e4.png"


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("stored", ["NFC", "NFD"])
def test_a_name_is_found_in_either_unicode_form(tmp_path, form, stored):
    table = rows()
    path = write(tmp_path, table)
    draw(path.parent, unicodedata.normalize(stored, f"\u00e9t\u00e9/{NAME}"), "image")
    text = path.read_text().replace("images/0.png", unicodedata.normalize(form, f"\u00e9t\u00e9/{NAME}"))
    path.write_text(text)
    dataset = build(tmp_path)
    assert dataset.read(dataset.split("train")[0]).shape[:2] == (24, 16)


def test_backslashes_are_slashes_where_no_such_file_exists(tmp_path):
    path = write(tmp_path, rows())
    path.write_text(path.read_text().replace("images/", "images\\").replace("masks/", ".\\masks\\"))
    dataset = build(tmp_path)
    (masked,) = [sample for sample in dataset.split("train") if sample.id == "images\\2.png"]
    assert dataset.read_mask(masked).any()


def test_an_absolute_path_below_the_root_is_found_and_another_one_is_refused(tmp_path):
    path = write(tmp_path, rows())
    text = path.read_text()
    path.write_text(text.replace("images/1.png", f"{tmp_path}/set/images/1.png"))
    assert build(tmp_path).digest
    path.write_text(text.replace("images/1.png", f"{tmp_path}/../images/1.png"))
    with pytest.raises(InputError, match="climbs out of the data root"):
        build(tmp_path)


def test_another_case_of_the_ending_names_the_file_that_is_there(tmp_path):
    path = write(tmp_path, rows())
    path.write_text(path.read_text().replace("images/1.png", "Images/1.PNG"))
    with pytest.raises(InputError, match=r"row 3: no such file: set/Images/1\.PNG; there is set/images/1\.png"):
        build(tmp_path)
