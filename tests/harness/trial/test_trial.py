"""A trial as those see it who drive it: what it yields, how it ends, what it leaves alone."""

from __future__ import annotations

import errno
import gc
import io
import math
import random
import re
import weakref
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from jaxtyping import Float

from harness.contract.components import Component
from harness.contract.errors import InputError, MachineError
from harness.contract.loading.catalog import Catalog
from harness.contract.loading.hookspecs import hookimpl
from harness.contract.nn import Batch, Explainer, Model, Output
from harness.contract.tables import MAPS, OVERLAYS, OWN_HEAD, PREDICTIONS, from_bytes
from harness.contract.types import Epoch, Objective, Opening, Sample, Task, TrialResult, TrialSpec, Workspace
from harness.metrics.maps.cases import choose_cases
from harness.testing.fake_models import TinyCnn
from harness.testing.fakes import CLASSES, Squares, build_squares, tiny_spec
from harness.trial.model.rng import seeded
from harness.trial.trial import run_trial


def _end(spec: TrialSpec, catalog: Catalog, workspace: Workspace) -> TrialResult:
    *events, result = run_trial(spec, catalog, workspace)
    epochs = [event for event in events if isinstance(event, Epoch)]
    assert events[len(epochs) :] in ([], [Opening()])
    assert isinstance(result, TrialResult)
    return result


def _rerun(spec: TrialSpec, catalog: Catalog, workspace: Workspace) -> tuple[Any, ...]:
    return tuple((item.value, item.metrics) for item in run_trial(spec, catalog, replace(workspace, checkpoints=None)))


def _register(catalog: Catalog, name: str, build: Callable[..., Model]) -> None:
    """Adds an architecture of the test's own."""

    class Plugin:
        @hookimpl
        def harness_architectures(self) -> list[Component[Model]]:
            return [Component(name=name, build=build, summary="the test's own")]

    catalog.register(Plugin())


class Peeking:
    """A plugin with one architecture, which opens a file while it is trained and hides that it failed to."""

    @staticmethod
    def build(task: Task, /, *, path: str) -> Model:
        return _Peeker(len(task.classes), path)

    @hookimpl
    def harness_architectures(self) -> list[Component[Model]]:
        return [Component(name="peeker", build=Peeking.build, summary="looks where it must not")]


class _Peeker(Model):
    def __init__(self, classes: int, path: str) -> None:
        super().__init__()
        self.bias, self.path = torch.nn.Parameter(torch.zeros(classes)), path

    def forward(self, batch: Batch) -> Output:
        try:
            np.load(self.path)
        except Exception:
            pass
        return Output(probs=self.bias.sigmoid().expand(len(batch.labels), -1))

    def losses(self, out: Output, batch: Batch) -> dict[str, torch.Tensor]:
        return {"none": self.bias.square().sum()}


class Extras:
    """A plugin of oddities: a model that trains on masks, one that meets a bad disk, and an explainer."""

    @hookimpl
    def harness_architectures(self) -> list[Component[Model]]:
        return [
            Component(name="taught", build=build_taught, summary="sees masks", needs=frozenset({"train_masks"})),
            Component(name="copies_masks", build=build_copies, summary="fits masks", needs=frozenset({"train_masks"})),
            Component(name="unlucky", build=build_unlucky, summary="the disk fails under it"),
        ]

    @hookimpl
    def harness_explainers(self) -> list[Component[Explainer]]:
        return [Component(name="gradient", build=build_gradient, summary="size of the gradient")]


def build_taught(task: Task, /) -> Model:
    return _Taught(task, 4, 0.0, "none", 1)


def build_copies(task: Task, /) -> Model:
    return _Copies(task, 4, 0.0, "none", 1)


def build_unlucky(task: Task, /, *, number: int) -> Model:
    return _Unlucky(len(task.classes), number)


def build_gradient(*, power: float = 1.0) -> Explainer:
    return _Gradient(power)


class _Taught(TinyCnn):
    def losses(self, out: Output, batch: Batch) -> dict[str, torch.Tensor]:
        assert self.training and batch.targets is not None and batch.targets.known.all()
        return super().losses(out, batch)

    def forward(self, batch: Batch) -> Output:
        assert self.training or batch.targets is None
        return super().forward(batch)


