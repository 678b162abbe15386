"""The values exchanged between subsystems: task, sample, plan, trial spec, epoch, result. Free of torch."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from html import escape
from pathlib import Path
from typing import Any, Literal, TypeAlias

from harness.contract.keys import RANKED

Stage = Literal["search", "confirm", "control"]
State = Literal["complete", "pruned", "failed"]
Kind = Literal["trained", "external", "ensemble"]
Split = Literal["train", "val", "tune_loc", "test"]
MaskKind = Literal["outline", "circle", "box", "layers", "none"]
SampleKind = Literal["image", "bag", "views", "features"]
Schedule: TypeAlias = Callable[[int], float]
"""A factor of `train.lr` for each step of a phase; steps count from 0. A pure function without state to restore."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """The learning task; known before anything is decoded.

    Args:
        kind: "multilabel" (classes are independent) or "multiclass" (exactly one holds).
        classes: the names, in the order of every class axis.
        unit: the unit of diagnosis: image, breast, exam, slide.
        channels: 1 for grey, 3 for colour.
        image_size: height and width in pixels that every image is resized to.
        mask_kind: the kind of mask; `MetricRecord.needs` states which metrics need which kind.
        sample: the kind of sample: an image, a bag of images, one image for each of `views` (some may be missing),
            or a table of feature vectors. See `Dataset.read` for the arrays of each.
        views: the names of the views, in the order in which a model sees them; for "views" only.
        features: the length of a feature vector; for "features" only.

    Raises:
        ValueError: `views`, `features` or `mask_kind` do not match `sample`.
    """

    kind: Literal["multilabel", "multiclass"] = "multilabel"
    classes: tuple[str, ...]
    unit: str = "image"
    channels: int = 1
    image_size: tuple[int, int] = (0, 0)
    mask_kind: MaskKind = "none"
    sample: SampleKind = "image"
    views: tuple[str, ...] = ()
    features: int = 0

    def __post_init__(self) -> None:
        """Check that views, features and masks match the kind of sample."""
        if bool(self.views) != (self.sample == "views") or len(set(self.views)) < len(self.views):
            raise ValueError(f"a sample of views names each once, another has none, but {self.views=}, {self.sample=}.")
        if (self.features > 0) != (self.sample == "features"):
            raise ValueError(f"`features >= 1` holds of feature tables only, but {self.features=}, {self.sample=}.")
        if self.mask_kind != "none" and self.sample != "image":
            raise ValueError(f"masks are drawn on single images, but {self.sample=}, {self.mask_kind=}.")


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One image, bag, exam of several views or feature table as training sees it. It gives no access to masks.

    Args:
        id: unique in the data set.
        group: the patient; all samples of a patient are in one split.
        unit: the unit of diagnosis, such as a breast of two views; `id` if it is the image.
        labels: one per class: 1, 0, or NaN if unknown.
        source: what `Dataset.read` needs to find the image; opaque to the harness.
    """

    id: str
    group: str
    unit: str
    labels: tuple[float, ...]
    source: Any = None


@dataclass(frozen=True, kw_only=True)
class Objective:
    """The objective of a search: a metric of the validation split, maximised or minimised."""

    metric: str = f"val/{RANKED}"
    mode: Literal["max", "min"] = "max"

    def better(self, value: float, than: float) -> bool:
        """Return True if `value` is better than `than`; NaN is worse than every value."""
        if math.isnan(value):
            return False
        return math.isnan(than) or (value > than if self.mode == "max" else value < than)


