"""Pixel labels: patches are labelled by their masks, heat maps lie where the image says, the classifier is frozen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from harness import InputError, Task
from harness.contract.loading.catalog import Catalog
from harness.nn import Backbone, Batch, Model, Output, Targets
from harness.trial.fit.phases import choose, set_modes
from harness_architectures.pixel_labels.model import PixelLabels
from harness_architectures.pixel_labels.sizes import starts
from harness_architectures.pixel_labels.windows import draw_corners, patch_labels, spread_out

TASK = Task(classes=("benign", "malignant"), image_size=(48, 40), mask_kind="outline")
RESNET22 = {"use": "resnet22", "stride": 8, "width": 2}
TABLE = {
    "use": "pixel_labels",
    "architecture": {
        "use": "gmic",
        "crop_channels": 1,
        "crops": 2,
        "crop_px": 16,
        "backbone": RESNET22,
        "local_backbone": RESNET22,
        "pooling": {"use": "top_fraction", "fraction": 0.2},
    },
    "backbone": RESNET22,
    "window_px": 16,
    "stride_px": 8,
    "patches": 4,
}


class Brightness(Backbone):
    """The image itself as its only feature."""

    features, stride = 1, 1

    def forward(self, images: Tensor) -> Tensor:
        return images.mean(1, keepdim=True)


class Seen(Model):
    """Remembers nothing; says what it was shown."""

    def forward(self, batch: Batch) -> Output:
        assert batch.images is not None
        return Output(probs=torch.zeros_like(batch.labels), parts={"images": batch.images})

    def losses(self, out: Output, batch: Batch) -> dict[str, Tensor]:
        return {}


def _batch(count: int = 3) -> Batch:
    masks = torch.zeros(count, 2, 48, 40)
    masks[0, 0, 10:20, 6:16] = 1
    masks[1, 1, 30:40, 20:30] = 1
    images = 0.1 * torch.randn(count, 1, 48, 40, generator=torch.Generator().manual_seed(0))
    images = images + 3 * masks.amax(1, keepdim=True)
    known = torch.ones(count, 2, dtype=torch.bool)
    ids = tuple(map(str, range(count)))
    return Batch(
        images=images, labels=masks.amax((2, 3)), targets=Targets(masks=masks, known=known), ids=ids, groups=ids
    )


def _model(catalog: Catalog, **changed: Any) -> PixelLabels:
    torch.manual_seed(0)
    model = catalog.build("architecture", {**TABLE, **changed}, TASK)
    assert isinstance(model, PixelLabels)
    return model


def _brightness(task: Task = TASK, window: int = 16, stride: int = 8) -> PixelLabels:
    model = PixelLabels(
        task, architecture=Seen(), classifier=Brightness(), window=window, stride=stride, patches=4, epochs=None
    )
    with torch.no_grad():
        model.head.weight.copy_(torch.tensor([[8.0], [-8.0]]))
        model.head.bias.fill_(-4.0)
    return model.eval()


def test_windows_cover_an_axis_and_end_flush_with_it() -> None:
    assert starts(48, 16, 8) == [0, 8, 16, 24, 32]
    assert starts(40, 16, 10) == [0, 10, 20, 24]
    assert starts(16, 16, 16) == [0]


@pytest.mark.parametrize(("top", "left"), [(0, 0), (16, 8), (32, 24), (8, 24)])
def test_a_planted_patch_lights_its_cell_and_the_image_comes_first(top: int, left: int) -> None:
    images = torch.zeros(2, 1, 48, 40)
    images[1, 0, top : top + 16, left : left + 16] = 1
    with torch.no_grad():
        out = _brightness()(Batch(images=images, labels=torch.zeros(2, 2)))
    maps, shown = out.parts["heat_maps"], out.parts["images"]
    assert torch.equal(shown[:, :1], images) and torch.equal(shown[:, 1:], maps)
    hot = (maps[1, 0] > 0.9).nonzero()
    centre = torch.tensor([top + 7.5, left + 7.5])
    assert len(hot) and ((hot - centre).abs() <= 4.5).logical_or(_at_edge(hot)).all()
    assert maps[1, 0, top + 8, left + 8] > 0.9 > 0.1 > maps[1, 1].max() and maps[0].max() < 0.1
    torch.testing.assert_close(out.heads["patches"], maps.amax((2, 3)))


def _at_edge(points: Tensor) -> Tensor:
    """Pixels that no window's centre is near, along either axis, take the outermost window's score."""
    return (points < 8) | (points >= torch.tensor([40, 32]))


def test_a_pixel_has_the_score_of_the_nearest_window() -> None:
    scores = torch.arange(4.0).view(1, 1, 2, 2)
    found = spread_out(scores, [0, 4], [0, 2], window=4, size=(8, 6))[0, 0]
    assert found[:, 0].tolist() == [0, 0, 0, 0, 2, 2, 2, 2]
    assert found[0].tolist() == [0, 0, 0, 1, 1, 1]


def test_patches_are_labelled_by_what_they_hold() -> None:
    masks = torch.zeros(1, 2, 40, 40)
    masks[0, 0, 10:30, 10:30] = 1
    masks[0, 1, 0:2, 0:2] = 1
    corners = torch.tensor([[[10, 10], [30, 30], [5, 8], [0, 0], [1, 1]]])
    known = torch.ones(1, 2, dtype=torch.bool)
    labels = patch_labels(masks, known, corners, window=10)[0]
    assert labels[:3, 0].tolist() == [1, 0, 1]  # full, none, 5 x 8 of 100 pixels
    assert labels[4, 0].isnan()  # one pixel: neither here nor there
    assert labels[:2, 1].tolist() == [0, 0]
    assert labels[3, 1] == 1  # all of a small lesion, if but 4 of 100 pixels
    assert patch_labels(masks, ~known, corners, window=10).isnan().all()


def test_half_of_the_patches_hold_a_lesion_where_there_is_one() -> None:
    batch = _batch()
    assert batch.targets is not None
    torch.manual_seed(0)
    corners = draw_corners(batch.targets.masks, 16, 40)
    assert (corners >= 0).all() and (corners <= torch.tensor([32, 24])).all()
    labels = patch_labels(batch.targets.masks, batch.targets.known, corners, 16)
    held = (labels != 0).any(2)  # positive, or too little of a lesion to count
    assert held[:2, :20].all()
    assert not held[2].any()


def test_lesions_are_found_as_torch_finds_them() -> None:
    masks = (torch.rand(3, 2, 24, 20, generator=torch.Generator().manual_seed(0)) > 0.9).float()
    masks[2] = 0
    torch.manual_seed(1)
    found = draw_corners(masks, 8, 6)
    torch.manual_seed(1)
    size = torch.tensor([24, 20])
    expected = (torch.rand(3, 6, 2) * (size - 7)).long()
    for corners, image in zip(expected[:2], masks.amax(1), strict=False):
        points = image.nonzero()
        chosen = points[torch.randint(len(points), (3,))]
        corners[:3] = (chosen - ((torch.rand(3, 2) + 0.5) * 4).long()).clamp(min=0).minimum(size - 8)
    assert torch.equal(found, expected)


def test_the_classifier_learns_first_and_is_frozen_then(catalog: Catalog) -> None:
    model, batch = _model(catalog), _batch()
    first, second = model.phases()
    assert first.select_by == "val/patches/auroc"
    for phase, losses in ((first, {"patches"}), (second, {"global", "local", "fusion", "map_l1"})):
        optimiser = torch.optim.SGD(choose(model, phase), lr=0.1)
        set_modes(model, phase)
        before = {name: value.clone() for name, value in model.state_dict().items()}
        found = model.losses(model(batch), batch)
        assert set(found) == losses
        optimiser.zero_grad()
        torch.autograd.backward(torch.stack(list(found.values())).sum())
        optimiser.step()
        changed = {name.split(".")[0] for name, value in model.state_dict().items() if not value.equal(before[name])}
        assert changed == ({"classifier", "head"} if phase is first else {"architecture"})


def test_gmic_behind_it_crops_the_image_alone(catalog: Catalog) -> None:
    batch = replace(_batch(), targets=None)
    with torch.no_grad():
        out = _model(catalog).eval()(batch)
    crops, boxes = out.parts["crops"], out.parts["boxes"]
    assert crops.shape[2] == 1
    left, top = boxes[0, 0, :2].tolist()
    assert batch.images is not None
    torch.testing.assert_close(crops[0, 0], batch.images[0, :, top : top + 16, left : left + 16])


def test_an_unknown_outline_teaches_nothing(catalog: Catalog) -> None:
    model, batch = _model(catalog), _batch()
    assert batch.targets is not None
    set_modes(model, model.phases()[0])
    unknown = replace(batch, targets=replace(batch.targets, known=torch.zeros(3, 2, dtype=torch.bool)))
    assert model.losses(model(unknown), unknown)["patches"] == 0


def test_a_ready_classifier_makes_the_maps_it_made_and_never_learns(catalog: Catalog, tmp_path: Path) -> None:
    first, batch = _model(catalog).eval(), replace(_batch(), targets=None)
    save_file(first.state_dict(), tmp_path / "weights.safetensors")
    table = {key: value for key, value in TABLE.items() if key != "patches"}
    table |= {"use": "heat_maps", "weights": str(tmp_path / "weights.safetensors")}
    ready = catalog.build("architecture", table, TASK)
    with torch.no_grad():
        assert torch.equal(ready.eval()(batch).parts["heat_maps"], first(batch).parts["heat_maps"])
    (phase,) = ready.phases()
    learning = {id(value) for value in choose(ready, phase)}
    set_modes(ready, phase)
    assert not any(id(value) in learning for part in (ready.classifier, ready.head) for value in part.parameters())
    assert set(ready.losses(ready(batch), batch)) == {"global", "local", "fusion", "map_l1"}
    with pytest.raises(InputError, match="not a patch classifier of this kind"):
        catalog.build("architecture", {**table, "backbone": {**RESNET22, "width": 3}}, TASK)
    with pytest.raises(InputError, match="no weights could be read"):
        catalog.build("architecture", {**table, "weights": str(tmp_path / "none")}, TASK)


def test_the_views_of_an_exam_get_heat_maps_where_they_are_there(catalog: Catalog) -> None:
    views = ("CC", "MLO", "other CC", "other MLO")
    task = replace(TASK, mask_kind="none", sample="views", views=views)
    dmv = {"use": "dmv_cnn", "backbone": RESNET22, "hidden": 4}
    table = {"use": "heat_maps", "weights": "random", "architecture": dmv, "backbone": RESNET22, "window_px": 16}
    torch.manual_seed(0)
    model = catalog.build("architecture", table, task).eval()
    mask = torch.tensor([[True, False, True, True], [True, True, True, True]])
    exam = Batch(images=torch.randn(2, 4, 1, 48, 40), mask=mask, labels=torch.zeros(2, 2), ids=("a", "b"))
    with torch.no_grad():
        out = model(exam)
        assert exam.images is not None
        expected = model.heat_maps(exam.images[0, 2:3])[0]
    maps = out.parts["heat_maps"]
    assert maps.shape == (2, 4, 2, 48, 40) and not maps[0, 1].any()
    torch.testing.assert_close(maps[0, 2], expected)
    torch.testing.assert_close(out.heads["patches"], maps.amax((1, 3, 4)))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"window_px": 41}, "window_px <= 40"),
        ({"stride_px": 17}, "stride_px <= 16"),
        ({"patches": 1}, "patches >= 2"),
        ({"architecture": {**TABLE["architecture"], "crop_channels": 4}}, "crop_channels <= 3"),  # type: ignore[dict-item]
    ],
)
def test_parameters_that_cannot_work_are_refused(catalog: Catalog, changed: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        _model(catalog, **changed)
