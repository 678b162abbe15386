"""The values that cross the seams: task, sample, plan, trial spec, epoch, result. No torch here."""

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
"""A factor of `train.lr` for each step of a phase; steps count from 0. A pure function: nothing to restore."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """What is to be learned; known before anything is decoded.

    Args:
        kind: "multilabel" (classes are independent) or "multiclass" (exactly one holds).
        classes: the names, in the order of every class axis.
        unit: what is diagnosed: image, breast, exam, slide.
        channels: 1 for grey, 3 for colour.
        image_size: height and width in pixels that every image is brought to.
        mask_kind: what the masks draw; `MetricRecord.needs` says which metrics that allows.
        sample: what one sample is: an image, a bag of images, one image for each of `views` of which some may
            be missing, or a table of feature vectors. `Dataset.read` says what is read of each.
        views: the names of the views, in the order in which a model sees them; of "views" only.
        features: the length of a feature vector; of "features" only.

    Raises:
        ValueError: these do not go together.
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
        """Checks that views, features and masks are of samples that can have them."""
        if bool(self.views) != (self.sample == "views") or len(set(self.views)) < len(self.views):
            raise ValueError(f"a sample of views names each once, another has none, but {self.views=}, {self.sample=}.")
        if (self.features > 0) != (self.sample == "features"):
            raise ValueError(f"`features >= 1` holds of feature tables only, but {self.features=}, {self.sample=}.")
        if self.mask_kind != "none" and self.sample != "image":
            raise ValueError(f"masks are drawn on single images, but {self.sample=}, {self.mask_kind=}.")


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One image, bag, exam of several views or feature table as training sees it. It has no mask, and no way to one.

    Args:
        id: unique in the data set.
        group: the patient; never straddles a split.
        unit: what is diagnosed (a breast of two views, say); `id` where it is the image.
        labels: one a class, 1 or 0, NaN where unknown.
        source: what `Dataset.read` needs to find the image; opaque to the harness.
    """

    id: str
    group: str
    unit: str
    labels: tuple[float, ...]
    source: Any = None


@dataclass(frozen=True, kw_only=True)
class Objective:
    """What a search maximises or minimises: a metric of the validation split."""

    metric: str = f"val/{RANKED}"
    mode: Literal["max", "min"] = "max"

    def better(self, value: float, than: float) -> bool:
        """Whether `value` beats `than`; NaN never does, and is always beaten."""
        if math.isnan(value):
            return False
        return math.isnan(than) or (value > than if self.mode == "max" else value < than)


@dataclass(frozen=True, kw_only=True)
class VariantPlan:
    """One arm of the ablation, resolved: its tree still holds the distributions to search."""

    name: str
    id: str
    tree: Mapping[str, Any]
    searched: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> Kind:
        """Whether it is trained, a system whose predictions are read, or an average of other variants."""
        return kind_of(self.tree)


def kind_of(tree: Mapping[str, Any]) -> Kind:
    """What a variant's tree describes: tables `dataset`, `train`, `model`, or one table `system` or `ensemble`."""
    return "external" if "external" in tree else "ensemble" if "ensemble" in tree else "trained"


@dataclass(frozen=True, kw_only=True)
class Skip:
    """A variant that will not run, and why."""

    variant: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Claim:
    """An order, or an equality, that a study's source states, for its own models to agree with or not.

    Args:
        says: the claim, in words.
        better: a variant, or `variant/head`; of Dice also `variant/map`, an explainer's by its name.
        than: another.
        metric: key of a metric, of the test split.
        label: of this class alone; "" is the mean over classes.
        within: the two are equal but for this much; None where they are not said to be.
        not_below: `better` falls short of `than` by no more than this much; None where that is not what is said.
    """

    says: str
    better: str
    than: str
    metric: str
    label: str = ""
    within: float | None = None
    not_below: float | None = None


