"""`feature_bags`: bags of feature vectors that a table lists."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness import Component, Task

if TYPE_CHECKING:
    from harness import Dataset


def build_feature_bags(
    root: Path,
    /,
    *,
    path: str,
    labels: tuple[str, ...],
    features: int,
    kind: Literal["multilabel", "multiclass"] = "multilabel",
    where: str = "",
    missing: tuple[str, ...] | None = None,
    file: str = "features",
    key: str = "features",
    coords: str = "",
    group: str = "patient_id",
    id: str = "",
    unit: str = "bag",
    split: str = "split",
    fractions: tuple[float, float, float] = (0.6, 0.2, 0.2),
    folds: int = 0,
    fold: int = 0,
    seed: int = 0,
    metadata: tuple[str, ...] | None = None,
) -> Dataset:
    """Build bags of feature vectors from a CSV or Parquet table: one file of vectors a row.

    Args:
        root: the user's data root; neither table nor files may lie outside.
        path: of the table, relative to the root; paths inside it are relative to the table.
        labels: the classes; each has a column `label_<name>` of 1, 0 or nothing (unknown).
        features: the length of a vector.
        kind: in "multiclass" exactly one label holds.
        where: which rows to keep, as in `build_manifest`.
        missing: texts that are missing values, as in `build_manifest`.
        file: column with the path of a bag's file: .npy or .pt with "n d", .h5 or .hdf5 with a data set "n d",
            .parquet with a row a vector. CLAM and TRIDENT write .pt and .h5.
        key: the name of that data set in an HDF5 file, or of the tensor in a .pt file that holds several.
        coords: the coordinates of the vectors: name of the data set "n 2" in an HDF5 file, or two columns of a
            Parquet file, as "x,y"; "" reads none. Other columns of a Parquet file are the vector, in their order.
        group: column with the patient; no patient is in two splits.
        id: column with a unique name; the file's path where "".
        unit: column that says which bags are diagnosed together, or "bag".
        split: as in `build_manifest`, and so are the following.
        fractions: of train, val and test.
        folds: from 3 on, patients are dealt out to so many folds whatever the table says.
        fold: the fold that is the test split.
        seed: of that deal.
        metadata: the columns that `harness data check --full` holds against the labels.

    Raises:
        InputError: with every mistake of the table and its files, each with its row.
    """
    from harness_datasets.feature_bags.dataset import FeatureBags
    from harness_datasets.manifest.assign import Deal
    from harness_datasets.manifest.entries import Columns

    units, splits = "" if unit == "bag" else unit, "" if folds else split
    columns = Columns(file, group, labels, False, id, units, splits, metadata)
    task = feature_bags_task(labels=labels, features=features, kind=kind, unit=unit)
    deal = Deal(fractions, folds, fold, seed)
    return FeatureBags(root, task, path, columns, where=where, key=key, coords=coords, deal=deal, missing=missing)


def feature_bags_task(
    *,
    labels: tuple[str, ...],
    features: int,
    kind: Literal["multilabel", "multiclass"],
    unit: str,
    **_: Any,
) -> Task:
    """Return the task of feature bags from their parameters; the table is not opened."""
    return Task(kind=kind, classes=tuple(labels), unit=unit, sample="features", features=features)


FEATURE_BAGS: Component[Dataset] = Component(
    name="feature_bags",
    build=build_feature_bags,
    summary="bags of feature vectors listed in a CSV or Parquet table: NumPy, HDF5, Parquet",
    task=feature_bags_task,
)