class _Copies(TinyCnn):
    def losses(self, out: Output, batch: Batch) -> dict[str, torch.Tensor]:
        assert batch.targets is not None and out.saliency is not None
        masks = torch.nn.functional.adaptive_avg_pool2d(batch.targets.masks, out.saliency.shape[2:])
        return {**super().losses(out, batch), "masks": (out.saliency - masks).square().mean()}


class _Unlucky(_Peeker):
    def __init__(self, classes: int, number: int) -> None:
        super().__init__(classes, "")
        self.number = number

    def forward(self, batch: Batch) -> Output:
        raise OSError(self.number, "as the test wants it", "/somewhere")


class _Gradient(Explainer):
    def __init__(self, power: float) -> None:
        self.power = power

    def explain(self, model: Model, batch: Batch, classes: Sequence[int]) -> Float[torch.Tensor, "b h w"]:
        assert batch.images is not None
        images = batch.images.clone().requires_grad_()
        chosen = model(replace(batch, images=images)).probs[range(len(images)), list(classes)]
        (found,) = torch.autograd.grad(chosen.sum(), images)
        found = found.abs().sum(1)
        return (found / found.amax((1, 2), keepdim=True).clamp_min(1e-9)) ** self.power


def test_a_trial_yields_its_epochs_and_then_one_result(tiny: Catalog, workspace: Workspace):
    *epochs, result = run_trial(tiny_spec(train={"epochs": 4}), tiny, workspace)
    assert [epoch.number for epoch in epochs] == [1, 2, 3, 4]
    assert result.state == "complete" and result.epochs == 4
    best = max(epochs, key=lambda epoch: epoch.smoothed)
    assert (result.best_epoch, result.value, result.metrics) == (best.number, best.smoothed, best.metrics)
    assert not result.files


def test_a_tiny_network_learns_its_squares(tiny: Catalog, workspace: Workspace):
    spec = tiny_spec(train={"epochs": 15, "lr": 0.03, "schedule": {"use": "one_cycle"}}, dataset={"images": 48})
    assert _end(spec, tiny, workspace).value > 0.9


def test_search_knows_nothing_of_the_test_split(tiny: Catalog, workspace: Workspace):
    result = _end(tiny_spec(), tiny, workspace)
    assert not [key for key in result.metrics if not key.startswith(("train/", "val/"))]
    assert (result.ledger["opened"], result.ledger["masks"]) == (["train", "val"], {"fit": [], "test": []})
    assert set(result.ledger["read"]) == {"fit", "select"}


def test_metrics_are_named_by_split_head_and_class(tiny: Catalog, workspace: Workspace):
    found = set(_end(tiny_spec(stage="confirm"), tiny, workspace).metrics)
    for split in ("val", "test"):
        for head in ("", "peak/", "mean/"):
            assert {f"{split}/{head}auroc", f"{split}/{head}auroc/bright", f"{split}/{head}auroc/dark"} <= found


def test_a_spec_gives_the_same_numbers_whatever_ran_before(tiny: Catalog, workspace: Workspace):
    spec = tiny_spec(train={"augment": ["flip", "rotate", "noise"]}, model={"dropout": 0.5})
    first = _rerun(spec, tiny, workspace)
    torch.manual_seed(99)
    torch.rand(1000)
    assert _rerun(spec, tiny, workspace) == first
    assert _rerun(replace(spec, seed=1), tiny, workspace) != first


def test_the_callers_randomness_threads_and_precision_are_left_alone(tiny: Catalog, workspace: Workspace):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    running = run_trial(tiny_spec(stage="confirm", model={"dropout": 0.5}), tiny, replace(workspace, threads=2))
    threads = torch.get_num_threads()
    for item in running:
        assert torch.get_num_threads() == threads
        assert torch.is_grad_enabled()
        del item
    assert torch.equal(torch.rand(3), expected)


