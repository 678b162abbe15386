"""Readers of feature vectors: NumPy, PyTorch, HDF5 and Parquet. Mistakes in a file raise a ValueError."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np

SUFFIXES = (".npy", ".pt", ".h5", ".hdf5", ".parquet", ".pq")


@dataclass(frozen=True)
class Vectors:
    """Content of one file.

    Args:
        features: float32 "n d".
        coords: float32 "n 2", or None where none are asked for.
    """

    features: np.ndarray
    coords: np.ndarray | None


def read_vectors(content: bytes, suffix: str, key: str, coords: str) -> Vectors:
    """Read the vectors of one file.

    Args:
        content: of the file.
        suffix: of its name.
        key: the data set of an HDF5 file, or the entry of a PyTorch file that holds several tensors.
        coords: see `harness_datasets.feature_bags.component.build_feature_bags`.

    Raises:
        ValueError: it is no file of vectors; says what was found.
    """
    suffix = suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"one of {', '.join(SUFFIXES)} expected, but got {suffix or 'no suffix'!r}")
    if suffix == ".npy":
        found = np.load(BytesIO(content), allow_pickle=False), None
    elif suffix == ".pt":
        found = _tensor(content, key), None
    else:
        found = (_hdf5 if suffix in (".h5", ".hdf5") else _parquet)(content, key, coords)
    return Vectors(_numbers(found[0], "vectors"), None if found[1] is None else _numbers(found[1], "coordinates"))


def _numbers(values: Any, what: str) -> np.ndarray:
    array = np.asarray(values)
    if array.ndim != 2 or not np.issubdtype(array.dtype, np.number):
        raise ValueError(f"{what}: numbers (n, d) expected, but got {array.dtype} {array.shape}")
    if not len(array):
        raise ValueError(f"{what}: there are none")
    if not np.isfinite(array).all():
        raise ValueError(f"{what}: not every number is finite")
    return np.ascontiguousarray(array, np.float32)


def _tensor(content: bytes, key: str) -> Any:
    """Return the tensor of a PyTorch file, as CLAM writes them; pickled code is never run."""
    import torch

    found = torch.load(BytesIO(content), map_location="cpu", weights_only=True)
    if isinstance(found, dict):
        if key not in found:
            raise ValueError(f"no entry named {key}; there are {', '.join(map(str, found)) or 'none'}: `key` names one")
        found = found[key]
    if not isinstance(found, torch.Tensor):
        raise ValueError(f"a tensor (n, d) expected, but got {type(found).__name__}")
    return found.detach().float().numpy()


def _hdf5(content: bytes, key: str, coords: str) -> tuple[Any, Any]:
    try:
        import h5py
    except ImportError as error:
        raise ValueError("HDF5 needs the package h5py: pip install h5py") from error
    with h5py.File(BytesIO(content), "r") as file:
        wanted = [key, *([coords] if coords else [])]
        if missing := [name for name in wanted if name not in file]:
            there = ", ".join(sorted(file)) or "none"
            raise ValueError(f"no data set named {', '.join(missing)}; there are {there}: `key` and `coords` name them")
        return file[key][()], file[coords][()] if coords else None


def _parquet(content: bytes, key: str, coords: str) -> tuple[Any, Any]:
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(BytesIO(content))
    places = [name.strip() for name in coords.split(",")] if coords else []
    if missing := [name for name in places if name not in table.column_names]:
        raise ValueError(f"no column named {', '.join(missing)}")

    def columns(names: list[str]) -> np.ndarray:
        found = [table.column(name).to_numpy() for name in names]
        return np.stack(found, 1) if found else np.empty((len(table), 0))

    return columns([name for name in table.column_names if name not in places]), columns(places) if places else None
