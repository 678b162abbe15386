"""Explainers against what their papers say, computed by hand on networks small enough for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import pytorch_grad_cam
import torch
from torch import Tensor, nn

import harness_explainers
from harness.contract.loading.catalog import Catalog
from harness.contract.nn import Batch, Model, Output
from harness.contract.types import Task
from harness_explainers.adapter import ClassScores
from harness_explainers.attention.explainer import paint
from harness_explainers.attributions.integrated_gradients.explainer import IntegratedGradients

NAMES = {component.name for component in harness_explainers.harness_explainers()}
CAMS = {"gradcam", "gradcam_plus_plus", "hirescam", "eigengradcam", "layercam", "scorecam", "ablationcam"}
CLASSES = [0, 1, 1]


class Net(Model):
    """A convolution with a ReLU, whose maps are flattened and weighed; `mean` weighs their means instead."""

    def __init__(self, *, mean: bool = False, logits: bool = True, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.layer = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1, stride=2), nn.ReLU())
            self.last = nn.Linear(3 if mean else 3 * 16, 2)
        self.mean, self.has_logits = mean, logits

    def score(self, maps: Tensor) -> Tensor:
        return self.last(maps.mean((2, 3)) if self.mean else maps.flatten(1))

    def forward(self, batch: Batch) -> Output:
        logits = self.score(self.layer(batch.images))
        return Output(probs=logits.softmax(1), logits=logits if self.has_logits else None)

    def losses(self, out: Output, batch: Batch) -> dict[str, Tensor]:
        return {"none": out.probs.sum()}

    def explain_layer(self) -> nn.Module:
        return self.layer


def _batch(count: int = 3) -> Batch:
    chance = torch.Generator().manual_seed(1)
    images = torch.randn(count, 2, 8, 8, generator=chance)
    return Batch(images=images, labels=torch.zeros(count, 2), ids=tuple("abcdef"[:count]))


def _explainer(name: str, **params: Any) -> Any:
    component = next(item for item in harness_explainers.harness_explainers() if item.name == name)
    return component.build(**params)


def _explain(name: str, model: Model, **params: Any) -> Tensor:
    return _explainer(name, **params).explain(model, _batch(), CLASSES)


def _shown(maps: Tensor) -> Tensor:
    """As every map is shown: no negative values, bilinear, each divided by its maximum."""
    positive = nn.functional.interpolate(maps.detach().clamp_min(0)[:, None], (8, 8), mode="bilinear")[:, 0]
    return positive / positive.amax((1, 2), keepdim=True).clamp_min(1e-12)


def _activations_and_slopes(model: Net) -> tuple[Tensor, Tensor]:
    maps = model.layer(_batch().images).detach().requires_grad_()
    (slopes,) = torch.autograd.grad(model.score(maps)[range(3), CLASSES].sum(), maps)
    return maps.detach(), slopes


def test_gradcam_of_a_linear_head_over_means_is_cam():
    model = Net(mean=True)
    maps = model.layer(_batch().images)
    cam = torch.einsum("bd,bdij->bij", model.last.weight[CLASSES], maps)  # Zhou et al. 2016
    torch.testing.assert_close(_explain("gradcam", model), _shown(cam))


@pytest.mark.parametrize("name", ["hirescam", "layercam"])
def test_gradcam_and_its_kin_agree_where_the_gradient_is_the_same_everywhere(name: str):
    model = Net(mean=True)
    if name == "layercam":  # which drops negative weights
        model.last.weight.data.abs_()
    torch.testing.assert_close(_explain(name, model), _explain("gradcam", model))


def test_gradient_cams_are_the_sums_of_their_papers():
    model = Net()
    maps, slopes = _activations_and_slopes(model)
    squared, total = slopes**2, maps.sum((2, 3), keepdim=True)
    share = squared / (2 * squared + total * slopes**3 + 1e-6)  # Chattopadhay et al., equation 19
    weights = (share * slopes.clamp_min(0)).sum((2, 3), keepdim=True)
    expected = {
        "gradcam": (slopes.mean((2, 3), keepdim=True) * maps).sum(1),
        "hirescam": (slopes * maps).sum(1),
        "layercam": (slopes.clamp_min(0) * maps).sum(1),
        "gradcam_plus_plus": (weights * maps).sum(1),
    }
    for name, raw in expected.items():
        torch.testing.assert_close(_explain(name, model), _shown(raw), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(_explain("gradcam", model), _explain("hirescam", model))


def test_eigengradcam_is_the_first_component_with_the_sign_of_the_sum():
    model = Net()
    maps, slopes = _activations_and_slopes(model)
    expected = []
    for product in (maps * slopes).flatten(2):
        centred = product - product.mean(1, keepdim=True)  # d n
        values, vectors = np.linalg.eigh((centred @ centred.T).numpy())
        component = torch.from_numpy(vectors[:, values.argmax()]) @ centred
        expected.append(component * torch.sign(component @ product.sum(0)))
    raw = torch.stack(expected).unflatten(1, (4, 4))
    torch.testing.assert_close(_explain("eigengradcam", model), _shown(raw), rtol=1e-4, atol=1e-4)


def test_ablationcam_weighs_channels_by_how_far_the_score_falls_without_them():
    model, expected = Net(), []
    maps = model.layer(_batch().images).detach()
    for image, kind in zip(maps, CLASSES, strict=True):
        falls = []
        for channel in range(3):
            ablated = image.clone()
            ablated[channel] = 0
            falls.append((model.score(image[None]) - model.score(ablated[None]))[0, kind])
        expected.append(sum(fall * maps for fall, maps in zip(falls, image, strict=True)))
    for chunk in (1, 2, 16):
        torch.testing.assert_close(_explain("ablationcam", model, chunk=chunk), _shown(torch.stack(expected)))


def test_scorecam_weighs_channels_by_the_score_of_the_image_seen_through_them():
    model, expected = Net(), []
    enlarge = nn.UpsamplingBilinear2d((8, 8))
    for image, kind in zip(_batch().images, CLASSES, strict=True):
        maps, scores = model.layer(image[None]), []
        for mask in enlarge(maps)[0]:
            mask = (mask - mask.min()) / (mask.max() - mask.min())
            scores.append(model(Batch(images=(image * mask)[None], labels=torch.zeros(1, 2))).logits[0, kind])
        expected.append((torch.stack(scores).softmax(0)[:, None, None] * maps[0]).sum(0))
    for chunk in (1, 2, 16):
        torch.testing.assert_close(
            _explain("scorecam", model, chunk=chunk), _shown(torch.stack(expected)), rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize(("name", "theirs"), [("scorecam", "ScoreCAM"), ("ablationcam", "AblationCAM")])
def test_bounded_methods_weigh_as_the_library_does(name: str, theirs: str):
    model, batch = Net(), _batch()
    model.last.bias.data += 10  # their ablation divides by the score with its sign
    scores = ClassScores(model.eval(), batch)
    with getattr(pytorch_grad_cam, theirs)(Wide(scores), [model.layer]) as library:
        targets = [lambda out, kind=kind: out[kind] for kind in CLASSES]
        library.activations_and_grads(batch.images)
        maps = library.activations_and_grads.activations[0].numpy()
        raw = library.get_cam_image(batch.images, model.layer, targets, maps, None)
    torch.testing.assert_close(_explain(name, model), _shown(torch.from_numpy(raw)), rtol=1e-4, atol=1e-4)


class Wide(nn.Module):
    """A model whose number of images the library may change as it likes."""

    def __init__(self, scores: ClassScores) -> None:
        super().__init__()
        self.inner = scores.model

    def forward(self, images: Tensor) -> Tensor:
        logits = self.inner(Batch(images=images, labels=torch.zeros(len(images), 2))).logits
        assert logits is not None
        return logits


@pytest.mark.parametrize("logits", [True, False])
def test_saliency_is_the_size_of_the_gradient_of_the_logit_or_else_of_the_probability(logits: bool):
    model, images = Net(logits=logits), _batch().images.clone().requires_grad_()
    out = model(Batch(images=images, labels=torch.zeros(3, 2)))
    chosen = (out.logits if logits else out.probs)[range(3), CLASSES].sum()
    (slope,) = torch.autograd.grad(chosen, images)
    torch.testing.assert_close(_explain("saliency", model), _shown(slope.abs().amax(1)))


@pytest.mark.parametrize("baseline", ["zero", "darkest"])
def test_integrated_gradients_are_complete(baseline: Any):
    model, batch = Net(logits=False).eval(), _batch(1)
    blank = torch.zeros_like(batch.images) + (batch.images.min() if baseline == "darkest" else 0)
    found = IntegratedGradients("ig", 200, baseline, "positive", 50).attribute(model, batch, 1)
    with torch.no_grad():
        rise = (ClassScores(model, batch)(batch.images) - ClassScores(model, batch)(blank))[0, 1]
    assert found.sum().item() == pytest.approx(rise.item(), abs=2e-3)


def test_the_parts_of_integrated_gradients_are_told_apart():
    shown = {sign: _explain("integrated_gradients", Net(), sign=sign) for sign in ("positive", "negative", "absolute")}
    assert not ((shown["positive"] > 0) & (shown["negative"] > 0)).any()
    assert ((shown["absolute"] > 0) == ((shown["positive"] > 0) | (shown["negative"] > 0))).all()


class Linear(Net):
    """Pixels, weighed and summed: every way of attribution gives weight times pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.randn(2, 2, 8, 8, generator=torch.Generator().manual_seed(2)))

    def forward(self, batch: Batch) -> Output:
        logits = torch.einsum("bchw,kchw->bk", batch.images, self.weights)
        return Output(probs=logits.sigmoid(), logits=logits)


