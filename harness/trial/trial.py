"""A trial, from its spec to its result: a generator that is independent of its driver.

On the CPU, the same spec, data and number of threads give the same numbers, whatever the process did before.
"""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from harness.contract import seeds
from harness.contract.dataset import Dataset
from harness.contract.errors import ContractError, InputError, MachineError, blamed, nearest, origin_of
from harness.contract.keys import head_of
from harness.contract.loading.catalog import Catalog
from harness.contract.loading.error_origin import raised_in
from harness.contract.nn import Batch, Model, Phase
from harness.contract.provider import BUILT_IN
from harness.contract.types import UNBUILT, WEIGHTS, Epoch, Opening, TrialResult, TrialSpec, Workspace
from harness.metrics.registry import study_metrics
from harness.trial.confirm.confirm import confirm
from harness.trial.confirm.explaining import MACHINE
from harness.trial.data.cache import Cache
from harness.trial.data.fence import Seal, sealed
from harness.trial.data.loader import Loader
from harness.trial.data.sound import check_samples
from harness.trial.data.stage import FitData, Ledger, seal_of
from harness.trial.fit.checkpoint import Checkpoint
from harness.trial.fit.phases import measured
from harness.trial.fit.schedule import Updates
from harness.trial.fit.train import Diverged, Fit, fit
from harness.trial.guards.calls import Notes, noted
from harness.trial.guards.stages import watched
from harness.trial.model.build import BuildError, build_model, device_of
from harness.trial.model.evaluate import Scorer, in_fp32, predict, run, score
from harness.trial.seams.outputs import forward, losses
from harness.trial.settings.training import TrainSettings

_log = logging.getLogger(__name__)


def run_trial(spec: TrialSpec, catalog: Catalog, workspace: Workspace) -> Iterator[Epoch | Opening | TrialResult]:
    """Train, validate and, in confirm, test one spec: yield an Epoch per epoch, then exactly one TrialResult.

    In confirm an Opening precedes the result: the test split is opened when the next item is requested.

    Close the generator to stop it. It resumes from the checkpoint of an earlier, unfinished attempt; epochs
    up to the checkpoint are not yielded again. An error in the model, its training or its settings gives a
    result of state "failed" with the reason.

    Raises:
        InputError: the data set or a metric cannot be used, or the data have changed since the study was
            planned: every other trial would fail too.
        MachineError: the disk is full, or the cache or a checkpoint cannot be written. Resumable.
    """
    ledger, started, checkpoint, notes = Ledger(), time.perf_counter(), Checkpoint(spec, workspace), Notes()
    try:
        yield from _run(spec, catalog, workspace, ledger, checkpoint, notes)
    except (InputError, MachineError):
        raise
    except (Exception, SystemExit) as error:  # a third-party model may call sys.exit
        if isinstance(error, OSError) and error.errno in MACHINE:
            raise MachineError(f"{error.filename or 'disk'}: {error.strerror}") from error
        _log.debug("trial %s failed", spec.id, exc_info=True)
        yield TrialResult(
            state="failed",
            reason=catalog.masked(_reason(error, catalog)),
            seconds=time.perf_counter() - started,
            files={"traceback.txt": catalog.masked(traceback.format_exc()).encode()},
            ledger=ledger.as_table(),
            notes=tuple(notes),
        )


def measure(
    spec: TrialSpec, catalog: Catalog, workspace: Workspace, weights: bytes, opening: Callable[[], None]
) -> TrialResult:
    """Test a confirmed model again from its weights, for metrics and explainers that were added after its training.

    Args:
        spec: of the trial, with the metrics and explainers to compute.
        catalog: provides the components.
        workspace: holds data and cache.
        weights: content of `weights.safetensors`.
        opening: called just before the test split is opened.

    Raises:
        InputError: data or weights differ from those that the trial was confirmed with.
        MachineError: the plugins differ.
    """
    ledger, settings, device = Ledger(), TrainSettings.of(spec.tree["train"]), device_of(workspace.device)
    catalog.expect(spec.plugins)
    try:
        dataset = _dataset(spec, catalog, workspace.data)
        model = build_model(spec, catalog, dataset.task, settings, device)
        model.load_state_dict(safetensors.torch.load(weights))
    except (BuildError, ContractError, RuntimeError) as error:
        raise InputError(f"trial {spec.id} cannot be measured again: {error}") from error
    cache = _cache(dataset, workspace)
    opening()
    with _inside(workspace, spec, Notes()):
        tested = confirm(spec, catalog, cache, model, settings, device, ledger)
    files = {name: data for name, data in tested.files.items() if name != WEIGHTS}
    return TrialResult(state="complete", metrics=tested.metrics, files=files, ledger=ledger.as_table())


