"""A comparison of training in two checkouts, bit by bit: `python -m benchmarks.same_training OLD NEW`.

For a change that must leave results as they are, but renames keys or raises versions: these enter identities, which
seed the sampler, so parameters and seed are given here. OLD and NEW are checkouts, or files that
`benchmarks/record_training.py` wrote. Metrics of every epoch, results, weights, maps, tables and pictures must be
equal. Exit code 1 if anything differs. Compare records of one machine only: kernels differ between processors.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.record_training import Values

_ADDED = "terms.parquet"
"""A table that 0.1 does not write."""
RECORDER = Path(__file__).with_name("record_training.py")


def main(old: Path, new: Path) -> int:
    """Print every difference and return the exit code."""
    before, after = recorded(old), recorded(new)
    differences = list(compare(before, after))
    for line in differences:
        print(line)
    values = sum(map(len, after.values()))
    print(f"{len(after)} trained variants, {values} values compared, {len(differences)} differences")
    return 1 if differences else 0


def compare(before: Mapping[str, Values], after: Mapping[str, Values]) -> Iterator[str]:
    """Yield a line for every difference between two records."""
    for variant in sorted(before.keys() | after.keys()):
        if variant not in before or variant not in after:
            yield f"{variant}: only in {'the old' if variant in before else 'the new'} record"
            continue
        first, second = before[variant], after[variant]
        for name in sorted(first.keys() | second.keys()):
            one, other = first.get(name, "missing"), second.get(name, "missing")
            if one != other and not (one == "missing" and name.startswith(_ADDED)):
                yield f"{variant}: {name}: {one} -> {other}"


def recorded(side: Path) -> dict[str, Values]:
    """Return the record of a checkout, which is trained for it, or of a file."""
    if side.is_file():
        return _read(side)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "record.json"
        path = os.pathsep.join(map(str, (side.resolve(), side.resolve() / "plugins")))
        command = [sys.executable, str(RECORDER), str(side), str(file)]
        subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"})
        return _read(file)


def _read(file: Path) -> dict[str, Values]:
    found: dict[str, Values] = json.loads(file.read_text(encoding="utf-8"))
    return found


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
