"""A user's folder with a tiny study in it, and `harness` as a call."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from harness.cli.app import App
from harness.cli.main import build_cli
from harness.testing.fakes import tiny_catalog

Harness = Callable[..., Result]

STUDY = """
[study]
question = "Does width matter?"
baseline = "narrow"
budget = "quick"
metrics = ["auroc"]
claims = [
  { says = "a wide network above a narrow one", better = "wide", than = "narrow" },
  { says = "a broken one above all", better = "broken", than = "narrow" },
]

[dataset]
use = "squares"
images = 12

[train]
epochs = 2
batch_size = 8
lr = { log10 = [-3, -1] }

[model]
use = "tiny_cnn"
width = 4

[search]
trials = 2
sampler = { use = "random" }
pruner = { use = "none" }

[confirm]
seeds = [0, 1]

[explain]
use = []

[variants.narrow]
[variants.wide.model]
width = 8

[budgets.faulty]
select = ["narrow", "broken"]

[variants.broken.model]
fault = "nan"

[budgets.quick]
select = ["narrow", "wide"]
demonstration = true
"""


def user_folder(path: Path, migrated_mlflow: Path) -> Path:
    """Puts `tiny.toml` into a folder, and a tracking database that is already migrated."""
    (path / "results").mkdir()
    shutil.copy(migrated_mlflow, path / "results" / "mlflow.db")
    (path / "tiny.toml").write_text(STUDY)
    return path


def call(folder: Path, *arguments: str, width: int = 100, stdin: str | None = None) -> Result:
    """Calls `harness` in a folder, in this process, with the tiny components installed."""
    with contextlib.chdir(folder):
        app = App(folder)
        app.catalog = tiny_catalog()
        runner = CliRunner(env={"COLUMNS": str(width), "HARNESS_DATA": None})
        return runner.invoke(build_cli(app), list(arguments), input=stdin, catch_exceptions=False)


@pytest.fixture
def folder(tmp_path: Path, migrated_mlflow: Path) -> Path:
    """The working folder of a user who has run nothing yet."""
    return user_folder(tmp_path, migrated_mlflow)


@pytest.fixture
def harness(folder: Path) -> Harness:
    """`harness ...` in that folder."""
    return partial(call, folder)


@dataclass(frozen=True)
class Finished:
    """A folder in which the tiny study was run to its end, what that printed, and `harness ...` in it."""

    folder: Path
    run: Result
    harness: Harness


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, migrated_mlflow: Path) -> Finished:
    """A finished study, to look at."""
    folder = user_folder(tmp_path_factory.mktemp("user"), migrated_mlflow)
    done = call(folder, "study", "run", "tiny.toml", "--tuner", "inline", "--budget", "quick")
    return Finished(folder, done, partial(call, folder))
