"""The terms that the formula of a metric reads, class by class, from the rows of tables."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.contract.metrics import Reads
from harness.contract.tables import CONTROL, OWN_HEAD
from harness.metrics.maps.froc import Froc
from harness.metrics.maps.layers import by_image
from harness.metrics.maps.localisation import localisable
from harness.metrics.metric import TERM, Metric
from harness.metrics.scores.ranking import checked, is_probability, to_arrays
from harness.metrics.terms import Scores, Winners
from harness.statistics.arrays import Array
from harness.tables.rows import by_model, heads_of

if TYPE_CHECKING:
    import pandas as pd

READS: Mapping[Reads, tuple[str, ...]] = {
    "scores": ("predictions",),
    "winners": ("predictions",),
    "maps": ("maps", "terms"),
    "lesions": ("maps", "lesions", "candidates"),
    "layers": ("layers",),
    "attention": ("attention",),
    "weights": ("terms",),
}
"""Subject that a metric reads -> the tables that it needs; the first one defines the models."""


@dataclass(frozen=True)
class Terms:
    """The terms of one class, of one model on one split.

    Args:
        value: input of the formula.
        ids: of its rows, or of their images.
        groups: the patient of each.
        count: number of images, or of lesions.
    """

    value: Any
    ids: Sequence[str]
    groups: Array
    count: int


@dataclass(frozen=True)
class Tables:
    """The tables of confirmed models; None or empty if absent.

    `kept` holds resampled values of metrics, so that tables over the same models compute them once.
    """

    predictions: pd.DataFrame | None = None
    maps: pd.DataFrame | None = None
    lesions: pd.DataFrame | None = None
    candidates: pd.DataFrame | None = None
    layers: pd.DataFrame | None = None
    attention: pd.DataFrame | None = None
    terms: pd.DataFrame | None = None
    kept: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)
    _models: dict[tuple[str, ...], dict[tuple[Any, ...], Rows]] = field(default_factory=dict, repr=False, compare=False)

    def has(self, metric: Metric) -> bool:
        """Return True if there is a table that the metric can be computed from."""
        table = getattr(self, READS[metric.record.reads][0])
        return table is not None and len(table) > 0

    def equal(self, metric: Metric) -> dict[str, float]:
        """Return the mean of the quantity that must be equal for a valid difference, by variant; {} if there is none.

        An example is the number of patches under attention.
        """
        table = getattr(self, READS[metric.record.reads][0])
        if not metric.record.equal or table is None:
            return {}
        means = table.groupby("variant")[metric.record.equal].mean().items()
        return {str(variant): float(value) for variant, value in means}

    def models(self, metric: Metric, split: str = "test", controls: bool = False) -> dict[tuple[Any, ...], Rows]:
        """Return the rows that the metric reads by (variant, head, seed, fold)."""
        own = (metric.record.reads, split, str(controls), metric.key if metric.record.form == "term" else "")
        if own not in self._models:  # once for all metrics with the same input
            self._models[own] = self._read(metric, split, controls)
        return self._models[own]

    def _read(self, metric: Metric, split: str, controls: bool) -> dict[tuple[Any, ...], Rows]:
        first, *others = READS[metric.record.reads]
        rows = _of_split(getattr(self, first), split, metric.key)
        if rows is None or rows.empty:
            return {}
        own = dict(by_model(_shown(rows, controls)))
        found: dict[tuple[Any, ...], dict[str, Any]] = {key: {first: table} for key, table in own.items()}
        for name in others:
            table = _of_split(getattr(self, name), split, metric.key)
            parts = {} if table is None else dict(by_model(_shown(table, controls)))
            for key, tables in found.items():  # lesions belong to a model, not to a map
                tables[name] = parts.get(key if table is None or "map" in table else (key[0], OWN_HEAD, *key[2:]))
        return {key: Rows(tables) for key, tables in found.items()}


@dataclass(frozen=True)
class Rows:
    """Rows of one model, and of one head or map of it, on one split, by table."""

    tables: Mapping[str, pd.DataFrame | None]
    _terms: dict[tuple[str, ...], dict[str, Terms]] = field(default_factory=dict, repr=False, compare=False)

    def of(self, metric: Metric, classes: Sequence[str]) -> dict[str, Terms]:
        """Return the terms of each class, and under "" those of all classes if the metric has such a value."""
        record = metric.record
        own = (record.reads, record.whole, record.per, metric.key if record.form == "term" else "", *classes)
        if own not in self._terms:
            self._terms[own] = _TERMS[record.reads](self, metric, classes)
        return self._terms[own]

    def fitted(
        self, metric: Metric, fit: Rows | None, classes: Sequence[str]
    ) -> Iterator[tuple[str, Terms, float, bool]]:
        """Yield class, terms, threshold fitted on the rows of another split, and whether the value is defined."""
        tuned = fit.of(metric, classes) if metric.split and fit is not None else {}
        defined = not metric.record.probabilities or self.probable
        for name, item in self.of(metric, classes).items():
            yield name, item, metric.fitted(tuned[name].value if name in tuned else None), defined

    def table(self, name: str) -> pd.DataFrame:
        """Return a table that must be present."""
        found = self.tables[name]
        assert found is not None
        return found

    @cached_property
    def probable(self) -> bool:
        """True if the known scores lie in [0, 1]."""
        rows = self.table("predictions")
        return is_probability(rows.loc[rows["label"].notna(), "score"].to_numpy(np.float64))


def of_scores(labels: Array, scores: Array, classes: Sequence[str]) -> dict[str, tuple[Scores, Array]]:
    """Return terms and row mask of each class, of labels and scores "n k"."""
    labels, scores = checked(labels, scores, classes)
    known = ~np.isnan(labels)
    return {
        name: (Scores(labels[known[:, k], k], scores[known[:, k], k]), known[:, k]) for k, name in enumerate(classes)
    }


def of_winners(labels: Array, scores: Array, classes: Sequence[str]) -> tuple[dict[str, Winners], Array]:
    """Return the terms of all classes under "" and of each class, and the mask of their rows.

    Raises:
        ValueError: an image has no class or several, or a score is not finite.
    """
    labels, scores = np.asarray(labels, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    known: Array = np.asarray(~np.isnan(labels).any(1))
    labels, scores = labels[known], scores[known]
    if not (labels.sum(1) == 1).all():
        raise ValueError("an image of a multi-class task must have exactly one class, but one has none or several.")
    if not np.isfinite(scores).all():
        raise ValueError("scores must be finite, but one is NaN or infinite.")
    places: list[tuple[str, int | None]] = [("", None), *((name, k) for k, name in enumerate(classes))]
    return {name: Winners(labels, scores, place) for name, place in places}, known


def wanted(metric: Metric, found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the items that the metric has a value for: each class, all classes, or both."""
    whole = metric.record.whole
    return {name: item for name, item in found.items() if (name or whole != "mean") and not (name and whole == "only")}