def test_what_a_plugin_draws_from_numpy_is_the_trials_own(tiny: Catalog, workspace: Workspace):
    class Drawing(TinyCnn):
        def losses(self, out: Output, batch: Batch) -> dict[str, torch.Tensor]:
            return {name: loss * (1 + np.random.rand()) for name, loss in super().losses(out, batch).items()}

    _register(tiny, "drawing", lambda task, /: Drawing(task, 8, 0.0, "none", 1))
    spec = tiny_spec(model={"use": "drawing"})
    np.random.seed(1)
    first = _rerun(spec, tiny, workspace)
    drawn = np.random.rand()
    np.random.seed(1)
    assert np.random.rand() == drawn, "the caller's are left alone"
    np.random.seed(2)
    assert _rerun(spec, tiny, workspace) == first


def test_all_generators_of_the_process_are_seeded_and_put_back():
    def drawn() -> tuple[float, float, float]:
        return random.random(), float(np.random.rand()), float(torch.rand(()))

    for seed in (1, 2):
        random.seed(seed), np.random.seed(seed), torch.manual_seed(seed)
        with seeded(7, torch.device("cpu")):
            inside = drawn()
        after = drawn()
        random.seed(seed), np.random.seed(seed), torch.manual_seed(seed)
        assert drawn() == after
        with seeded(7, torch.device("cpu")):
            assert drawn() == inside


def test_a_trial_that_has_ended_holds_no_memory(tiny: Catalog, workspace: Workspace):
    made: list[weakref.ref[Model]] = []

    def build(task: Task, /) -> Model:
        model = TinyCnn(task, 8, 0.0, "none", 1)
        made.append(weakref.ref(model))
        return model

    _register(tiny, "watched", build)
    gc.collect()
    gc.disable()  # a GPU's memory is wanted by the next trial, not when the collector gets round to it
    try:
        _end(tiny_spec(model={"use": "watched"}), tiny, workspace)
        assert [ref() for ref in made] == [None]
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ({"fault": "nan", "from_step": 8}, r"the loss \(bce\) is not finite in epoch 2, step 2 of 6"),
        ({"fault": "raise"}, r"this model was asked to fail \(raised in fake_models.py:\d+ of \S+ \("),
        ({"fault": "exit"}, "SystemExit: 0"),
        ({"fault": "build"}, "the model cannot be built: architecture 'tiny_cnn': `fault` is 'build'"),
    ],
)
def test_a_trials_own_fault_is_a_failed_result_that_says_why(
    tiny: Catalog, workspace: Workspace, model: dict, reason: str
):
    result = _end(tiny_spec(model=model), tiny, workspace)
    assert result.state == "failed" and math.isnan(result.value)
    assert re.search(reason, result.reason)
    assert b"Traceback" in result.files["traceback.txt"]


def test_data_that_changed_since_the_plan_stop_the_study(tiny: Catalog, workspace: Workspace):
    with pytest.raises(InputError, match="data set has changed"):
        list(run_trial(tiny_spec(digest="f" * 64), tiny, workspace))
    digest = build_squares(Path()).digest
    assert _end(tiny_spec(digest=digest), tiny, workspace).state == "complete"


def test_a_second_trial_finds_the_data_prepared_and_decoded(tiny: Catalog, workspace: Workspace):
    done: list[str] = []

    class Counted(Squares):
        def prepare(self) -> None:
            done.append("prepare")

        def read(self, sample: Sample) -> np.ndarray:
            done.append("read")
            return super().read(sample)

    class Plugin:
        @hookimpl
        def harness_datasets(self) -> list[Component[Any]]:
            return [Component(name="counted", build=build_counted, summary="squares that count what is done to them")]

    def build_counted(root: Path, /) -> Any:
        return Counted(root, 24, 16, 0.0, "multilabel", False)

    tiny.register(Plugin())
    spec = tiny_spec()
    spec = replace(spec, tree={**spec.tree, "dataset": {"use": "counted"}})
    for number in (0, 1):
        assert _end(replace(spec, number=number), tiny, workspace).state == "complete"
        assert done == ["prepare"] + 96 * ["read"]