@dataclass(frozen=True, kw_only=True, repr=False)
class Plan:
    """A study checked against what is installed; nothing was trained or decoded for it.

    `tree` is the base with budget and --set applied; a variant's own tree is complete.
    `search` and `confirm` are plain tables as the study file states them, defaults filled in.
    `data_checks` holds, by digest, `verdict` and `summary` of the last check of each data set.
    `overrides` are the `--set` arguments it was made with. `metrics` are the keys of the metrics, `metric_tables` what
    the study writes of those that are no component's bare name: key -> `use` and parameters.
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
        """Study and budget as a command takes them; a study without budgets has only itself."""
        study = self.study if self.path.parent.name == "studies" else str(self.path)
        return study if self.budget == NO_BUDGET else f"{study} --budget {self.budget}"

    @property
    def directory(self) -> str:
        """Where the study's results stand, below the results folder."""
        return f"{self.study}/{self.budget}-{self.study_id[:8]}"

    @property
    def trials(self) -> int:
        """Searched trials of each variant: the same for all, which makes the comparison fair."""
        return int(self.search["trials"])

    @property
    def trained(self) -> tuple[VariantPlan, ...]:
        """The variants that are searched and trained; the others are read or averaged."""
        return tuple(variant for variant in self.variants if variant.kind == "trained")


@dataclass(frozen=True, kw_only=True)
class TrialSpec:
    """Everything that determines a trial, as plain JSON values.

    Args:
        stage: "search" (train and validate), "confirm" (train, then open the test split once) or "control" (as
            confirm, on shuffled training labels).
        number: counts within (variant, stage).
        seed: for weights, order and augmentation; the same seed in two variants is a pair.
        tree: the variant's tree after sampling: tables `dataset`, `train`, `model`; or as the variant has it
            where nothing is trained.
        params: what was sampled, by dotted path; empty where nothing was searched. Of a family of readers,
            `reader`: whose scores these are.
        metrics: keys of the metrics to compute.
        metric_tables: key -> `use` and parameters of those that are no component's bare name.
        digest: the data set's digest, to notice data that changed under a running study.
        plugins: versions of the distributions the tree uses, compared by the worker.
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

    @property
    def id(self) -> str:
        """`<variant id, 12 digits>-<stage>-<number>`: unique, and the same on every resume."""
        return f"{self.variant_id[:12]}-{self.stage}-{self.number}"

    @property
    def run(self) -> Run:
        """What tells this confirmation from the variant's others, in the columns `seed` and `fold` of its tables."""
        return run_of(self.tree, self.params, self.seed, self.fold)

    def to_json(self) -> str:
        """The spec as one line of JSON."""
        return json.dumps({item.name: _plain(getattr(self, item.name)) for item in fields(self)}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> TrialSpec:
        """The spec that `to_json` wrote."""
        values = json.loads(text)
        values["objective"] = Objective(**values["objective"])
        values["metrics"] = tuple(values["metrics"])
        return cls(**values)


Run: TypeAlias = tuple[int | str | None, int | None]
"""The columns `seed` and `fold` of a table: a seed's number, a reader's name, or None for a system that is as it is."""

SEEDED = ", seed "
"""Between a reader's name and the seed of the model that it is averaged with."""


def run_of(tree: Mapping[str, Any], params: Mapping[str, Any], seed: int, fold: int | None) -> Run:
    """See `Run`; an average of readers with models of several seeds names both: `reader01, seed 2`."""
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
        value: the objective of this epoch; before the last phase what that phase is chosen by, where it says.
        smoothed: mean of the value over the last three epochs of the phase; what trials are compared by.
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
    """A confirmation is about to open its test split: told, and counted, before it does.

    A kill while the model is tested then leaves a trace; the next attempt tells of an opening of its own.
    """


NO_BUDGET = "base"
"""What the budget of a study is called that has none."""

WEIGHTS = "weights.safetensors"
"""The file of a confirmed model's weights, among those of its trial."""
UNBUILT = "the model cannot be built"
"""How the reason begins of a trial that failed because its table makes no model."""


@dataclass(frozen=True, kw_only=True)
class TrialResult:
    """How a trial ended.

    Args:
        state: complete (full length or its own early-stopping rule), pruned (a scheduler stopped
            it), failed (its own fault, see `reason`).
        value: the best epoch's smoothed objective; NaN where it failed.
        metrics: of the best epoch; in confirm also `test/...`.
        files: tables, weights and pictures by relative name, as bytes: a cluster shares no disk.
        ledger: what was read: splits `opened`, `masks` opened by stage, and `read`: per stage how many
            images, how many of them with a label, and with a mask, were read.
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


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """Where a worker finds and leaves things; never part of a trial's identity.

    Args:
        data: root of the user's data; no path of a manifest may climb out of it.
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
