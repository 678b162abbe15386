"""The generated data sets: exact, reproducible, and free of shortcuts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import binary_dilation

from harness.audit.shortcuts import SUSPECT, shortcut_auc
from harness.contract.errors import InputError
from harness.trial.data.cache import Cache
from harness_datasets.histology_phantom.component import build_histology_phantom
from harness_datasets.needle_digits.component import build_needle_digits
from harness_datasets.phantom_mammograms.component import build_phantom_mammograms
from harness_datasets.shared.canvas import Ellipse, Stroke, coverage, power_law_texture
from harness_datasets.shared.glyphs import load_glyphs
from harness_datasets.shared.lesions import Thing

ROOT = Path("nowhere")
BUILDERS = {"phantom_mammograms": build_phantom_mammograms, "needle_digits": build_needle_digits}
both = pytest.mark.parametrize("build", BUILDERS.values(), ids=BUILDERS)


@both
def test_a_patient_has_two_views_of_two_breasts_with_labels_by_breast(build):
    samples = build(ROOT, images=(40, 16, 24)).split("train")
    assert len(samples) == 40 and len({sample.group for sample in samples}) == 10
    units = {}
    for sample in samples:
        units.setdefault(sample.unit, []).append(sample)
    for views in units.values():
        assert [view.source["view"] for view in views] == ["CC", "MLO"]
        assert len({view.labels for view in views}) == 1


@both
def test_the_prevalence_is_kept_in_every_split(build):
    dataset = build(ROOT, images=(400, 120, 240), prevalence=0.25)
    for name in ("train", "val", "test"):
        labels = np.array([sample.labels for sample in dataset.split(name)])
        np.testing.assert_allclose(labels.mean(0), 0.25, atol=0.01)


@both
def test_more_training_patients_leave_the_test_images_as_they_were(build):
    few, many = build(ROOT, images=(8, 8, 8)), build(ROOT, images=(40, 16, 8))
    assert few.split("test") == many.split("test")
    for sample in few.split("test")[:4]:
        np.testing.assert_array_equal(few.read(sample), many.read(sample))


@both
def test_another_seed_is_another_data_set(build):
    one, other = build(ROOT, seed=0), build(ROOT, seed=1)
    assert one.digest != other.digest
    assert (one.read(one.split("train")[0]) != other.read(one.split("train")[0])).mean() > 0.5


@both
def test_a_lesion_is_brighter_than_what_surrounds_its_outline(build):
    dataset = build(ROOT, images=(80, 8, 8))
    differences = []
    for sample in dataset.split("train"):
        image, masks = dataset.read(sample) / 65535, dataset.read_mask(sample).astype(bool)
        assert [mask.any() for mask in masks] == [label == 1 for label in sample.labels]
        for mask in masks[masks.any((1, 2))]:
            ring = binary_dilation(mask, iterations=4) & ~binary_dilation(mask, iterations=1)
            differences.append(image[mask].mean() - image[ring].mean())
    assert np.mean(np.array(differences) > 0) > 0.95 and np.mean(differences) > 0.1


@both
def test_images_use_sixteen_bits_and_are_rarely_cut_off(build):
    dataset = build(ROOT)
    images = np.array([dataset.read(sample) for sample in dataset.split("train")[:16]])
    assert images.dtype == np.uint16 and len(np.unique(images)) > 5000
    assert np.mean(images == 65535) < 0.005 and np.mean(images == 0) < 0.2


@both
def test_any_size_from_128_by_96_to_full_resolution_can_be_drawn(build):
    lesions = {}
    for size in ((128, 96), (2944, 1920)):
        dataset = build(ROOT, images=(8, 4, 4), image_size=size)
        sample = next(sample for sample in dataset.split("train") if sample.labels[0] == 1)
        assert dataset.read(sample).shape == size
        lesions[size] = dataset.read_mask(sample)[0].mean()
    if build is build_phantom_mammograms:
        assert lesions[2944, 1920] == pytest.approx(lesions[128, 96], rel=0.25)


@both
@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"image_size": (32, 32)}, "image_size: at least 64 x 48"),
        ({"prevalence": 1.0}, r"prevalence: must be in \(0, 1\)"),
        ({"images": (400, 0, 240)}, "a patient has 4"),
        ({"marker": "cancer"}, "marker: benign, malignant expected"),
    ],
)
def test_parameters_that_cannot_work_are_refused(build, given, told):
    with pytest.raises(InputError, match=told):
        build(ROOT, **given)


def test_digits_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match="objects: up to 25 digits of 24 px do not fit on 128 x 96, which holds 12"):
        build_needle_digits(ROOT, image_size=(128, 96), objects=20, glyph_px=24)


def test_a_missing_mnist_file_is_named():
    with pytest.raises(InputError, match=r"digits_t10k.npz.*mnist"):
        build_needle_digits(ROOT, digits="mnist").prepare()


def test_no_handwriting_is_in_two_splits_and_no_stand_in_is_a_target():
    glyphs = load_glyphs(ROOT, "sklearn", 24)
    members = {split: set(np.concatenate(list(by_digit.values()))) for split, by_digit in glyphs.members.items()}
    assert sum(map(len, members.values())) == len(set().union(*members.values())) == len(glyphs.digits)
    for target, alike in glyphs.alike.items():
        assert glyphs.digits[target] in (3, 5)
        assert not set(glyphs.digits[alike]) & {3, 5}
        split = next(split for split, numbers in members.items() if target in numbers)
        assert set(alike) <= members[split]


def test_a_three_is_on_the_canvas_exactly_where_the_label_is_malignant():
    dataset = build_needle_digits(ROOT, images=(80, 8, 8))
    for sample in dataset.split("train"):
        digits = [digit for digit, *_ in dataset._objects(sample)]
        assert (digits.count(5), digits.count(3)) == sample.labels


def test_partners_cover_one_area():
    for compact, scattered in (("oval", "duct"), ("star", "strands")):
        areas = [
            sum(coverage(Thing(form, 128, 128, 12, 1.0, seed).shapes(), (256, 256)).sum() for seed in range(60))
            for form in (compact, scattered)
        ]
        assert areas[0] == pytest.approx(areas[1], rel=0.06)


def test_shapes_cover_their_area_and_may_leave_the_canvas():
    disc = coverage([Ellipse(50, 40, 20)], (80, 100))
    assert disc.sum() == pytest.approx(np.pi * 400, rel=0.01) and disc[40, 50] == 1
    oval = coverage([Ellipse(50, 40, 15, aspect=2, angle=0.7)], (80, 100))
    assert oval.sum() == pytest.approx(np.pi * 225, rel=0.01)
    stroke = coverage([Stroke(20, 20, 60, 20, 3, 3)], (80, 100))
    assert stroke.sum() == pytest.approx(40 * 6 + np.pi * 9, rel=0.02)
    assert coverage([Ellipse(-50, -50, 10), Stroke(200, 200, 300, 300, 2, 2)], (80, 100)).sum() == 0


def test_the_textures_power_falls_with_its_exponent():
    power = np.mean(
        [abs(np.fft.fft2(power_law_texture(np.random.default_rng(n), (128, 96), 3.0))) ** 2 for n in range(20)], axis=0
    )
    fy, fx = np.fft.fftfreq(128, 1 / 128)[:, None], np.fft.fftfreq(96, 1 / 96)[None, :] * 128 / 96
    frequency = np.hypot(fy, fx)
    fitted = (frequency > 3) & (frequency < 40)
    slope = np.polyfit(np.log(frequency[fitted]), np.log(power[fitted]), 1)[0]
    assert slope == pytest.approx(-3, abs=0.1)
    fields = [power_law_texture(np.random.default_rng(n), (128, 96), 3.0) for n in range(200)]
    assert np.mean([field.var() for field in fields]) == pytest.approx(1, rel=0.1)


@pytest.mark.slow
def test_the_planted_marker_is_found_and_only_where_it_was_planted(tmp_path):
    dataset = build_phantom_mammograms(ROOT, images=(240, 40, 8), image_size=(128, 96), marker="malignant")
    rows = {(row.class_name, row.model): row for row in shortcut_auc(Cache.ensure(dataset, tmp_path))}
    assert all(rows["malignant", model].verdict == "shortcut" for model in ("logistic", "forest"))
    assert all(rows["malignant", model].auc > 0.95 for model in ("logistic", "forest"))
    assert all(rows["benign", model].auc < 0.7 for model in ("logistic", "forest"))


@pytest.mark.slow
@both
@pytest.mark.parametrize("seed", [0, 1])
def test_global_features_do_not_tell_the_classes_of_a_thousand_images(build, seed, tmp_path):
    rows = shortcut_auc(Cache.ensure(build(ROOT, images=(880, 120, 4), seed=seed), tmp_path))
    assert {row.images for row in rows} == {1000} and {row.class_name for row in rows} == {"benign", "malignant"}
    assert max(row.auc for row in rows) < SUSPECT, rows


def test_tiles_of_a_patient_share_their_staining_and_not_their_label():
    dataset = build_histology_phantom(ROOT, images=(60, 8, 8), image_size=(96, 96), tiles=4)
    samples = dataset.split("train")
    assert len({sample.group for sample in samples}) == 15
    assert sum(sample.labels[0] for sample in samples) == round(0.45 * 60)
    tints = np.array([dataset.read(sample).mean((0, 1)) for sample in samples]).reshape(15, 4, 3)
    ratios = tints / tints.sum(2, keepdims=True)
    assert ratios.mean(1).std(0).mean() > 2 * ratios.std(1).mean()
    assert any(len({sample.labels for sample in samples[start : start + 4]}) == 2 for start in range(0, 60, 4))


def test_tiles_with_a_tumour_have_hardly_more_atypical_nuclei_but_have_them_in_the_nest():
    dataset = build_histology_phantom(ROOT, images=(400, 4, 4), difficulty=0.5)
    counts = {0.0: [], 1.0: []}
    for sample in dataset.split("train"):
        kinds = [len(part) for _, part in dataset._nuclei(sample, dataset._rng("tile", sample.id))]
        counts[sample.labels[0]].append(kinds)
        nest, *others = dataset._nests(sample)
        assert nest.kind == ("atypical" if sample.labels[0] else "regular")
        assert all(other.kind == "regular" for other in others)
    without, with_tumour = (np.mean(counts[label], axis=0) for label in (0.0, 1.0))
    np.testing.assert_allclose(with_tumour, without, rtol=0.15)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"image_size": (48, 96)}, "image_size: at least 64 x 64"),
        ({"difficulty": 2.0}, r"difficulty: must be in \[0, 1\]"),
        ({"prevalence": 0.0}, "prevalence"),
        ({"nucleus_px": 30.0}, "nucleus_px"),
        ({"images": (8, 1, 8)}, "images: a split has 2 or more"),
    ],
)
def test_tiles_that_cannot_be_drawn_are_refused(given, told):
    with pytest.raises(InputError, match=told):
        build_histology_phantom(ROOT, **given)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_global_features_hardly_tell_the_tumour_in_a_thousand_tiles(seed, tmp_path):
    """.58 and .62 when this was written: a little of the nest's colour is left in the tile's."""
    dataset = build_histology_phantom(ROOT, images=(880, 120, 4), seed=seed, difficulty=0.0)
    rows = shortcut_auc(Cache.ensure(dataset, tmp_path))
    assert max(row.auc for row in rows) < 0.65, rows
