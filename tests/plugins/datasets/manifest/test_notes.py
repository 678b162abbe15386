"""What plan and data check say of how files are read."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from harness.audit.audit import check_dataset
from tests.plugins.datasets.manifest.images.files import as_png16
from tests.plugins.datasets.manifest.tables import build, rows, write

PLAIN = np.full((30, 20), 90, np.uint8)


def notes(root, pictures, count=12, **changed):
    """The notes of a table whose first images are these."""
    for number, picture in enumerate(pictures):
        path = root / f"set/images/{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture) if isinstance(picture, bytes) else picture.save(path)
    write(root, rows(count))
    dataset = build(root, **changed)
    messages = [finding.message for finding in check_dataset(dataset) if finding.level == "warning"]
    assert set(dataset.notes()) <= set(messages)
    return list(dataset.notes())


def test_nothing_is_said_of_upright_grey_images(tmp_path):
    assert notes(tmp_path, []) == []


def test_colour_that_is_read_as_grey_is_said(tmp_path):
    colour = [Image.fromarray(np.dstack([PLAIN, PLAIN + n, PLAIN])) for n in range(3)]
    (said,) = notes(tmp_path, colour)
    assert said.startswith("3 of 12 images are stored in colour and read as grey") and "channels = 3" in said
    assert notes(tmp_path, [], channels=3) == []


def test_alpha_bits_depth_and_orientation_are_said(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 3
    turned = tmp_path / "set/images/3.png"
    turned.parent.mkdir(parents=True)
    Image.fromarray(PLAIN).save(turned, exif=exif)
    alpha, binary = Image.fromarray(np.dstack([PLAIN, PLAIN]), "LA"), Image.fromarray(PLAIN > 5)
    said = "\n".join(
        notes(tmp_path, [alpha, binary, as_png16(PLAIN.astype(np.uint16)[..., None], 0)], mask_kind="none")
    )
    for part in (
        "1 of 12 images have an alpha channel, which is dropped",
        "1 of 12 images have one bit a pixel",
        "1 of 12 images have an EXIF orientation",
        "1 of 12 images have 16 bits and the others 8; all are read in 16 bits",
    ):
        assert part in said


@pytest.mark.parametrize(("size", "told"), [((20, 30), True), ((30, 20), False), ((25, 25), False)])
def test_exchanged_height_and_width_are_said(tmp_path, size, told):
    said = notes(tmp_path, [], image_size=size)
    assert bool(said) == told
    if told:
        assert "is wider than high, but 12 of 12 images are higher than wide; did you mean [30, 20]?" in said[0]
