"""Shortcuts: how well exposure, size, border, sharpness and metadata predict the labels without a lesion.

A model must exceed these values to have learned anything. Uses the training and validation splits
only. Free of torch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.audit.features import feature_parts
from harness.audit.verdicts import Shortcut, Verdict
from harness.contract.dataset import Dataset
from harness.contract.types import Sample, Split
from harness.trial.data.cache import Cache, CachedSplit

SUSPECT = 0.60
FOLDS = 5
AUDITED: tuple[Split, ...] = ("train", "val")
RAREST = 5  # categories of fewer images are merged
ROWS = 5
Floats = npt.NDArray[np.floating[Any]]
Integers = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Audited:
    """The images that are checked.

    Args:
        places: "train: id" of each.
        labels: "n k", NaN if unknown.
        groups: number of the patient, "n".
        classes: names of the classes.
    """

    places: Sequence[str]
    labels: Floats
    groups: Integers
    classes: Sequence[str]


def shortcut_auc(cache: Cache, *, folds: int = FOLDS, seed: int = 0) -> list[Shortcut]:
    """Compute the AUC of features of the whole image for each class, together and by part.

    Args:
        cache: its splits train and val are pooled; 1,000 images give intervals of about +-.04.
        folds: of the grouped, stratified cross-validation.
        seed: of the folds, the forest and the resampling.

    Returns:
        For each class one row of logistic regression and one of a random forest on all features, and one row of
        logistic regression on each part. A class with fewer patients with or without it than folds has no row;
        `check_dataset` warns of that.
    """
    parts = [cache.split(name) for name in AUDITED]
    samples = [sample for part in parts for sample in part.samples]
    found = [item for part in parts for item in _global(part)]
    features = {name: np.array([item[name] for item in found]) for name in (found[0] if found else ())}
    if any(_stated_size(sample) for sample in samples):
        stated = np.array([_stated_size(sample) or (0.0, 0.0) for sample in samples])
        features["size"] = np.hstack([features["size"], stated])
    audited = _audited({part.name: part.samples for part in parts}, cache.dataset.task.classes)
    together = np.hstack(list(features.values())) if features else np.empty((0, 0))
    rows: list[Shortcut] = []
    for number in range(len(audited.classes)):
        for model in ("logistic", "forest"):
            rows += _row(audited, number, "all features", model, together, folds, seed)
        for name, values in features.items():
            rows += _row(audited, number, name, "logistic", values, folds, seed)
    return rows


def _global(part: CachedSplit) -> Iterator[dict[str, Floats]]:
    """Yield the features of each sample by part.

    For a bag or an exam this is the mean over its images, and the number of "instances". For a feature table it
    is only that number, because its features are the input of a model.
    """
    if part.bags is None:
        yield from (feature_parts(image) for image in part.images)
        return
    for start, count in zip(part.bags.offsets, part.bags.counts, strict=False):
        found = {"instances": np.array([float(count)])}
        if part.bags.values.ndim == 4:
            each = [feature_parts(image) for image in part.bags.values[start : start + count]]
            found |= {name: np.mean([item[name] for item in each], axis=0) for name in each[0]}
        yield found


def metadata_auc(dataset: Dataset, *, folds: int = FOLDS, seed: int = 0) -> list[Shortcut]:
    """Compute the AUC of each metadata entry for each class, by a small decision tree; decodes nothing.

    Args:
        dataset: its `metadata` of train and val is read. Entries that are equal for all images, or differ for
            nearly every image, are left out.
        folds: of the grouped, stratified cross-validation.
        seed: of the folds and the resampling.
    """
    splits = {name: tuple(dataset.split(name)) for name in AUDITED}
    audited = _audited(splits, dataset.task.classes)
    table = [dataset.metadata(sample) for samples in splits.values() for sample in samples]
    rows: list[Shortcut] = []
    for name in dict.fromkeys(key for item in table for key in item):
        values = _encoded([item.get(name, "") for item in table])
        if values.shape[1]:
            for number in range(len(audited.classes)):
                rows += _row(audited, number, f"metadata: {name}", "tree", values, folds, seed)
    return rows


def patients(target: npt.NDArray[np.generic], groups: npt.NDArray[np.generic]) -> tuple[int, int]:
    """Return the number of groups with an image of the class, and of groups with an image without it."""
    return len(np.unique(groups[target == 1])), len(np.unique(groups[target == 0]))


def _audited(splits: Mapping[Split, Sequence[Sample]], classes: Sequence[str]) -> Audited:
    samples = [sample for part in splits.values() for sample in part]
    labels = np.array([sample.labels for sample in samples], float).reshape(len(samples), len(classes))
    groups = np.unique([sample.group for sample in samples], return_inverse=True)[1]
    places = [f"{name}: {sample.id}" for name, part in splits.items() for sample in part]
    return Audited(places, labels, groups, classes)


def _row(
    audited: Audited, number: int, source: str, model: str, features: Floats, folds: int, seed: int
) -> Iterator[Shortcut]:
    """Yield the row of one class, source and model, if there are enough patients."""
    known = ~np.isnan(audited.labels[:, number])
    target, members = audited.labels[known, number].astype(int), audited.groups[known]
    if min(patients(target, members)) < folds:
        return
    scores = _out_of_fold(model, features[known], target, members, folds, seed)
    auc, low, high = _interval(target, scores, members, seed)
    verdict = _verdict(auc, low)
    surest = [int(place) for place in np.argsort(-scores, kind="stable") if target[place] == 1][:ROWS]
    yield Shortcut(
        class_name=audited.classes[number],
        source=source,
        model=model,
        auc=auc,
        low=low,
        high=high,
        images=len(target),
        verdict=verdict,
        rows=() if verdict == "clear" else tuple(audited.places[np.flatnonzero(known)[place]] for place in surest),
    )


def _encoded(values: Sequence[str | float]) -> Floats:
    """Return numbers unchanged (NaN if missing), texts as one column per category, no column if all are equal."""
    present = [value for value in values if value != ""]
    if all(isinstance(value, int | float) for value in present):
        numbers = np.array([math.nan if value == "" else float(value) for value in values])
        same = np.isnan(numbers).all() or (numbers == numbers[0]).all()
        return numbers[:, None][:, : 0 if same else 1]
    _, kinds, counts = np.unique([str(value) for value in values], return_inverse=True, return_counts=True)
    columns = [kinds == kind for kind in np.flatnonzero((counts >= RAREST) & (counts < len(values)))]
    return np.array(columns, float).reshape(len(columns), len(values)).T


def _out_of_fold(model: str, features: Floats, target: Integers, groups: Integers, folds: int, seed: int) -> Floats:
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

    split = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    scores: Floats = cross_val_predict(
        _classifier(model, seed), features, target, groups=groups, cv=split, method="predict_proba"
    )[:, 1]
    return scores


def _classifier(model: str, seed: int) -> Any:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.tree import DecisionTreeClassifier

    if model == "tree":
        return DecisionTreeClassifier(min_samples_leaf=5, max_leaf_nodes=16, random_state=seed)
    if model == "forest":
        return RandomForestClassifier(200, min_samples_leaf=5, max_features="sqrt", random_state=seed)
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000))


def _interval(
    target: Integers, scores: Floats, groups: Integers, seed: int, draws: int = 300
) -> tuple[float, float, float]:
    """Return the AUC with the 2.5th and 97.5th percentile over resampled groups."""
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    drawn = []
    for _ in range(draws):
        chosen = np.concatenate([members[number] for number in rng.integers(len(members), size=len(members))])
        if len(np.unique(target[chosen])) == 2:
            drawn.append(roc_auc_score(target[chosen], scores[chosen]))
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(roc_auc_score(target, scores)), float(low), float(high)


def _verdict(auc: float, low: float) -> Verdict:
    if auc < SUSPECT:
        return "clear"
    return "shortcut" if low > 0.5 else "unsure"


def _stated_size(sample: Sample) -> tuple[float, float] | None:
    """Return log height and width of the file, if the sample's `source` has a "size"."""
    size = sample.source.get("size") if isinstance(sample.source, dict) else None
    return (math.log(size[0]), math.log(size[1])) if size else None
