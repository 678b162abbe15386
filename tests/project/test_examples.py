"""The examples of the documentation work: the README's plugin keeps the laws, the example studies can be planned."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from harness.testing import laws_for

ROOT = Path(__file__).parents[2]


def example(page: str, language: str, holds: str) -> str:
    """Return the first code block of a page that is in a language and holds a text."""
    blocks = re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    return next(block for block in blocks if holds in block)


def plugin_of_the_readme() -> ModuleType:
    """Return the README's plugin as a module."""
    module = ModuleType("plugin_of_the_readme")
    exec(example("README.md", "python", "@hookimpl"), module.__dict__)
    return module


test_laws_of_the_readme_s_plugin = laws_for(plugin_of_the_readme())


def test_the_plugin_of_the_readme_has_at_most_15_lines() -> None:
    assert len([line for line in example("README.md", "python", "@hookimpl").splitlines() if line.strip()]) <= 15


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a data root with the manifest that the examples name: 30 patients, an image and an outline each."""
    root = tmp_path_factory.mktemp("data")
    (root / "mine").mkdir()
    names = [f"{number}.png" for number in range(36)]
    for number, name in enumerate(names):
        picture = np.full((64, 48), number, dtype=np.uint8)
        picture[20:30, 10:20] = 255
        Image.fromarray(picture).save(root / "mine" / name)
        Image.fromarray((picture == 255).astype(np.uint8) * 255).save(root / "mine" / f"outline-{name}")
    columns = ["image", "patient_id", "label_lesion", "mask_lesion", "label_malignant", "mask_malignant", "split"]
    rows = []
    for number, name in enumerate(names):
        lesion, malignant = number % 2, number % 4 // 3
        masks = [f"outline-{name}" if wanted else "" for wanted in (lesion, malignant)]
        split = ("train", "val", "test")[number % 12 // 4]
        rows.append([name, f"p{number}", str(lesion), masks[0], str(malignant), masks[1], split])
    (root / "mine" / "manifest.csv").write_text("\n".join(map(",".join, [columns, *rows])))
    return root


@pytest.mark.parametrize("page", ["README.md", "docs/studies.md"])
def test_an_example_study_can_be_planned(page: str, data: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(example(page, "toml", "[variants.gmic]"))
    command = [sys.executable, "-m", "harness", "study", "plan", "mine.toml", "--json"]
    environment = {**os.environ, "HARNESS_DATA": str(data), "PYTHONPATH": f"{ROOT}:{ROOT / 'plugins'}"}
    planned = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert planned.returncode == 0, planned.stdout + planned.stderr
    assert [variant["name"] for variant in json.loads(planned.stdout)["variants"]] == ["gmic", "gap"]
