"""End-to-end attention pooling: what is selected, when, and what learns from it."""

import io

import pandas as pd
import pytest
import torch

from harness import Epoch, InputError, Task, TrialSpec
from harness.contract.types import Workspace
from harness.nn import Batch
from harness.trial.fit.phases import choose, set_modes
from harness.trial.trial import run_trial
from harness_architectures.attention_pooling.scorer import Selection, ends, top
from harness_architectures.shared.patches.tensors import unfold

TASK = Task(classes=("a", "b"), channels=3, image_size=(64, 64))
SMALL = {
    "use": "attention_pooling",
    "patch_px": 16,
    "kept": 2,
    "highest": 3,
    "lowest": 2,
    "features": 8,
    "scorer": {"use": "resnet22", "stride": 8, "width": 2},
    "backbone": {"use": "resnet22", "stride": 8, "width": 2},
}


def noise(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def bag(count=3, size=(64, 64)):
    return Batch(images=noise(count, 3, *size), labels=torch.ones(count, 2), ids=tuple(map(str, range(count))))


def build(catalog, task=TASK, **changed):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return catalog.build("architecture", {**SMALL, **changed}, task)


def in_phase(model, number):
    phase = model.phases()[number]
    choose(model, phase)
    set_modes(model, phase)
    return model


def predict(model, batch):
    model.eval()
    with torch.no_grad():
        yield batch, model(batch)


def test_the_top_of_each_class_and_both_ends_are_selected():
    logits = torch.tensor([[[0.1, 9.0], [3.0, 0.0], [2.0, 5.0], [-4.0, -5.0], [1.0, 0.5]]])
    assert top(logits, 2).tolist() == [[[1, 0], [2, 2]]]
    assert top(logits, 9).shape == (1, 5, 2)
    assert ends(logits, 2, 2).tolist() == [[0, 2, 4, 3]]  # best class: 9, 3, 5, -4, 1
    assert ends(logits, 2, 0).tolist() == [[0, 2]]


def test_no_patch_is_at_both_ends():
    assert sorted(ends(noise(1, 4, 1), 3, 3)[0].tolist()) == [0, 1, 2, 3]
    assert ends(noise(1, 1, 1), 3, 3).tolist() == [[0]]


def test_an_epoch_learns_from_the_patches_that_were_highest_before_it(catalog):
    model, batch = build(catalog), bag()
    in_phase(model, 0)
    model.begin_epoch(lambda: predict(model, batch))
    with torch.no_grad():
        logits = model.eval().scorer(unfold(batch.images, 16))
    expected = top(logits, 2)
    set_modes(model, model.phases()[0])
    with torch.no_grad():
        for value in model.scorer.parameters():
            value.add_(0.1)  # what is scored now is another ranking; the epoch keeps its own
    out = model(batch)
    assert torch.equal(out.parts["selected"], expected)
    assert out.parts["selected_logits"].shape == (3, 2, 2)
    assert set(model.losses(out, batch)) == {"scorer"}


def test_images_moved_after_the_selection_are_refused(catalog):
    model, batch = build(catalog), bag()
    in_phase(model, 0)
    model.begin_epoch(lambda: predict(model, batch))
    set_modes(model, model.phases()[0])
    with pytest.raises(ValueError, match="leave `train.augment` empty"):
        model(batch.with_images(batch.images.flip(3)))


def test_the_second_phase_leaves_the_scorer_as_it_was(catalog):
    model, batch = in_phase(build(catalog), 1), bag()
    before = {name: value.clone() for name, value in model.scorer.state_dict().items()}
    out = model(batch)
    losses = model.losses(out, batch)
    assert set(losses) == {"pooled"}
    torch.autograd.backward(losses["pooled"])
    assert all(value.grad is None for value in model.scorer.parameters())
    assert all(value.grad is not None for value in model.pooled.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.scorer.state_dict().items())
    assert out.parts["attention"].shape == (3, 5) and out.parts["boxes"].shape == (3, 5, 4)
    assert ((out.saliency > 0).flatten(1).sum(1) <= 2 * 5).all()


def test_while_the_scorer_learns_alone_the_score_is_its_own(catalog):
    model, batch = in_phase(build(catalog), 0).eval(), bag()
    out = model(batch)
    assert torch.equal(out.probs, out.heads["scorer"])
    best = out.parts["patch_scores"].topk(2, dim=1).values.mean(1)
    torch.testing.assert_close(out.probs, best)


def test_an_image_of_one_patch_is_scored(catalog):
    task = Task(classes=("a", "b"), channels=3, image_size=(16, 16))
    model, batch = build(catalog, task), bag(size=(16, 16))
    out = model.eval()(batch)
    assert torch.equal(out.parts["attention"], torch.ones(3, 1))
    assert out.probs.isfinite().all() and out.saliency.shape == (3, 2, 1, 1)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"kept": 0}, "kept >= 1"),
        ({"lowest": -1}, "lowest >= 0"),
        ({"scorer_epochs": 0}, "scorer_epochs >= 1"),
        ({"patch_px": 28}, "do not fill"),
    ],
)
def test_what_cannot_work_is_refused(catalog, given, told):
    with pytest.raises(InputError, match=told):
        build(catalog, **given)


