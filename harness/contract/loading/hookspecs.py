"""The hooks that a plugin may implement. Every argument is passed by name; none may have a default.

A hook takes the arguments that it needs. `settings` are those of the plugin, from `[plugins.NAME]` of harness.toml.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pluggy

from harness.contract.components import Component
from harness.contract.metrics import MetricRecord
from harness.contract.types import Epoch, Plan, Schedule, TrialResult, TrialSpec

if TYPE_CHECKING:
    import click
    from torch.optim import Optimizer

    from harness.contract.dataset import Dataset
    from harness.contract.nn import Backbone, Explainer, Model, Pooling

hookspec = pluggy.HookspecMarker("harness")
hookimpl = pluggy.HookimplMarker("harness")


class HarnessSpecs:
    """Hook specifications. Hooks run on every start, before the command line is read; keep them light."""

    @hookspec
    def harness_datasets(self, settings: Mapping[str, Any]) -> Iterable[Component[Dataset]]:
        """Return data sets: `build(root: Path, /, **params)`; `root` is the user's data root."""
        raise AssertionError

    @hookspec
    def harness_backbones(self, settings: Mapping[str, Any]) -> Iterable[Component[Backbone]]:
        """Return backbones: `build(channels: int, /, **params)`."""
        raise AssertionError

    @hookspec
    def harness_poolings(self, settings: Mapping[str, Any]) -> Iterable[Component[Pooling]]:
        """Return poolings: `build(features: int, outputs: int, /, **params)`."""
        raise AssertionError

    @hookspec
    def harness_architectures(self, settings: Mapping[str, Any]) -> Iterable[Component[Model]]:
        """Return architectures: `build(task: Task, /, **params)`."""
        raise AssertionError

    @hookspec
    def harness_explainers(self, settings: Mapping[str, Any]) -> Iterable[Component[Explainer]]:
        """Return explainers: `build(/, **params)`."""
        raise AssertionError

    @hookspec
    def harness_metrics(self, settings: Mapping[str, Any]) -> Iterable[MetricRecord]:
        """Return metrics: `build(terms, weights, /, **params)`, the formula; see `harness.MetricRecord`."""
        raise AssertionError

    @hookspec
    def harness_optimisers(self, settings: Mapping[str, Any]) -> Iterable[Component[Optimizer]]:
        """Return optimisers: `build(groups: list[dict[str, Any]], lr: float, weight_decay: float, /, **params)`."""
        raise AssertionError

    @hookspec
    def harness_schedules(self, settings: Mapping[str, Any]) -> Iterable[Component[Schedule]]:
        """Return schedules: `build(steps: int, epochs: int, /, **params)`."""
        raise AssertionError

    @hookspec
    def harness_commands(self, settings: Mapping[str, Any], cli: click.Group) -> None:
        """Add commands to `harness`; called before the command line is parsed."""

    @hookspec
    def harness_study_started(self, settings: Mapping[str, Any], plan: Plan) -> None:
        """Observe, in the driver, that a run or a resume begins."""

    @hookspec
    def harness_trial_started(self, settings: Mapping[str, Any], trial: TrialSpec) -> None:
        """Observe, in the driver, that a trial was given to a worker."""

    @hookspec
    def harness_epoch_finished(self, settings: Mapping[str, Any], trial: TrialSpec, epoch: Epoch) -> None:
        """Observe, in the driver, that a trial finished an epoch."""

    @hookspec
    def harness_trial_finished(self, settings: Mapping[str, Any], trial: TrialSpec, result: TrialResult) -> None:
        """Observe, in the driver, that a trial is complete, pruned or failed."""

    @hookspec
    def harness_study_finished(self, settings: Mapping[str, Any], plan: Plan, results: Any) -> None:
        """Observe, in the driver, that every trial has ended; `results` is the return value of `harness.results`."""
