"""Preparing mammograms: the breast is found on noise, faces right, and lies whole in its window."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from PIL import Image

from harness import InputError
from harness_datasets.manifest.component import build_manifest
from harness_datasets.manifest.images.formats import decode
from harness_datasets.manifest.mammograms.breast import find_breast, wall_is_right
from harness_datasets.manifest.mammograms.film import is_inverted
from harness_datasets.manifest.mammograms.window import Mammogram, Window, prepare
from harness_datasets.manifest.mammograms.words import flipped_of, side_of, view_of

SIZE = (240, 176)


def half_ellipse(size=SIZE, depth=100, reach=90, centre=120):
    """The outline of a breast that faces right."""
    y, x = np.mgrid[: size[0], : size[1]]
    return (x / depth) ** 2 + ((y - centre) / reach) ** 2 < 1


def drawn(outline, background=0.0, noise=0.0, seed=0):
    """A breast as bright as 0.3 to 0.7, on a background with noise, 16 bits."""
    rng = np.random.default_rng(seed)
    image = np.where(outline, 0.5 + 0.1 * rng.standard_normal(outline.shape).clip(-2, 2), background)
    image += noise * rng.standard_normal(outline.shape)
    return (image.clip(0, 1) * 65535).astype(np.uint16)


def box(mask):
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return np.array([rows[0], columns[0], rows[-1], columns[-1]])


def overlap(found, true):
    return 2 * (found & true).sum() / (found.sum() + true.sum())


@pytest.mark.parametrize(("background", "noise"), [(0.0, 0.0), (0.05, 0.0), (0.05, 0.02), (0.1, 0.05)])
def test_the_breast_is_found_on_any_background(background, noise):
    true = half_ellipse()
    found = find_breast(drawn(true, background, noise))
    assert overlap(found, true) > 0.97
    assert np.abs(box(found) - box(true)).max() <= 3


@pytest.mark.parametrize("factor", [1, 5])
def test_a_large_image_is_searched_as_well_as_a_small_one(factor):
    true = half_ellipse().repeat(factor, 0).repeat(factor, 1)
    found = find_breast(drawn(true, 0.05, 0.02))
    assert found.shape == true.shape
    assert overlap(found, true) > 0.97


@pytest.mark.parametrize("seed", range(3))
def test_the_breast_of_a_phantom_is_found(catalog, tmp_path, seed):
    table = {"use": "phantom_mammograms", "images": [8, 4, 4], "image_size": list(SIZE), "seed": seed}
    dataset = catalog.build("dataset", table, tmp_path)
    for sample in dataset.split("test"):
        _, thickness = dataset._tissue(sample, dataset.rng("view", sample.id))
        true = thickness > 0.1
        true = true[:, ::-1] if sample.source["side"] == "R" else true
        found = find_breast(dataset.read(sample))
        assert overlap(found, true) > 0.95
        assert wall_is_right(found) == (sample.source["side"] == "R")


@pytest.mark.parametrize("width", [3, 8, 15])
@pytest.mark.parametrize("value", [0, 65535])
def test_a_frame_round_the_film_is_no_breast(width, value):
    true = half_ellipse()
    image = drawn(true, 0.04, 0.01)
    image[:width] = image[-width:] = value
    image[:, :width] = image[:, -width:] = value
    inner = true.copy()
    inner[:width] = inner[-width:] = False
    inner[:, :width] = False
    found = find_breast(image)
    assert overlap(found, inner) > 0.96
    assert not found[:, -width:].any() and not found[:width].any()
    assert not is_inverted(image)


@pytest.mark.parametrize("edge", [np.s_[:, -10:], np.s_[:12], np.s_[-12:, 60:], np.s_[:, :8]])
def test_a_bright_edge_of_the_film_is_no_breast(edge):
    true = half_ellipse()
    image = drawn(true, 0.03, 0.01)
    image[edge] = 65535
    assert overlap(find_breast(image), true) > 0.92


@pytest.mark.parametrize("frame", [0, 6])
def test_an_inverted_film_is_refused_or_inverted_or_kept(frame):
    upright = drawn(half_ellipse(), 0.04, 0.005)
    film = 65535 - upright
    if frame:
        film[:frame] = film[-frame:] = 0
        film[:, :frame] = film[:, -frame:] = 0
    assert is_inverted(film) and not is_inverted(upright)
    with pytest.raises(ValueError, match='inverted film, its background is bright: set inverted = "invert"'):
        Mammogram(SIZE).positive(film)
    assert Mammogram(SIZE, inverted="keep").positive(film) is film
    turned = Mammogram(SIZE, inverted="invert").positive(film)
    assert turned.dtype == film.dtype and overlap(find_breast(turned), half_ellipse()) > 0.9
    np.testing.assert_array_equal(Mammogram(SIZE, inverted="invert").positive(upright), upright)


@pytest.mark.parametrize("kind", ["constant", "noise", "a mark alone"])
def test_a_view_without_a_breast_is_named(tmp_path, kind):
    image = np.full(SIZE, 900, np.uint16)
    if kind == "noise":
        image += np.random.default_rng(0).integers(0, 200, SIZE).astype(np.uint16)
    if kind == "a mark alone":
        image[10:30, 140:170] = 65535
    with pytest.raises(ValueError, match="no breast is found"):
        Mammogram(SIZE).window(image)


def test_burned_in_marks_and_what_touches_by_a_thread_are_left_out():
    true = half_ellipse()
    image = drawn(true, 0.02, 0.01)
    image[10:25, 140:170] = 65535  # a label
    image[118:121, 95:130] = 65535  # a wire
    found = find_breast(image)
    assert not found[10:25, 140:170].any()
    assert not found[118:121, 112:130].any()
    window, breast = Mammogram(SIZE).window(image)
    assert not window.mirrored, "the marks on the right are no chest wall"
    prepared = prepare(image, Window(False, 0, 0, *SIZE), breast)
    assert not prepared[10:25, 140:170].any()
    assert not prepared[118:121, 120:130].any(), "but for a rim, the wire is gone too"
    np.testing.assert_array_equal(prepared[true & (image < 65535)], image[true & (image < 65535)])


def test_an_image_without_contrast_is_all_breast():
    assert find_breast(np.full((20, 10), 7, np.uint8)).all()


def test_a_right_breast_and_its_mirror_image_are_prepared_alike():
    left = drawn(half_ellipse(), 0.05, 0.02)
    found = []
    for image, side in ((left, "L"), (left, ""), (left[:, ::-1], "R"), (left[:, ::-1], "")):
        window, breast = Mammogram((120, 88)).window(image, side)
        found.append(prepare(image, window, breast))
    for other in found[1:]:
        np.testing.assert_array_equal(other, found[0])


def test_the_window_has_the_shape_asked_for_and_holds_the_whole_breast():
    for size in ((240, 176), (100, 100), (50, 200)):
        window, breast = Mammogram(size).window(drawn(half_ellipse(), 0.05, 0.02))
        assert window.height / window.width == pytest.approx(size[0] / size[1], rel=0.02)
        assert window.take(breast).sum() == breast.sum()
        assert window.left == 0


def test_cc_is_padded_above_and_below_and_mlo_below_alone():
    image, square = drawn(half_ellipse()), Mammogram((400, 100))
    (cc, breast), (mlo, _) = square.window(image, "L", "CC"), square.window(image, "L", "MLO")
    rows = np.flatnonzero(breast.any(1))
    middle = (rows[0] + rows[-1] + 1) / 2
    assert abs(cc.top + cc.height / 2 - middle) <= 1
    assert mlo.top == pytest.approx(rows[0] - 240 * 50 / 2944, abs=1)


def test_a_window_too_small_holds_as_much_breast_as_any_that_holds_its_tip():
    true = half_ellipse()
    image, size = drawn(true), (60, 50)
    window, breast = Mammogram(SIZE, size).window(image, "L", "CC")
    assert (window.height, window.width) == size
    tip = int(np.flatnonzero(breast.any(0))[-1])
    assert window.left <= tip < window.left + size[1]
    held = [
        breast[top : top + size[0], left : left + size[1]].sum()
        for top in range(0, SIZE[0] - size[0])
        for left in range(tip - size[1] + 1, tip + 1)
        if breast[top : top + size[0], tip].any()
    ]
    assert window.take(breast).sum() == max(held)


def test_what_lies_outside_the_image_is_zero():
    pixels = np.arange(1, 13).reshape(3, 4)
    assert Window(False, -1, 2, 3, 4).take(pixels).tolist() == [[0, 0, 0, 0], [3, 4, 0, 0], [7, 8, 0, 0]]
    assert Window(True, 0, 0, 1, 2).take(pixels).tolist() == [[4, 3]]
    assert not Window(False, 9, 9, 2, 2).take(pixels).any()


SPELLINGS = [
    (side_of, {"L": "L", "l": "L", "left": "L", "Left": "L", "R": "R", "r": "R", "RIGHT": "R", "": ""}),
    (view_of, {"CC": "CC", "cc": "CC", "MLO": "MLO", "mlo": "MLO", "": ""}),
    (flipped_of, {"YES": True, "yes": True, "1": True, "NO": False, "no": False, "0": False}),
]


@pytest.mark.parametrize(("read", "meant"), SPELLINGS)
def test_sides_views_and_flips_are_read_in_any_spelling(read, meant):
    assert {text: read(text) for text in meant} == meant
    with pytest.raises(ValueError, match="expected, but got 'front'"):
        read("front")


def test_an_empty_cell_is_no_answer_to_whether_an_image_was_flipped():
    with pytest.raises(ValueError, match=r"YES or NO \(1 or 0\) expected, but got ''"):
        flipped_of("")


@pytest.mark.parametrize(("side", "flipped", "mirrored"), [("L", 0, 0), ("L", 1, 1), ("R", 0, 1), ("R", 1, 0)])
def test_an_image_that_was_flipped_already_is_turned_the_other_way(side, flipped, mirrored):
    """As in the exam lists of GMIC: of flipped exams the left breasts are mirrored."""
    stored = drawn(half_ellipse(), 0.05, 0.02)
    stored = stored[:, ::-1] if mirrored else stored
    window, breast = Mammogram(SIZE).window(stored, side, "CC", bool(flipped))
    assert window.mirrored == bool(mirrored)
    assert not wall_is_right(window.take(breast))


def test_of_a_breast_whose_side_nobody_knows_the_pixels_tell_whatever_was_flipped():
    for stored in (drawn(half_ellipse()), drawn(half_ellipse())[:, ::-1]):
        windows = [Mammogram(SIZE).window(stored, "", "CC", flipped)[0] for flipped in (False, True)]
        assert windows[0] == windows[1]


@pytest.fixture
def table(tmp_path, monkeypatch):
    """Two breasts of a patient, the right one facing left, each with a lesion's mask."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    true = half_ellipse()
    lesion = np.zeros(SIZE, bool)
    lesion[100:120, 40:60] = True
    rows = []
    for number, side in enumerate("LRLRLR"):
        for name, pixels in (("image", drawn(true, 0.05, 0.02, 1)), ("mask", lesion.astype(np.uint8) * 255)):
            Image.fromarray(pixels[:, ::-1] if side == "R" else pixels).save(tmp_path / f"{name}{number}.png")
        split = ("train", "val", "test")[number // 2]
        rows.append([f"image{number}.png", f"p{number // 2}", number % 2, f"mask{number}.png", side, "CC", split])
    with (tmp_path / "table.csv").open("w", newline="") as file:
        names = ["image", "patient_id", "label_a", "mask_a", "side", "view", "split"]
        csv.writer(file).writerows([names, *rows])
    return tmp_path


def build(root, **more):
    given = {"path": "table.csv", "labels": ("a",), "image_size": (120, 88), "mask_kind": "outline"}
    return build_manifest(root, **{**given, **more})


@pytest.mark.parametrize("columns", [{}, {"side": "side", "view": "view"}])
def test_a_manifest_prepares_images_and_their_masks_alike(table, columns):
    dataset = build(table, preprocess="mammogram", **columns)
    (left, right) = dataset.split("train")
    masks = [dataset.read_mask(sample)[0] for sample in (left, right)]  # before the image is asked for
    np.testing.assert_array_equal(dataset.read(left), dataset.read(right))
    np.testing.assert_array_equal(*masks)
    plain = build(table)
    share = masks[0].mean() / (dataset.read(left) > 20000).mean()
    before = plain.read_mask(left)[0].mean() / (plain.read(left) > 20000).mean()
    assert share == pytest.approx(before, rel=0.1)


def test_preparing_makes_another_data_set_and_not_preparing_the_same(table):
    digests = {build(table, preprocess="mammogram", window_px=size).digest for size in (None, (200, 150))}
    assert len(digests | {build(table).digest}) == 3
    assert build(table, preprocess="none").digest == build(table).digest


def with_flips(folder, words):
    """The table with a column that says which files hold the mirror image, and their pixels mirrored."""
    with (folder / "table.csv").open(newline="") as file:
        names, *rows = csv.reader(file)
    for row, word in zip(rows, words, strict=True):
        if word in ("YES", "1"):
            for name in (row[0], row[3]):
                pixels = np.asarray(Image.open(folder / name))
                Image.fromarray(pixels[:, ::-1]).save(folder / name)
        row.append(word)
    with (folder / "flips.csv").open("w", newline="") as file:
        csv.writer(file).writerows([[*names, "horizontal_flip"], *rows])


@pytest.mark.parametrize("words", [("YES", "YES", "NO", "NO", "NO", "NO"), ("1", "1", "0", "0", "0", "0")])
def test_flipped_files_become_what_they_are_without_the_flip(table, words):
    before = build(table, preprocess="mammogram", side="side", view="view")
    expected = [(before.read(sample), before.read_mask(sample)) for sample in before.split("train")]
    with_flips(table, words)
    columns = {"preprocess": "mammogram", "side": "side", "view": "view"}
    told = build(table, **{"path": "flips.csv", "flipped": "horizontal_flip", **columns})
    for sample, (image, mask) in zip(told.split("train"), expected, strict=True):
        np.testing.assert_array_equal(told.read(sample), image)
        np.testing.assert_array_equal(told.read_mask(sample), mask)
    untold = build(table, path="flips.csv", **columns)
    assert not np.array_equal(untold.read(untold.split("train")[0]), expected[0][0])
    assert told.digest != untold.digest


def test_a_column_of_nothing_but_no_leaves_the_data_set_as_it_was(table):
    columns = {"preprocess": "mammogram", "side": "side"}
    before = build(table, **columns).digest
    with_flips(table, ["NO"] * 6)
    assert build(table, path="flips.csv", flipped="horizontal_flip", **columns).digest == before


def test_an_unknown_word_for_a_flip_is_told_with_its_row(table):
    with_flips(table, ["NO", "NO", "maybe", "", "NO", "NO"])
    with pytest.raises(InputError) as raised:
        build(table, path="flips.csv", preprocess="mammogram", side="side", flipped="horizontal_flip")
    told = str(raised.value)
    assert "row 4: horizontal_flip: YES or NO (1 or 0) expected, but got 'maybe'" in told
    assert "row 5: horizontal_flip: YES or NO (1 or 0) expected, but got ''" in told
    with pytest.raises(InputError, match="flipped: .* so `side` must name its column too"):
        build(table, path="flips.csv", preprocess="mammogram", flipped="horizontal_flip")


def test_mistakes_are_told_with_their_row(table):
    text = (table / "table.csv").read_text()
    (table / "table.csv").write_text(text.replace(",R,CC,val", ",front,CC,val"))
    with pytest.raises(InputError, match=r"row 5: side: L or R expected, but got 'front'"):
        build(table, preprocess="mammogram", side="side")
    with pytest.raises(InputError, match=r'are for preprocess = "mammogram"'):
        build(table, side="side")
    with pytest.raises(InputError, match="no column named 'sid'; did you mean 'side'"):
        build(table, preprocess="mammogram", side="sid")


def test_nothing_of_a_real_breast_is_cut(data_root):
    paths = sorted((data_root / "mammograms" / "images").glob("*.png"))
    paths += sorted((data_root / "mias" / "images").glob("*.png"))[::40]
    for path in paths:
        image = decode(path.read_bytes(), path.suffix)
        window, breast = Mammogram(SIZE).window(image)
        assert 0.1 < breast.mean() < 0.9, path
        assert window.take(breast).sum() > 0.99 * breast.sum(), path
        assert not wall_is_right(window.take(breast)), path
        grey = image.astype(float)
        bright = grey > np.percentile(grey[breast], 50)
        # What is bright and not breast is a label or a film's edge: there is little of it.
        assert (bright & ~breast).sum() < 0.15 * (bright & breast).sum(), path


def test_the_published_window_puts_published_outlines_on_bright_tissue(data_root):
    folder = data_root / "mammograms"
    for view in ("CC", "MLO"):
        image = decode((folder / "images" / f"0_R-{view}.png").read_bytes(), ".png")
        window, breast = Mammogram((2944, 1920), (2944, 1920)).window(image, "R", view)
        found = prepare(image, window, breast)
        outline = decode((folder / "masks" / f"0_R-{view}_benign.png").read_bytes(), ".png") > 0
        if outline[:, 960:].sum() > outline[:, :960].sum():  # stored as the image was, before it was mirrored
            outline = outline[:, ::-1]
        assert window.take(breast)[outline].mean() > 0.99
        assert found[outline].mean() > np.median(found[window.take(breast)])
