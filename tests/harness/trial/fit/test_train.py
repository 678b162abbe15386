"""The loop: phases, the best epoch, the early-stopping rule, and what makes a fit fail."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
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
from harness.trial.fit.phases import spread
from harness.trial.fit.schedule import Updates
from harness.trial.fit.train import Diverged, Fit, fit
from harness.trial.settings.training import TrainSettings

NOWHERE = Checkpoint(tiny_spec(), Workspace(data=Path(), cache=Path()))


class TwoParts(Model):
    """A body with batch-norm and a head, trained as `stages` say; counts what it was asked."""

    def __init__(self, stages: tuple[Phase, ...] = (Phase(),)) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
        self.head = nn.Linear(4, 2)
        self.header = nn.Parameter(torch.zeros(2))
        self.stages, self.chosen, self.precision = stages, list[tuple[int, bool]](), set[torch.dtype]()

    def forward(self, batch: Batch) -> Output:
        features = self.body(batch.images)
        self.precision.add(features.dtype)
        logits = self.head(features.mean((2, 3))) + self.header
        return Output(probs=logits.sigmoid(), logits=logits, parts={"features": features})

    def losses(self, out: Output, batch: Batch) -> dict[str, Tensor]:
        assert out.logits is not None and out.logits.dtype == out.parts["features"].dtype == torch.float32
        assert not torch.is_autocast_enabled("cpu")
        loss = masked_bce(out.logits, batch.labels, link="logits", weights=batch.weights)
        return {"bce": loss, "tenth": loss / 10}

    def phases(self) -> tuple[Phase, ...]:
        return self.stages

    def begin_epoch(self, predict: Callable[[], Iterable[tuple[Batch, Output]]]) -> None:
        pairs = list(predict())
        self.chosen.append((sum(len(batch.ids) for batch, _ in pairs), self.training))


def _job(tmp_path: Path, model: Model, values: Iterable[float] | None = None, **settings) -> Fit:
    """A fit whose validation gives `values` one after another, 0.5 where none are named."""
    cache = Cache.ensure(build_squares(tmp_path, images=8), tmp_path / "cache")
    data, chosen = FitData.of(cache, (), Ledger()), TrainSettings.of({"batch_size": 8, **settings})
    loader, left = Loader(data.train, data.task, chosen, torch.device("cpu")), iter(values or [])

    def validate() -> Mapping[str, float]:
        value = next(left, 0.5)
        return {"val/auroc": value, "val/late/auroc": 1 - value}

    updates, device = Updates.of(chosen, tiny_catalog()), torch.device("cpu")
    return Fit(model, loader, chosen, updates, Objective(), 0, device, validate, (loader,))


def test_an_epoch_reports_each_loss_and_their_sum(tmp_path: Path):
    (epoch,) = fit(_job(tmp_path, TwoParts(), epochs=1), NOWHERE)
    assert epoch.metrics["train/tenth"] == pytest.approx(epoch.metrics["train/bce"] / 10, rel=1e-5)
    assert epoch.metrics["train/loss"] == pytest.approx(1.1 * epoch.metrics["train/bce"], rel=1e-5)
    assert (epoch.number, epoch.value, epoch.phase) == (1, 0.5, "train")
    assert 0 < epoch.waited < epoch.seconds


def test_the_smoothed_value_is_the_mean_of_the_last_three_epochs(tmp_path: Path):
    epochs = list(fit(_job(tmp_path, TwoParts(), [0.9, 0.5, 0.7, 0.9], epochs=4), NOWHERE))
    assert [epoch.smoothed for epoch in epochs] == pytest.approx([0.9, 0.7, 0.7, 0.7])


def test_the_best_epoch_is_that_of_the_running_mean_and_its_weights_come_back(tmp_path: Path):
    job, weights = _job(tmp_path, TwoParts(), [0.5, 0.6, 0.7, 0.75, 0.1, 0.8], epochs=6), {}
    for epoch in fit(job, NOWHERE):
        weights[epoch.number] = {name: value.clone() for name, value in job.model.state_dict().items()}
    assert job.best == 4
    assert all(torch.equal(value, weights[4][name]) for name, value in job.model.state_dict().items())
    assert not torch.equal(job.model.head.weight, weights[6]["head.weight"])


def test_a_fit_stops_early_by_its_own_rule(tmp_path: Path):
    rule = {"patience": 2, "min_epochs": 1}
    job = _job(tmp_path, TwoParts(), [0.9, 0.8, 0.7, 0.6], epochs=9, early_stop=rule)
    assert len(list(fit(job, NOWHERE))) == 3
    later = _job(tmp_path, TwoParts(), [0.9, 0.8, 0.7, 0.6], epochs=9, early_stop={**rule, "min_epochs": 5})
    assert len(list(fit(later, NOWHERE))) == 5


def test_phases_train_their_own_parts_and_keep_others_in_eval(tmp_path: Path):
    first = Phase(name="body", trainable=("body",), epochs=1)
    second = Phase(name="head", trainable=("head",), eval_mode=("body",), epochs=1)
    job, seen = _job(tmp_path, TwoParts((first, second)), epochs=2), []
    seen.append(_copy(job.model))
    for epoch in fit(job, NOWHERE):
        seen.append(_copy(job.model))
        assert epoch.phase == ("body" if epoch.number == 1 else "head")
    changed = [{name for name in after if not torch.equal(before[name], after[name])} for before, after in _pairs(seen)]
    assert {name.split(".")[0] for name in changed[0]} == {"body"}
    assert "body.1.running_mean" in changed[0]
    assert changed[1] == {"head.weight", "head.bias"}  # and not `header`, whose name only begins alike


def test_the_next_phase_starts_from_the_best_epoch_of_the_one_before(tmp_path: Path):
    first = Phase(name="body", trainable=("body",), epochs=3)
    second = Phase(name="head", trainable=("head",), eval_mode=("body",), epochs=1)
    job, seen = _job(tmp_path, TwoParts((first, second)), [0.9, 0.1, 0.1, 0.3]), []
    for _ in fit(job, NOWHERE):
        seen.append(_copy(job.model))
    assert torch.equal(seen[3]["body.0.weight"], seen[0]["body.0.weight"])
    assert not torch.equal(seen[3]["body.0.weight"], seen[2]["body.0.weight"])
    assert job.best == 4


def test_a_phase_may_be_judged_by_a_metric_of_its_own(tmp_path: Path):
    job = _job(tmp_path, TwoParts((Phase(select_by="val/late/auroc"),)), [0.9, 0.6, 0.1], epochs=3)
    assert len(list(fit(job, NOWHERE))) == 3
    assert job.best == 3


def test_phases_without_a_length_share_what_the_others_leave():
    phases = [Phase(name="a"), Phase(name="b", epochs=3), Phase(name="c")]
    assert [phase.epochs for phase in spread(phases, 10)] == [4, 3, 3]
    assert [phase.epochs for phase in spread(phases, 2)] == [1, 3, 1]
    assert [phase.epochs for phase in spread([Phase()], 7)] == [7]


@pytest.mark.parametrize("phases", [(), (Phase(), Phase())])
def test_phases_bear_names_of_their_own(phases: tuple[Phase, ...]):
    with pytest.raises(ValueError, match="phases with distinct names"):
        spread(phases, 3)


@pytest.mark.parametrize("phase", [Phase(trainable=("bodi",)), Phase(eval_mode=("hed",))])
def test_a_prefix_that_names_nothing_is_refused(tmp_path: Path, phase: Phase):
    with pytest.raises(ValueError, match="name begins with"):
        list(fit(_job(tmp_path, TwoParts((phase,))), NOWHERE))


def test_an_epoch_begins_with_a_look_at_the_training_split_in_eval_mode(tmp_path: Path):
    model = TwoParts()
    list(fit(_job(tmp_path, model, epochs=2), NOWHERE))
    assert model.chosen == [(16, False), (16, False)]


@pytest.mark.parametrize(("amp", "kind"), [("off", torch.float32), ("bf16", torch.bfloat16), ("fp16", torch.float16)])
def test_the_forward_pass_runs_in_the_precision_asked_for(tmp_path: Path, amp: str, kind: torch.dtype):
    model = TwoParts()
    epochs = list(fit(_job(tmp_path, model, epochs=2, amp=amp, clip=1.0, channels_last=True), NOWHERE))
    assert model.precision == {kind}
    assert epochs[1].metrics["train/loss"] != epochs[0].metrics["train/loss"]


def test_gradients_are_clipped(tmp_path: Path):
    model = TwoParts()
    settings = {"epochs": 1, "batch_size": 16, "lr": 1.0, "optimiser": {"use": "sgd", "momentum": 0.0}, "clip": 1e-3}
    before = _copy(model)
    list(fit(_job(tmp_path, model, **settings), NOWHERE))
    moved = torch.cat([(value - before[name]).flatten() for name, value in model.named_parameters()])
    assert moved.norm().item() == pytest.approx(1e-3, rel=1e-2)


def test_an_undefined_objective_is_a_failure(tmp_path: Path):
    with pytest.raises(Diverged, match="objective val/auroc is not defined in epoch 2"):
        list(fit(_job(tmp_path, TwoParts(), [0.5, float("nan")], epochs=3), NOWHERE))


def test_an_objective_that_no_epoch_has_is_named(tmp_path: Path):
    job = _job(tmp_path, TwoParts())
    job.objective = Objective(metric="val/dice")
    with pytest.raises(ValueError, match=r"no metric 'val/dice'; an epoch has .*val/auroc"):
        list(fit(job, NOWHERE))


def test_a_loss_can_be_the_smallest_wins(tmp_path: Path):
    job = _job(tmp_path, TwoParts(), [0.9, 0.1, 0.1, 0.1, 0.9], epochs=5)
    job.objective = Objective(metric="val/auroc", mode="min")
    list(fit(job, NOWHERE))
    assert job.best == 4


def _copy(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items() if "num_batches" not in name}


def _pairs(seen: list[dict[str, Tensor]]) -> Iterable[tuple[dict[str, Tensor], dict[str, Tensor]]]:
    return zip(seen, seen[1:], strict=False)