def test_a_training_killed_between_epochs_goes_on_with_the_same_selection(catalog, tmp_path):
    data = {"use": "histology_phantom", "images": [6, 4, 4], "image_size": [64, 64], "nucleus_px": 3}
    tree = {
        "dataset": data,
        "train": {"epochs": 4, "batch_size": 3, "lr": 3e-3, "channels_last": False},
        "model": SMALL,
    }
    spec = TrialSpec(
        study="s", study_id="s", budget="b", variant="v", variant_id="v", stage="search", number=0, seed=0, tree=tree,
        metrics=("auroc", "attention_entropy"),
    )  # fmt: skip

    def workspace(name):
        return Workspace(data=tmp_path, cache=tmp_path / "cache", checkpoints=tmp_path / name, device="cpu")

    whole = [item for item in run_trial(spec, catalog, workspace("whole")) if isinstance(item, Epoch)]
    assert [epoch.phase for epoch in whole] == ["scorer", "scorer", "pooling", "pooling"]
    for stop in (2, 4):
        halves = run_trial(spec, catalog, workspace(f"killed{stop}"))
        first = [next(halves) for _ in range(stop)]  # the checkpoint of the last one was not written
        halves.close()
        rest = [item for item in run_trial(spec, catalog, workspace(f"killed{stop}")) if isinstance(item, Epoch)]
        found = [*first[: stop - 1], *rest]
        assert [epoch.metrics for epoch in found] == [epoch.metrics for epoch in whole]
    assert "val/attention_entropy" in whole[-1].metrics
    assert not any("scorer/attention" in key for key in whole[-1].metrics)


def test_a_confirmed_model_leaves_its_gap_image_by_image(catalog, tmp_path):
    data = {"use": "histology_phantom", "images": [12, 4, 16], "image_size": [112, 112], "prevalence": 0.6}
    model = {**SMALL, "patch_px": 16, "highest": 6, "lowest": 20}
    tree = {"dataset": data, "train": {"epochs": 2, "batch_size": 4, "channels_last": False}, "model": model}
    spec = TrialSpec(
        study="s", study_id="s", budget="b", variant="v", variant_id="v", stage="confirm", number=0, seed=0, tree=tree,
        metrics=("auroc", "attention_gap", "attention_count"),
    )  # fmt: skip
    workspace = Workspace(data=tmp_path, cache=tmp_path / "cache", checkpoints=tmp_path / "c", device="cpu")
    tested = list(run_trial(spec, catalog, workspace))[-1]
    rows = pd.read_parquet(io.BytesIO(tested.files["attention.parquet"]))
    assert set(rows["split"]) == {"test"} and set(rows["label"]) == {1} and len(rows) == 10
    assert rows["gap"].mean() == pytest.approx(tested.metrics["test/attention_gap"])
    assert set(rows["patches"]) == {tested.metrics["test/attention_count"]}


def test_a_selection_of_other_images_is_none():
    chosen, batch = Selection(), bag()
    assert chosen.of(batch) is None
    chosen.add(batch, torch.zeros(3, 2, 2, dtype=torch.long))
    assert chosen.of(batch.only(1)).shape == (1, 2, 2)
    chosen.clear()
    assert chosen.of(batch) is None
