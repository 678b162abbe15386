"""The check of a data set's table before training: counts per split and class, and errors in the splits.

Decodes nothing, unless it gets a cache in which to count outlines. Free of torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np

from harness.audit.outlines import outline_findings
from harness.audit.shortcuts import AUDITED, FOLDS, patients
from harness.audit.verdicts import MOST_ROWS, Finding
from harness.contract.dataset import Dataset
from harness.contract.masks import REGIONS
from harness.contract.types import Sample, Split, Task
from harness.trial.data.cache import SPLITS, Cache, known_masks


def check_dataset(dataset: Dataset, cache: Cache | None = None) -> list[Finding]:
    """Return counts by split and class, and errors in the splits.

    Args:
        dataset: only its task and samples are read.
        cache: if given, outlines of train and val are counted and judged too.
    """
    splits = {name: tuple(dataset.split(name)) for name in SPLITS}
    findings = [
        Finding(
            level="info",
            message=f"{dataset.task.kind}, one label per {dataset.task.unit}, {_sample_text(dataset.task)}, "
            f"masks: {dataset.task.mask_kind}",
        )
    ]
    findings += [Finding(level="warning", message=note) for note in dataset.notes()]
    for name, samples in splits.items():
        findings += _count(name, samples, dataset.task.classes)
    findings += _leaks(splits)
    findings += _unaudited([sample for name in AUDITED for sample in splits[name]], dataset.task.classes)
    if cache is not None and dataset.task.mask_kind != "none":
        findings += [_coverage(name, cache, dataset.task.classes) for name in AUDITED if splits[name]]
        findings += outline_findings(cache) if dataset.task.mask_kind in REGIONS else []
    return findings


def _sample_text(task: Task) -> str:
    """Return a description of a sample."""
    channels = "1 channel" if task.channels == 1 else f"{task.channels} channels"
    image = f"{task.image_size[0]} x {task.image_size[1]} px, {channels}"
    words = {
        "bag": f"bags of images of {image}",
        "views": f"views {', '.join(task.views)} of {image}",
        "features": f"feature tables of {task.features} columns",
    }
    return words.get(task.sample, image)


def _unaudited(samples: Sequence[Sample], classes: Sequence[str]) -> Iterator[Finding]:
    """Yield a warning for each class with fewer groups than `shortcut_auc` needs for its folds."""
    labels = np.array([sample.labels for sample in samples]).reshape(len(samples), len(classes))
    groups = np.array([sample.group for sample in samples])
    for number, title in enumerate(classes):
        having, lacking = patients(labels[:, number], groups)
        if min(having, lacking) < FOLDS:
            message = (
                f"{' and '.join(AUDITED)} have {having} groups with {title!r} and {lacking} without: "
                f"{FOLDS} of each are needed to test whether global features predict it"
            )
            yield Finding(level="warning", verdict="unsure", number=min(having, lacking), message=message)


def _count(name: Split, samples: Sequence[Sample], classes: Sequence[str]) -> Iterator[Finding]:
    if not samples:
        if name != "tune_loc":
            yield Finding(level="error", verdict="unfit", message=f"{name}: no images")
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
                yield Finding(level="error", verdict="unfit", message=f"{name}: no image {word} {title!r}")


def _leaks(splits: Mapping[Split, Sequence[Sample]]) -> Iterator[Finding]:
    for one, other in combinations(splits, 2):
        shared = {sample.group for sample in splits[one]} & {sample.group for sample in splits[other]}
        # tune_loc may be val seen with its masks.
        if shared and {one, other} != {"val", "tune_loc"}:
            yield Finding(
                level="error",
                verdict="leak",
                number=len(shared),
                message=f"{len(shared)} groups in both {one} and {other}, such as {min(shared)!r}",
                rows=_members({name: splits[name] for name in (one, other)}, sorted(shared)[:MOST_ROWS]),
            )
    yield from _repeated(splits)


def _members(splits: Mapping[Split, Sequence[Sample]], groups: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Return each group with its images, as "train: id"."""
    rows: dict[str, list[str]] = {group: [group] for group in groups}
    for name, samples in splits.items():
        for sample in samples:
            if sample.group in rows:
                rows[sample.group].append(f"{name}: {sample.id}")
    return tuple(tuple(row) for row in rows.values())


def _repeated(splits: Mapping[Split, Sequence[Sample]]) -> Iterator[Finding]:
    """Yield errors for ids that are not unique and units of more than one group."""
    places: dict[str, list[str]] = {}
    groups: dict[str, set[str]] = {}
    for name, samples in splits.items():
        for sample in samples:
            places.setdefault(sample.id, []).append(f"{name}: {sample.id}")
            groups.setdefault(sample.unit, set()).add(sample.group)
    repeated = [tuple(found) for found in places.values() if len(found) > 1]
    if repeated:
        yield Finding(
            level="error",
            verdict="unfit",
            number=len(repeated),
            message=f"{len(repeated)} ids are used more than once",
            rows=tuple(repeated[:MOST_ROWS]),
        )
    torn = [(unit, *sorted(found)) for unit, found in groups.items() if len(found) > 1]
    if torn:
        message = f"{len(torn)} units are in more than one group, such as {torn[0][0]!r}"
        yield Finding(level="error", verdict="unfit", number=len(torn), message=message, rows=tuple(torn[:MOST_ROWS]))


def _coverage(name: Split, cache: Cache, classes: Sequence[str]) -> Finding:
    """Return the number of positives with an outline, and the median share of the image it covers."""
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
