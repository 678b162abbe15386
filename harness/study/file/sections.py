"""Schemas of a study file's sections other than its components: keys and defaults."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_serializer, model_validator

from harness.config.strict import Strict
from harness.contract.keys import RANKED
from harness.trial.settings.faithfulness import FaithfulnessSettings

Count = Annotated[int, Field(ge=1)]
Margin = Annotated[float, Field(gt=0)]
"""In the unit of the metric; the plan checks it against the metric's range."""


class ObjectiveSection(Strict):
    """[study] objective: the metric that a search optimises; without `mode`, in the metric's direction."""

    metric: str = f"val/{RANKED}"
    mode: Literal["max", "min"] | None = None

    @field_validator("metric")
    @classmethod
    def _on_validation(cls, metric: str) -> str:
        split, _, rest = metric.partition("/")
        if split in ("test", "tune_loc"):
            raise ValueError(f"{metric!r} is measured on {split}, which a search may not open; write 'val/{rest}'")
        if split != "val" or not rest:
            raise ValueError(f"{metric!r} is not a metric of the validation split; write for example 'val/{RANKED}'")
        return metric


class ClaimSection(Strict):
    """An item of [study] claims: the source states that `better` is above `than`, a variant or variant/head each.

    With `within` the two are equal up to that margin; with `not_below` the first is at most that much below the second.
    `class` names one class; without it the claim is of the mean over classes.
    """

    says: Annotated[str, Field(min_length=1)]
    better: str
    than: str
    metric: str = RANKED
    label: Annotated[str, Field(alias="class")] = ""
    within: Margin | None = None
    not_below: Margin | None = None

    @model_validator(mode="after")
    def _one_margin(self) -> ClaimSection:
        if self.within is not None and self.not_below is not None:
            raise ValueError("write either `within` (the two are equal) or `not_below` (the first is no worse)")
        return self


class StudySection(Strict):
    """[study]: the question and how results are compared; `kind` is for studies of tables alone.

    `metrics` holds names, or tables with `use`, parameters and a `name` for the metric's columns.
    """

    question: str = ""
    kind: Literal["multilabel", "multiclass"] = "multilabel"
    objective: ObjectiveSection = ObjectiveSection()
    baseline: str = ""
    budget: str = ""
    metrics: Annotated[list[str | dict[str, Any]], Field(min_length=1)] = Field(
        default_factory=lambda: list[str | dict[str, Any]]([RANKED])
    )
    claims: list[ClaimSection] = Field(default_factory=list)


class Tpe(Strict):
    """Tree-structured Parzen estimator; the first `startup` trials, including the default one, are random."""

    use: Literal["tpe"] = "tpe"
    startup: Count = 4


class Random(Strict):
    """Independent draws, as the papers do."""

    use: Literal["random"] = "random"


class Grid(Strict):
    """Every combination in turn; every parameter must have a finite number of values."""

    use: Literal["grid"] = "grid"


class NoPruner(Strict):
    """No pruning: every trial runs to its end."""

    use: Literal["none"] = "none"


class Asha(Strict):
    """Asynchronous successive halving: after `grace` epochs the best 1 in `reduction` continue, and so on."""

    use: Literal["asha"] = "asha"
    grace: Count = 1
    reduction: Annotated[int, Field(ge=2)] = 3


class SearchSection(Strict):
    """[search]: the number of trials of each variant, the sampler and the pruner."""

    trials: Count = 1
    sampler: Annotated[Tpe | Random | Grid, Field(discriminator="use")] = Tpe()
    pruner: Annotated[NoPruner | Asha, Field(discriminator="use")] = NoPruner()
    seed: Annotated[int, Field(ge=0)] = 0


class ConfirmSection(Strict):
    """[confirm]: the seeds with which a variant's best configuration is trained again and then tested.

    `label_control` also trains and tests the baseline at the first seed, with shuffled training labels.
    """

    seeds: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)] = Field(default_factory=lambda: [0])
    folds: Annotated[int, Field(ge=3)] | None = None  # one to test, one to validate, the others to train
    label_control: bool = False

    @field_validator("seeds")
    @classmethod
    def _each_once(cls, seeds: list[int]) -> list[int]:
        twice = sorted({seed for seed in seeds if seeds.count(seed) > 1})
        if twice:
            raise ValueError(f"the seed {', '.join(map(str, twice))} is listed twice")
        return seeds


class ExplainSection(Strict):
    """[explain]: explainers and the number of test images to show. `use` holds names or tables with `use`.

    A table may have a `name` for its maps, so that one explainer can be used with several settings.

    `measured` is the number of images of test, and of tune_loc, on which explainers are compared with the masks; by
    default all. The model's own maps are always measured on all images.
    `faithfulness` is a table of tests that the maps show what the scores depend on. Without it nothing is tested, and
    the section is written without it, so that older studies stay the same.
    """

    use: list[str | dict[str, Any]] = Field(default_factory=list)
    images: Annotated[int, Field(ge=0)] = 8
    measured: Count | None = None
    faithfulness: FaithfulnessSettings | None = None

    @model_serializer(mode="wrap")
    def _as_asked(self, serialise: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        return {name: value for name, value in serialise(self).items() if value is not None}
