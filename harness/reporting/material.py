"""The material of a report: all inputs, already read and computed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.contract.keys import RANKED
from harness.contract.tables import OWN_HEAD
from harness.contract.types import Plan
from harness.metrics.metric import Metric
from harness.metrics.registry import Metrics
from harness.statistics.arrays import Array

if TYPE_CHECKING:
    import pandas as pd

DRAWN = 6
"""Number of variants that a chart of curves shows at most; ROC curves with readers show all variants."""


@dataclass(frozen=True, kw_only=True)
class Material:
    """The inputs of a report. A table that is None has no data, and its section states that.

    Args:
        plan: of the study.
        classes: the names of the task's classes, in order.
        metrics: of the study, and those that tables have by default.
        trials: one row per trial, columns `costs.TRIALS`, and `ledger` if trials kept one.
        predictions: the predictions of all confirmed models.
        variants: result of `summary.variant_table`, with heads.
        units: the same by unit of diagnosis, if a unit has several images.
        comparison: result of `contrasts.comparison_table`.
        claims: result of `claims.claims_table`.
        replicates: result of `summary.replicates_table`.
        each: result of `readers.each_table`, if there are readers or external predictions.
        declared: result of `declared.declared_table`.
        classified: metrics of scores over replicates, see `summary.over_replicates`.
        localised: metrics of localisation over replicates, likewise.
        reliability: result of `reliability_table.pooled_reliability`.
        faithfulness: result of `faithfulness_table.faithfulness_table`.
        decisions: result of `decision_chart.decision_chart`.
        importance: `variant`, `parameter`, `importance`, `trials`: the share of the variance of the validation metric
            that each searched parameter accounts for.
        sweeps: path of a setting -> variant -> its value, of variants that differ in that setting alone.
        differs: variant -> its changes, as sentences of a study file.
        card: result of `costs.data_card`.
        overlays: variant -> arrays as returned by `pictures.read_overlays`.
        assumed: component -> subject that its source leaves open -> choice (`Component.assumed`).
        outlines: whether masks are outlines, so that Dice may be shown.
        unknown_masks: number of positive (image, class) pairs of test without a known mask, and of all positive ones.
        data_check: verdict and summary of the data check, and its findings.
        test_openings: number of openings of this data set's test split, over all studies.
        own_openings: number of openings by this study.
        changed: whose code has changed since the study, as a sentence without its end; "" for none.
        command: that reproduces the study.
        check_command: that checks the data.
        resamples: number of bootstrap samples of patients of each interval.
    """

    plan: Plan
    classes: Sequence[str]
    metrics: Metrics = Metrics()
    trials: pd.DataFrame
    predictions: pd.DataFrame | None = None
    variants: pd.DataFrame | None = None
    units: pd.DataFrame | None = None
    comparison: pd.DataFrame | None = None
    claims: pd.DataFrame | None = None
    replicates: pd.DataFrame | None = None
    each: pd.DataFrame | None = None
    declared: pd.DataFrame | None = None
    classified: pd.DataFrame | None = None
    localised: pd.DataFrame | None = None
    reliability: pd.DataFrame | None = None
    faithfulness: pd.DataFrame | None = None
    decisions: pd.DataFrame | None = None
    importance: pd.DataFrame | None = None
    sweeps: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    differs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    card: pd.DataFrame | None = None
    overlays: Mapping[str, Mapping[str, Array]] = field(default_factory=dict)
    assumed: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    outlines: bool = True
    unknown_masks: tuple[int, int] = (0, 0)
    changed: str = ""
    data_check: Sequence[str] = ()
    test_openings: int | None = None
    own_openings: int | None = None
    command: str = ""
    check_command: str = ""
    resamples: int = 2000

    @property
    def own(self) -> pd.DataFrame | None:
        """The variants' own outputs with the tests of their differences, the highest AUC first; None if empty."""
        if self.variants is None or self.variants.empty:
            return None
        table = self.variants[self.variants["head"] == OWN_HEAD]
        if self.comparison is not None and len(self.comparison):
            more = [name for name in self.comparison if name == "variant" or name not in table]
            table = table.merge(self.comparison[more], on="variant", how="left")
        return table.sort_values(RANKED, ascending=False, kind="stable", ignore_index=True)

    @property
    def shown(self) -> list[Metric]:
        """The metrics of the leaderboard, except the one that ranks variants, that some variant has."""
        table = self.variants
        if table is None:
            return []
        return [item for item in self.metrics.leaderboard if item.key in table and table[item.key].notna().any()]

    @property
    def of_maps(self) -> list[Metric]:
        """The metrics of maps that the leaderboard has without being named: what localisation is summed up by."""
        return [item for item in self.metrics.leaderboard if item.level is not None and item.record.reads == "maps"]

    @property
    def located(self) -> list[Metric]:
        """Those of them that some variant has."""
        return [item for item in self.of_maps if item in self.shown]

    @property
    def titles(self) -> dict[str, str]:
        """The column title of every metric, by key."""
        return self.metrics.all_titles

    @property
    def drawn(self) -> list[str]:
        """The variants that charts of curves show: the baseline, then the highest AUCs."""
        own = self.own
        if own is None:
            return []
        names = [str(name) for name in own["variant"]]
        first = [self.plan.baseline] if self.plan.baseline in names else []
        return [*first, *(name for name in names if name not in first)][:DRAWN]

    def ranked(self, names: Iterable[str]) -> list[str]:
        """Return names of variants in the order of the leaderboard, then the others in the given order."""
        own = self.own
        order = [] if own is None else [str(name) for name in own["variant"]]
        wanted = [str(name) for name in names]
        return [name for name in order if name in wanted] + [name for name in wanted if name not in order]

    @property
    def drawn_note(self) -> str:
        """A note on the variants that are shown; "" if all are."""
        own = self.own
        if own is None or len(own) <= DRAWN:
            return ""
        return f"Shown: the baseline and the {DRAWN - 1} highest test AUCs of {len(own)} variants."

    @property
    def readers(self) -> list[str]:
        """The variants that are families of readers."""
        return [item.name for item in self.plan.variants if item.kind == "external" and item.facts.get("readers")]
