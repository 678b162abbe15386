"""Results of a check of a data set, as values and JSON. Imports nothing heavy, because every plan reads them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

Verdict = Literal["clear", "unsure", "shortcut", "contradiction", "leak", "unfit"]
ORDER: tuple[Verdict, ...] = get_args(Verdict)
WRONG: frozenset[Verdict] = frozenset({"shortcut", "contradiction", "leak", "unfit"})
NOT_CHECKED = "not checked"
FORMAT = 1
MOST_ROWS = 1000
SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A finding about a data set; an error makes the data set unfit for a study.

    Args:
        level: severity.
        message: text for a reader, with the number.
        verdict: verdict on the data set; empty for information only.
        number: number of groups, pairs or images; None if nothing is counted.
        rows: the first 1,000 cases, each as its groups and images, as "train: id".
    """

    level: Literal["info", "warning", "error"]
    message: str
    verdict: Verdict | Literal[""] = ""
    number: int | None = None
    rows: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Shortcut:
    """Prediction of one class without a lesion.

    Args:
        class_name: the class.
        source: the predictor: "all features", one of `features.PARTS`, or "metadata: <name>".
        model: "logistic", "forest" or "tree".
        auc: out-of-fold area under the ROC curve, folds grouped by patient.
        low: lower bound of the 95 % interval, groups resampled.
        high: upper bound.
        images: number of images used.
        verdict: clear below .60; shortcut at or above it; unsure if the interval reaches .5.
        rows: unless clear, the most confidently classified images of the class, as "train: id".
    """

    class_name: str
    source: str = "all features"
    model: str
    auc: float
    low: float
    high: float
    images: int
    verdict: Verdict
    rows: tuple[str, ...] = ()

    @property
    def of_metadata(self) -> bool:
        """True if the predictor is metadata, not the image."""
        return self.source.startswith("metadata: ")


@dataclass(frozen=True, kw_only=True)
class DataCheck:
    """A full check of one data set.

    Args:
        digest: the data set's.
        metadata_digest: of `Dataset.metadata`, which is no part of the data set's digest.
        findings: counts, leaks, duplicates.
        shortcuts: one row per class, source and model.
    """

    digest: str
    metadata_digest: str = ""
    findings: tuple[Finding, ...] = ()
    shortcuts: tuple[Shortcut, ...] = ()
    format: int = field(default=FORMAT, init=False)

    @property
    def verdict(self) -> Verdict:
        """The most severe verdict."""
        return gravest(self.findings, self.shortcuts)

    @property
    def summary(self) -> str:
        """The most severe findings in one line; empty if all is clear."""
        parts = [(ORDER.index(item.verdict), _short(item)) for item in self.findings if item.verdict]
        parts += [(ORDER.index(row.verdict), _line(row)) for row in worst_shortcuts(self.shortcuts)]
        ordered = [text for _, text in sorted(parts, key=lambda part: -part[0])]
        more = f"; and {len(ordered) - SHOWN} more" if len(ordered) > SHOWN else ""
        return "; ".join(ordered[:SHOWN]) + more

    def to_json(self) -> str:
        """Return the check as one JSON document, with verdict and summary."""
        return json.dumps({"verdict": self.verdict, "summary": self.summary} | asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> DataCheck | None:
        """Return the check that `to_json` wrote; None for another format or damaged text."""
        try:
            values = json.loads(text)
            if values["format"] != FORMAT:
                return None
            findings = tuple(Finding(**_tuples(item)) for item in values["findings"])
            shortcuts = tuple(Shortcut(**_tuples(item)) for item in values["shortcuts"])
            return cls(
                digest=values["digest"],
                metadata_digest=values["metadata_digest"],
                findings=findings,
                shortcuts=shortcuts,
            )
        except (ValueError, TypeError, KeyError):
            return None


def gravest(findings: Sequence[Finding], shortcuts: Sequence[Shortcut] = ()) -> Verdict:
    """Return the most severe verdict; clear if there is none."""
    found = [item.verdict for item in findings if item.verdict] + [item.verdict for item in shortcuts]
    return max(found, key=ORDER.index, default="clear")


def worst_shortcuts(shortcuts: Sequence[Shortcut]) -> list[Shortcut]:
    """Return the row of highest AUC per class, for images and for metadata, unless it is clear."""
    worst: dict[tuple[str, bool], Shortcut] = {}
    for row in shortcuts:
        key = row.class_name, row.of_metadata
        if row.verdict != "clear" and (key not in worst or row.auc > worst[key].auc):
            worst[key] = row
    return list(worst.values())


def _short(finding: Finding) -> str:
    return finding.message.split(", such as ")[0]


def _line(row: Shortcut) -> str:
    return f"{row.class_name!r} predicted by {row.source}, AUC {row.auc:.2f} [{row.low:.2f}, {row.high:.2f}]"


def _tuples(item: Mapping[str, Any]) -> dict[str, Any]:
    rows = [tuple(row) if isinstance(row, list) else row for row in item["rows"]]
    return {**item, "rows": tuple(rows)}
