"""The costs of a study: its data, the cost of each variant's search, failures and the ledger."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.contract.types import Objective, Sample
from harness.statistics.arrays import mean_defined

if TYPE_CHECKING:
    import pandas as pd

TRIALS = ("variant", "stage", "number", "seed", "state", "value", "epochs", "seconds", "reason")
"""Columns of the table of trials for `search_table` and the report, one row per trial."""

STAGES = ("search", "confirm")
READERS = ("fit", "select", "tune_loc", "test")
"""Stages of a trial that read labels and masks: `TrialResult.ledger["read"]`."""


def search_table(trials: pd.DataFrame, *, order: Sequence[str], objective: Objective) -> pd.DataFrame:
    """Return the cost of each variant's search, and the optimism of its result.

    Returns:
        `variant`; numbers of search trials by state; epochs spent in search and in confirm; `searched`, the best
        value of a complete trial; `confirmed`, the mean value over replicates on the same validation split;
        `optimism`, how much better `searched` is.
    """
    import pandas as pd

    sign, rows = (1 if objective.mode == "max" else -1), []
    for variant in order:
        own = trials[trials["variant"] == variant]
        search, confirm = own[own["stage"] == "search"], own[own["stage"] == "confirm"]
        states = {state: int((search["state"] == state).sum()) for state in ("complete", "pruned", "failed")}
        values = search.loc[search["state"] == "complete", "value"].astype(float).dropna()
        best = math.nan if values.empty else float(values.max() if sign > 0 else values.min())
        later = mean_defined(confirm.loc[confirm["state"] == "complete", "value"].to_numpy())
        known = own[own["epochs"].notna()]  # an unfinished trial has none
        spent = {f"epochs_{stage}": int(known.loc[known["stage"] == stage, "epochs"].sum()) for stage in STAGES}
        gap = {"searched": best, "confirmed": later, "optimism": sign * (best - later)}
        rows.append({"variant": variant, "trials": len(search), **states, **spent, **gap})
    return pd.DataFrame(rows)


def data_card(splits: Mapping[str, Sequence[Sample]], classes: Sequence[str]) -> pd.DataFrame:
    """Count images, units and patients of each split, and per class positives and unknown labels."""
    import pandas as pd

    rows = []
    for name, samples in splits.items():
        labels = np.array([sample.labels for sample in samples], dtype=np.float64).reshape(len(samples), len(classes))
        row = {"split": name, "images": len(samples), "units": len({sample.unit for sample in samples})}
        row["patients"] = len({sample.group for sample in samples})
        for k, label in enumerate(classes):
            row |= {label: int((labels[:, k] == 1).sum()), f"{label} unknown": int(np.isnan(labels[:, k]).sum())}
        rows.append(row)
    table = pd.DataFrame(rows)
    return table.drop(columns=[f"{label} unknown" for label in classes if not table[f"{label} unknown"].any()])


def table_card(predictions: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """Return `data_card` for a study of tables only, from the rows of its first variant."""
    first = predictions[predictions["variant"] == predictions["variant"].iloc[0]].drop_duplicates(["id", "class"])
    splits = {}
    for split, rows in first.groupby("split", sort=False):
        keys = rows.drop_duplicates("id").set_index("id")
        labels = rows.pivot(index="id", columns="class", values="label").reindex(keys.index)[list(classes)]
        splits[str(split)] = [
            Sample(id=str(id), group=str(group), unit=str(unit), labels=tuple(labels.loc[id]))
            for id, group, unit in zip(keys.index, keys["group"], keys["unit"], strict=True)
        ]
    return data_card(splits, classes)


def unknown_masks(maps: pd.DataFrame) -> tuple[int, int]:
    """Count positive (image, class) pairs of the test split with an unknown mask, and all positive ones."""
    tested = maps[(maps["split"] == "test") & (maps["label"] == 1)].drop_duplicates(["id", "class"])
    return int((~tested["mask_known"].astype(bool)).sum()), len(tested)


def failures(trials: pd.DataFrame) -> list[str]:
    """Return a line for each failed trial with the reason."""
    failed = trials[trials["state"] == "failed"]
    return [
        f"`{row['variant']}`, {row['stage']} {row['number']} (seed {row['seed']}) failed: {row['reason']}"
        for row in failed.to_dict("records")
    ]


def ledger_lines(trials: pd.DataFrame, test_openings: int | None = None, own_openings: int | None = None) -> list[str]:
    """Return sentences on what was read: masks while fitting, masks and the test split after it.

    Args:
        trials: may have a column `ledger` of `TrialResult.ledger`: `opened` splits, and `masks` read
            to "fit" and to "test".
        test_openings: of this data set's test split, over all studies; None if not counted.
        own_openings: those by this study. Trials record only their last opening: an attempt that was interrupted
            while testing, or a model that is measured again, adds one.
    """
    if "ledger" not in trials:
        return ["The trials kept no ledger."]
    entries = [(row["stage"], row["ledger"]) for row in trials.to_dict("records") if row["ledger"]]
    fitted = sorted({split for _, entry in entries for split in entry.get("masks", {}).get("fit", ())})
    tested = sorted({split for _, entry in entries for split in entry.get("masks", {}).get("test", ())})
    searched, tested_models = (
        sum("test" in entry.get("opened", ()) for stage, entry in entries if (stage == "search") is search)
        for search in (True, False)
    )
    later = tested_models if own_openings is None else own_openings - searched
    lines = [
        f"Masks read while fitting: {', '.join(fitted) or 'none'}.",
        f"Masks read after the weights were frozen: {', '.join(tested) or 'none'}.",
        f"Openings of the test split by this study: {searched} in search, {later} for the {tested_models} models that "
        "were tested.",
    ]
    lines += supervision_lines(supervision(entry for _, entry in entries))
    if test_openings is not None:
        lines.append(f"Openings of this data set's test split by all studies so far: {test_openings}.")
    return lines


def supervision(ledgers: Iterable[Mapping[str, Any] | None]) -> dict[str, dict[str, int]]:
    """Return how many images, labels and masks each stage read: the maximum over trials.

    Returns:
        The reached stages of `fit`, `select` (of epoch and trial), `tune_loc` and `test`, each with `images`,
        `labels`, `masks`. Trials read the same images, so a sum would count them twice.
    """
    found: dict[str, dict[str, int]] = {}
    for ledger in ledgers:
        for stage, counts in (ledger or {}).get("read", {}).items():
            most = found.setdefault(stage, {})
            for name, count in counts.items():
                most[name] = max(most.get(name, 0), int(count))
    return {stage: found[stage] for stage in READERS if stage in found}


def supervision_lines(counts: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Return a sentence on reads during training, and one on reads of a frozen model."""
    words = {
        "fit": "to fit",
        "select": "to select",
        "tune_loc": "to tune localisation (tune_loc)",
        "test": "to test",
    }
    texts = {
        stage: f"{read['images']} images {words[stage]} ({read['labels']} with labels, {read['masks']} with masks)"
        for stage, read in counts.items()
    }
    parts = [[texts[stage] for stage in stages if stage in texts] for stages in (READERS[:2], READERS[2:])]
    heads = ("A trial reads", "A confirmed model then reads")
    return [f"{head} {'; '.join(part)}." for head, part in zip(heads, parts, strict=True) if part]
