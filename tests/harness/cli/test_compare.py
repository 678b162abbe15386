"""`harness compare` on small studies of the same three variants."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from tests.harness.cli.conftest import STUDY, call, user_folder

Harness = Callable[..., Result]

# MLflow's own queries use an option that SQLAlchemy 2.1 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated:DeprecationWarning")
NAMES = ("one", "two", "three")


def run_study(folder: Path) -> None:
    """Trains three variants once, as study `one`."""
    text = STUDY.replace("images = 12", "images = 40").replace("trials = 2", "trials = 1")
    text = text.replace("lr = { log10 = [-3, -1] }", "lr = 0.01").replace("seeds = [0, 1]", "seeds = [0]")
    text = text.replace('select = ["narrow", "wide"]', 'select = ["narrow", "wide", "wider"]')
    (folder / "one.toml").write_text(text + "\n[variants.wider.model]\nwidth = 16\n")
    done = call(folder, "study", "run", "one.toml", "--tuner", "inline", "--budget", "quick")
    assert done.exit_code == 0, done.output


def copy_study(folder: Path, name: str, **changes: str) -> None:
    """The results of `one` under another name, as if of other data: training again would show nothing more."""
    own = next((folder / "results" / "one").iterdir())
    shutil.copytree(own, folder / "results" / name / own.name, ignore=shutil.ignore_patterns("tables"))
    path = folder / "results" / name / own.name / "plan.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"study": name, "dataset_digest": name} | changes))


@pytest.fixture(scope="module")
def studied(tmp_path_factory: pytest.TempPathFactory, migrated_mlflow: Path) -> Any:
    """A folder with finished studies, `harness ...` in it, and its path."""
    folder = user_folder(tmp_path_factory.mktemp("studied"), migrated_mlflow)
    run_study(folder)
    copy_study(folder, "two")
    copy_study(folder, "three")
    copy_study(folder, "other", baseline="wide")
    return partial(call, folder), folder


@pytest.mark.parametrize("width", [60, 100])
def test_differences_are_by_study_and_ranks_below(studied: Any, width: int) -> None:
    shown = studied[0]("compare", *NAMES, width=width)
    assert shown.exit_code == 0, shown.output
    lines = shown.stdout.splitlines()
    assert max(map(len, lines)) <= width
    assert [line.split()[0] for line in lines if line.startswith((" one", " two", " three"))] == list(NAMES)
    text = " ".join(shown.stdout.split())
    assert "against narrow" in text and "adjusted" in text and "Friedman over 3 data sets" in text
    assert "one: a demonstration, not a result" in text and "clustered by patient" in text


def test_json_and_files_hold_the_same(studied: Any, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    shown = studied[0]("compare", *NAMES, "--json", "--out", str(out))
    value = json.loads(shown.stdout)
    assert [path.name for path in sorted(out.iterdir())] == ["differences.csv", "ranks.csv", "ranks.png"]
    assert value["written"] == [str(out / name) for name in ("differences.csv", "ranks.csv", "ranks.png")]
    rows = list(csv.DictReader((out / "differences.csv").read_text().splitlines()))
    expected = 3 * ["narrow", "wide", "wider"]
    assert [row["variant"] for row in rows] == [row["variant"] for row in value["rows"]] == expected
    assert value["rows"][0]["auroc_p"] is None and rows[0]["auroc_p"] == ""
    assert set(value["ranks"]["mean_rank"]) == {"narrow", "wide", "wider"} and value["no_ranks_because"] == ""


def test_another_baseline_may_be_named(studied: Any) -> None:
    value = json.loads(studied[0]("compare", *NAMES, "--baseline", "wide", "--json").stdout)
    assert [row["auroc_difference"] is None for row in value["rows"]] == 3 * [False, True, False]


def test_two_data_sets_have_no_ranks_and_it_says_why(studied: Any) -> None:
    shown = studied[0]("compare", "one", "two@quick")
    assert shown.exit_code == 0 and "at least 3 data sets, here are 2" in " ".join(shown.stdout.split())
    assert json.loads(studied[0]("compare", "one", "two", "--json").stdout)["ranks"] is None


def test_the_comparison_is_kept_and_read_again(studied: Any) -> None:
    harness, folder = studied
    harness("compare", "one", "two")
    kept = next(folder.glob("results/one/*/tables/comparison-*.parquet"))
    before = kept.stat().st_mtime_ns
    harness("compare", "one", "two")
    assert kept.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("one",), "a comparison needs two studies"),
        (("one", "one"), "is listed twice"),
        (("one", "nowhere"), "'nowhere' was never run"),
        (("one", "two@slow"), "never run at budget 'slow'"),
        (("one", "two", "--baseline", "wid"), "did you mean 'wide'?"),
    ],
)
def test_mistakes_are_reported(studied: Any, arguments: tuple[str, ...], told: str) -> None:
    wrong = studied[0]("compare", *arguments, width=200)
    assert wrong.exit_code == 2 and told in " ".join(wrong.stderr.split())


def test_studies_of_different_baselines_need_one_named(studied: Any) -> None:
    wrong = studied[0]("compare", "one", "other", width=200)
    assert wrong.exit_code == 2 and "one: narrow, other: wide" in " ".join(wrong.stderr.split())
    assert studied[0]("compare", "one", "other", "--baseline", "narrow").exit_code == 0
