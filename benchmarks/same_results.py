"""A comparison of two results folders of one study, bit by bit: `python -m benchmarks.same_results OLD NEW`.

For a change that must leave every number as it is. Trials are matched by variant, stage and number. Parameters,
seeds, metrics of every epoch, results, tables and weights must be equal; ids, times and versions may differ.
Exit code 1 if anything differs. Reads the files themselves, without the code of `harness`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors.numpy import load_file

Key = tuple[str, str, int]
"""Variant, stage and number of a trial."""
_IDS = ("study_id", "variant_id")
_FREE = ("seconds", "duration_s", "files", "ledger", "peak_memory_bytes")
"""Fields of a result that may differ: duration and machine."""


def main(old: Path, new: Path) -> int:
    """Print every difference and return the exit code."""
    differences = list(compare(old, new))
    for line in differences:
        print(line)
    print(f"{len(trials(old))} trials compared, {len(differences)} differences")
    return 1 if differences else 0


def compare(old: Path, new: Path) -> Iterator[str]:
    """Yield a line for every difference between two results folders."""
    before, after = trials(old), trials(new)
    for key in sorted(before.keys() ^ after.keys()):
        yield f"{_name(key)}: only in {'the old' if key in before else 'the new'} results"
    for key in sorted(before.keys() & after.keys()):
        first, second = before[key], after[key]
        for field in ("params", "seed", "epochs", "result"):
            if _text(first[field]) != _text(second[field]):
                yield f"{_name(key)}: {field}: {_text(first[field])[:80]} -> {_text(second[field])[:80]}"
        yield from _compare_files(_name(key), old / "trials" / first["id"], new / "trials" / second["id"])
    for name, (one, other) in _tables(old, new).items():
        if one is None or other is None or not _same_file(one, other):
            yield f"table {name}: differs or is in one of the results only"


def trials(folder: Path) -> dict[Key, dict[str, Any]]:
    """Return parameters, seed, epochs and result of every trial of a journal."""
    found: dict[str, dict[str, Any]] = {}
    for line in (folder / "journal.jsonl").read_text().splitlines():
        event = json.loads(line)
        if event["kind"] == "trial_asked":
            spec = event["spec"]
            key = (spec["variant"], spec["stage"], spec["number"])
            found[event["trial"]] = {"key": key, "id": event["trial"], "epochs": [], "result": None}
            found[event["trial"]] |= {"params": spec["params"], "seed": spec["seed"]}
        elif event["kind"] == "epoch":
            found[event["trial"]]["epochs"].append(event["metrics"])
        elif event["kind"] == "trial_finished":
            result = event.get("result", event)
            kept = {name: value for name, value in result.items() if name not in (*_FREE, "kind", "time", "trial")}
            found[event["trial"]]["result"] = kept
    return {trial["key"]: trial for trial in found.values()}


def _tables(old: Path, new: Path) -> dict[str, tuple[Path | None, Path | None]]:
    """Return the derived tables by name; their files have a digest of the code in their names."""
    sides = [
        {path.stem.rpartition("-")[0]: path for path in folder.glob("*/*.parquet") if path.parent.name != "trials"}
        for folder in (old, new)
    ]
    return {name: (sides[0].get(name), sides[1].get(name)) for name in sorted({*sides[0], *sides[1]})}


def _compare_files(name: str, old: Path, new: Path) -> Iterator[str]:
    files = {path.name for folder in (old, new) for path in folder.glob("*") if path.is_file()}
    for file in sorted(files):
        if not ((old / file).exists() and (new / file).exists()):
            yield f"{name}: {file}: only in {'the old' if (old / file).exists() else 'the new'} results"
        elif not _same_file(old / file, new / file):
            yield f"{name}: {file}: differs"


def _same_file(old: Path, new: Path) -> bool:
    if old.suffix == ".parquet":
        first, second = (pd.read_parquet(path).drop(columns=list(_IDS), errors="ignore") for path in (old, new))
        return list(first.columns) == list(second.columns) and all(map(_same_column, *_columns(first, second)))
    if old.suffix == ".safetensors":
        return _same_arrays(load_file(old), load_file(new))
    if old.suffix == ".npz":
        with np.load(old) as first_file, np.load(new) as second_file:
            return _same_arrays(dict(first_file), dict(second_file))
    return old.read_bytes() == new.read_bytes()


def _columns(first: pd.DataFrame, second: pd.DataFrame) -> tuple[list[Any], list[Any]]:
    return [first[name].tolist() for name in first], [second[name].tolist() for name in first]


def _same_column(first: list[Any], second: list[Any]) -> bool:
    return len(first) == len(second) and all(_text(a) == _text(b) for a, b in zip(first, second, strict=True))


def _same_arrays(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    return first.keys() == second.keys() and all(
        first[name].dtype == second[name].dtype
        and first[name].shape == second[name].shape
        and first[name].tobytes() == second[name].tobytes()
        for name in first
    )


def _text(value: Any) -> str:
    """Return a text that is equal for equal bits: `repr` of a float is exact, and NaN equals NaN."""
    return repr(value.tolist()) if isinstance(value, np.ndarray) else repr(value)


def _name(key: Key) -> str:
    return f"{key[0]} {key[1]} {key[2]}"


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
