"""DMV-CNN and its exams: what is missing does not matter, what is there is judged by the right network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from harness import InputError, Task
from harness.contract.loading.catalog import Catalog
from harness.nn import Batch, Model

VIEWS = ("CC", "MLO", "other CC", "other MLO")
TASK = Task(classes=("benign", "malignant"), unit="breast", image_size=(48, 40), sample="views", views=VIEWS)
TINY = {"use": "dmv_cnn", "backbone": {"use": "resnet22", "stride": 8, "width": 2}, "hidden": 8}
EXAMS = {"use": "phantom_exams", "images": [32, 8, 8], "image_size": [128, 96]}


def _model(catalog: Catalog, task: Task = TASK, **changed: Any) -> Model:
    torch.manual_seed(0)
    model: Model = catalog.build("architecture", {**TINY, **changed}, task)
    return model


def _exams(*there: tuple[bool, bool, bool, bool]) -> Batch:
    mask = torch.tensor(there)
    images = torch.randn(len(there), 4, 1, 48, 40, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([[1.0, 0.0]]).repeat(len(there), 1)
    ids = tuple(map(str, range(len(there))))
    return Batch(images=images * mask[..., None, None, None], mask=mask, labels=labels, ids=ids, groups=ids)


def test_the_four_views_share_two_networks_of_the_published_size(catalog: Catalog) -> None:
    model = catalog.build("architecture", {"use": "dmv_cnn"}, TASK)
    sizes = [sum(value.numel() for value in network.parameters()) for network in model.networks]
    assert sizes == [2_799_536] * 2  # a ResNet-22 for CC and one for MLO, each for both breasts


@pytest.mark.parametrize("only", range(4))
def test_an_exam_of_one_view_is_scored_and_learnt_from(catalog: Catalog, only: int) -> None:
    there = tuple(place == only for place in range(4))
    batch, model = _exams(there, there), _model(catalog)  # type: ignore[arg-type]
    out = model(batch)
    assert out.parts["counts"].tolist() == [[only % 2 == 0, only % 2 == 1]] * 2
    assert torch.equal(out.probs, out.heads[("cc", "mlo")[only % 2]])
    torch.autograd.backward(torch.stack(list(model.losses(out, batch).values())).sum())
    for place in range(2):
        learns = any(value.grad is not None and value.grad.any() for value in model.networks[place].parameters())  # type: ignore[union-attr,index]
        assert learns == (place == only % 2)


def test_projections_that_show_the_breast_are_averaged(catalog: Catalog) -> None:
    batch = _exams((True, True, True, True), (True, False, True, True), (False, False, True, True))
    with torch.no_grad():
        out = _model(catalog).eval()(batch)
    assert out.parts["counts"].tolist() == [[True, True], [True, False], [True, True]]
    cc, mlo = out.heads["cc"], out.heads["mlo"]
    torch.testing.assert_close(out.probs, torch.stack([(cc[0] + mlo[0]) / 2, cc[1], (cc[2] + mlo[2]) / 2]))


def test_both_breasts_are_seen_by_one_network_and_the_own_comes_first(catalog: Catalog) -> None:
    model, batch = _model(catalog).eval(), _exams((True, True, True, True))
    assert batch.images is not None
    swapped = replace(batch, images=batch.images[:, [2, 3, 0, 1]])
    vectors = []
    for judge in model.judges:  # type: ignore[union-attr]
        judge.register_forward_pre_hook(lambda _, given: vectors.append(given[0]))
    with torch.no_grad():
        model(batch), model(swapped)
    for one, other in zip(vectors[:2], vectors[2:], strict=True):
        torch.testing.assert_close(one, torch.cat(other.chunk(2, 1)[::-1], 1))


def test_views_that_are_no_pairs_of_breasts_are_refused(catalog: Catalog) -> None:
    with pytest.raises(InputError, match='"other CC"'):
        _model(catalog, replace(TASK, views=("L-CC", "R-CC")))


def test_an_exam_is_made_of_the_phantoms_own_images(catalog: Catalog, tmp_path: Path) -> None:
    exams = catalog.build("dataset", {**EXAMS, "missing": 0.0}, tmp_path)
    phantom = catalog.build("dataset", {**EXAMS, "use": "phantom_mammograms"}, tmp_path)
    images = {image.id: image for image in phantom.split("test")}
    assert {sample.id for sample in exams.split("test")} == {image.unit for image in images.values()}
    for sample in exams.split("test"):
        own, other = (sample.id, sample.id[:-1] + ("R" if sample.id[-1] == "L" else "L"))
        assert sample.labels == images[f"{own}-CC"].labels and sample.unit == sample.id
        shown = exams.read(sample)
        for image, name in zip(shown, [f"{own}-CC", f"{own}-MLO", f"{other}-CC", f"{other}-MLO"], strict=True):
            expected = phantom.read(images[name])
            np.testing.assert_array_equal(image, expected[:, ::-1] if "-R-" in name else expected)


def test_a_breast_lacks_one_view_at_most_and_the_same_whoever_asks(catalog: Catalog, tmp_path: Path) -> None:
    exams = catalog.build("dataset", {**EXAMS, "images": [400, 8, 8], "missing": 0.25}, tmp_path)
    lacking = {sample.id: exams.metadata(sample)["missing"] for sample in exams.split("train")}
    assert set(lacking.values()) == {"", "CC", "MLO"}
    assert abs(np.mean([view != "" for view in lacking.values()]) - 0.25) < 0.1
    sample = next(sample for sample in exams.split("train") if lacking[sample.id])
    other = next(item for item in exams.split("train") if item.group == sample.group and item.id != sample.id)
    missing = VIEWS.index(str(lacking[sample.id]))
    assert exams.read(sample)[missing] is None and exams.read(other)[missing + 2] is None


def test_a_probability_is_refused_that_is_none(catalog: Catalog, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="missing: must be in"):
        catalog.build("dataset", {**EXAMS, "missing": 1.5}, tmp_path)