def test_a_device_that_is_not_there_is_told_to_the_user(tiny: Catalog, workspace: Workspace):
    with pytest.raises(InputError, match=r"compute\.device: 'gpu' is not one of"):
        next(run_trial(tiny_spec(), tiny, replace(workspace, device="gpu")))


def test_a_model_that_looks_at_masks_fails_even_if_it_hides_it(tiny: Catalog, workspace: Workspace):
    tiny.register(Peeking())
    dataset = build_squares(workspace.data, stored=True)
    dataset.prepare()
    path = sorted(dataset.mask_files())[0]
    for stage in ("search", "confirm"):
        spec = tiny_spec(stage=stage, model={"use": "peeker", "path": str(path)}, dataset={"stored": True})
        result = _end(spec, tiny, workspace)
        assert result.state == "failed" and str(path) in result.reason and "sealed" in result.reason
        assert "test" not in result.ledger["opened"]


@pytest.mark.parametrize("name", ["test/images.npy", "val/masks.npy", "test/masks.npy", "train/masks.npy"])
def test_a_model_that_looks_into_the_cache_fails(tiny: Catalog, workspace: Workspace, name: str):
    tiny.register(Peeking())
    path = workspace.cache / build_squares(workspace.data).digest[:16] / name
    result = _end(tiny_spec(model={"use": "peeker", "path": str(path)}), tiny, workspace)
    assert result.state == "failed" and name in result.reason


def test_training_images_may_be_looked_at(tiny: Catalog, workspace: Workspace):
    tiny.register(Peeking())
    path = workspace.cache / build_squares(workspace.data).digest[:16] / "train" / "images.npy"
    assert _end(tiny_spec(model={"use": "peeker", "path": str(path)}), tiny, workspace).state == "complete"


def test_between_epochs_the_caller_is_under_no_seal(tiny: Catalog, workspace: Workspace):
    running = run_trial(tiny_spec(), tiny, workspace)
    next(running)
    np.load(workspace.cache / build_squares(workspace.data).digest[:16] / "test" / "masks.npy")
    assert [item.state for item in running if isinstance(item, TrialResult)] == ["complete"]


@pytest.mark.parametrize("kind", ["multilabel", "multiclass"])
def test_confirm_leaves_tables_pictures_and_weights(tiny: Catalog, workspace: Workspace, kind: str):
    spec = tiny_spec(stage="confirm", dataset={"kind": kind}, explain={"images": 5})
    result = _end(spec, tiny, workspace)
    tables = {f"{name}.parquet" for name in ("predictions", "maps", "lesions", "candidates")}
    assert set(result.files) == {*tables, "overlays.npz", "weights.safetensors"}
    assert result.ledger["opened"] == ["train", "val", "test"]
    assert result.ledger["masks"] == {"fit": [], "test": ["val", "test"]}

    predictions, maps = (from_bytes(result.files[f"{name}.parquet"]) for name in ("predictions", "maps"))
    assert tuple(predictions.columns) == PREDICTIONS and tuple(maps.columns) == MAPS
    assert predictions.groupby(["split", "head", "class"]).size().unique().tolist() == [24]
    assert set(predictions["split"]) == {"val", "test"} and set(maps["split"]) == {"tune_loc", "test"}
    assert set(predictions["head"]) == {OWN_HEAD, "peak", "mean"} and set(maps["map"]) == {"native"}
    assert maps["mask_known"].all()
    assert predictions["score"].between(0, 1).all()

    pictures = np.load(io.BytesIO(result.files["overlays.npz"]))
    assert set(pictures) == {*OVERLAYS, "version", "chosen"}
    count = len(pictures["ids"])
    assert pictures["images"].shape == (count, 16, 16) and pictures["maps"].shape == (count, 2, 8, 8)
    assert pictures["chosen"].tolist() == [True] * 5 + [False] * (count - 5)
    assert pictures["masks"][:5].any((2, 3)).any(1).all()  # the ones with something to show come first
    assert list(pictures["classes"]) == list(CLASSES)

    own = predictions.query("split == 'test' and head == @OWN_HEAD").sort_values("id")
    for label in CLASSES:
        rows = own[own["class"] == label]
        ids = rows["id"].tolist()
        cases = choose_cases(ids, rows["label"].to_numpy(), rows["score"].to_numpy())
        assert {ids[place] for places in cases.values() for place in places} <= set(pictures["ids"])

    weights = safetensors.torch.load(result.files["weights.safetensors"])
    assert weights.keys() == tiny.build("architecture", "tiny_cnn", build_squares(Path()).task).state_dict().keys()