def _run(
    spec: TrialSpec, catalog: Catalog, workspace: Workspace, ledger: Ledger, checkpoint: Checkpoint, notes: Notes
) -> Iterator[Epoch | Opening | TrialResult]:
    settings, device = TrainSettings.of(spec.tree["train"]), device_of(workspace.device)
    dataset = _dataset(spec, catalog, workspace.data)
    cache = _cache(dataset, workspace)
    data = FitData.of(cache, catalog.get("architecture", _use(spec.tree["model"])).needs, ledger)
    seal = seal_of(cache, dataset)
    images = data.train.shuffled(seeds.of("shuffle", spec.seed)) if settings.shuffle_labels else data.train
    train = Loader(images, data.task, settings, device, spec.seed)
    val = Loader(data.val, data.task, settings, device)

    def validate() -> Mapping[str, float]:
        if not len(data.val):
            return {}
        scorer = Scorer(metrics, data.task, "val", masks=False)
        return score(predict(model, val, settings, device), scorer)

    with _inside(workspace, spec, notes, seal):
        model = build_model(spec, catalog, dataset.task, settings, device)
        keys = measured(spec.metrics, model.phases(), _known(spec, catalog))
        faults: dict[str, str] = {}
        selecting = _selecting(spec, model.phases(), keys)
        found = study_metrics(catalog, keys, spec.metric_tables)
        metrics = [metric if metric.key in selecting else metric.tolerated(faults) for metric in found]
        updates = Updates.of(settings, catalog)
        job = Fit(model, train, settings, updates, spec.objective, spec.seed, device, validate, (train, val))
        if settings.epochs:
            _refuse_unknown_head(job, val, _known(spec, catalog))
            _refuse_ignored_weights(job)
    epochs = fit(job, checkpoint)
    while True:
        with _inside(workspace, spec, notes, seal):  # not across the yield: the seal does not apply to the caller
            epoch = next(epochs, None)
        if epoch is None:
            break
        yield epoch
    best = job.epochs[job.best - 1]
    result = TrialResult(
        state="complete",
        value=best.smoothed,
        best_epoch=best.number,
        epochs=len(job.epochs) if settings.epochs else 0,
        metrics=best.metrics,
        seconds=sum(epoch.seconds for epoch in job.epochs),
        ledger=ledger.as_table(),
    )
    if spec.stage != "search":
        yield Opening()
        started = time.perf_counter()
        with _inside(workspace, spec, notes):
            tested = confirm(spec, catalog, cache, model, settings, device, ledger)
        result = replace(
            result,
            metrics={**best.metrics, **tested.metrics},
            files=tested.files,
            seconds=result.seconds + time.perf_counter() - started,
            ledger=ledger.as_table(),
        )
    yield replace(result, notes=(*notes, *faults.values()))


def _selecting(spec: TrialSpec, phases: Sequence[Phase], keys: Collection[str]) -> set[str]:
    """Return the metrics that select epochs or trials: without them a trial has no result."""
    wanted = (spec.objective.metric, *(phase.select_by or "" for phase in phases))
    return {part for key in wanted for part in key.split("/")} & set(keys)


@contextmanager
def _inside(workspace: Workspace, spec: TrialSpec, notes: Notes, seal: Seal | None = None) -> Iterator[None]:
    """Hold the seal, set torch's threads and watch the state of the process; restore all at the end."""
    strangers = [f"{name} {version}" for name, version in spec.plugins.items() if name != BUILT_IN]
    before = torch.get_num_threads()
    torch.set_num_threads(workspace.threads)
    try:
        with sealed(seal or ()), noted(notes), watched(notes, strangers[0] if len(strangers) == 1 else "a component"):
            yield
    finally:
        torch.set_num_threads(before)


def _dataset(spec: TrialSpec, catalog: Catalog, root: Path) -> Dataset:
    dataset: Dataset = catalog.build("dataset", spec.tree["dataset"], root)
    if spec.digest and dataset.digest != spec.digest:
        raise InputError(
            f"the data set has changed since the study was planned (digest {dataset.digest[:12]}, "
            f"planned with {spec.digest[:12]}): run the study again"
        )
    return dataset


def _cache(dataset: Dataset, workspace: Workspace) -> Cache:
    """Return the decoded images of a data set whose samples are sound; an error names the data set."""
    try:
        with blamed(dataset):
            check_samples(dataset, Cache.at(dataset, workspace.cache).samples())
            return Cache.ensure(dataset, workspace.cache)
    except InputError as error:
        raise InputError(f"{origin_of(dataset)}: {error}") from error


def _known(spec: TrialSpec, catalog: Catalog) -> frozenset[str]:
    """Return the names of metrics that an objective or a phase may use."""
    return frozenset({*catalog.names("metric"), *spec.metrics})


def _refuse_unknown_head(job: Fit, val: Loader, known: Collection[str]) -> None:
    """Raise BuildError if the model lacks the head of the objective; the plan builds no model and cannot know."""
    key = job.objective.metric
    head = head_of(key, known)
    if not head:
        return
    job.model.eval()
    (heads,) = [run(job.model, batch, job.settings, job.device).heads for batch in val.evaluation([0])]
    if head not in heads:
        raise BuildError(f"{UNBUILT} for the objective {key}: it has no head named {head!r}{nearest(head, heads)}")


def _refuse_ignored_weights(job: Fit) -> None:
    """Raise BuildError if the study sets label weights and the model's losses do not use them."""
    if job.settings.balance != "weights":
        return
    with torch.random.fork_rng([job.device] if job.device.type == "cuda" else []), torch.no_grad():
        for batch in job.train.training(0):
            if _weighs(job.model.eval(), batch):
                return
    raise BuildError('the losses of this model do not use `batch.weights`: use `balance = "sampler"`')


def _weighs(model: Model, batch: Batch) -> bool:
    """Return True if the losses change when the weight of one label is doubled."""
    assert batch.weights is not None
    counted = (batch.weights > 0) & ~batch.labels.isnan()
    if not counted.any():
        return False
    weights, first = batch.weights.clone(), counted.nonzero()[0]
    weights[*first] *= 2  # only one, because a loss may divide by the sum of all
    out = in_fp32(forward(model, batch))
    weighted, plain = (
        sum(float(loss) for loss in losses(model, out, item).values())
        for item in (replace(batch, weights=weights), batch)
    )
    return weighted != plain


def _use(table: Any) -> str:
    return str(table["use"] if isinstance(table, Mapping) else table)


def _reason(error: Exception | SystemExit, catalog: Catalog) -> str:
    if isinstance(error, BuildError | ContractError | Diverged):
        return str(error)
    place = raised_in(error, catalog)
    return f"{type(error).__name__}: {error}" + (f" (raised in {place})" if place else "")
