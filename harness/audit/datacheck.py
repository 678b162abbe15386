"""The full check of a data set: splits, duplicates, and shortcuts that predict the labels without a lesion.

Images of the test split are compared with the others, and their labels with those of their copies. No
model sees them and nothing is scored on them, so the ledger of test openings does not count it.
Shortcuts are tested on train and val only.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.audit.audit import check_dataset
from harness.audit.duplicates import Pairs, find_pairs, fingerprints
from harness.audit.shared import shared_instances
from harness.audit.shortcuts import metadata_auc, shortcut_auc
from harness.audit.verdicts import MOST_ROWS, DataCheck, Finding, Verdict
from harness.contract.dataset import Dataset
from harness.contract.types import Sample, Split
from harness.trial.data.cache import SPLITS, Cache

TEST_NOTE = (
    "the {count} images of test were compared with the others for duplicates; no model saw them, "
    "so this is no opening of the test split"
)
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class _Kind:
    """A kind of error in a pair of copies."""

    title: str
    exact: tuple[str, Verdict]
    near: tuple[str, Verdict]


SURE_AGREEMENT = 0.85
"""Lowest agreement at which images of two patients are one image; slices of two healthy brains reach .73."""
_ACROSS = _Kind("in two splits", ("error", "leak"), ("error", "leak"))
_ALIKE = _Kind("in two splits, of two groups", ("error", "leak"), ("warning", "unsure"))
_DIFFERENT = _Kind("with different labels", ("error", "contradiction"), ("warning", "unsure"))
_GROUPS = _Kind("in one split under two groups", ("warning", "unsure"), ("warning", "unsure"))


def full_check(cache: Cache) -> DataCheck:
    """Run every check of a data set that needs no training.

    Args:
        cache: of the data set; every image is read, outlines of train and val are counted.
    """
    dataset = cache.dataset
    return DataCheck(
        digest=dataset.digest,
        metadata_digest=metadata_digest(dataset),
        findings=(*check_dataset(dataset, cache), *duplicate_findings(cache)),
        shortcuts=(*shortcut_auc(cache), *metadata_auc(dataset)),
    )


def metadata_digest(dataset: Dataset) -> str:
    """Return the digest of the metadata of every image; a check is out of date when they change."""
    table = [sorted(dataset.metadata(sample).items()) for name in SPLITS for sample in dataset.split(name)]
    return hashlib.sha256(json.dumps(table).encode()).hexdigest()


def duplicate_findings(cache: Cache) -> list[Finding]:
    """Return exact and near duplicates across splits, with different labels or groups, and the number of harmless ones.

    See `shared_instances` for bags, exams and feature tables.
    """
    parts = [cache.split(name) for name in SPLITS]
    if cache.dataset.task.sample != "image":
        return list(shared_instances(parts))
    samples = [sample for part in parts for sample in part.samples]
    homes = [part.name for part in parts for _ in part.samples]
    pairs = find_pairs(fingerprints(image for part in parts for image in part.images))
    apart, tuned = _apart(pairs, homes)
    different, across_groups = _differ(pairs, samples), _across_groups(pairs, samples)
    report = _PairReport(pairs, [f"{home}: {sample.id}" for home, sample in zip(homes, samples, strict=True)])
    alike = apart & across_groups & ~pairs.exact & (pairs.agreement < SURE_AGREEMENT)
    findings = [*report.findings(_ACROSS, apart & ~alike), *report.findings(_ALIKE, alike)]
    findings += report.findings(_DIFFERENT, different)
    findings += report.findings(_GROUPS, across_groups & ~apart & ~tuned)
    harmless = int((~apart & ~tuned & ~different & ~across_groups).sum())
    if harmless:
        message = f"{_pairs(harmless)} of duplicates within one group and split, with the same labels"
        findings.append(Finding(level="info", number=harmless, message=message))
    if not len(pairs):
        findings.append(Finding(level="info", number=0, message=f"no duplicates among {len(samples)} images"))
    count = homes.count("test")
    return [*findings, Finding(level="info", number=count, message=TEST_NOTE.format(count=count))]


@dataclass(frozen=True)
class _PairReport:
    """Findings about pairs of copies.

    Args:
        pairs: all pairs.
        places: "train: id" of each image.
    """

    pairs: Pairs
    places: Sequence[str]

    def findings(self, kind: _Kind, chosen: Mask) -> Iterator[Finding]:
        """Yield one finding for the exact duplicates among the chosen pairs, and one for the near ones."""
        for exact, (level, verdict) in ((True, kind.exact), (False, kind.near)):
            found = np.flatnonzero(chosen & (self.pairs.exact == exact))
            if not len(found):
                continue
            # Highest agreement first, because a reader looks at the first few pairs only.
            found = found[np.argsort(-self.pairs.agreement[found], kind="stable")]
            rows = tuple(self._row(int(number)) for number in found[:MOST_ROWS])
            message = f"{_pairs(len(found))} of {'exact' if exact else 'near'} duplicates {kind.title}"
            yield Finding(
                level="error" if level == "error" else "warning",
                verdict=verdict,
                number=len(found),
                message=f"{message}, such as {' and '.join(rows[0][:2])}",
                rows=rows,
            )

    def _row(self, number: int) -> tuple[str, ...]:
        pairs = self.pairs
        agreement = "" if pairs.exact[number] else f"agreement {pairs.agreement[number]:.2f}"
        row = (self.places[pairs.first[number]], self.places[pairs.second[number]], agreement)
        return tuple(filter(None, row))


def _pairs(number: int) -> str:
    return f"{number} pair" if number == 1 else f"{number} pairs"


def _apart(pairs: Pairs, homes: Sequence[Split]) -> tuple[Mask, Mask]:
    """Return which pairs are in two splits, and which are in val and tune_loc.

    The latter are allowed, because tune_loc may be val with its masks.
    """
    found = [(homes[i], homes[j]) for i, j in zip(pairs.first, pairs.second, strict=True)]
    tuned = np.array([set(two) == {"val", "tune_loc"} for two in found], bool)
    return np.array([one != other for one, other in found], bool) & ~tuned, tuned


def _across_groups(pairs: Pairs, samples: Sequence[Sample]) -> Mask:
    """Return which pairs are of different groups."""
    groups = np.unique([sample.group for sample in samples], return_inverse=True)[1]
    found: Mask = groups[pairs.first] != groups[pairs.second]
    return found


def _differ(pairs: Pairs, samples: Sequence[Sample]) -> Mask:
    """Return which pairs have a label that is 1 in one image and 0 in the other; unknown labels do not count."""
    labels = np.array([sample.labels for sample in samples], float)
    found: Mask = (np.abs(labels[pairs.first] - labels[pairs.second]) == 1).any(1)
    return found
