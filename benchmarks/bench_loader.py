"""The time that training waits for data with a warm cache: GMIC on phantoms, as the quick budget trains it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.contract.loading.catalog import Catalog
from harness.contract.types import Epoch, TrialSpec, Workspace
from harness.trial.trial import run_trial

WANTED = 0.03
"""Largest allowed share of an epoch that is spent waiting."""


@dataclass(frozen=True)
class Waiting:
    """One epoch of training and validation.

    Args:
        name: of the augmentation.
    """

    name: str
    epoch_s: float
    waited_s: float

    @property
    def share(self) -> float:
        """The fraction of the epoch that was spent waiting."""
        return self.waited_s / self.epoch_s


def waiting(augment: tuple[str, ...] = ("flip", "shift"), threads: int = 1) -> Waiting:
    """Measure the second epoch of a trial: the first has warmed the page cache."""
    tree: dict[str, Any] = {
        "dataset": {"use": "phantom_mammograms", "image_size": [256, 192]},
        "train": {"epochs": 2, "batch_size": 16, "augment": augment},
        "model": {"use": "gmic", "backbone": {"use": "resnet22", "stride": 16, "width": 8}},
    }
    spec = TrialSpec(
        study="bench", study_id="0" * 16, budget="quick", variant="gmic", variant_id="0" * 16,
        stage="search", number=0, seed=0, tree=tree,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(data=Path(folder), cache=Path(folder) / "cache", device="cpu", threads=threads)
        *epochs, result = run_trial(spec, Catalog.discover(), workspace)
    if len(epochs) != 2 or not isinstance(epochs[1], Epoch):
        raise RuntimeError(f"the trial failed: {result}")
    return Waiting(", ".join(augment) or "none", epochs[1].seconds, epochs[1].waited)


def main() -> None:
    """Print a line for the cheap augmentations and one for all of them."""
    for augment in (("flip", "shift"), ("flip", "flip_vertical", "shift", "rotate", "scale", "noise")):
        found = waiting(augment)
        print(
            f"waiting for data ({found.name}): {100 * found.share:.2f} % of {found.epoch_s:.1f} s, "
            f"at most {100 * WANTED:.0f} % wanted"
        )


if __name__ == "__main__":
    main()
