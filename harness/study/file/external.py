"""Schemas of variants that are not trained: external predictions, families of readers, averages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from harness.config.strict import Strict
from harness.contract.errors import nearest

ONLY = ""
"""The class of a column that is given without one: the only class of the table."""
ORACLE = "oracle_"
"""Prefix of the name of an average whose weights are chosen on the rows that it is scored on."""

WEIGHTINGS = ("mean", "fit", "oracle")
"""Ways to choose the weights of an average that are not given."""


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _by_class(value: Any) -> Any:
    return {ONLY: value} if isinstance(value, str) else value


def _weighting(value: Any) -> Any:
    if isinstance(value, list) and value and all(isinstance(item, int | float) for item in value):
        return [float(item) for item in value]
    return _one_of(value, WEIGHTINGS, "or a list of one number for each member")


def _mixing(value: Any) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
        return float(value)
    return _one_of(value, WEIGHTINGS[1:], "or a number from 0 to 1")


def _one_of(value: Any, options: Sequence[str], other: str) -> Any:
    if value not in options:
        raise ValueError(f"{value!r} is not one of {', '.join(options)}, {other}{nearest(str(value), options)}")
    return value


Names = Annotated[list[str], BeforeValidator(_listed), Field(min_length=1)]
"""One or more columns that form a key together."""
ByClass = Annotated[dict[str, str], BeforeValidator(_by_class), Field(min_length=1)]
"""A column, or class -> column."""


class ExternalSection(Strict):
    """[external.NAME]: a table of external predictions, and the meaning of its columns."""

    predictions: str
    id: Names
    score: ByClass
    label: str = ""
    labels: dict[str, str] = Field(default_factory=dict)
    group: Annotated[list[str], BeforeValidator(_listed)] = Field(default_factory=list)
    unit: Annotated[list[str], BeforeValidator(_listed)] = Field(default_factory=list)
    split: str = ""

    @field_validator("labels")
    @classmethod
    def _named(cls, labels: dict[str, str]) -> dict[str, str]:
        if "" in labels or "" in labels.values():
            raise ValueError('write class = "column" for each class')
        return labels

    @model_validator(mode="after")
    def _one_way(self) -> ExternalSection:
        if self.label and self.labels:
            raise ValueError("write either `label` (the column of one class) or `labels` (a column for each class)")
        return self

    def truth(self) -> dict[str, str]:
        """Return class -> column of its label; a column given alone names the class too."""
        return {self.label: self.label} if self.label else dict(self.labels)


class ReadersSection(ExternalSection):
    """[readers.NAME]: several readers in one table; `score` is a pattern in which `*` stands for the reader."""

    @field_validator("score")
    @classmethod
    def _patterns(cls, score: dict[str, str]) -> dict[str, str]:
        for pattern in score.values():
            if pattern.count("*") != 1:
                raise ValueError(f"{pattern!r} is not a pattern: write one * for the reader, as in 'reader*'")
        return score


class EnsembleSection(Strict):
    """[ensembles.NAME]: a weighted mean of the scores of other variants.

    For two members, `lambda = .5` is short for `weights = [.5, .5]`: lambda is the weight of the first.
    """

    of: Annotated[list[str], Field(min_length=2)]
    weights: Annotated[str | list[float], BeforeValidator(_weighting)] = "mean"
    lambda_: Annotated[str | float | None, BeforeValidator(_mixing)] = Field(default=None, alias="lambda")
    maximise: Literal["auroc", "log_loss"] = "auroc"
    folds: Annotated[int, Field(ge=2)] = 5

    @field_validator("of")
    @classmethod
    def _each_once(cls, names: list[str]) -> list[str]:
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"{', '.join(map(repr, twice))} is listed twice")
        return names

    @model_validator(mode="after")
    def _weighted(self) -> EnsembleSection:
        if self.lambda_ is not None and "weights" in self.model_fields_set:
            raise ValueError("write either `lambda` or `weights`")
        if self.lambda_ is not None and len(self.of) != 2:
            raise ValueError(f"`lambda` is for two members, but `of` has {len(self.of)}: write `weights`")
        if isinstance(self.weights, list):
            if len(self.weights) != len(self.of):
                raise ValueError(f"expected one weight for each of {len(self.of)} members, found {len(self.weights)}")
            if min(self.weights) < 0 or abs(sum(self.weights) - 1) > 1e-9:
                raise ValueError(f"weights must not be negative and must sum to 1, found {self.weights}")
        return self

    def weighting(self) -> str | list[float]:
        """Return "mean", "fit", "oracle", or a weight for each member."""
        if self.lambda_ is None:
            return self.weights
        return self.lambda_ if isinstance(self.lambda_, str) else [self.lambda_, 1 - self.lambda_]