@dataclass(frozen=True, kw_only=True)
class VariantPlan:
    """One variant of a study, resolved: its tree still holds the distributions to search.

    `code` holds, by distribution, the digest of the code of plugins that are installed as editable or single files.
    """

    name: str
    id: str
    tree: Mapping[str, Any]
    searched: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    code: Mapping[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> Kind:
        """Kind of variant: trained, external predictions, or an ensemble of other variants."""
        return kind_of(self.tree)


def kind_of(tree: Mapping[str, Any]) -> Kind:
    """Return the kind of a variant from its tree: a table `external` or `ensemble`, else it is trained."""
    return "external" if "external" in tree else "ensemble" if "ensemble" in tree else "trained"


@dataclass(frozen=True, kw_only=True)
class Skip:
    """A variant that will not run, and the reason."""

    variant: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A published claim, an order or an equality of two variants, that a study checks for its own models.

    Args:
        says: the claim, in words.
        better: a variant or `variant/head`; for metrics of maps also `variant/map` with an explainer's name.
        than: the variant to compare with, in the same form.
        metric: key of a metric, of the test split.
        label: one class; "" is the mean over classes.
        within: largest absolute difference for a claim of equality; None for other claims.
        not_below: largest amount by which `better` may be below `than`; None for other claims.
    """

    says: str
    better: str
    than: str
    metric: str
    label: str = ""
    within: float | None = None
    not_below: float | None = None


def folder_name(study: str, budget: str, study_id: str) -> str:
    """Return the folder of a study's results at one budget, relative to the results folder."""
    return f"{study}/{budget}-{study_id[:8]}"


@dataclass(frozen=True, kw_only=True, repr=False)
class Plan:
    """A study checked against what is installed, made without training or decoding.

    `tree` is the base with budget and --set applied; a variant's own tree is complete.
    `search` and `confirm` are the tables of the study file with defaults filled in.
    `data_checks` holds, by digest, `verdict` and `summary` of the last check of each data set.
    `overrides` are the `--set` arguments. `metrics` are the keys of the metrics. `metric_tables` holds, by key, `use`
    and parameters of the metrics that the study does not give by bare name.
    """

    study: str
    study_id: str
    budget: str
    path: Path
    question: str
    baseline: str
    objective: Objective
    metrics: tuple[str, ...]
    variants: tuple[VariantPlan, ...]
    skipped: tuple[Skip, ...] = ()
    warnings: tuple[str, ...] = ()
    tree: Mapping[str, Any] = field(default_factory=dict)
    search: Mapping[str, Any] = field(default_factory=dict)
    confirm: Mapping[str, Any] = field(default_factory=dict)
    explain: Mapping[str, Any] = field(default_factory=dict)
    dataset_digest: str = ""
    plugins: Mapping[str, str] = field(default_factory=dict)
    demonstration: bool = False
    data_checks: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    claims: tuple[Claim, ...] = ()
    overrides: tuple[str, ...] = ()
    metric_tables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __repr__(self) -> str:
        skipped = f", {len(self.skipped)} skipped" if self.skipped else ""
        return f"<Plan {self.directory}: {len(self.variants)} variants{skipped}>"

    def _repr_html_(self) -> str:
        """Show the variants as a table in a notebook."""
        rows: list[tuple[str, str, str]] = [(item.name, item.kind, "") for item in self.variants]
        rows += [(skip.variant, "skipped", skip.reason) for skip in self.skipped]
        cells = "".join(f"<tr>{''.join(f'<td>{escape(text)}</td>' for text in row)}</tr>" for row in rows)
        head = "<tr><th>variant</th><th>kind</th><th>reason</th></tr>"
        return f"<p>{escape(self.question)}</p><p>{escape(repr(self)[1:-1])}</p><table>{head}{cells}</table>"

    @property
    def named(self) -> str:
        """Study and budget as command-line arguments."""
        study = self.study if self.path.parent.name == "studies" else str(self.path)
        return study if self.budget == NO_BUDGET else f"{study} --budget {self.budget}"

    @property
    def directory(self) -> str:
        """Folder of the study's results, relative to the results folder."""
        return folder_name(self.study, self.budget, self.study_id)

    @property
    def trials(self) -> int:
        """Number of search trials per variant; the same for all, which makes the comparison fair."""
        return int(self.search["trials"])

    @property
    def trained(self) -> tuple[VariantPlan, ...]:
        """The variants that are searched and trained, without external predictions and ensembles."""
        return tuple(variant for variant in self.variants if variant.kind == "trained")


@dataclass(frozen=True, kw_only=True)
class TrialSpec:
    """Everything that determines a trial, as plain JSON values.

    Args:
        stage: "search" (train and validate), "confirm" (train, then open the test split once) or "control" (as
            confirm, on shuffled training labels).
        number: counts from 0 within (variant, stage).
        seed: for weights, order and augmentation; two variants at one seed are a pair.
        tree: the variant's tree after sampling: tables `dataset`, `train`, `model`; unchanged if nothing is
            trained.
        params: the sampled values, by dotted path; empty if nothing was searched. For a family of readers,
            `reader` names the reader.
        metrics: keys of the metrics to compute.
        metric_tables: key -> `use` and parameters of metrics that the study does not give by bare name.
        digest: the data set's digest, to detect data that changed during a study.
        plugins: versions of the distributions that the tree uses, compared by the worker.
        code: digests of the code of those whose version does not identify it, likewise.
    """

    study: str
    study_id: str
    budget: str
    variant: str
    variant_id: str
    stage: Stage
    number: int
    seed: int
    tree: Mapping[str, Any]
    fold: int | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    objective: Objective = field(default_factory=Objective)
    metrics: tuple[str, ...] = (RANKED,)
    explain: Mapping[str, Any] = field(default_factory=dict)
    digest: str = ""
    plugins: Mapping[str, str] = field(default_factory=dict)
    metric_tables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    code: Mapping[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Identifier `<variant id, 12 digits>-<stage>-<number>`: unique, and the same on every resume."""
        return f"{self.variant_id[:12]}-{self.stage}-{self.number}"

    @property
    def replicate(self) -> Replicate:
        """Replicate of the variant: the columns `seed` and `fold` of the trial's tables."""
        return replicate_of(self.tree, self.params, self.seed, self.fold)

    def to_json(self) -> str:
        """Return the spec as one line of JSON."""
        values = {item.name: _plain(getattr(self, item.name)) for item in fields(self)}
        if not self.code:  # as for every trial of built-in and released components
            del values["code"]
        return json.dumps(values, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> TrialSpec:
        """Return the spec that `to_json` wrote."""
        values = json.loads(text)
        values["objective"] = Objective(**values["objective"])
        values["metrics"] = tuple(values["metrics"])
        return cls(**values)


Replicate: TypeAlias = tuple[int | str | None, int | None]
"""The columns `seed` and `fold` of a table. `seed` is a number, a reader's name, or None without replicates."""

SEEDED = ", seed "
"""Separator of a reader's name and the seed of the model that it is averaged with."""


def replicate_of(tree: Mapping[str, Any], params: Mapping[str, Any], seed: int, fold: int | None) -> Replicate:
    """Return the replicate of a trial; an ensemble of readers and models of several seeds names both."""
    kind = kind_of(tree)
    if kind == "trained":
        return seed, fold
    seeded = bool(tree[kind].get("seeded", False))
    reader = params.get("reader")
    if reader is None:
        return (seed if seeded else None), fold
    return (f"{reader}{SEEDED}{seed}" if seeded else str(reader)), fold


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """One pass over the training images.

    Args:
        number: counts from 1 over all phases.
        metrics: `train/loss`, `train/<loss name>`, `val/auroc`, `val/<head>/auroc`, …
        value: the objective of this epoch; before the last phase, the phase's own `select_by` if it has one.
        smoothed: mean of the value over the last three epochs of the phase; the value that trials are compared by.
        seconds: duration, and the part of it spent waiting for data.
    """

    number: int
    metrics: Mapping[str, float]
    value: float
    smoothed: float
    seconds: float = 0.0
    waited: float = 0.0
    phase: str = ""


@dataclass(frozen=True)
class Opening:
    """Notice of a confirmation that is about to open its test split.

    It is recorded before the split is opened, so that a killed attempt is counted too. Every attempt gives its own.
    """


NO_BUDGET = "base"
"""The name of the budget of a study without budgets."""

WEIGHTS = "weights.safetensors"
"""The file of a confirmed model's weights, among the files of its trial."""
UNBUILT = "the model cannot be built"
"""Start of the reason of a trial that failed because its model cannot be built."""


@dataclass(frozen=True, kw_only=True)
class TrialResult:
    """The outcome of a trial.

    Args:
        state: complete (full length or its own early-stopping rule), pruned (the pruner stopped it),
            failed (an error of the trial, see `reason`).
        value: the best epoch's smoothed objective; NaN if it failed.
        metrics: of the best epoch; in confirm also `test/...`.
        files: tables, weights and pictures by relative name, as bytes: a cluster shares no disk.
        ledger: the data that were read: splits `opened`, `masks` opened by stage, and `read`: numbers of images,
            of labelled images and of images with a mask by stage.
        notes: what components changed in the global state of their worker; each change was put back.
    """

    state: State
    value: float = math.nan
    best_epoch: int = 0
    epochs: int = 0
    metrics: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""
    seconds: float = 0.0
    files: Mapping[str, bytes] = field(default_factory=dict)
    ledger: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """Folders and resources of a worker; never part of a trial's identity.

    Args:
        data: root of the user's data; no path of a manifest may leave it.
        cache: decoded images, memory-mapped, shared by all trials.
        checkpoints: a folder for per-epoch checkpoints, or None to keep none.
        device: "auto", "cpu", "cuda", "cuda:1", "mps".
        threads: torch threads of one trial.
    """

    data: Path
    cache: Path
    checkpoints: Path | None = None
    device: str = "auto"
    threads: int = 1


def _plain(value: Any) -> Any:
    if isinstance(value, Objective):
        return {"metric": value.metric, "mode": value.mode}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
