"""The table of comparisons: adjusted tests of every variant against the baseline, and the group tied with the best.

The tests are of the values in the leaderboard: the mean over replicates (seeds, folds) of the AUC, not the AUC of
their ensemble. The area of every replicate and class is a row of one covariance matrix over the same test patients,
and the value of a variant is a weighted sum of rows. Replicates are held fixed: p-values describe the variation
over patients, the standard deviation over replicates that over seeds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.contract.keys import RANKED
from harness.contract.tables import OWN_HEAD
from harness.metrics.metric import Metric
from harness.statistics.arrays import Array
from harness.statistics.bootstrap import Resamples, interval
from harness.statistics.delong import Aucs, Contrast, delong, lacking
from harness.statistics.multiplicity import against_best, bootstrap_p, holm
from harness.tables.compare.comparison import VariantValues, comparable, measured, ranked, replicate_pairs
from harness.tables.rows import by_model
from harness.tables.terms import Tables

if TYPE_CHECKING:
    import pandas as pd

LEVEL = 0.05
"""An adjusted p-value below it separates two variants."""

NO_VARIANCE = "zero variance: the scores of each are constant, or separate all patients"
"""Reason for a missing test of two areas that differ: their variation over patients cannot be estimated."""
NO_AREA = "they have no area in common"

_NO_CONTRAST = Contrast(math.nan, math.nan, math.nan, math.nan, math.nan)


def comparison_table(
    tables: Tables,
    metrics: Sequence[Metric] = (),
    *,
    baseline: str,
    order: Sequence[str],
    classes: Sequence[str],
    resamples: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """Test every variant's own output against that of the baseline on the test split, in study order.

    Args:
        tables: of all confirmed models; the split `test` and the head `output` are compared.
        metrics: compared after the AUROC, which every table has.
        baseline: the variant that differences are taken to; "" for none.
        order: the variants' names; those without predictions are left out.
        classes: the classes' names, in order.
        resamples: bootstrap samples of patients.
        seed: of the resampling.

    Returns:
        `variant`, `replicates`, and of mean AUC (and of each class, as `auroc_difference/<class>` and so on):
        `auroc`; `auroc_difference` to the baseline over the replicates that both have, `_low`, `_high`: 95 %
        percentile interval of the paired bootstrap over patients, `auroc_p_bootstrap`; `auroc_error`, the standard
        error of the difference by clustered DeLong, `auroc_p` its p-value and `auroc_p_holm` that p adjusted over the
        variants. Then of each metric, for example `dice`: `dice_difference`, `_low`, `_high`, `dice_p` (paired
        bootstrap), `dice_p_holm`.
        `tied`: not separated from the variant of the highest AUC (clustered DeLong, `against_best`), including the
        best, NA if it cannot be tested; `dice_tied` likewise by the bootstrap. `tied_untested` and `auroc_untested`:
        the reason for a missing test against the best and against the baseline, "" if there is a test.
        `note`: the classes that cannot be tested. Absent values are NaN.

    Raises:
        ValueError: two variants were tested on different images, an image occurs twice, or a score is NaN.
    """
    import pandas as pd

    assert tables.predictions is not None
    predictions = tables.predictions
    tested = predictions[(predictions["split"] == "test") & (predictions["head"] == OWN_HEAD)]
    present = set(tested["variant"].unique())
    names = [name for name in order if name in present]
    drawn = Resamples.draw(tested["group"].unique(), resamples, seed)
    areas = Areas.of(tested, classes)
    table = _auc_columns(names, _own(ranked(tested, drawn, classes, tables.kept)), areas, baseline, classes)
    shown = [metric for metric in metrics if metric.level is None or tables.has(metric)]
    for metric in shown:
        of_variant = _own(measured(tables, metric, drawn, classes))
        more = _metric_columns(names, metric, of_variant, tables.equal(metric), baseline)
        table = [row | own for row, own in zip(table, more, strict=True)]
    found = pd.DataFrame([row | {"note": areas.note} for row in table])
    marks = ["tied", *(f"{metric.key}_tied" for metric in shown)]
    ties = {name: "boolean" for name in marks if name in found}  # so that NA is no False
    return found.astype(ties)


@dataclass(frozen=True)
class Areas:
    """The area of every variant, replicate and class, as rows of one covariance matrix.

    Args:
        rows: (variant, replicate, class) -> its row; those without a defined area are left out.
        aucs: areas and covariance.
        untested: classes with an area of unknown variance -> reason.
    """

    rows: Mapping[tuple[str, tuple[Any, ...], str], int]
    aucs: Aucs
    untested: Mapping[str, str]

    @classmethod
    def of(cls, tested: pd.DataFrame, classes: Sequence[str]) -> Areas:
        """Compute the areas from the rows of a predictions table of one split and head.

        Raises:
            ValueError: a score is not finite.
        """
        import pandas as pd

        _check_finite(tested)
        patients = tested.drop_duplicates("id").set_index("id")["group"]
        member = patients.to_numpy()
        rows: dict[tuple[str, tuple[Any, ...], str], int] = {}
        labels, scores, untested = [], [], {}
        for (variant, _, *run), own in by_model(tested):
            for name in classes:
                known = own[(own["class"] == name) & own["label"].notna()]
                label, score = (np.full(len(member), math.nan) for _ in range(2))
                places = patients.index.get_indexer(pd.Index(known["id"]))
                label[places], score[places] = known["label"], known["score"]
                if {0, 1} - set(label[places]):
                    continue  # one label only: the area is undefined, as in every other table
                if reason := lacking(label, member):
                    untested[name] = reason
                    continue
                rows[variant, tuple(run), name] = len(rows)
                labels.append(label)
                scores.append(score)
        if not rows:
            return cls({}, Aucs(np.zeros(0), np.zeros((0, 0))), untested)
        return cls(rows, delong(np.stack(labels), np.stack(scores), member), untested)

    @property
    def note(self) -> str:
        """The missing tests with their reasons; "" if none is missing."""
        return " ".join(f"No DeLong test of {name}: {reason}" for name, reason in self.untested.items())

    def difference(self, first: str, second: str, classes: Sequence[str]) -> Contrast:
        """Return first minus second, mean over classes, then over paired replicates; NaN if it cannot be tested."""
        both = [{key[1] for key in self.rows if key[0] == variant} for variant in (first, second)]
        pairs = replicate_pairs(*(sorted(own, key=str) for own in both))
        weights, counted = np.zeros(len(self.rows)), 0
        if any(name in self.untested for name in classes):
            return _NO_CONTRAST
        for own, base in pairs:
            defined = [name for name in classes if {(first, own, name), (second, base, name)} <= self.rows.keys()]
            counted += bool(defined)
            for name in defined:
                weights[self.rows[first, own, name]] += 1 / len(defined)
                weights[self.rows[second, base, name]] -= 1 / len(defined)
        return self.aucs.contrast(weights / counted) if counted else _NO_CONTRAST

    def why_untested(self, first: str, second: str, classes: Sequence[str]) -> str:
        """Return the reason why `difference` has no p-value; "" if it has one."""
        found = self.difference(first, second, classes)
        if not math.isnan(found.p):
            return ""
        lacking_in = [f"{name}: {self.untested[name].rstrip('.')}" for name in classes if name in self.untested]
        if lacking_in:
            return "; ".join(lacking_in)
        return NO_AREA if math.isnan(found.value) else NO_VARIANCE


def tied_with_best(values: Sequence[float], p_against: Callable[[int, int], float]) -> list[bool | None]:
    """Return True for each value that is not separated from the highest; None if it cannot be tested.

    The best is chosen on the same data, and p-values are adjusted for that (`against_best`).

    Args:
        values: the values; NaN cannot be tested.
        p_against: p-value of the difference of one to the best, by index; NaN if it cannot be tested.
    """
    known = [index for index, value in enumerate(values) if not math.isnan(value)]
    if not known:
        return [None] * len(values)
    best = max(known, key=lambda index: values[index])
    p_values = np.full(len(values), math.nan)
    for index in known:
        if index != best:
            p_values[index] = p_against(index, best)
    adjusted = against_best(p_values, len(known))
    found: list[bool | None] = [None if math.isnan(p) else bool(p >= LEVEL) for p in adjusted]
    found[best] = True
    return found


def _check_finite(tested: pd.DataFrame) -> None:
    wrong = tested[tested["label"].notna() & ~np.isfinite(tested["score"].astype(float))]
    if len(wrong):
        row = wrong.iloc[0]
        raise ValueError(
            f"{row['variant']}, image {row['id']!r}, class {row['class']!r}: the score is {row['score']}; scores must "
            f"be finite ({len(wrong)} are not)."
        )


def _own(of_variant: Mapping[tuple[str, str], VariantValues]) -> dict[str, VariantValues]:
    """Return the own output of each variant, without heads and explainers."""
    return {variant: found for (variant, head), found in of_variant.items() if head == OWN_HEAD}


def _auc_columns(
    names: Sequence[str], of_variant: Mapping[str, VariantValues], areas: Areas, baseline: str, classes: Sequence[str]
) -> list[dict[str, Any]]:
    base = of_variant.get(baseline)
    values = [float(of_variant[name].over_replicates()[0]) for name in names]
    rows: list[dict[str, Any]] = [
        {"variant": name, "replicates": len(of_variant[name].replicates), RANKED: value}
        for name, value in zip(names, values, strict=True)
    ]
    for key in ("", *classes):
        suffix = f"/{key}" if key else ""
        against = []
        for row, name in zip(rows, names, strict=True):
            other = None if name == baseline else base
            row |= _bootstrapped(RANKED, suffix, of_variant[name].minus(other, key) if other else None, "p_bootstrap")
            chosen = [key] if key else list(classes)
            against.append(areas.difference(name, baseline, chosen) if other else _NO_CONTRAST)
            if not key:
                row[f"{RANKED}_untested"] = areas.why_untested(name, baseline, chosen) if other else ""
        adjusted = holm(np.array([found.p for found in against]))
        for row, found, p in zip(rows, against, adjusted, strict=True):
            ends = {"error": found.error, "p": found.p, "p_holm": float(p)}
            row |= {f"{RANKED}_{end}{suffix}": value for end, value in ends.items()}

    def p_against(first: int, second: int) -> float:
        of_variant[names[first]].minus(of_variant[names[second]])  # raises if the images differ
        found = areas.difference(names[first], names[second], classes)
        return _below(found.value, found.p)

    tied = tied_with_best(values, p_against)
    best = names[int(np.nanargmax(values))] if any(own is not None for own in tied) else ""
    why = ["" if own is not None else areas.why_untested(name, best, classes) if best else NO_AREA
           for name, own in zip(names, tied, strict=True)]  # fmt: skip
    return [row | {"tied": own, "tied_untested": reason} for row, own, reason in zip(rows, tied, why, strict=True)]


def _metric_columns(
    names: Sequence[str],
    metric: Metric,
    of_variant: Mapping[str, VariantValues],
    equal: Mapping[str, float],
    baseline: str,
) -> list[dict[str, Any]]:
    """Return the columns of a metric of models' own outputs and maps; NaN if a variant lacks it."""
    rows, key = [], metric.key
    values = [float(of_variant[name].over_replicates()[0]) if name in of_variant else math.nan for name in names]
    for name, value in zip(names, values, strict=True):
        gap = None if name == baseline else _gap(of_variant, equal, name, baseline)
        rows.append({key: value, **_bootstrapped(key, "", gap, "p")})
    adjusted = holm(np.array([row[f"{key}_p"] for row in rows]))

    def p_against(first: int, second: int) -> float:
        gap = _gap(of_variant, equal, names[first], names[second])
        return math.nan if gap is None else _below(metric.sign * float(gap[0]), bootstrap_p(gap))

    tied = tied_with_best([metric.sign * value for value in values], p_against)
    return [
        row | {f"{key}_p_holm": float(p), f"{key}_tied": own} for row, p, own in zip(rows, adjusted, tied, strict=True)
    ]


def _gap(of_variant: Mapping[str, VariantValues], equal: Mapping[str, float], first: str, second: str) -> Array | None:
    """Return the resampled difference of two variants; None if they are not comparable."""
    own, other = of_variant.get(first), of_variant.get(second)
    if own is None or other is None or not comparable(equal, first, second) or not own.same_images(other):
        return None
    return own.minus(other)


def _below(difference: float, p: float) -> float:
    """Return the p-value against the best; 1 if the paired replicates do not show it below, as when a seed failed."""
    return p if math.isnan(p) or difference < 0 else 1.0


def _bootstrapped(metric: str, suffix: str, gap: Array | None, p_name: str) -> dict[str, float]:
    """Return difference, interval and p-value of resampled differences; NaN without any."""
    gap = np.full(1, math.nan) if gap is None else gap
    found = interval(gap)
    ends = {"": found.value, "_low": found.low, "_high": found.high}
    row = {f"{metric}_difference{end}{suffix}": value for end, value in ends.items()}
    return {**row, f"{metric}_{p_name}{suffix}": bootstrap_p(gap)}
