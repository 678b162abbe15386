"""The time to draw the report of a study of 1,000 trials, with cached statistics and including imports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

WANTED_S = 10.0

_WRITE = """
import sys, time
from pathlib import Path
from benchmarks.bench_report import made_up
from harness.reporting.report import write_report
folder = Path(sys.argv[1])
material = made_up()
started = time.perf_counter()
write_report(folder, material)
print(time.perf_counter() - started)
"""


def drawing() -> float:
    """Return seconds from an empty process to a report of 20 variants, 50 trials and 3 confirmations each.

    Its material is drawn beforehand, as the cache of a run holds it. Imports of pandas, matplotlib, scipy and
    scikit-learn are included.
    """
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        done = subprocess.run(
            [sys.executable, "-c", _WRITE, folder], check=True, capture_output=True, text=True, env=environment
        )
        whole = time.perf_counter() - started
        assert (Path(folder) / "report.html").exists() and json.loads(done.stdout) > 0
    return whole


def made_up(variants: int = 20, trials: int = 50, runs: int = 3, images: int = 240) -> Any:
    """Return material of that size; all statistics are drawn as a cache would hold them, none is computed."""
    import numpy as np
    import pandas as pd

    from harness.contract.types import Objective, Plan, VariantPlan
    from harness.reporting.report import Material

    random, classes = np.random.default_rng(0), ("benign", "malignant")
    names = [f"variant_{number}" for number in range(variants)]
    plan = Plan(
        study="large", study_id="0" * 16, budget="standard", path=Path("large.toml"), question="How long?",
        baseline=names[0], objective=Objective(), metrics=("auroc",),
        search={"trials": trials, "sampler": {"use": "tpe"}}, confirm={"seeds": list(range(runs))},
        variants=tuple(VariantPlan(name=name, id=name, tree={}) for name in names),
    )  # fmt: skip
    rows = [
        (name, stage, number, number, "complete", random.random(), 8, 60.0, "")
        for name in names
        for stage, count in (("search", trials), ("confirm", runs))
        for number in range(count)
    ]
    columns = ["variant", "stage", "number", "seed", "state", "value", "epochs", "seconds", "reason"]
    values: dict[str, Any] = {"variant": names, "head": "output", "replicates": runs}
    for metric in ("auroc", "dice"):
        value = random.uniform(0.6, 0.9, variants)
        values |= {metric: value, f"{metric}_std": 0.01, f"{metric}_low": value - 0.05, f"{metric}_high": value + 0.05}
        values |= {f"{metric}/{label}": value for label in classes}
        gap = value - value[0]
        values |= {f"{metric}_difference": gap, f"{metric}_difference_low": gap - 0.03}
        values |= {f"{metric}_difference_high": gap + 0.03}
    tested = pd.DataFrame({"variant": names, "auroc_p_holm": 0.5, "dice_p_holm": 0.5, "tied": True, "note": ""})
    return Material(
        plan=plan,
        classes=classes,
        trials=pd.DataFrame(rows, columns=columns),
        predictions=_predictions(names, classes, runs, images),
        variants=pd.DataFrame(values),
        comparison=tested,
        importance=pd.DataFrame(
            [{"variant": n, "parameter": p, "importance": 0.5, "trials": trials} for n in names for p in ("lr", "l1")]
        ),
        sweeps={"model.crops": {name: float(number + 1) for number, name in enumerate(names[:6])}},
        overlays={name: _overlays(classes) for name in names},
    )


def _predictions(names: list[str], classes: tuple[str, ...], runs: int, images: int) -> Any:
    import numpy as np
    import pandas as pd

    random = np.random.default_rng(1)
    axes = [names, range(runs), classes, [f"i{number}" for number in range(images)]]
    table = pd.MultiIndex.from_product(axes, names=["variant", "seed", "class", "id"]).to_frame(index=False)
    table["label"] = (table["id"].str[1:].astype(int) % 2).astype(float)
    return table.assign(split="test", head="output", fold=None, group=table["id"], score=random.random(len(table)))


def _overlays(classes: tuple[str, ...], images: int = 26) -> dict[str, Any]:
    import numpy as np

    random = np.random.default_rng(2)
    masks = np.zeros((images, len(classes), 240, 176), np.uint8)
    masks[:, :, 100:140, 60:90] = 1
    return {
        "images": random.integers(0, 255, (images, 240, 176), dtype=np.uint8),
        "masks": masks,
        "maps": random.random((images, len(classes), 15, 11)).astype(np.float16),
        "ids": np.array([f"i{number}" for number in range(images)]),
        "labels": np.tile(np.arange(images)[:, None] % 2, (1, len(classes))).astype(np.float32),
        "scores": random.random((images, len(classes))).astype(np.float32),
        "classes": np.array(classes),
        "version": np.array(2),
        "chosen": np.arange(images) < 8,
        "boxes": np.tile(np.array([10.0, 10, 42, 42]), (images, 6, 1)),
        "attention": np.full((images, 6), 1 / 6),
    }
