"""Columns and entries of a manifest's table, and the mistakes found in it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness import InputError
from harness_datasets.manifest.mammograms.words import Side, View

MOST_REPORTED = 30
_INDEX = re.compile(r"|index|Unnamed: \d+(_level_\d+)?|level_\d+|__index_level_\d+__")
"""Names that pandas gives the number of a row, which is no fact of an image."""


@dataclass
class Mistakes:
    """Collects what is wrong with one manifest, then raises it as one error; `notes` are no mistakes."""

    manifest: Path
    found: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, message: str, row: int | None = None, column: str = "") -> None:
        """Add a mistake; `row` counts as a text editor does."""
        place = [f"row {row}" if row is not None else "", column]
        self.found.append(": ".join(part for part in [str(self.manifest), *place, message] if part))

    def raise_if_any(self) -> None:
        """Raise one InputError with every mistake, cut off after 30."""
        messages = list(dict.fromkeys(self.found))
        if messages:
            more = [f"… and {len(messages) - MOST_REPORTED} more"] if len(messages) > MOST_REPORTED else []
            raise InputError("\n".join(messages[:MOST_REPORTED] + more))


@dataclass(frozen=True)
class Columns:
    """Names of the table's columns; "" where there is none.

    Args:
        image: path of the image, relative to the manifest.
        group: patient.
        labels: a class each, column `label_<name>`.
        masks: columns `mask_<name>` are read.
        id: unique name; the image's path where "".
        unit: what is diagnosed; the image itself where "".
        split: train, val, tune_loc or test.
        metadata: what `Dataset.metadata` gives of a row; None for every further column.
        side: which breast, L or R; it stays metadata too.
        view: CC or MLO; it stays metadata too.
        flipped: YES where the file holds the mirror image; it stays metadata too.
        together: bag or exam: rows with the same name there are one sample, or the breasts of one exam.
    """

    image: str
    group: str
    labels: tuple[str, ...]
    masks: bool
    id: str = ""
    unit: str = ""
    split: str = ""
    metadata: tuple[str, ...] | None = None
    side: str = ""
    view: str = ""
    flipped: str = ""
    together: str = ""

    def further(self, names: Sequence[str]) -> list[str]:
        """Return the metadata columns: those stated, or all that are no label, mask or index and have no other use."""
        if self.metadata is not None:
            return list(self.metadata)
        used = {self.image, self.group, self.id, self.unit, self.split, "split", self.together}
        further = [name for name in names if name not in used and not name.startswith(("label_", "mask_"))]
        return [name for name in further if not _INDEX.fullmatch(name)]


@dataclass(frozen=True)
class Entry:
    """One row that is kept; `masks` holds the files of each class, and what a class has several of is their union."""

    row: int
    id: str
    group: str
    unit: str
    labels: tuple[float, ...]
    image: Path
    masks: tuple[tuple[Path, ...], ...]
    split: str
    metadata: Mapping[str, str | float] = field(default_factory=dict)
    side: Side = ""
    view: View = ""
    flipped: bool = False
    together: str = ""

    @property
    def files(self) -> tuple[Path, ...]:
        """The image's file and those of all masks."""
        return (self.image, *(path for own in self.masks for path in own))
