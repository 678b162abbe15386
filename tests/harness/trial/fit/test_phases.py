"""Phases of training: each begins with the best of the one before, is told by its own figure, and survives a kill."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from harness.contract.nn import Batch, Model, Output, Phase, masked_bce
from harness.contract.types import Objective, Workspace
from harness.testing.fakes import build_squares, tiny_catalog, tiny_spec
from harness.trial.data.cache import Cache
from harness.trial.data.loader import Loader
from harness.trial.data.stage import FitData, Ledger
from harness.trial.fit.checkpoint import Checkpoint
from harness.trial.fit.phases import measured
from harness.trial.fit.schedule import Updates
from harness.trial.fit.train import Fit, fit
from harness.trial.settings.training import TrainSettings

VALUES = (0.9, 0.2, 0.3, 0.1, 0.8, 0.2, 0.5, 0.6, 0.1)  # of epochs 1 to 9, three a phase
STAGES = (
    Phase(name="body", trainable=("body",), eval_mode=("neck",), epochs=3, select_by="val/body/auroc"),
    Phase(name="neck", trainable=("neck",), eval_mode=("body",), epochs=3, select_by="val/neck/auroc"),
    Phase(name="head", trainable=("head",), eval_mode=("body", "neck"), epochs=3),
)


class ThreeParts(Model):
    """A body and a neck with batch-norm, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
        self.neck = nn.Sequential(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
        self.head = nn.Linear(4, 2)

    def forward(self, batch: Batch) -> Output:
        logits = self.head(self.neck(self.body(batch.images)).mean((2, 3)))
        return Output(probs=logits.sigmoid(), logits=logits)

    def losses(self, out: Output, batch: Batch) -> dict[str, Tensor]:
        assert out.logits is not None
        return {"bce": masked_bce(out.logits, batch.labels, link="logits")}

    def phases(self) -> tuple[Phase, ...]:
        return STAGES


def _job(cache: Cache, objective: Objective | None = None) -> Fit:
    data, settings = FitData.of(cache, (), Ledger()), TrainSettings.of({"batch_size": 8, "epochs": 9, "lr": 0.01})
    loader = Loader(data.train, data.task, settings, torch.device("cpu"))

    def validate() -> Mapping[str, float]:  # the heads that a phase is not about say the opposite
        value, phase = VALUES[len(job.epochs)], len(job.epochs) // 3
        names = ("val/body/auroc", "val/neck/auroc", "val/auroc")
        return {name: value if place == phase else 1 - value for place, name in enumerate(names)}

    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = ThreeParts()
    updates, device = Updates.of(settings, tiny_catalog()), torch.device("cpu")
    job = Fit(model, loader, settings, updates, objective or Objective(), 0, device, validate, (loader,))
    return job


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache.ensure(build_squares(tmp_path, images=8), tmp_path / "cache")


def _copy(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def _changed(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> set[str]:
    return {name.split(".")[0] for name in after if not torch.equal(before[name], after[name])}


def _workspace(folder: Path) -> Workspace:
    return Workspace(data=folder, cache=folder, checkpoints=folder / "checkpoints")


def _nothing_kept() -> Checkpoint:
    return Checkpoint(tiny_spec(), Workspace(data=Path(), cache=Path()))


def test_each_phase_begins_with_the_best_epoch_of_the_one_before_and_leaves_it_as_it_was(cache: Cache) -> None:
    job, seen = _job(cache), {}
    for epoch in fit(job, _nothing_kept()):
        seen[epoch.number] = _copy(job.model)
    for number in (4, 5, 6):
        assert _changed(seen[1], seen[number]) == {"neck"}, "body is that of epoch 1, batch-norm's statistics included"
    assert _changed(seen[1], seen[3]) == {"body"}, "the neck, which does not learn yet, is kept in eval"
    for number in (7, 8, 9):
        assert _changed(seen[5], seen[number]) == {"head"}
    assert job.best == 8
    assert _changed(seen[8], _copy(job.model)) == set()


def test_an_epochs_value_is_what_its_phase_is_chosen_by(cache: Cache) -> None:
    epochs = list(fit(_job(cache), _nothing_kept()))
    assert tuple(epoch.value for epoch in epochs) == VALUES
    assert epochs[3].smoothed == VALUES[3]
    assert [epoch.phase for epoch in epochs] == 3 * ["body"] + 3 * ["neck"] + 3 * ["head"]


def test_a_phase_takes_its_highest_figure_where_the_objective_wants_the_lowest(cache: Cache) -> None:
    job, seen = _job(cache, Objective(metric="val/auroc", mode="min")), {}
    for epoch in fit(job, _nothing_kept()):
        seen[epoch.number] = _copy(job.model)
    assert _changed(seen[1], seen[4]) == {"neck"}
    assert job.best == 9
    assert job.epochs[0].value == pytest.approx(1 - VALUES[0]), "a scheduler that minimises is told the objective"


@pytest.mark.parametrize("stop", [2, 3, 4, 5, 6, 7])
def test_a_kill_in_any_phase_is_followed_by_the_same_end(cache: Cache, tmp_path: Path, stop: int) -> None:
    whole, expected = _job(cache), []
    for epoch in fit(whole, _nothing_kept()):
        expected.append((epoch.number, epoch.phase, epoch.metrics))
    running = fit(_job(cache), Checkpoint(tiny_spec(), _workspace(tmp_path)))
    for _ in range(stop):
        next(running)
    running.close()
    again = _job(cache)
    resumed = fit(again, Checkpoint(tiny_spec(), _workspace(tmp_path)))
    found = [(epoch.number, epoch.phase, epoch.metrics) for epoch in resumed]
    assert found == expected[stop - 1 :], "the epoch whose checkpoint was not yet written is repeated, no other"
    assert (again.best, _changed(_copy(whole.model), _copy(again.model))) == (whole.best, set())


def test_what_phases_are_chosen_by_is_measured_whether_the_study_names_it_or_not():
    phases = (*STAGES, Phase(name="again", select_by="val/brier/malignant"))
    assert measured(("dice", "auroc"), phases, {"auroc", "brier", "dice"}) == ("dice", "auroc", "brier")
    assert measured(("dice",), phases, {"auroc", "brier", "dice"}) == ("dice", "auroc", "brier")
    assert measured(("dice",), (Phase(), Phase(name="loss", select_by="train/loss")), {"dice"}) == ("dice",)


def test_a_phase_chosen_by_what_nobody_measures_is_refused_before_an_epoch():
    with pytest.raises(
        ValueError, match="phase 'body' is selected by 'val/body/auroc', but no such metric is installed"
    ):
        measured(("dice",), STAGES, {"dice"})
