"""A record of small trainings with the code of one checkout: `python benchmarks/record_training.py CHECKOUT FILE`.

`benchmarks.same_training` calls it in a process whose PYTHONPATH is the checkout and its plugins, and compares the
records. Reads the modules of 0.1 and of later versions, and writes exact values or digests of bytes.
"""

from __future__ import annotations

import hashlib
import importlib
import io
import json
import math
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeAlias

Values: TypeAlias = dict[str, str]
"""Name of a number, array, column or file of one trained variant -> exact value, or digest of the bytes."""
_IDS = ("study_id", "variant_id")
_RENAMED = {"floor:": "control:", "system.": "architecture.", "proposer.": "region_proposals."}
"""Part of a name in tables and weights of 0.1 -> its name in later versions."""


@dataclass(frozen=True)
class Case:
    """Variants of a study that are trained, small.

    Args:
        study: in `studies/` of each checkout.
        budget: of that study.
        overrides: as `--set` takes them.
        variants: names of variants, or none for all that the budget selects.
    """

    study: str
    budget: str
    overrides: tuple[str, ...]
    variants: tuple[str, ...] = ()


_FEW = ("train.epochs=2", "dataset.images=[16, 8, 8]")
_SMALL = (*_FEW, "dataset.image_size=[96, 80]")
CASES = (
    Case("gmic_ablation", "standard", _SMALL),
    Case(
        "gmic_ablation",
        "quick",
        (
            *_SMALL,
            'train.optimiser={use="sgd", momentum=0.9}',
            'train.schedule={use="step", every=1, factor=0.1}',
            'train.augment=["flip", "rotate", "shift", "scale", "shear", "noise"]',
            'train.balance="weights"',
            "train.tta=2",
            'explain.use=["native", "gradcam", "saliency"]',
            'explain.faithfulness={use=["darken", "zero", "deletion", "randomise"], thresholds=[0.5], steps=4}',
        ),
        ("gmic", "gap"),
    ),
    Case("gmic_ablation", "needle", ("train.epochs=2", "dataset.images=[16, 8, 8]"), ("gmic",)),
    Case("gmic_baselines", "quick", _SMALL),
    Case("dmv_cnn", "quick", _SMALL),
    Case("ag_cnn", "quick", ("train.epochs=3", "dataset.images=[16, 8, 8]")),
    Case("a_mil", "quick", _FEW, ("attention", "cnn")),
    Case("attention_pooling", "quick", _FEW, ("squared",)),
    Case("saliency_cnn", "quick", ("train.epochs=1", "dataset.images=[24, 8, 8]"), ("small_resnet",)),
    Case("mil_aggregators", "quick", ("train.epochs=2", "dataset.bags=[16, 8, 8]")),
)
"""Every study that trains; `gmic_ablation` with every variant. `reader_study` reads tables and trains nothing."""


def record(checkout: Path) -> dict[str, Values]:
    """Train every case with the code of a checkout, which must be first on the path of modules."""
    harness = _Harness(checkout)
    found: dict[str, Values] = {}
    for case in CASES:
        for name, values in harness.trained(case):
            found[f"{case.study} {case.budget} {name}"] = values
            print(f"{case.study} {case.budget} {name}: {len(values)} values", file=sys.stderr, flush=True)
    return found