def test_gradient_shap_of_a_linear_model_is_weight_times_pixel():
    model = Linear()
    expected = _shown((model.weights[CLASSES] * _batch().images).sum(1))
    torch.testing.assert_close(_explain("gradient_shap", model, noise=0.0, spread=0.0), expected)
    noisy = _explain("gradient_shap", model, samples=400)
    assert (noisy - expected).abs().mean() < 0.02
    assert not torch.equal(_explain("gradient_shap", model), _explain("gradient_shap", model, seed=1))


def test_occlusion_is_the_mean_fall_over_the_windows_that_cover_a_pixel():
    model, batch = Net(), _batch()
    expected = []
    for image, kind in zip(batch.images, CLASSES, strict=True):
        score = lambda seen, kind=kind: model(Batch(images=seen[None], labels=torch.zeros(1, 2))).logits[0, kind]  # noqa: E731
        falls, times = torch.zeros(8, 8), torch.zeros(8, 8)
        for top in (0, 2, 4, 6):  # the last window hangs over the edge
            for left in (0, 2, 4, 6):
                covered = image.clone()
                covered[:, top : top + 3, left : left + 3] = 0
                falls[top : top + 3, left : left + 3] += (score(image) - score(covered)).detach()
                times[top : top + 3, left : left + 3] += 1
        expected.append(falls / times)
    found = _explain("occlusion", model, window_px=3, stride_px=2)
    torch.testing.assert_close(found, _shown(torch.stack(expected)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", sorted(CAMS))
def test_a_dead_layer_gives_a_map_of_zeros(name: str):
    model = Net()
    model.layer[0].bias.data.fill_(-100)
    assert not _explain(name, model).any()


@pytest.mark.parametrize("name", sorted(CAMS))
def test_an_in_place_activation_behind_the_layer_does_not_change_what_was_seen(name: str):
    plain, changing = Net(), Net()
    changing.score = lambda maps: Net.score(changing, maps.mul_(2))  # type: ignore[method-assign]
    plain.score = lambda maps: Net.score(plain, 2 * maps)  # type: ignore[method-assign]
    torch.testing.assert_close(_explain(name, changing), _explain(name, plain))


@pytest.mark.parametrize("name", sorted(CAMS))
def test_a_frozen_trunk_without_gradients_is_no_obstacle(name: str):
    class Frozen(Net):
        def forward(self, batch: Batch) -> Output:
            with torch.no_grad():
                maps = self.layer(batch.images)
            return Output(probs=self.score(maps).softmax(1), logits=self.score(maps))

    torch.testing.assert_close(_explain(name, Frozen()), _explain(name, Net()))


def _nowhere(self: Net, batch: Batch) -> Output:
    return Output(probs=torch.full((len(batch.labels), 2), 0.5) + 0 * self.layer(batch.images).detach().sum())


def _twice(self: Net, batch: Batch) -> Output:
    self.layer(batch.images)
    return Net.forward(self, batch)


def _instances(self: Net, batch: Batch) -> Output:
    images = batch.images.repeat_interleave(2, 0)
    return Output(probs=self.score(self.layer(images)).softmax(1)[::2])


def _out_of_range(self: Net, batch: Batch) -> Output:
    self.layer(batch.images)
    raise IndexError("no such crop")


def _endless(self: Net, batch: Batch) -> Output:
    return Output(probs=self.score(self.layer(batch.images)) * torch.inf)


@pytest.mark.parametrize(
    ("name", "forward", "cause"),
    [
        ("gradcam", _nowhere, "no gradient of the score reaches the layer"),
        ("gradcam", _twice, "ran 2 times"),
        ("scorecam", _instances, "gives 6 maps for 3 images"),
        ("layercam", _out_of_range, "IndexError: no such crop"),
        ("saliency", _nowhere, "does not require grad|not have been used"),
        ("saliency", _endless, "the map of image 'a' is not finite"),
        ("occlusion", _out_of_range, "IndexError: no such crop"),
    ],
)
def test_a_map_that_cannot_be_made_is_an_error(name: str, forward: Callable[..., Output], cause: str):
    odd = type("Odd", (Net,), {"forward": forward})()
    with pytest.raises(RuntimeError, match=f"'{name}' cannot explain Odd: .*({cause})"):
        _explain(name, odd, **({"window_px": 3, "stride_px": 2} if name == "occlusion" else {}))


def test_a_model_without_a_layer_to_explain_is_told_so():
    class Bare(Net):
        explain_layer = Model.explain_layer

    with pytest.raises(TypeError, match="'gradcam' cannot explain Bare: Bare names no layer to explain"):
        _explain("gradcam", Bare())


def test_a_batch_without_images_is_told_so():
    with pytest.raises(TypeError, match="'saliency' cannot explain Net: it explains images"):
        _explainer("saliency").explain(Net(), Batch(labels=torch.zeros(1, 2)), [0])


def test_a_window_larger_than_the_image_is_told_so():
    with pytest.raises(RuntimeError, match="`window_px` is 15, and an image has 8 x 8 pixels"):
        _explain("occlusion", Net())


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("occlusion", {"window_px": 4, "stride_px": 5}),
        ("integrated_gradients", {"steps": 0}),
        ("gradient_shap", {"samples": 0}),
        ("gradient_shap", {"noise": -0.1}),
        ("scorecam", {"chunk": 0}),
    ],
)
def test_parameters_that_cannot_work_are_refused(name: str, params: dict[str, Any]):
    with pytest.raises(ValueError, match="must hold, but got"):
        _explainer(name, **params)


