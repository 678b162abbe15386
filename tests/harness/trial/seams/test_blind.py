"""What a component sees of a sample: no id, no group, and labels and masks in training only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch

from harness.contract.loading.catalog import Catalog
from harness.contract.nn import Batch, Explainer, Model, Output
from harness.contract.tables import from_bytes
from harness.contract.types import Workspace
from harness.testing.fake_models import TinyCnn
from harness.testing.fakes import build_squares, tiny_spec
from harness.trial.seams.blind import digests, unlabelled
from tests.harness.trial.seams.strangers import architecture, end, register


def cheat(self: Model, batch: Batch) -> Output:
    """Return the labels as scores; 0.5 where there are none."""
    out = TinyCnn.forward(self, batch)
    return replace(out, probs=batch.labels.nan_to_num(0.5), heads={})


def test_scores_copied_from_the_labels_are_worth_nothing(tiny: Catalog, workspace: Workspace) -> None:
    register(tiny, "architecture", cheat=architecture(cheat))
    found = end(tiny_spec(stage="confirm", model={"use": "cheat"}), tiny, workspace)
    assert found.state == "complete", found.reason
    assert (found.metrics["val/auroc"], found.metrics["test/auroc"]) == (0.5, 0.5)


def test_every_stage_hands_over_digests_and_training_alone_has_labels(tiny: Catalog, workspace: Workspace) -> None:
    seen: list[tuple[str, Batch]] = []

    def forward(self: Model, batch: Batch) -> Output:
        seen.append(("training" if self.training else "eval", batch))
        return TinyCnn.forward(self, batch)

    def losses(self: Model, out: Output, batch: Batch) -> dict[str, torch.Tensor]:
        assert self.training and not batch.labels.isnan().any()
        return TinyCnn.losses(self, out, batch)

    class Look(Explainer):
        def explain(self, model: Model, batch: Batch, classes: Sequence[int]) -> torch.Tensor:
            seen.append(("explainer", batch))
            return batch.images[:, 0].sigmoid()

    register(tiny, "architecture", watched=architecture(forward, losses=losses))
    register(tiny, "explainer", look=lambda: Look())
    explain = {"use": ["look"], "faithfulness": {"use": ["zero", "randomise"], "images": 2}}
    spec = tiny_spec(stage="confirm", model={"use": "watched"}, explain=explain, train={"tta": 1, "augment": ["flip"]})
    found = end(spec, tiny, workspace)
    assert (found.state, found.reason, "explainers_left_out.txt" in found.files) == ("complete", "", False)
    samples = [sample for name in ("train", "val", "test") for sample in build_squares(workspace.data).split(name)]
    names = {sample.id for sample in samples} | {sample.group for sample in samples}
    assert {stage for stage, _ in seen} == {"training", "eval", "explainer"}
    for stage, batch in seen:
        assert not names & {*batch.ids, *batch.groups} and len(batch.ids) == len(batch.groups) == len(batch.labels)
        assert stage == "training" or (batch.labels.isnan().all() and batch.targets is None)
    table = from_bytes(found.files["predictions.parquet"])
    assert set(table["id"]) == {sample.id for sample in samples if not sample.id.startswith("train")}
    assert set(table["group"]) <= names


def test_a_model_that_reselects_sees_the_labels_of_training(tiny: Catalog, workspace: Workspace) -> None:
    seen: list[bool] = []

    def begin_epoch(self: Model, predict) -> None:
        seen.extend(bool(batch.labels.isnan().any()) for batch, _ in predict())

    register(tiny, "architecture", reselects=architecture(begin_epoch=begin_epoch))
    assert end(tiny_spec(model={"use": "reselects"}), tiny, workspace).state == "complete"
    assert seen and not any(seen)


def test_digests_repeat_and_depend_on_the_data() -> None:
    names = ["p1", "p2", "p1"]
    assert digests(names, "a") == digests(names, "a") != digests(names, "b")
    first, second, third = digests(names, "a")
    assert first == third != second and len(first) == 16
    assert digests(["p1"], "a") == ("fe9b243b84dc4b4b",), "the same on every machine"


def test_a_batch_loses_its_labels_alone() -> None:
    batch = Batch(labels=torch.ones(2, 1), images=torch.rand(2, 1, 4, 4), weights=torch.ones(2, 1), ids=("a", "b"))
    blind = unlabelled(batch)
    assert blind.labels.isnan().all() and blind.weights is None
    assert blind.images is batch.images and blind.ids == batch.ids and batch.labels.eq(1).all()


@pytest.mark.parametrize("choice", ["saliency", "random"])
def test_crops_by_id_repeat_themselves(catalog: Catalog, tiny: Catalog, workspace: Workspace, choice: str) -> None:
    for kind in ("architecture", "backbone", "pooling"):
        tiny._components[kind] |= catalog._components[kind]
    net = {"use": "resnet22", "stride": 8, "width": 2}
    model = {"use": "gmic", "backbone": net, "local_backbone": net, "crops": 1, "crop_px": 8, "crop_choice": choice}
    spec = tiny_spec(model=model, train={"epochs": 1})
    first, again = (end(spec, tiny, replace(workspace, checkpoints=None)) for _ in range(2))
    assert first.state == "complete" and first.metrics == again.metrics
