"""Laws of backbones, poolings and architectures.

A plugin's whole test file is

    from harness.testing import PoolingLaws
    import my_plugin

    class TestMyPoolings(PoolingLaws):
        plugin = my_plugin

Every component is built from its `tiny` configuration and must keep every law. A law that a component cannot keep
is declared by `Component.xfail = {"gradient_reaches_every_instance": "reason"}`; it must then fail.
"""
# ruff: noqa: D102 (a law's name is its docstring)

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from harness.contract.components import Component, Factory
from harness.contract.errors import Problems
from harness.contract.loading.catalog import Catalog
from harness.contract.masks import SAMPLE_WORDS
from harness.contract.nn import Backbone, Batch, Model, Output, Pooled, Pooling, Targets
from harness.contract.types import Task
from harness.testing.bag_batches import FEATURES, bag_batch
from harness.testing.declared import declared
from harness.trial.fit.phases import choose, set_modes


class Laws:
    """Laws of one kind of component. Set `plugin`, and optionally `only` to some names."""

    plugin: ClassVar[Any]
    only: ClassVar[tuple[str, ...]] = ()
    kind: ClassVar[str]
    hook: ClassVar[str]

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run each law once for each component of the plugin."""
        if "component" not in metafunc.fixturenames:
            return
        law = metafunc.function.__name__.removeprefix("test_")
        found = [
            pytest.param(item, id=item.name, marks=declared(item, law))
            for item in getattr(self.plugin, self.hook)()
            if (not self.only or item.name in self.only) and self.applies(item)
        ]
        metafunc.parametrize("component", found)

    def applies(self, component: Component[Any]) -> bool:
        """Return True if the laws hold for this component."""
        return True

    def factory(self, component: Component[Any]) -> Factory:
        """Return the component in its smallest configuration; installed components fill its slots."""
        problems = Problems("")
        table = {"use": component.name, **component.tiny}
        made = _catalog(self.plugin, self.kind, component.name).factory(self.kind, table, problems, self.kind)
        problems.raise_if_any()
        assert made is not None
        return made

    def build(self, component: Component[Any], *supplied: Any, seed: int = 0) -> Any:
        """Build the component with weights drawn from `seed`."""
        with _seeded(seed):
            return self.factory(component)(*supplied)


class BackboneLaws(Laws):
    """Laws of backbones. Set `plugin`, and optionally `sizes`: the image sizes (h, w) to test."""

    kind = "backbone"
    hook = "harness_backbones"
    sizes: ClassVar[tuple[tuple[int, int], ...]] = ((64, 64), (96, 72))

    @pytest.mark.parametrize("channels", [1, 3])
    def test_maps_have_the_size_that_stride_and_features_promise(
        self, component: Component[Any], channels: int
    ) -> None:
        net: Backbone = self.build(component, channels)
        for size in self.sizes:
            maps = net(_noise(2, channels, *size))
            assert maps.shape[:2] == (2, net.features)
            for length, cells in zip(size, maps.shape[2:], strict=True):
                assert cells in (length // net.stride, math.ceil(length / net.stride))
            assert maps.dtype == torch.float32
            assert maps.isfinite().all()

    @pytest.mark.parametrize("value", [0.0, 1.0])
    def test_constant_images_give_finite_maps_and_are_left_as_they_are(
        self, component: Component[Any], value: float
    ) -> None:
        net: Backbone = self.build(component, 1).eval()
        images, noise = torch.full((2, 1, *self.sizes[0]), value), _noise(2, 1, *self.sizes[0])
        before = images.clone(), noise.clone()
        with torch.no_grad():
            assert net(images).isfinite().all()
            net(noise)
        _assert_close((images, noise), before, exact=True)

    def test_facts_are_true(self, component: Component[Any]) -> None:
        net: Backbone = self.build(component, 1)
        facts = self.factory(component).facts()
        assert facts.get("stride", net.stride) == net.stride
        assert facts.get("features", net.features) == net.features

    def test_a_batch_of_one_is_a_slice_of_a_batch(self, component: Component[Any]) -> None:
        net: Backbone = self.build(component, 1).eval()
        images = _noise(3, 1, *self.sizes[0])
        with torch.no_grad():
            _assert_close(net(images[1:2]), net(images)[1:2])

    def test_every_parameter_gets_a_gradient(self, component: Component[Any]) -> None:
        net: Backbone = self.build(component, 1)
        _backward(net(_noise(2, 1, *self.sizes[0])).square().sum())
        assert [name for name, value in net.named_parameters() if value.grad is None] == []

    def test_weights_survive_a_state_dict(self, component: Component[Any]) -> None:
        first, second = self.build(component, 1).eval(), self.build(component, 1, seed=1).eval()
        second.load_state_dict(first.state_dict())
        images = _noise(1, 1, *self.sizes[0])
        with torch.no_grad():
            _assert_close(first(images), second(images), exact=True)

    def test_one_seed_gives_one_network(self, component: Component[Any]) -> None:
        _assert_same_weights(self.build(component, 1, seed=3), self.build(component, 1, seed=3))


class PoolingLaws(Laws):
    """Laws of poolings, on values in (0, 1), which every pooling accepts. Set `plugin`."""

    kind = "pooling"
    hook = "harness_poolings"

    def test_order_does_not_matter(self, component: Component[Any]) -> None:
        pooling, values = self._pooling(component), _values(3, 7, 4)
        order = torch.randperm(7, generator=torch.Generator().manual_seed(1))
        _assert_close(pooling(values).value, pooling(values[:, order]).value)

    def test_masked_instances_do_not_matter(self, component: Component[Any]) -> None:
        pooling, values = self._pooling(component), _values(2, 7, 4)
        mask = torch.ones(2, 7, dtype=torch.bool)
        mask[1, 4:] = False
        padded = values.clone()
        padded[1, 4:] = 1e4
        pooled = pooling(padded, mask=mask)
        _assert_close(pooled.value[:1], pooling(values[:1]).value)
        _assert_close(pooled.value[1:], pooling(values[1:, :4]).value)
        if pooled.weights is not None:
            assert (pooled.weights[1, 4:] == 0).all()

    def test_a_single_instance_is_given_back(self, component: Component[Any]) -> None:
        values = _values(3, 1, 4)
        _assert_close(self._pooling(component)(values).value, values[:, 0])

    @pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
    def test_equal_instances_give_finite_values_and_are_left_as_they_are(
        self, component: Component[Any], value: float
    ) -> None:
        pooling, values, others = self._pooling(component), torch.full((3, 7, 4), value), _values(3, 7, 4)
        before = values.clone(), others.clone()
        assert pooling(values).value.isfinite().all()
        pooling(others)
        _assert_close((values, others), before, exact=True)

    def test_weights_are_a_distribution(self, component: Component[Any]) -> None:
        weights = self._pooling(component)(_values(3, 7, 4)).weights
        if weights is not None:
            assert (weights >= 0).all()
            _assert_close(weights.sum(1), torch.ones_like(weights[:, 0]))

    def test_gradient_reaches_every_instance(self, component: Component[Any]) -> None:
        values = _values(2, 7, 4).requires_grad_()
        _backward(self._pooling(component)(values).value.sum())
        assert values.grad is not None
        assert values.grad.isfinite().all()
        assert (values.grad.abs().sum(2) > 0).all()

    def test_class_scores_are_pooled_by_their_features(self, component: Component[Any]) -> None:
        pooling = self.build(component, 5, 2)
        pooled: Pooled = pooling(_values(3, 7, 2), key=_noise(3, 7, 5))
        assert pooled.value.shape == (3, 2)
        assert pooled.value.isfinite().all()
        assert ((pooled.value >= 0) & (pooled.value <= 1 + 1e-6)).all()

    def test_one_seed_gives_one_pooling(self, component: Component[Any]) -> None:
        _assert_same_weights(self.build(component, 4, 1, seed=3), self.build(component, 4, 1, seed=3))

    def _pooling(self, component: Component[Any]) -> Pooling:
        pooling: Pooling = self.build(component, 4, 1)
        return pooling


class ArchitectureLaws(Laws):
    """Laws of architectures. Set `plugin`, and optionally `task`; override `batch` for other inputs.

    Architectures that need instances or views are tested on bags of images, feature tables or exams.
    """

    kind = "architecture"
    hook = "harness_architectures"
    task: ClassVar[Task] = Task(classes=("benign", "malignant"), image_size=(64, 64))
    steps: ClassVar[int] = 200

    def batch(self, component: Component[Any], task: Task, count: int = 4) -> Batch:
        """Return noise in which a square of its own brightness marks each class; see `bag_batch` for bags."""
        labels = _labels(task, count)
        if task.sample != "image":
            return bag_batch(task, labels)
        images = 0.3 * _noise(count, task.channels, *task.image_size)
        side = task.image_size[0] // 4
        masks = torch.zeros(count, len(task.classes), *task.image_size)
        for image, known in enumerate(labels.bool()):
            for number in known.nonzero().flatten().tolist():
                top, left = side * (image % 3), side * (2 * number % 4)
                masks[image, number, top : top + side, left : left + side] = 1
                images[image, :, top : top + side, left : left + side] += 3.0 * (-1) ** number
        shown = Targets(masks=masks, known=torch.ones_like(labels, dtype=torch.bool))
        ids = tuple(f"image {number}" for number in range(count))
        targets = shown if "train_masks" in component.needs else None
        return Batch(images=images, labels=labels, ids=ids, groups=ids, targets=targets)

    def test_scores_and_saliency_lie_between_0_and_1(self, component: Component[Any]) -> None:
        out = self._run(component, self.task_of(component))
        for scores in (out.probs, *out.heads.values()):
            assert scores.shape == (4, len(self.task.classes))
            assert ((scores >= 0) & (scores <= 1 + 1e-6)).all()
        assert ("saliency" in component.provides) == (out.saliency is not None)
        if out.saliency is not None:
            assert out.saliency.shape[:2] == (4, len(self.task.classes))
            assert ((out.saliency >= 0) & (out.saliency <= 1)).all()

    def test_constant_images_are_scored_and_a_batch_is_left_as_it_is(self, component: Component[Any]) -> None:
        model, batch = self._model(component), self.batch(component, self.task_of(component))
        pixels = "images" if batch.images is not None else "features"
        before = getattr(batch, pixels).clone()
        _total(model, batch)
        _assert_close(getattr(batch, pixels), before, exact=True)
        nothing: dict[str, Any] = {pixels: torch.zeros_like(before)}
        with torch.no_grad():
            out = model.eval()(replace(batch, **nothing))
        assert all(scores.isfinite().all() for scores in (out.probs, *out.heads.values()))
        assert out.saliency is None or out.saliency.isfinite().all()

    def test_a_layer_to_explain_is_declared_where_there_is_one(self, component: Component[Any]) -> None:
        model: Model = self.build(component, self.task_of(component))
        try:
            layer = model.explain_layer()
        except TypeError:
            assert "explain_layer" not in component.provides
        else:
            assert "explain_layer" in component.provides
            assert any(layer is module for module in model.modules())

    def test_exclusive_classes_and_colour_are_taken(self, component: Component[Any]) -> None:
        task = replace(self.task_of(component), kind="multiclass", classes=("a", "b", "c"), channels=3)
        out = self._run(component, task)
        _assert_close(out.probs.sum(1), torch.ones(4))

    @pytest.mark.parametrize("kind", ["multilabel", "multiclass"])
    def test_losses_are_finite_scalars_in_single_precision(self, component: Component[Any], kind: Any) -> None:
        task = replace(self.task_of(component), kind=kind)
        model, batch = self.build(component, task), self.batch(component, task)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            out = model(batch)
        for loss in model.losses(out, batch).values():
            assert loss.shape == ()
            assert loss.dtype == torch.float32
            assert loss.isfinite()

    def test_scores_are_not_rounded_to_half_precision(self, component: Component[Any]) -> None:
        """Check that the last layer is in fp32: ties in bf16 change an AUC; see `harness.nn.outside_autocast`."""
        task = self.task_of(component)
        with torch.autocast("cpu", dtype=torch.bfloat16), torch.no_grad():
            out = self.build(component, task).eval()(self.batch(component, task))
        scores = out.probs if out.logits is None else out.logits
        assert scores.dtype == torch.float32
        assert (scores != scores.bfloat16()).any(), f"all scores are rounded to bf16: {scores.tolist()}"

    def test_unknown_labels_leave_losses_and_gradients_finite(self, component: Component[Any]) -> None:
        model, batch = self._model(component), self.batch(component, self.task_of(component))
        batch.labels[:2] = math.nan
        _backward(_total(model, batch))
        assert all(value.grad is None or value.grad.isfinite().all() for value in model.parameters())

    def test_every_parameter_learns_in_some_phase(self, component: Component[Any]) -> None:
        """Check the phases one after the other, in the order of training."""
        model, batch = self._model(component), self.batch(component, self.task_of(component))
        learnt: set[str] = set()
        for phase in model.phases():
            model.zero_grad(set_to_none=True)
            choose(model, phase)
            model.begin_epoch(lambda: _scored(model, batch))
            set_modes(model, phase)
            loss = _total(model, batch)
            assert loss.requires_grad, f"nothing learns in phase {phase.name!r}"
            _backward(loss)
            learnt |= {name for name, value in model.named_parameters() if value.grad is not None}
        assert [name for name, _ in model.named_parameters() if name not in learnt] == []

    def test_eval_is_deterministic_and_leaves_nothing_behind(self, component: Component[Any]) -> None:
        """Check that no state of a batch is kept; what the first batch sets up once may stay."""
        model, batch = self._model(component).eval(), self.batch(component, self.task_of(component))
        names, state = _names(model), {key: value.clone() for key, value in model.state_dict().items()}
        with torch.no_grad():
            first = model(batch)
            before = _attributes(model)
            model(_negative(batch))
            assert _attributes(model) == before
            second = model(batch)
        _assert_close(first.probs, second.probs, exact=True)
        assert _names(model) == names
        _assert_close(dict(model.state_dict()), state, exact=True)

    def test_the_scores_of_an_image_do_not_depend_on_its_batch(self, component: Component[Any]) -> None:
        model, batch = self._model(component).eval(), self.batch(component, self.task_of(component))
        with torch.no_grad():
            _assert_close(model(batch.only(1)).probs, model(batch).probs[1:2])

    def test_weights_survive_a_state_dict(self, component: Component[Any]) -> None:
        first, second = self._model(component).eval(), self._model(component, seed=1).eval()
        second.load_state_dict(first.state_dict())
        batch = self.batch(component, self.task_of(component))
        with torch.no_grad():
            _assert_close(first(batch).probs, second(batch).probs, exact=True)

    def test_one_seed_gives_one_model(self, component: Component[Any]) -> None:
        _assert_same_weights(self._model(component, seed=3), self._model(component, seed=3))

    def test_eight_images_are_learnt_by_heart(self, component: Component[Any]) -> None:
        with _seeded(0):
            model, batch = self._model(component), self.batch(component, self.task_of(component), 8)
            optimiser = torch.optim.Adam(model.parameters(), lr=5e-3)
            for _ in range(self.steps):
                optimiser.zero_grad()
                _backward(_total(model, batch))
                optimiser.step()
                if _learnt(model(batch).probs, batch.labels):
                    return
        pytest.fail(f"after {self.steps} steps the eight images are still not classified correctly")

    def task_of(self, component: Component[Any]) -> Task:
        """Return the task, with samples of the kind that the component needs."""
        if "views" in component.needs:
            return replace(self.task, sample="views", views=("one", "other", "third"))
        if "features" in component.needs:
            return replace(self.task, sample="features", features=FEATURES, image_size=(0, 0))
        return replace(self.task, sample="bag") if component.needs & SAMPLE_WORDS - {"single_image"} else self.task

    def _model(self, component: Component[Any], seed: int = 0) -> Model:
        model: Model = self.build(component, self.task_of(component), seed=seed)
        return model

    def _run(self, component: Component[Any], task: Task) -> Output:
        model: Model = self.build(component, task).eval()
        with torch.no_grad():
            return model(self.batch(component, task))  # type: ignore[no-any-return]


@cache
def _catalog(plugin: Any, kind: str, name: str) -> Catalog:
    """Return a catalog of everything installed, with the plugin added if it is not installed."""
    catalog = Catalog.discover()
    if name not in catalog.names(kind):
        catalog.register(plugin)
    return catalog


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


def _noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def _values(*shape: int) -> Tensor:
    return 0.05 + 0.9 * torch.rand(shape, generator=torch.Generator().manual_seed(0))


def _labels(task: Task, count: int) -> Tensor:
    """Return labels with positives and negatives of each class; no two classes have the same ones."""
    number = torch.arange(count)
    if task.kind == "multiclass":
        return nn.functional.one_hot(number % len(task.classes), len(task.classes)).float()
    return torch.stack([(number // 2**level) % 2 for level in range(len(task.classes))], 1).float()


def _total(model: Model, batch: Batch) -> Tensor:
    return torch.stack(list(model.losses(model(batch), batch).values())).sum()


def _backward(loss: Tensor) -> None:
    torch.autograd.backward(loss)


def _learnt(probs: Tensor, labels: Tensor) -> bool:
    return bool(((probs > 0.5) == labels.bool()).all())


def _scored(model: Model, batch: Batch) -> Iterator[tuple[Batch, Output]]:
    """Yield the images with their outputs in eval mode, as a model gets them before an epoch."""
    with torch.no_grad():
        yield batch, model.eval()(batch)


def _negative(batch: Batch) -> Batch:
    """Return other images of the same shape, with other labels and names."""
    images, features = (None if values is None else -values for values in (batch.images, batch.features))
    ids = tuple(f"other {name}" for name in batch.ids)
    return replace(batch, images=images, features=features, labels=1 - batch.labels, ids=ids, groups=ids)


def _names(model: nn.Module) -> dict[str, set[str]]:
    return {name: set(vars(module)) for name, module in model.named_modules()}


def _attributes(model: nn.Module) -> dict[str, Any]:
    """Return the attributes of all modules other than their weights."""
    return {name: _plain(vars(module)) for name, module in model.named_modules()}


def _plain(value: Any) -> Any:
    """Return a comparable copy: numbers, texts and tensors by value, everything else by identity."""
    if isinstance(value, Tensor):
        return repr(value.tolist())
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items() if key not in ("_parameters", "_buffers", "_modules")}
    if isinstance(value, list | tuple | deque):
        return [_plain(item) for item in value]
    if isinstance(value, set | frozenset | np.ndarray):
        return frozenset(value) if isinstance(value, set | frozenset) else repr(value.tolist())
    return value if isinstance(value, str | int | float | type(None)) else id(value)


def _assert_close(found: Any, expected: Any, exact: bool = False) -> None:
    torch.testing.assert_close(found, expected, rtol=0 if exact else 1e-4, atol=0 if exact else 1e-5)


def _assert_same_weights(first: nn.Module, second: nn.Module) -> None:
    _assert_close(dict(first.state_dict()), dict(second.state_dict()), exact=True)