@pytest.fixture(scope="module")
def gmic() -> tuple[Model, Batch]:
    task = Task(classes=("a", "b"), image_size=(64, 48))
    table = {
        "use": "gmic",
        "backbone": {"use": "resnet22", "stride": 8, "width": 2},
        "local_backbone": {"use": "timm", "model": "resnet10t"},
        "local_pooling": {"use": "gated_attention", "dim": 4},
        "crops": 2,
        "crop_px": 16,
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model: Model = Catalog.discover().build("architecture", table, task)
    images = torch.rand(2, 1, 64, 48, generator=torch.Generator().manual_seed(0))
    return model, Batch(images=images, labels=torch.zeros(2, 2), ids=("a", "b"))


@pytest.mark.parametrize("name", sorted(NAMES))
def test_gmic_is_explained_although_its_choice_of_crops_has_no_gradient(gmic: tuple[Model, Batch], name: str):
    model, batch = gmic
    params = {"integrated_gradients": {"steps": 2}, "gradient_shap": {"samples": 2}}.get(name, {})
    maps = _explainer(name, **params).explain(model, batch, [0, 1])
    assert maps.shape == (2, 64, 48) and maps.isfinite().all() and maps.min() >= 0 and maps.max() <= 1
    assert maps.any()
    assert model.training and all(value.requires_grad and value.grad is None for value in model.parameters())


def test_attention_is_painted_where_the_crops_were_taken(gmic: tuple[Model, Batch]):
    model, batch = gmic
    maps = _explainer("attention").explain(model, batch, [0, 0])
    with torch.no_grad():
        parts = model.eval()(batch).parts
    model.train()
    for image, weights, boxes in zip(maps, parts["attention"], parts["boxes"].int().tolist(), strict=True):
        for weight, (x0, y0, x1, y1) in zip(weights, boxes, strict=True):
            assert image[y0:y1, x0:x1].max() >= weight / weights.max() - 1e-6
        covered = torch.zeros(64, 48)
        for x0, y0, x1, y1 in boxes:
            covered[y0:y1, x0:x1] = 1
        assert torch.equal(image > 0, covered > 0)


def test_where_boxes_overlap_the_higher_weight_is_painted_and_edges_cut_them_off():
    boxes = torch.tensor([[[0, 0, 2, 2], [1, 1, 9, 3], [-2, 2, 1, 4]]])
    painted = paint(torch.tensor([[0.5, 0.3, 0.2]]), boxes, (4, 4))
    expected = torch.tensor([[[0.5, 0.5, 0, 0], [0.5, 0.5, 0.3, 0.3], [0.2, 0.3, 0.3, 0.3], [0.2, 0, 0, 0]]])
    assert torch.equal(painted, expected)
