"""Boxes, candidates, FROC and the localisation table: hand-worked cases, brute force, and laws."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from harness.contract import tables
from harness.contract.masks import offers
from harness.contract.types import Task
from harness.metrics.maps.boxes import STEPS, box_ious, boxes_of, components, iou
from harness.metrics.maps.candidates import MOST, RADIUS, candidates, hits
from harness.metrics.maps.controls import centre_map, random_map
from harness.metrics.maps.froc import Froc
from harness.metrics.maps.grid import resize_nearest
from harness.metrics.maps.localisation import dice_curves, map_terms
from harness.metrics.metric import Metric
from harness.statistics.bootstrap import Resamples, interval
from harness.tables.measure.localisation_table import COLUMNS, OF_MAPS, localisation_table, size_bounds
from harness.trial.confirm.finding import Drawn, candidate_rows
from tests.built_in_metrics import metric, registry

SIZE = 24, 16
CLASSES = ["a"]


def located(kind: str) -> list[Metric]:
    return registry(masks=kind).at("tables", OF_MAPS)


def mask(*boxes: tuple[int, int, int, int]) -> np.ndarray:
    """Boxes x0 y0 x1 y1 on an image of SIZE."""
    drawn = np.zeros(SIZE, np.uint8)
    for x0, y0, x1, y1 in boxes:
        drawn[y0:y1, x0:x1] = 1
    return drawn


def test_iou_by_hand() -> None:
    assert iou((0, 0, 4, 4), (2, 2, 6, 6)) == pytest.approx(4 / 28)
    assert iou((0, 0, 4, 4), (4, 0, 8, 4)) == 0 and iou((1, 1, 3, 3), (1, 1, 3, 3)) == 1


def test_a_map_that_is_its_mask_has_the_lesions_box_at_every_threshold_above_zero() -> None:
    lesion = mask((3, 4, 11, 10))
    found = box_ious(lesion.astype(float), boxes_of(components(lesion)[0]), SIZE)
    assert found.shape == (STEPS,) and (found[1:] == 1).all()
    assert found[0] == pytest.approx(48 / (24 * 16))  # at 0 everything is hot


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_a_constant_map_has_the_box_of_the_whole_image_at_every_threshold(value: float) -> None:
    found = box_ious(np.full((3, 4), value, np.float32), np.array([[0, 0, 4, 6]]), (6, 8))
    assert np.allclose(found, 0.5)


@pytest.mark.parametrize("shape", [(6, 4), (5, 3), (24, 16), (48, 40)])
def test_the_box_of_a_small_map_is_that_of_the_map_drawn_large(shape: tuple[int, int]) -> None:
    saliency, lesion = np.random.default_rng(1).random(shape), mask((3, 4, 11, 10), (13, 18, 16, 24))
    drawn = resize_nearest(saliency, SIZE)
    scaled = (drawn - drawn.min()) / (drawn.max() - drawn.min())
    boxes, found = boxes_of(components(lesion)[0]), box_ious(saliency, boxes_of(components(lesion)[0]), SIZE)
    for step in range(STEPS):
        labelled, count = ndimage.label(scaled >= step / STEPS, np.ones((3, 3)))
        largest = max(range(1, count + 1), key=lambda n: (labelled == n).sum())
        rows, columns = np.nonzero(labelled == largest)
        own = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        ties = sorted(np.bincount(labelled.ravel())[1:])[-2:]
        if len(ties) < 2 or ties[0] != ties[1]:
            assert found[step] == pytest.approx(max(iou([int(v) for v in own], box) for box in boxes.tolist())), step


def test_peaks_are_plateaus_with_only_lower_neighbours() -> None:
    values = np.random.default_rng(2).integers(0, 5, (12, 9)) / 4  # many ties
    labelled = np.zeros(values.shape, int)
    expected = 0
    for level in np.unique(values):
        labelled, count = ndimage.label(values == level, np.ones((3, 3)))
        for number in range(1, count + 1):
            own = labelled == number
            around = ndimage.binary_dilation(own, np.ones((3, 3))) & ~own
            expected += bool(around.any() and (values[around] < level).all())
    size = 12 * 40, 9 * 40  # cells so large that no two peaks are too near
    assert len(candidates(values, size)) == min(MOST, expected)


def test_a_candidate_is_in_the_middle_of_its_cell_the_highest_first() -> None:
    values = np.zeros((6, 4))
    values[1, 2], values[4, 0] = 0.5, 0.9
    np.testing.assert_allclose(candidates(values, SIZE), [[0.9, 2, 18], [0.5, 10, 6]])
    assert len(candidates(np.full((6, 4), 0.3), SIZE)) == 0


def test_candidates_keep_their_distance() -> None:
    values = np.zeros((100, 100))
    values[50, 50], values[50, 54], values[50, 56] = 1, 0.9, 0.8
    found = candidates(values, (100, 100))
    np.testing.assert_array_equal(found[:, 0], [1, 0.8])
    assert np.hypot(*(found[0, 1:] - found[1, 1:])) >= RADIUS * 100


def test_a_hit_is_inside_the_outline_and_not_only_near() -> None:
    labelled, count = components(mask((0, 0, 4, 4), (8, 8, 12, 12)))
    assert count == 2
    np.testing.assert_array_equal(hits(np.array([[1, 3.5, 3.5], [1, 4.5, 3.5], [1, 9, 11]]), labelled), [1, 0, 2])


def of(images: int, found: list[float], false: list[float]) -> Froc:
    names = tuple(f"i{n}" for n in range(images))
    places = [np.arange(len(values)) % images for values in (found, false)]
    return Froc(names, np.array(found), places[0], np.array(false), places[1])


def test_froc_by_hand() -> None:
    froc, once = of(4, [0.9, 0.6, 0.3, -math.inf], [0.8, 0.5, 0.2, 0.1]), np.ones((1, 4))
    # false positives an image: .25 from .8 down, .5 from .5 down, .75 from .2 down, 1 from .1 down
    expected = {0.125: 0.25, 0.25: 0.5, 0.5: 0.75, 1.0: 0.75}
    for rate, value in expected.items():
        assert froc.sensitivity(rate)(once)[0] == value
    assert froc.threshold(0.25) == 0.6 and froc.at(0.6) == (0.5, 0.25)
    assert froc.threshold(0.125) == 0.9 and froc.threshold(8.0) == 0.1
    assert metric("froc").value(froc) == pytest.approx((0.25 + 0.5 + 5 * 0.75) / 7)


def test_equal_scores_are_called_together() -> None:
    froc = of(2, [0.5, 0.5], [0.5, 0.5])
    assert froc.sensitivity(0.5)(np.ones((1, 2)))[0] == 0 and froc.sensitivity(1.0)(np.ones((1, 2)))[0] == 1


def test_a_perfect_map_finds_all_lesions_without_an_alarm_and_an_empty_one_none() -> None:
    assert metric("froc").value(of(3, [0.9, 0.8], [])) == 1
    assert metric("froc").value(of(3, [-math.inf] * 2, [])) == 0
    assert math.isnan(metric("froc").value(of(3, [], [0.5])))


def test_froc_weights_are_repeated_images() -> None:
    random = np.random.default_rng(3)
    froc = of(5, random.random(8).tolist(), random.random(30).tolist())
    weights = np.array([1, 2, 0, 3, 1])
    again = np.repeat(np.arange(5), weights)

    def repeated(places: np.ndarray) -> list[tuple[int, int]]:
        return [(n, int(m)) for n in range(len(again)) for m in np.flatnonzero(places == again[n])]

    found, false = repeated(froc.found_in), repeated(froc.false_in)
    drawn = Froc(
        tuple(map(str, range(len(again)))),
        np.array([froc.found[m] for _, m in found]), np.array([n for n, _ in found]),
        np.array([froc.false[m] for _, m in false]), np.array([n for n, _ in false]),
    )  # fmt: skip
    for rate in (0.125, 0.5, 2.0, 8.0):
        expected = drawn.sensitivity(rate)(np.ones((1, len(again))))[0]
        assert froc.sensitivity(rate)(weights[None].astype(float))[0] == pytest.approx(expected)


def test_froc_takes_resamples_of_patients() -> None:
    froc, patients = of(6, [0.9, 0.7, 0.6, 0.2], [0.8, 0.5, 0.4]), list("aabbcc")
    found = interval(Resamples.draw(patients, 200).apply(patients, froc.sensitivity(0.5)))
    assert found.low <= found.value <= found.high and found.low < found.high


def test_dice_at_a_threshold_is_dice_of_the_thresholded_map() -> None:
    random = np.random.default_rng(4)
    saliency, lesion = random.random(SIZE), mask((3, 4, 11, 10))
    terms = map_terms(saliency, lesion)
    curve = dice_curves(terms["positive_raw"][None], terms["negative_raw"][None])[0]
    for threshold in (0.0, 0.25, 0.5, 0.9):
        called = saliency >= threshold
        expected = 2 * (called & (lesion == 1)).sum() / (called.sum() + lesion.sum())
        assert curve[round(threshold * 1000)] == pytest.approx(expected)


# the table


def rows(
    maps: dict[str, np.ndarray], masks: dict[str, np.ndarray], split: str, name: str = "native"
) -> dict[str, list]:
    """Rows of the tables of one model on one split, by image."""
    found: dict[str, list[dict[str, Any]]] = {"maps": [], "lesions": [], "candidates": []}
    for key, lesion in masks.items():
        drawn = Drawn.of(lesion, lesion.shape)
        row = {"study": "s", "variant": "v", "seed": 0, "fold": None, "split": split, "id": key, "unit": key}
        row |= {"group": key, "class": "a", "label": float(lesion.any())}
        box = drawn.box_ious(maps[key])
        found["maps"].append({**row, "map": name, **map_terms(maps[key], lesion), "box_iou": box})
        found["lesions"] += [{**row, **item} for item in drawn.rows()] if name == "native" else []
        found["candidates"] += [{**row, "map": name, **item} for item in candidate_rows(maps[key], drawn)]
    return found


def drawn_masks(split: str) -> dict[str, np.ndarray]:
    """Six images with one lesion of growing size, one with two, two without."""
    masks = {f"{split}{n}": mask((2, 3, 4 + n, 6 + n)) for n in range(6)}
    masks[f"{split}two"] = mask((1, 1, 4, 4), (10, 14, 15, 21))
    return masks | {f"{split}none{n}": mask() for n in range(2)}


def table_of(draw: Any, names: tuple[str, ...] = ("native",), kind: str = "outline", every: int = 1) -> pd.DataFrame:
    """Maps after the first are of every so many images alone."""
    parts: dict[str, list] = {"maps": [], "lesions": [], "candidates": []}
    for split in ("tune_loc", "test"):
        masks = drawn_masks(split)
        for name in names:
            some = masks if name == names[0] else dict(list(masks.items())[::every])
            own = rows({key: draw(key, lesion, name) for key, lesion in some.items()}, some, split, name)
            for part, items in own.items():
                parts[part] += items if part != "lesions" or name == names[0] else []
    frames = [pd.DataFrame(parts[part], columns=list(columns)) for part, columns in (
        ("maps", tables.MAPS), ("lesions", tables.LESIONS), ("candidates", tables.CANDIDATES)
    )]  # fmt: skip
    frames = [tables.from_bytes(tables.to_bytes(frame, "t")) for frame in frames]
    return localisation_table(*frames, pd.DataFrame(columns=list(tables.LAYERS)), CLASSES, located(kind))


def perfect(key: str, lesion: np.ndarray, name: str) -> np.ndarray:
    return 0.9 * lesion.astype(float)


def inverted(key: str, lesion: np.ndarray, name: str) -> np.ndarray:
    return 0.9 - perfect(key, lesion, name)


def guessed(key: str, lesion: np.ndarray, name: str) -> np.ndarray:
    return random_map((6, 4), sum(map(ord, key + name)))


def values(found: pd.DataFrame, stratum: str = "all") -> dict[str, float]:
    own = found[(found["class"] == "a") & (found["stratum"] == stratum)]
    return dict(zip(own["metric"], own["value"], strict=True))


SOFT = {"dice", "false_positives_fitted"}  # 1.9 in place of 2 in the numerator; an alarm is no success


def test_a_perfect_map_is_best_in_every_value_and_stratum() -> None:
    found = table_of(perfect)
    assert tuple(found.columns) == COLUMNS
    for stratum in ("all", "small", "medium", "large"):
        best = values(found, stratum)
        assert all(value == 1 for metric, value in best.items() if metric not in SOFT), best
        assert best["false_positives_fitted"] == 0


def test_guesses_lie_between_the_truth_and_its_opposite() -> None:
    best, guess, worst = (values(table_of(draw)) for draw in (perfect, guessed, inverted))
    for key in best:
        if key == "false_positives_fitted":
            continue
        assert worst[key] <= guess[key] < best[key], key


def test_thresholds_are_fitted_on_tune_loc_and_test_is_only_read() -> None:
    def fainter(key: str, lesion: np.ndarray, name: str) -> np.ndarray:
        return (0.9 if key.startswith("tune") else 0.3) * lesion.astype(float) + 0.05

    found = table_of(fainter).set_index(["class", "stratum", "metric"])
    fitted = found.loc[("a", "all", "dice_fitted")]
    assert 0.3 < fitted["threshold"] <= 0.95 and fitted["threshold_from"] == "tune_loc"
    assert fitted["value"] == 0  # a threshold fitted on test would have made it 1
    assert found.loc[("a", "all", "dice_fitted_scaled"), "value"] == 1


def test_without_tune_loc_what_is_fitted_is_nan_and_there_are_no_strata() -> None:
    masks = drawn_masks("test")
    own = rows({key: perfect(key, lesion, "") for key, lesion in masks.items()}, masks, "test")
    frames = [pd.DataFrame(own[part]) for part in ("maps", "lesions", "candidates")]
    found = localisation_table(*frames, pd.DataFrame(columns=list(tables.LAYERS)), CLASSES, located("outline"))
    assert set(found["stratum"]) == {"all"}
    fitted = found[found["threshold_from"] == "tune_loc"]
    assert len(fitted) and fitted["value"].isna().all()
    assert values(found)["pointing"] == 1


@pytest.mark.parametrize("kind", ["outline", "circle", "box"])
def test_only_what_the_kind_of_mask_allows_is_reported(kind: str) -> None:
    metrics = set(table_of(perfect, kind=kind)["metric"])
    assert metrics == {item.key for item in located(kind)} > {"pointing", "froc", "box_accuracy_50"}
    assert ("dice" in metrics) == ("dice_fitted" in metrics) == (kind == "outline")


def test_strata_add_up_and_the_mean_over_classes_is_reported() -> None:
    found = table_of(guessed)
    own = found[(found["class"] == "a") & (found["metric"] == "pointing")].set_index("stratum")
    parts = own.drop(index="all")
    assert parts["n"].sum() == own.loc["all", "n"] == 7
    assert (parts["value"] * parts["n"]).sum() / 7 == pytest.approx(own.loc["all", "value"])
    mean = found[(found["class"] == "") & (found["metric"] == "pointing") & (found["stratum"] == "all")]
    assert mean["value"].item() == own.loc["all", "value"]


def test_size_bounds_are_terciles_and_need_a_lesion() -> None:
    assert size_bounds(np.arange(1, 8) / 10) == pytest.approx((0.3, 0.5))
    assert size_bounds(np.zeros(0)) is None


def test_every_map_is_listed_with_its_controls() -> None:
    found = table_of(guessed, ("native", "control:centre", "control:random"))
    counts = found.groupby("map")["metric"].nunique()
    assert set(counts.index) == {"native", "control:centre", "control:random"} and counts.nunique() == 1


def test_a_map_of_some_images_is_held_against_their_lesions_alone() -> None:
    found = table_of(perfect, ("native", "cam"), every=2)
    whole, some = (found[(found["map"] == name) & (found["stratum"] == "all")] for name in ("native", "cam"))
    counts = [dict(zip(own["metric"], own["n"], strict=True)) for own in (whole, some)]
    assert 0 < counts[1]["froc"] < counts[0]["froc"] and 0 < counts[1]["pointing"] < counts[0]["pointing"]
    assert values(some)["froc"] == values(some)["lesion_sensitivity_fitted"] == 1


def test_tables_of_version_1_are_read_and_have_no_box_values() -> None:
    masks = drawn_masks("test") | drawn_masks("tune_loc")
    own = rows({key: perfect(key, lesion, "") for key, lesion in masks.items()}, masks, "test")
    old = pd.DataFrame(own["maps"]).drop(columns="box_iou")
    empty = [pd.DataFrame(columns=list(columns)) for columns in (tables.LESIONS, tables.CANDIDATES, tables.LAYERS)]
    found = localisation_table(old, *empty, CLASSES, located("outline"))
    assert math.isnan(values(found)["box_accuracy_50"]) and values(found)["pixel_ap"] == 1


def test_a_fitted_threshold_is_the_best_there_is_on_tune_loc() -> None:
    masks = drawn_masks("tune_loc")
    own = pd.DataFrame(rows({k: guessed(k, m, "") for k, m in masks.items()}, masks, "tune_loc")["maps"])
    own = own[own["label"] == 1]
    fitted = metric("dice_fitted")
    threshold = fitted.fitted(own)
    dice = fitted.values(own, threshold)
    curves = dice_curves(np.stack(list(own["positive_raw"])), np.stack(list(own["negative_raw"])))
    assert dice.mean() == pytest.approx(curves.mean(0).max()) and 0 <= threshold <= 1


def test_the_tables_of_250_images_stay_small() -> None:
    random = np.random.default_rng(5)
    found = {"maps": [], "candidates": []}
    lesion = mask((3, 4, 11, 10))
    for number in range(250):
        for name in ("native", "control:centre", "control:random", "control:random_weights"):
            own = rows({"i": random.random((12, 8))}, {"i": lesion}, "test", name)
            for part, items in found.items():
                items += [{**row, "id": f"i{number}"} for row in own[part]]
    sizes = {part: len(tables.to_bytes(pd.DataFrame(items), part)) for part, items in found.items()}
    assert sizes["maps"] < 3_000_000 and sizes["candidates"] < 500_000, sizes


# the controls themselves


def test_the_centre_prior_peaks_in_the_middle_and_knows_no_image() -> None:
    prior = centre_map((5, 7))
    assert prior.max() == prior[2, 3] == 1 and prior.min() > 0
    np.testing.assert_allclose(prior, prior[::-1, ::-1])
    assert prior[2, 3 + 2] == pytest.approx(math.exp(-((2 / 7) ** 2) / (2 * 0.25**2)))


def test_random_maps_find_by_chance() -> None:
    lesion = mask((2, 3, 10, 15))
    found = [map_terms(random_map((24, 16), seed), lesion)["peak_hit"] for seed in range(400)]
    assert np.mean(found) == pytest.approx(lesion.mean(), abs=0.07)
    np.testing.assert_array_equal(random_map((3, 2), 1), random_map((3, 2), 1))


# what masks offer


def test_masks_offer_what_they_can() -> None:
    def of_kind(kind: str) -> frozenset[str]:
        return offers(Task(classes=("a",), mask_kind=kind)) - {"single_image"}  # type: ignore[arg-type]

    assert of_kind("none") == frozenset()
    assert of_kind("box") == {"eval_masks", "train_masks", "region", "box"}
    assert of_kind("layers") == {"eval_masks", "layers"}