def test_the_tables_say_what_the_metrics_say(tiny: Catalog, workspace: Workspace):
    from harness.metrics import functional

    result = _end(tiny_spec(stage="confirm"), tiny, workspace)
    table = from_bytes(result.files["predictions.parquet"])
    for split in ("val", "test"):
        rows = table[(table["split"] == split) & (table["head"] == "mean")]
        found = functional.auroc(*functional.to_arrays(rows, CLASSES), CLASSES)
        assert result.metrics[f"{split}/mean/auroc/dark"] == pytest.approx(found["dark"])


def test_localisation_is_measured_on_the_test_split_only(catalog: Catalog, tiny: Catalog, workspace: Workspace):
    for name in ("dice", "pointing"):
        tiny._components["metric"].add(catalog.get("metric", name), catalog.provider("metric", name))
    spec = tiny_spec(metrics=("auroc", "dice", "pointing"))
    assert not [key for key in _end(spec, tiny, workspace).metrics if "dice" in key or "pointing" in key]
    found = _end(replace(spec, stage="confirm"), tiny, workspace).metrics
    assert {"test/dice", "test/dice/bright", "tune_loc/pointing"} <= found.keys()
    assert "test/mean/dice" not in found and "tune_loc/auroc" not in found and "val/dice" not in found


def test_label_weights_change_training_and_are_refused_where_they_would_be_ignored(tiny: Catalog, workspace: Workspace):
    plain, weighted = (
        _end(tiny_spec(train={"balance": balance}), tiny, workspace).metrics["train/loss"]
        for balance in ("none", "weights")
    )
    assert plain != weighted
    refused = _end(tiny_spec(train={"balance": "weights"}, model={"use": "empty"}), tiny, workspace)
    assert refused.state == "failed" and 'balance = "sampler"' in refused.reason


@pytest.mark.parametrize("seed", range(4))
def test_label_weights_are_seen_where_most_labels_are_unknown(tiny: Catalog, workspace: Workspace, seed: int):
    sparse = {"dataset": {"unknown": 0.9}, "train": {"balance": "weights", "batch_size": 2}}
    result = _end(replace(tiny_spec(**sparse), seed=seed), tiny, workspace)
    assert (result.state, result.reason) == ("complete", "")


def test_label_weights_may_be_divided_by_their_sum(tiny: Catalog, workspace: Workspace):
    class Normalised(TinyCnn):
        def losses(self, out: Output, batch: Batch) -> dict[str, torch.Tensor]:
            assert out.logits is not None
            weights = torch.ones_like(batch.labels) if batch.weights is None else batch.weights
            losses = torch.nn.functional.binary_cross_entropy_with_logits(out.logits, batch.labels, reduction="none")
            return {"bce": (losses * weights).sum() / weights.sum()}

    _register(tiny, "normalised", lambda task, /: Normalised(task, 8, 0.0, "none", 1))
    result = _end(tiny_spec(model={"use": "normalised"}, train={"balance": "weights"}), tiny, workspace)
    assert (result.state, result.reason) == ("complete", "")


def test_a_model_without_evidence_or_heads_is_confirmed_all_the_same(tiny: Catalog, workspace: Workspace):
    result = _end(tiny_spec(stage="confirm", model={"use": "empty"}), tiny, workspace)
    assert set(result.files) == {"predictions.parquet", "weights.safetensors"}


def test_a_trial_without_checkpoints_keeps_nothing(tiny: Catalog, workspace: Workspace):
    _end(tiny_spec(), tiny, replace(workspace, checkpoints=None))
    assert [path.name for path in workspace.cache.parent.iterdir()] == ["cache"]


