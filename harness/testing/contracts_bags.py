"""Laws of architectures that read several instances, in addition to the laws of all architectures.

A plugin's whole test file is

    from harness.testing import InstanceLaws
    import my_plugin

    class TestMyBagModels(InstanceLaws):
        plugin = my_plugin

Components that need "instances" are tested on bags of images and on feature tables; those that need one of the two
are tested on that one; others are left out. `ViewLaws` are the laws of architectures that need "views".
"""
# ruff: noqa: D102 (a law's name is its docstring)

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from harness.contract.components import Component
from harness.contract.masks import SAMPLE_WORDS
from harness.contract.nn import Batch, Model, Output
from harness.contract.types import Task
from harness.testing.bag_batches import FEATURES, bag_batch, padded, reordered
from harness.testing.contracts_models import Laws

_LABELS = [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]


class InstanceLaws(Laws):
    """Laws of architectures over instances. Set `plugin`, and optionally `task`: size and channels of the images."""

    kind = "architecture"
    hook = "harness_architectures"
    task: ClassVar[Task] = Task(classes=("benign", "malignant"), image_size=(64, 64))

    def applies(self, component: Component[Any]) -> bool:
        """Return True if the component reads several instances."""
        return bool(component.needs & SAMPLE_WORDS - {"single_image", "views"})

    @pytest.fixture(params=["bag", "features"])
    def kind_of_sample(self, request: pytest.FixtureRequest, component: Component[Any]) -> str:
        """Return the kind of a sample; skip the kinds that the component does not read."""
        own = component.needs & {"bag", "features"}
        if own and request.param not in own:
            pytest.skip(f"{component.name} reads {', '.join(sorted(own))}")
        return str(request.param)

    def test_one_instance_is_enough(self, component: Component[Any], kind_of_sample: str) -> None:
        model, batch = self._model(component, kind_of_sample), self._batch(kind_of_sample)
        assert batch.mask is not None and int(batch.mask[1].sum()) == 1
        alone = self._cut(batch.only(1), 1)
        out = model(alone)
        assert out.probs.isfinite().all()
        for loss in model.losses(out, alone).values():
            assert loss.isfinite()

    def test_padding_does_not_matter(self, component: Component[Any], kind_of_sample: str) -> None:
        model, batch = self._model(component, kind_of_sample).eval(), self._batch(kind_of_sample)
        with torch.no_grad():
            whole = model(batch)
            _assert_close(model(padded(batch, 3)).probs, whole.probs)
            for row in range(len(_LABELS)):
                own = self._cut(batch.only(row), int(batch.mask[row].sum()))  # type: ignore[index]
                _assert_close(model(own).probs, whole.probs[row : row + 1])

    def test_padding_does_not_matter_to_losses(self, component: Component[Any], kind_of_sample: str) -> None:
        model, batch = self._model(component, kind_of_sample).eval(), self._batch(kind_of_sample)
        longer = padded(batch, 3)
        with torch.no_grad():
            _assert_close(model.losses(model(longer), longer), model.losses(model(batch), batch))

    def test_order_of_instances_does_not_matter(self, component: Component[Any], kind_of_sample: str) -> None:
        model, batch = self._model(component, kind_of_sample).eval(), self._batch(kind_of_sample)
        order = torch.tensor([3, 0, 4, 2, 1])
        with torch.no_grad():
            _assert_close(model(reordered(batch, order)).probs, model(batch).probs)

    def test_attention_is_a_distribution_over_the_real_instances(
        self, component: Component[Any], kind_of_sample: str
    ) -> None:
        model, batch = self._model(component, kind_of_sample).eval(), self._batch(kind_of_sample)
        with torch.no_grad():
            out: Output = model(batch)
            attention: Tensor | None = out.parts.get("attention")
            assert ("attention" in component.provides) == (attention is not None)
            if attention is None:
                return
            assert batch.mask is not None and attention.shape[:2] == batch.mask.shape
            assert (attention >= 0).all() and (attention[~batch.mask] == 0).all()
            _assert_close(attention.sum(1), torch.ones_like(attention[:, 0]))
            _assert_close(model(batch.only(2)).parts["attention"], attention[2:3])  # not normalised over the batch

    def _model(self, component: Component[Any], sample: str) -> Model:
        model: Model = self.build(component, self._task(sample))
        return model

    def _batch(self, sample: str) -> Batch:
        return bag_batch(self._task(sample), torch.tensor(_LABELS))

    def _task(self, sample: str) -> Task:
        if sample == "features":
            return replace(self.task, sample="features", features=FEATURES, image_size=(0, 0))
        return replace(self.task, sample="bag")

    def _cut(self, batch: Batch, count: int) -> Batch:
        """Return the first `count` instances of each bag."""
        return reordered(batch, torch.arange(count))


class ViewLaws(Laws):
    """Laws of architectures over the views of an exam. Set `plugin`, and optionally `task` with its views."""

    kind = "architecture"
    hook = "harness_architectures"
    task: ClassVar[Task] = Task(
        classes=("benign", "malignant"), image_size=(64, 64), sample="views", views=("one", "other", "third")
    )

    def applies(self, component: Component[Any]) -> bool:
        """Return True if the component reads views."""
        return "views" in component.needs

    def test_one_view_is_enough(self, component: Component[Any]) -> None:
        model, batch = self.build(component, self.task), self._exams()
        for there in range(len(self.task.views)):
            alone = _without(batch, [place for place in range(len(self.task.views)) if place != there])
            out = model(alone)
            assert out.probs.isfinite().all(), self.task.views[there]
            assert all(loss.isfinite() for loss in model.losses(out, alone).values()), self.task.views[there]

    @pytest.mark.parametrize("training", [False, True])
    def test_pixels_of_a_missing_view_do_not_matter(self, component: Component[Any], training: bool) -> None:
        model, batch = self.build(component, self.task).train(training), self._exams()
        for missing in range(len(self.task.views)):
            with torch.random.fork_rng(), torch.no_grad():
                torch.manual_seed(0)
                lacking = _without(batch, [missing])
                before = model(lacking)
                torch.manual_seed(0)
                other = _without(batch, [missing], value=9.0)
                after = model(other)
            _assert_close(after.probs, before.probs)
            _assert_close(model.losses(after, other), model.losses(before, lacking))

    def test_a_present_view_matters(self, component: Component[Any]) -> None:
        model, batch = self.build(component, self.task).eval(), self._exams()
        with torch.no_grad():
            whole = model(batch).probs
            for missing, name in enumerate(self.task.views):
                assert (model(_without(batch, [missing])).probs != whole).any(), name

    def _exams(self) -> Batch:
        """Return exams with all views."""
        batch = bag_batch(self.task, torch.tensor(_LABELS))
        assert batch.images is not None and batch.mask is not None
        images = 0.3 * torch.randn(batch.images.shape, generator=torch.Generator().manual_seed(1))
        return replace(batch, images=images + batch.images, mask=torch.ones_like(batch.mask))


def _without(batch: Batch, missing: Sequence[int], value: float = 0.0) -> Batch:
    """Return the exams without these views; `value` fills their pixels."""
    assert batch.images is not None and batch.mask is not None
    images, mask = batch.images.clone(), batch.mask.clone()
    images[:, list(missing)], mask[:, list(missing)] = value, False
    return replace(batch, images=images, mask=mask)


def _assert_close(found: Any, expected: Any) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
