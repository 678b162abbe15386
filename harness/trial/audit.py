"""What a data set looks like before anything is trained on it; `harness data check` prints it.

`check_dataset` counts. `shortcut_auc` asks whether the labels can be told from features that have
nothing to do with a lesion: exposure, size, border, sharpness. A model must beat those figures to
have learned anything. Free of torch; the test split's images stay shut.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from harness.contract.dataset import Dataset
from harness.contract.types import Sample, Split
from harness.trial.cache import SPLITS, Cache, known_masks
from harness.trial.features import global_features

SUSPECT = 0.60
FOLDS = 5
AUDITED: tuple[Split, ...] = ("train", "val")
Verdict = Literal["clear", "unsure", "shortcut"]
Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing found in a data set; an error makes it unfit for a study."""

    level: Literal["info", "warning", "error"]
    message: str


@dataclass(frozen=True, kw_only=True)
class Shortcut:
    """How well global features tell one class.

    Args:
        class_name: which class.
        model: "logistic" or "forest".
        auc: out-of-fold area under the ROC curve, folds grouped by patient.
        low: lower end of the 95 % interval, groups resampled.
        high: upper end of it.
        images: how many were used.
        verdict: clear below .60; shortcut at or above it; unsure where the interval reaches .5.
    """

    class_name: str
    model: str
    auc: float
    low: float
    high: float
    images: int
    verdict: Verdict


def check_dataset(dataset: Dataset, cache: Cache | None = None) -> list[Finding]:
    """Counts by split and class, and what is wrong with the splits.

    Args:
        dataset: only its task and samples are looked at.
        cache: where given, outlines of train and val are counted too.
    """
    splits = {name: tuple(dataset.split(name)) for name in SPLITS}
    findings = [
        Finding(
            level="info",
            message=f"{dataset.task.kind}, one label a {dataset.task.unit}, "
            f"{dataset.task.image_size[0]} x {dataset.task.image_size[1]} px, {dataset.task.channels} channel(s), "
            f"masks: {dataset.task.mask_kind}",
        )
    ]
    for name, samples in splits.items():
        findings += _count(name, samples, dataset.task.classes)
    findings += _leaks(splits)
    findings += _unaudited([sample for name in AUDITED for sample in splits[name]], dataset.task.classes)
    if cache is not None and dataset.task.mask_kind != "none":
        findings += [_coverage(name, cache, dataset.task.classes) for name in AUDITED if splits[name]]
    return findings


def shortcut_auc(cache: Cache, *, folds: int = FOLDS, seed: int = 0) -> list[Shortcut]:
    """The AUC that global features alone reach for each class, by logistic regression and random forest.

    Args:
        cache: its splits train and val are pooled; 1,000 images give intervals of about +-.04.
        folds: of the grouped, stratified cross-validation.
        seed: of the folds, the forest and the resampling.

    Returns:
        Two rows a class. A class with fewer patients with or without it than folds has none; `check_dataset` says so.
    """
    parts = [cache.split(name) for name in AUDITED]
    samples = [sample for part in parts for sample in part.samples]
    features = np.array([global_features(image) for part in parts for image in part.images])
    if any(_stated_size(sample) for sample in samples):
        features = np.hstack([features, [_stated_size(sample) or (0.0, 0.0) for sample in samples]])
    labels = np.concatenate([part.labels for part in parts])
    groups = np.unique([sample.group for sample in samples], return_inverse=True)[1]
    rows = []
    for number, name in enumerate(cache.dataset.task.classes):
        known = ~np.isnan(labels[:, number])
        target, members = labels[known, number].astype(int), groups[known]
        if min(_patients(target, members)) < folds:
            continue
        for model in ("logistic", "forest"):
            scores = _out_of_fold(model, features[known], target, members, folds, seed)
            auc, low, high = _interval(target, scores, members, seed)
            verdict = _verdict(auc, low)
            row = Shortcut(
                class_name=name, model=model, auc=auc, low=low, high=high, images=len(target), verdict=verdict
            )
            rows.append(row)
    return rows


def _patients(target: npt.NDArray[np.generic], groups: npt.NDArray[np.generic]) -> tuple[int, int]:
    """How many groups have an image with the class, and one without it."""
    return len(np.unique(groups[target == 1])), len(np.unique(groups[target == 0]))