def test_a_model_that_declares_it_trains_on_masks_and_the_ledger_says_so(tiny: Catalog, workspace: Workspace):
    tiny.register(Extras())
    result = _end(tiny_spec(model={"use": "taught"}), tiny, workspace)
    assert (result.state, result.reason) == ("complete", "")
    assert (result.ledger["opened"], result.ledger["masks"]) == (["train", "val"], {"fit": ["train"], "test": []})
    assert result.ledger["read"]["fit"]["masks"] > 0 == result.ledger["read"]["select"]["masks"]


@pytest.mark.parametrize("unknown", [0.0, 0.6])
def test_the_ledger_counts_whose_labels_and_masks_each_stage_reads(tiny: Catalog, workspace: Workspace, unknown: float):
    dataset = build_squares(workspace.data, unknown=unknown)

    def count(name: Any, masks: bool) -> dict[str, int]:
        samples = dataset.split(name)
        labelled = sum(not all(map(math.isnan, sample.labels)) for sample in samples)
        return {"images": len(samples), "labels": labelled, "masks": masks * sum(1 in s.labels for s in samples)}

    read = _end(tiny_spec(stage="confirm", dataset={"unknown": unknown}), tiny, workspace).ledger["read"]
    assert read == {
        "fit": count("train", masks=False),
        "select": count("val", masks=False),
        "tune_loc": count("val", masks=True),
        "test": count("test", masks=True),
    }
    assert 0 < read["fit"]["labels"] <= 48 and (read["fit"]["labels"] < 48) == (unknown > 0)


def test_the_test_split_is_announced_before_it_is_opened(tiny: Catalog, workspace: Workspace):
    running = run_trial(tiny_spec(stage="confirm"), tiny, workspace)
    while not isinstance(next(running), Opening):
        pass
    folder = workspace.cache / build_squares(workspace.data).digest[:16] / "test"
    for path in [*folder.iterdir()]:
        path.unlink()  # whoever is only now going to read it finds nothing
    result = next(running)
    assert isinstance(result, TrialResult) and result.state == "failed"


def test_search_announces_no_opening(tiny: Catalog, workspace: Workspace):
    assert not [event for event in run_trial(tiny_spec(), tiny, workspace) if isinstance(event, Opening)]


class Shuffled(Squares):
    """The same images and labels, with the training masks of other images."""

    @property
    def digest(self) -> str:
        return f"shuffled {super().digest}"

    def read_mask(self, sample: Sample) -> np.ndarray:
        number = int(sample.id.removeprefix("train")) if sample.id.startswith("train") else None
        if number is None:
            return super().read_mask(sample)
        others = self.split("train")
        return super().read_mask(others[(number + 7) % len(others)])


def build_shuffled(root: Path, /) -> Any:
    return Shuffled(root, 24, 16, 0.0, "multilabel", False)


class ShuffledMasks:
    @hookimpl
    def harness_datasets(self) -> list[Component[Any]]:
        return [Component(name="shuffled", build=build_shuffled, summary="masks of other images")]


@pytest.mark.parametrize(("model", "same"), [({"use": "tiny_cnn"}, True), ({"use": "copies_masks"}, False)])
def test_shuffled_training_masks_give_the_same_weights_bit_for_bit(
    tiny: Catalog, workspace: Workspace, model: dict, same: bool
):
    tiny.register(ShuffledMasks())
    tiny.register(Extras())
    weights = []
    for name in ("squares", "shuffled"):
        spec = tiny_spec(stage="confirm", model=model, train={"augment": ["flip"]})
        result = _end(replace(spec, tree={**spec.tree, "dataset": {"use": name}}), tiny, workspace)
        assert result.state == "complete", result.reason
        assert result.ledger["masks"]["fit"] == ([] if same else ["train"])
        weights.append(safetensors.torch.load(result.files["weights.safetensors"]))
    plain, shuffled = weights
    assert plain.keys() == shuffled.keys() and len(plain) > 2
    assert (
        all(torch.equal(plain[key], shuffled[key]) for key in plain) == same
    )  # what trains on masks shows that the test can fail


