"""Cells of mask columns: one path, several, and what is no path."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from harness import InputError
from tests.plugins.datasets.manifest.tables import build, rows, write


def with_cell(root, cell):
    """A table whose third image, the first with a mask, names this in its mask column; and two masks a and b."""
    for number, name in enumerate(("masks/a.png", "masks/b.png", "masks/one;two.png")):
        path = root / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        mask = np.zeros((30, 20), np.uint8)
        mask[10 * number : 10 * number + 5] = 255
        Image.fromarray(mask).save(path)
    table = rows()
    table[2]["mask_a"] = ""
    path = write(root, table)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:3], lines[3].replace(",1,0,,", f',1,0,"{cell}",'), *lines[4:]]) + "\n")
    return build(root, image_size=(30, 20))


def mask_of_third(dataset):
    return dataset.read_mask(dataset.split("train")[2])[0]


@pytest.mark.parametrize("sign", [";", "|", " ; "])
def test_several_masks_of_an_image_are_their_union(tmp_path, sign):
    mask = mask_of_third(with_cell(tmp_path, f"masks/a.png{sign}masks/b.png"))
    assert mask[:5].all() and mask[10:15].all() and mask.sum() == 200


def test_a_path_that_exists_is_one_path_whatever_signs_it_has(tmp_path):
    assert np.flatnonzero(mask_of_third(with_cell(tmp_path, "masks/one;two.png")).any(1)).tolist() == [*range(20, 25)]


def test_masks_with_a_blank_between_them_are_refused_with_the_sign_that_is_meant(tmp_path):
    with pytest.raises(
        InputError, match="no such file: set/masks/a.png b.png; several masks of an image have ; between"
    ):
        with_cell(tmp_path, "masks/a.png b.png")


def test_every_mask_of_an_image_counts_for_the_digest_and_is_named_as_a_mask_file(tmp_path):
    one, two = with_cell(tmp_path / "1", "masks/a.png"), with_cell(tmp_path / "2", "masks/a.png;masks/b.png")
    assert one.digest != two.digest
    assert {path.name for path in two.mask_files()} >= {"a.png", "b.png"}


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        ("4 3 20 5", r"a run-length code \(RLE\)"),
        ("[[1, 2, 3, 4, 5, 6]]", "a list of polygons"),
        ("POLYGON ((1 1, 2 2, 3 1))", "a polygon"),
        ("{'size': [30, 20], 'counts': 'PPY'}", r"a run-length code \(RLE\)"),
    ],
)
def test_a_cell_that_is_no_path_is_refused_by_its_name(tmp_path, cell, name):
    with pytest.raises(
        InputError, match=f"row 4: mask_a: the path of a mask image is expected, but the cell holds {name}"
    ):
        with_cell(tmp_path, cell)


def test_masks_of_label_maps_name_their_values_in_the_study(tmp_path):
    labels = np.zeros((30, 20), np.uint8)
    labels[:4], labels[9:11] = 1, 2
    path = tmp_path / "set/masks/2.png"
    path.parent.mkdir(parents=True)
    Image.fromarray(labels).save(path)
    write(tmp_path, rows())
    with pytest.raises(InputError, match=r"row 4: set/masks/2.png cannot be read: holds 3 values \(0, 1, 2\)"):
        build(tmp_path).prepare()
    with pytest.raises(InputError, match=r"row 4: set/masks/2.png cannot be read: holds 3 values"):
        build(tmp_path).notes()  # as the plan asks for them
    masks = build(tmp_path, image_size=(30, 20), mask_values=(2, 1))
    assert mask_of_third(masks).sum() == 2 * 20
    assert len({masks.digest, build(tmp_path, image_size=(30, 20), mask_threshold=2).digest}) == 2


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"mask_values": (1,)}, r"mask_values: one value for each of \['a', 'b'\]"),
        ({"mask_values": (0, 1)}, "0 is outside"),
        ({"mask_values": (1, 2), "mask_threshold": 5}, "not both"),
        ({"mask_threshold": 5, "mask_kind": "none"}, "are for outlines"),
    ],
)
def test_values_that_cannot_be_are_refused_before_the_table_is_opened(tmp_path, changed, message):
    with pytest.raises(InputError, match=message):
        build(tmp_path, **changed)


def test_files_whose_values_differ_over_the_set_are_a_label_map_too(tmp_path):
    for number, value in ((2, 1), (3, 2)):
        path = tmp_path / f"set/masks/{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.where(np.eye(30, 20), value, 0).astype(np.uint8)).save(path)
    write(tmp_path, rows())
    with pytest.raises(InputError, match=r"several values \(1 in set/masks/2.png, 2 in set/masks/3.png, 255 in "):
        build(tmp_path).prepare()
    build(tmp_path, mask_threshold=1).prepare()
    build(tmp_path, mask_values=(1, 2)).prepare()