def _unaudited(samples: Sequence[Sample], classes: Sequence[str]) -> Iterator[Finding]:
    """The classes of which `shortcut_auc` can say nothing, with its number of folds."""
    labels = np.array([sample.labels for sample in samples]).reshape(len(samples), len(classes))
    groups = np.array([sample.group for sample in samples])
    for number, title in enumerate(classes):
        having, lacking = _patients(labels[:, number], groups)
        if min(having, lacking) < FOLDS:
            message = (
                f"{' and '.join(AUDITED)} have {having} groups with {title!r} and {lacking} without: "
                f"{FOLDS} of each are needed to ask whether global features tell it"
            )
            yield Finding(level="warning", message=message)


def _out_of_fold(
    model: str, features: Floats, target: npt.NDArray[np.int_], groups: npt.NDArray[np.int_], folds: int, seed: int
) -> Floats:
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

    if model == "forest":
        return RandomForestClassifier(200, min_samples_leaf=5, max_features="sqrt", random_state=seed)
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000))


def _interval(
    target: npt.NDArray[np.int_], scores: Floats, groups: npt.NDArray[np.int_], seed: int, draws: int = 300
) -> tuple[float, float, float]:
    """AUC with the 2.5th and 97.5th percentile over resampled groups."""
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
    """Log height and width of the file, where the data set's `source` states them under "size"."""
    size = sample.source.get("size") if isinstance(sample.source, dict) else None
    return (math.log(size[0]), math.log(size[1])) if size else None


def _count(name: Split, samples: Sequence[Sample], classes: Sequence[str]) -> Iterator[Finding]:
    if not samples:
        if name != "tune_loc":
            yield Finding(level="error", message=f"{name}: no images")
        return
    labels = np.array([sample.labels for sample in samples])
    groups, units = {sample.group for sample in samples}, {sample.unit for sample in samples}
    counts = ", ".join(
        f"{title} {int((labels[:, number] == 1).sum())}"
        + (f" ({unknown} unknown)" if (unknown := int(np.isnan(labels[:, number]).sum())) else "")
        for number, title in enumerate(classes)
    )
    yield Finding(
        level="info", message=f"{name}: {len(samples)} images, {len(groups)} groups, {len(units)} units; {counts}"
    )
    for number, title in enumerate(classes):
        for value, word in ((1, "with"), (0, "without")):
            if name != "tune_loc" and not (labels[:, number] == value).any():
                yield Finding(level="error", message=f"{name}: no image {word} {title!r}")


def _leaks(splits: dict[Split, tuple[Sample, ...]]) -> Iterator[Finding]:
    for one, other in combinations(splits, 2):
        shared = {sample.group for sample in splits[one]} & {sample.group for sample in splits[other]}
        # tune_loc may be val seen with its masks.
        if shared and {one, other} != {"val", "tune_loc"}:
            example = min(shared)
            yield Finding(level="error", message=f"{len(shared)} groups in both {one} and {other}, such as {example!r}")
    ids = [sample.id for samples in splits.values() for sample in samples]
    if len(set(ids)) < len(ids):
        yield Finding(level="error", message=f"{len(ids) - len(set(ids))} ids are used more than once")


def _coverage(name: Split, cache: Cache, classes: Sequence[str]) -> Finding:
    """How many positives have an outline, and the median share of the image it covers."""
    labels, masks = cache.split(name).labels, cache.masks(name)
    assert masks is not None, "the caller asks only where the task has masks"
    known = np.concatenate([known_masks(labels[i : i + 64], masks[i : i + 64]) for i in range(0, len(labels), 64)])
    parts = []
    for number, title in enumerate(classes):
        drawn = np.flatnonzero((labels[:, number] == 1) & known[:, number])
        shares = [100 * float((masks[image, number] > 0).mean()) for image in drawn]
        median = f", median {np.median(shares):.2f} % of the image" if shares else ""
        parts.append(f"{title} {len(drawn)} of {int((labels[:, number] == 1).sum())} positives outlined{median}")
    return Finding(level="info", message=f"{name}: " + "; ".join(parts))


__all__ = ["Finding", "Shortcut", "check_dataset", "shortcut_auc"]
