"""Skin layers in grey code: hit rates and coverage by hand, and pixel by pixel."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from harness import Task
from harness.contract import tables
from harness.contract.masks import LAYERS
from harness.metrics.maps import layers
from harness.metrics.maps.layers import TAUS, decode_layers, layer_terms
from harness.metrics.registry import fits
from harness.nn import Batch, Output, Targets
from harness.tables.measure.localisation_table import OF_MAPS, localisation_table
from harness.trial.model.measure import collector
from tests.built_in_metrics import metric, registry

BANDS = np.repeat(np.array([0, 255, 128, 64, 32, 0], np.uint8), 2)[:, None].repeat(4, 1)  # 12 x 4


def of(saliency: np.ndarray, picture: np.ndarray = BANDS) -> dict:
    return {row["level"]: row for row in layer_terms(saliency, picture)}


def value(key: str, rows: dict) -> float:
    return float(metric(key).value([rows]))


def at(*rows: int) -> np.ndarray:
    saliency = np.zeros(BANDS.shape)
    saliency[list(rows)] = 0.5
    return saliency


@pytest.mark.parametrize(("row", "first", "second"), [(2, 3, 1), (4, 2, 0), (6, 1, 0), (8, 0, 0), (0, -1, -1)])
def test_a_peak_is_worth_its_layer(row: int, first: int, second: int) -> None:
    assert (value("hit_rate_1", of(at(row))), value("hit_rate_2", of(at(row)))) == (first, second)


def test_tied_peaks_are_averaged_and_a_map_of_zeros_ties_everywhere() -> None:
    assert value("hit_rate_1", of(at(2, 4, 0))) == pytest.approx((3 + 2 - 1) / 3)
    assert value("hit_rate_1", of(np.zeros((3, 2)))) == pytest.approx((3 + 2 + 1 + 0 - 1 - 1) / 6)


def test_the_peak_is_what_an_eight_bit_map_holds_as_255() -> None:
    """Against the map as a picture of 8 bits: .999 of the maximum is 255 in it, .997 is 254."""
    saliency = np.zeros(BANDS.shape)
    saliency[2], saliency[4], saliency[6] = 0.3, 0.3 * 0.999, 0.3 * 0.997
    picture = Image.fromarray(np.rint(saliency / saliency.max() * 255).astype(np.uint8))
    worth = np.select([BANDS == level for level in (255, 128, 64, 32)], [3, 2, 1, 0], -1)
    assert value("hit_rate_1", of(saliency)) == worth[np.asarray(picture) == 255].mean() == 2.5


def test_the_key_layer_alone_is_perfect_coverage() -> None:
    found = of(0.3 * (BANDS == 255))
    assert (value("s_plus", found), value("s_minus", found)) == (1, 0)
    np.testing.assert_array_equal(layers.layer_overlap(found, 255), 1)
    np.testing.assert_array_equal(layers.layer_overlap(found, 128), 0)
    assert value("s_123", found) == pytest.approx(1 / 3)


def test_coverage_pixel_by_pixel() -> None:
    saliency = np.random.default_rng(0).random(BANDS.shape)
    found, heat = of(saliency), saliency / saliency.max()
    assert value("s_plus", found) == pytest.approx(heat[BANDS == 255].mean())
    assert value("s_minus", found) == pytest.approx(heat[BANDS == 0].mean())
    shares = np.select([BANDS == 255, BANDS == 128, BANDS == 64], [1, 0.5, 0.25])
    assert value("s_123", found) == pytest.approx((shares * heat).sum() / (shares > 0).sum())
    for level in LAYERS:
        for tau, found_at in zip(TAUS, layers.layer_overlap(found, level), strict=True):
            hot, own = heat >= tau, BANDS == level
            assert found_at == pytest.approx((hot & own).sum() / (hot | own).sum())


def test_a_picture_without_a_key_layer_has_no_s_plus() -> None:
    assert math.isnan(value("s_plus", of(np.ones((2, 2)), np.zeros((4, 4), np.uint8))))


def test_grey_values_a_little_off_are_their_layers_and_all_others_background() -> None:
    grey = np.array([[255, 250, 130, 60, 30, 3, 90, 200]], np.uint8)
    np.testing.assert_array_equal(decode_layers(grey), [[255, 255, 128, 64, 32, 0, 0, 0]])


def test_a_negative_map_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        layer_terms(np.array([[-0.1]]), BANDS)


def test_the_table_tells_hits_and_coverage_of_the_images_that_have_the_class() -> None:
    rows = []
    for number, (label, saliency) in enumerate([(1.0, at(2)), (1.0, at(4)), (0.0, at(0))]):
        keys = {"study": "s", "variant": "v", "seed": 0, "fold": None, "split": "test", "id": f"i{number}"}
        keys |= {"unit": "u", "group": "g", "class": "a", "label": label, "map": "native"}
        rows += [{**keys, **terms} for terms in layer_terms(saliency, BANDS)]
    table = tables.from_bytes(tables.to_bytes(pd.DataFrame(rows, columns=list(tables.LAYERS)), "layers"))
    empty = [pd.DataFrame(columns=list(columns)) for columns in (tables.MAPS, tables.LESIONS, tables.CANDIDATES)]
    found = localisation_table(*empty, table, ["a"], registry(masks="layers").at("tables", OF_MAPS)).set_index(
        ["class", "metric"]
    )
    assert found.loc[("a", "hit_rate_1"), "value"] == 2.5 and found.loc[("a", "hit_rate_1"), "n"] == 2
    assert found.loc[("a", "layer_jaccard_3_at_65"), "threshold"] == 0.65
    assert found.loc[("a", "layer_jaccard_3_at_65"), "value"] == pytest.approx(0.25)  # half of the layer, or none of it
    assert not {"dice", "pixel_ap", "froc"} & set(found.index.get_level_values("metric"))


def test_the_metric_components_say_the_same() -> None:
    task = Task(kind="multiclass", classes=("a", "b"), image_size=(12, 4), mask_kind="layers")
    saliency = torch.stack([torch.from_numpy(at(2)), torch.from_numpy(at(0))])[None].float()
    masks = torch.from_numpy(np.stack([BANDS, BANDS])[None]).float()
    labels = torch.tensor([[1.0, 0.0]])
    batch = Batch(labels=labels, targets=Targets(masks=masks, known=torch.ones(1, 2, dtype=torch.bool)))
    expected = {"hit_rate_1": 3, "hit_rate_2": 1, "s_plus": 0.5, "s_minus": 0}
    for name, value in expected.items():
        one = collector(metric(name), task)
        one.update(Output(probs=labels, saliency=saliency), batch)
        assert one.compute() == pytest.approx({"": value, "a": value, "b": math.nan}, nan_ok=True)
    assert not fits(metric("s_plus").record, Task(classes=("a",), mask_kind="outline"))


def test_focus_is_hit_rate_1_brought_to_0_and_1_averaged_over_images_then_listed_by_map() -> None:
    rows = []
    peaks = {"i0": at(2), "i1": at(4), "i2": at(0), "other": at(0)}
    for name, saliency in peaks.items():
        keys = {"variant": "v", "map": "gradcam", "seed": 0, "fold": 1, "split": "test", "id": name, "class": "a"}
        rows += [{**keys, "label": float(name != "other"), **terms} for terms in layer_terms(saliency, BANDS)]
    found = layers.focus_by_map(pd.DataFrame(rows))
    assert found == {("v", "gradcam"): pytest.approx((1 + 0.75 + 0) / 3)}
    assert layers.focus_by_map(pd.DataFrame(columns=list(tables.LAYERS))) == {}