def _scores(rows: Rows, metric: Metric, classes: Sequence[str]) -> dict[str, Terms]:
    own = rows.table("predictions")
    labels, scores = to_arrays(own, classes)
    groups = own.groupby("id")["group"].first()  # in the order of `to_arrays`: by id
    ids, members = np.asarray(groups.index), groups.to_numpy()
    if metric.record.reads == "winners":
        winners, known = of_winners(labels, scores, classes)
        keys, count = ids[known].tolist(), int(known.sum())
        return wanted(metric, {name: Terms(t, keys, members[known], count) for name, t in winners.items()})
    found = of_scores(labels, scores, classes)
    return {name: Terms(t, ids[known].tolist(), members[known], int(known.sum())) for name, (t, known) in found.items()}


def _maps(rows: Rows, metric: Metric, classes: Sequence[str]) -> dict[str, Terms]:
    own = with_terms(localisable(rows.table("maps")), rows.tables.get("terms"), metric)
    return {name: _rows(own[own["class"] == name]) for name in classes}


def with_terms(maps: pd.DataFrame, terms: pd.DataFrame | None, metric: Metric) -> pd.DataFrame:
    """Return rows of the maps table with the stored values of a metric of form "term"; NaN where none is stored."""
    if metric.record.form != "term":
        return maps
    own = None if terms is None else terms[terms["metric"] == metric.key]
    if own is None or own.empty:
        return maps.assign(**{TERM: math.nan})
    keys = ["split", "id", "class"]
    return maps.merge(own[[*keys, "value"]].rename(columns={"value": TERM}), on=keys, how="left")


def _lesions(rows: Rows, metric: Metric, classes: Sequence[str]) -> dict[str, Terms]:
    maps, lesions, candidates = (rows.tables[name] for name in ("maps", "lesions", "candidates"))
    assert maps is not None
    found = {}
    for name in classes:
        known = maps[(maps["class"] == name) & maps["mask_known"].astype(bool)]
        drawn, said = (maps[:0] if t is None else t[t["class"] == name] for t in (lesions, candidates))
        if lesions is None or candidates is None:
            froc = Froc((), *(np.zeros(0) for _ in range(4)))
        else:
            froc = Froc.of(known["id"].tolist(), drawn[(drawn["label"] == 1) & drawn["id"].isin(known["id"])], said)
        count = froc.found.size if metric.record.per == "lesion" else len(froc.images)
        found[name] = Terms(froc, froc.images, known["group"].to_numpy()[: len(froc.images)], count)
    return found


def _layers(rows: Rows, metric: Metric, classes: Sequence[str]) -> dict[str, Terms]:
    table, found = rows.table("layers"), {}
    for name in classes:
        own = table[(table["class"] == name) & (table["label"] == 1)]
        once = own.drop_duplicates("id")
        found[name] = Terms(by_image(own), once["id"].tolist(), once["group"].to_numpy(), len(once))
    return found


def _attention(rows: Rows, metric: Metric, classes: Sequence[str]) -> dict[str, Terms]:
    table = rows.table("attention")
    return {name: _rows(table[table["class"] == name]) for name in classes}


def _weights(rows: Rows, metric: Metric, classes: Sequence[str]) -> dict[str, Terms]:
    return {"": _rows(rows.table("terms").rename(columns={"value": TERM}))}


def _rows(own: pd.DataFrame) -> Terms:
    return Terms(own, own["id"].tolist(), own["group"].to_numpy(), len(own))


def _of_split(table: pd.DataFrame | None, split: str, key: str) -> pd.DataFrame | None:
    if table is None or table.empty:
        return None
    own = table[table["split"] == split]
    return own[own["metric"] == key] if "metric" in own else own


def _shown(rows: pd.DataFrame, controls: bool) -> pd.DataFrame:
    """Return the rows with a column of their head."""
    if "head" in rows:
        return rows
    if "map" not in rows:
        return rows.assign(head=OWN_HEAD)
    found = rows.assign(head=heads_of(rows))
    return found if controls else found[~found["map"].str.startswith(CONTROL)]


_TERMS: Mapping[Reads, Callable[[Rows, Metric, Sequence[str]], dict[str, Terms]]] = {
    "scores": _scores,
    "winners": _scores,
    "maps": _maps,
    "lesions": _lesions,
    "layers": _layers,
    "attention": _attention,
    "weights": _weights,
}
