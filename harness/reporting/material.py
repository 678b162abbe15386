"""Everything a report is made from: handed in, nothing is read or computed anew here."""

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
"""Variants that a chart with a curve each shows at most; ROC curves beside readers are of all systems."""


@dataclass(frozen=True, kw_only=True)
class Material:
    """What a report is handed. A table that is None has nothing to say, and its section says so.

    Args:
        plan: what was to run.
        classes: the names of the task's classes, in order.
        metrics: of the study, and those that tables have without its naming them.
        trials: one row a trial, columns `accounts.TRIALS`, and `ledger` where trials kept one.
        predictions: the predictions of all confirmed models.
        variants: what `summary.variant_table` gives, heads too.
        units: the same by what is diagnosed, where a unit has several images.
        comparison: what `contrasts.comparison_table` gives.
        claims: what `claims.claims_table` gives.
        runs: what `summary.runs_table` gives.
        each: what `readers.each_table` gives, where there are readers or external predictions.
        declared: what `declared.declared_table` gives.
        classified: figures of scores over runs, see `summary.over_runs`.
        localised: figures of localisation over runs, likewise.
        reliability: what `calibration.pooled_reliability` gives.
        faithfulness: what `faithfulness.faithfulness_table` gives.
        decisions: what `faithfulness.decision_chart` gives.
        importance: `variant`, `parameter`, `importance`, `trials`: how much of the spread of the validation figure
            each searched parameter accounts for.
        sweeps: path of a setting -> variant -> its value, of variants that differ in that setting alone.
        differs: variant -> what it changes, as sentences of a study file.
        card: what `accounts.data_card` gives.
        overlays: variant -> arrays as `figures.read_overlays` gives them.
        assumed: component -> what its source does not say -> what was chosen (`Component.assumed`).
        outlines: whether masks are outlines, so that Dice may be shown.
        unknown_masks: positive (image, class) pairs of test without a known mask, and all positive ones.
        data_check: verdict and summary of the data check, and its findings.
        test_openings: how often this data set's test split was opened, over all studies.
        own_openings: how often by this one.
        command: what to type to get the same again.
        check_command: what to type to have the data checked.
        resamples: bootstrap samples of patients behind each interval.
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
    runs: pd.DataFrame | None = None
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
    data_check: Sequence[str] = ()
    test_openings: int | None = None
    own_openings: int | None = None
    command: str = ""
    check_command: str = ""
    resamples: int = 2000

    @property
    def own(self) -> pd.DataFrame | None:
        """The variants' own outputs, with the tests of their differences, the highest AUC first; None of nothing."""
        if self.variants is None or self.variants.empty:
            return None
        table = self.variants[self.variants["head"] == OWN_HEAD]
        if self.comparison is not None and len(self.comparison):
            more = [name for name in self.comparison if name == "variant" or name not in table]
            table = table.merge(self.comparison[more], on="variant", how="left")
        return table.sort_values(RANKED, ascending=False, kind="stable", ignore_index=True)

    @property
    def shown(self) -> list[Metric]:
        """The metrics of the leaderboard, beside what variants are ranked by, that some variant has."""
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
        """Key -> head of the column of every metric."""
        return self.metrics.all_titles

    @property
    def drawn(self) -> list[str]:
        """The variants that charts with a curve each show: the baseline, then the highest AUCs."""
        own = self.own
        if own is None:
            return []
        names = [str(name) for name in own["variant"]]
        first = [self.plan.baseline] if self.plan.baseline in names else []
        return [*first, *(name for name in names if name not in first)][:DRAWN]

    def ranked(self, names: Iterable[str]) -> list[str]:
        """Names of variants in the order of the leaderboard; others after them, as they come."""
        own = self.own
        order = [] if own is None else [str(name) for name in own["variant"]]
        wanted = [str(name) for name in names]
        return [name for name in order if name in wanted] + [name for name in wanted if name not in order]

    @property
    def drawn_note(self) -> str:
        """Says which variants are drawn, where not all are."""
        own = self.own
        if own is None or len(own) <= DRAWN:
            return ""
        return f"Drawn are the baseline and the {DRAWN - 1} highest test AUCs of {len(own)} variants."

    @property
    def readers(self) -> list[str]:
        """Variants that are families of readers."""
        return [item.name for item in self.plan.variants if item.kind == "external" and item.facts.get("readers")]