class _Harness:
    """The code of one checkout, found under its module names of 0.1 or 0.2."""

    def __init__(self, checkout: Path) -> None:
        self._checkout = checkout
        self._study = _module("harness.study.file.spec", "harness.study.spec")
        self._plan = _module("harness.study.plan.plan", "harness.study.plan")
        self._settings = _module("harness.config.settings", "harness.study.settings").load_settings(checkout)
        self._record = _module("harness.trial.confirm.record", "harness.trial.record").Record
        self._types = _module("harness.contract.types")
        self._catalog = self._plugins()

    def trained(self, case: Case) -> Iterator[tuple[str, Values]]:
        """Yield name and values of every variant of a case."""
        study = self._study.load_study(self._checkout / "studies" / f"{case.study}.toml")
        plan = self._plan.make_plan(
            study, self._catalog, self._settings, budget=case.budget, overrides=list(case.overrides)
        )
        for variant in plan.variants:
            if not case.variants or variant.name in case.variants:
                yield variant.name, self._values(self._spec(plan, variant))

    def _spec(self, plan: Any, variant: Any) -> Any:
        """Return the confirmation of a variant's default configuration with seed 0."""
        spec = _module("harness.testing.plans").default_trial(plan, variant)
        names = {item.name for item in fields(spec)}
        own = {"objective", "metrics", "metric_tables", "explain"} & names
        return replace(spec, stage="confirm", plugins={}, **{name: getattr(plan, name) for name in own})

    def _values(self, spec: Any) -> Values:
        values: Values = {}
        with tempfile.TemporaryDirectory() as cache, _maps(self._record, values):
            workspace = self._types.Workspace(data=self._settings.data, cache=Path(cache), device="cpu", threads=1)
            for item in _module("harness.trial.trial").run_trial(spec, self._catalog, workspace):
                if isinstance(item, self._types.Epoch):
                    values |= _metrics(f"epoch {item.number}", item.metrics)
                elif isinstance(item, self._types.TrialResult):
                    if item.state != "complete":
                        raise SystemExit(f"{self._checkout}: {spec.study} {spec.variant}: {item.reason}")
                    values["best epoch"] = str(item.best_epoch)
                    values |= _metrics("result", item.metrics)
                    for name, data in item.files.items():
                        values |= _file(name, data)
        return values

    def _plugins(self) -> Any:
        """Return a catalog of the plugins that the checkout itself declares, not of those that are installed."""
        catalog = _module("harness.contract.loading.catalog")
        found = catalog.Catalog()
        declared = tomllib.loads((self._checkout / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        for name, module in declared["entry-points"]["harness"].items():
            found.register(importlib.import_module(module), catalog.Provider(name, "mil-harness", "0"))
        if found.broken:
            raise SystemExit(f"{self._checkout}: {found.broken}")
        return found


@contextmanager
def _maps(recorder: Any, values: Values) -> Iterator[None]:
    """Add a digest of each batch of maps that a confirmation records: tables hold only their histograms."""
    original, count = recorder.add_maps, 0

    def add_maps(self: Any, data: Any, batch: Any, name: str, maps: Any) -> None:
        nonlocal count
        count += 1
        values[f"maps {count} {_renamed(name)}"] = _digest(maps.detach().cpu().contiguous().numpy().tobytes())
        original(self, data, batch, name, maps)

    recorder.add_maps = add_maps
    try:
        yield
    finally:
        recorder.add_maps = original


def _metrics(name: str, metrics: Mapping[str, float]) -> Values:
    return {f"{name} {key}": "nan" if math.isnan(value) else float(value).hex() for key, value in metrics.items()}


def _file(name: str, data: bytes) -> Values:
    """Return a digest for each column of a table and each array of the weights, or one for another file."""
    if name.endswith(".parquet"):
        import pandas as pd

        table = pd.read_parquet(io.BytesIO(data)).drop(columns=list(_IDS), errors="ignore")
        return {f"{name} {column}": _digest(_cells(table[column]).encode()) for column in table}
    if name.endswith(".safetensors"):
        from safetensors.numpy import load

        return {f"{name} {_renamed(key)}": _digest(array.tobytes()) for key, array in load(data).items()}
    return {name: _digest(data)}


def _cells(column: Any) -> str:
    """Return a text that is equal for equal cells: `repr` of a float is exact, and NaN equals NaN."""
    return _renamed(repr([value.tolist() if hasattr(value, "tolist") else value for value in column]))


def _renamed(text: str) -> str:
    for old, new in _RENAMED.items():
        text = text.replace(old, new)
    return text


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _module(*names: str) -> Any:
    """Return the first module that exists."""
    for name in names[:-1]:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError:
            continue
    return importlib.import_module(names[-1])


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    Path(sys.argv[2]).write_text(json.dumps(record(Path(sys.argv[1])), indent=1), encoding="utf-8")
