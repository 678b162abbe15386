"""Tables of all trials of a study, from its state and the files in each trial's folder."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.contract import tables
from harness.study.journal.trial_record import TrialRecord

if TYPE_CHECKING:
    import pandas as pd

TRIALS = ("variant", "stage", "number", "seed", "fold", "state", "value", "best_epoch", "epochs", "seconds", "reason")
"""Columns of the table of trials, before searched parameters and `ledger`."""


def gather(
    folder: Path,
    records: Iterable[TrialRecord],
    file: str,
    columns: Sequence[str],
    without: Collection[str] = (),
    keep: Callable[[pd.DataFrame], pd.DataFrame] | None = None,
) -> pd.DataFrame:
    """Return one table of all trials' tables, in their order; empty without any.

    Args:
        folder: of the study.
        records: trials that are complete.
        file: name of the table in each trial's folder.
        columns: of the table.
        without: columns that are not read: histograms of maps are nearly all of a study's data.
        keep: returns the rows to keep of each trial's table; None for all of it.
    """
    import pandas as pd

    paths = [folder / "trials" / record.spec.id / file for record in records]
    read = (tables.from_bytes(path.read_bytes(), without) for path in paths if path.exists())
    frames = [table if keep is None else keep(table) for table in read]
    empty = pd.DataFrame(columns=[name for name in columns if name not in without])
    return pd.concat(frames, ignore_index=True) if frames else empty


def trials_table(records: Iterable[TrialRecord]) -> pd.DataFrame:
    """Return a row for each trial: TRIALS, searched parameters and `ledger`."""
    import pandas as pd

    frame = pd.DataFrame([_trial_row(record) for record in records])
    return frame if len(frame) else pd.DataFrame(columns=[*TRIALS])


def epochs_table(records: Iterable[TrialRecord]) -> pd.DataFrame:
    """Return a row for each epoch of each trial: its metrics, the objective and its smoothed value."""
    import pandas as pd

    return pd.DataFrame(
        [
            {"variant": record.spec.variant, "stage": record.spec.stage, "trial": record.spec.number}
            | {"seed": record.spec.seed, "epoch": epoch.number, "value": epoch.value, "smoothed": epoch.smoothed}
            | {"seconds": epoch.seconds, "waited": epoch.waited, **epoch.metrics}
            for record in records
            for epoch in record.epochs
        ]
    )


def _trial_row(record: TrialRecord) -> Mapping[str, Any]:
    spec, result = record.spec, record.result
    row = {"variant": spec.variant, "stage": spec.stage, "number": spec.number, "seed": spec.seed, "fold": spec.fold}
    ended = ("value", "best_epoch", "epochs", "seconds", "reason")
    row |= {"state": record.state, **{name: getattr(result, name, None) for name in ended}}
    return row | {"ledger": dict(result.ledger) if result else None} | dict(spec.params)