def test_an_objective_of_a_head_that_the_model_has_not_is_told_before_the_first_epoch(
    tiny: Catalog, workspace: Workspace
):
    (result,) = run_trial(tiny_spec(objective=Objective(metric="val/paek/auroc")), tiny, workspace)
    assert (result.state, result.epochs) == ("failed", 0)
    assert result.reason == (
        "the model cannot be built for the objective val/paek/auroc: it has no head named 'paek'; did you mean 'peak'?"
    )
    found = list(run_trial(tiny_spec(objective=Objective(metric="val/peak/auroc")), tiny, workspace))
    assert found[-1].state == "complete"


def test_explainers_add_their_maps_to_the_tables(tiny: Catalog, workspace: Workspace):
    tiny.register(Extras())
    result = _end(tiny_spec(stage="confirm", explain={"use": ["native", "gradient"], "images": 2}), tiny, workspace)
    assert (result.state, result.reason) == ("complete", "")
    maps = from_bytes(result.files["maps.parquet"])
    assert maps.groupby(["map", "split"]).size().to_dict() == {
        (name, split): 48 for name in ("native", "gradient") for split in ("tune_loc", "test")
    }
    pictures = np.load(io.BytesIO(result.files["overlays.npz"]))
    chosen = pictures["chosen"]
    assert chosen.sum() == 2 and list(pictures["explainers"]) == ["gradient"]
    assert (pictures["of_class"][~chosen] == -1).all()
    assert pictures["explained"].shape == (1, 2, 16, 16) and pictures["explained"].any((2, 3)).all()
    for image in np.flatnonzero(chosen):  # the first class that the image has
        assert pictures["of_class"][image] == pictures["labels"][image].tolist().index(1)


def test_maps_of_one_explainer_bear_the_names_that_the_study_gives_them(tiny: Catalog, workspace: Workspace):
    tiny.register(Extras())
    tables = ["gradient", {"use": "gradient", "name": "gradient_half", "power": 0.5}]
    faithfulness = {"use": ["zero", "randomise"], "images": 2, "thresholds": [0.5], "layers": [1.0]}
    spec = tiny_spec(stage="confirm", explain={"use": tables, "images": 2, "faithfulness": faithfulness})
    result = _end(spec, tiny, workspace)
    assert (result.state, result.reason) == ("complete", "")
    maps, tried = (from_bytes(result.files[name]) for name in ("maps.parquet", "faithfulness.parquet"))
    assert {"gradient", "gradient_half"} < set(maps["map"])
    assert set(tried["map"]) == {"native", "gradient", "gradient_half"}
    plain, half = (maps.loc[maps["map"] == name, "dice_sum"].to_numpy() for name in ("gradient", "gradient_half"))
    assert (half > plain).all()


def test_an_explainer_gets_its_parameters(tiny: Catalog, workspace: Workspace):
    tiny.register(Extras())
    plain, spread = (
        from_bytes(_end(tiny_spec(stage="confirm", explain={"use": [table]}), tiny, workspace).files["maps.parquet"])
        for table in ("gradient", {"use": "gradient", "power": 0.5})
    )
    chosen = plain["map"] == "gradient"
    assert (spread["dice_sum"] > plain["dice_sum"])[chosen].all()
    assert (spread["dice_sum"] == plain["dice_sum"])[~chosen].all()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_the_machines_fault(tiny: Catalog, workspace: Workspace, number: int):
    tiny.register(Extras())
    with pytest.raises(MachineError, match="/somewhere: as the test wants it"):
        list(run_trial(tiny_spec(model={"use": "unlucky", "number": number}), tiny, workspace))


def test_a_missing_file_is_the_trials_own_fault(tiny: Catalog, workspace: Workspace):
    tiny.register(Extras())
    result = _end(tiny_spec(model={"use": "unlucky", "number": errno.ENOENT}), tiny, workspace)
    assert result.state == "failed" and "as the test wants it" in result.reason


def test_data_that_cannot_be_used_stop_the_study(tiny: Catalog, workspace: Workspace):
    with pytest.raises(InputError, match="imagess"):
        list(run_trial(tiny_spec(dataset={"imagess": 3}), tiny, workspace))
