"""harness.toml: which file wins, what its paths mean, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import InputError
from harness.config.settings import load_settings
from harness.config.settings_files import disabled_plugins


@pytest.fixture(autouse=True)
def _no_data_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HARNESS_DATA", raising=False)


def _refusal(folder: Path, text: str, local: str = "") -> str:
    (folder / "harness.toml").write_text(text)
    (folder / "harness.local.toml").write_text(local)
    with pytest.raises(InputError) as caught:
        load_settings(folder)
    return str(caught.value)


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    found = load_settings(tmp_path)
    assert (found.data, found.results, found.cache) == (tmp_path / "data", tmp_path / "results", tmp_path / "cache")
    assert (found.tracking_uri, found.optuna_url, found.concurrent) == (None, None, 1)


def test_the_local_file_wins_and_the_variable_over_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "harness.toml").write_text('data = "a"\nresults = "r"\n[compute]\nthreads = 3\nconcurrent = 2\n')
    (tmp_path / "harness.local.toml").write_text('data = "b"\n[compute]\nthreads = 4\n')
    found = load_settings(tmp_path)
    assert (found.data, found.results, found.threads, found.concurrent) == (tmp_path / "b", tmp_path / "r", 4, 2)
    monkeypatch.setenv("HARNESS_DATA", str(tmp_path / "c"))
    assert load_settings(tmp_path).data == tmp_path / "c"


def test_the_folder_is_the_one_we_stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "harness.toml").write_text('[plugins]\ndisabled = ["datasets"]\n')
    monkeypatch.chdir(tmp_path)
    assert load_settings().disabled == ("datasets",)


def test_plugins_to_leave_out_are_known_before_anything_is_checked(tmp_path: Path) -> None:
    assert disabled_plugins(tmp_path) == ()
    (tmp_path / "harness.toml").write_text('nonsense = 1\n[plugins]\ndisabled = ["datasets"]\n')
    assert disabled_plugins(tmp_path) == ("datasets",)
    (tmp_path / "harness.local.toml").write_text('[plugins]\ndisabled = ["architectures", "metrics"]\n')
    assert disabled_plugins(tmp_path) == ("architectures", "metrics")


@pytest.mark.parametrize(
    "text", ["[plugins\n", "plugins = 3\n", "[plugins]\ndisabled = 'datasets'\n", "[plugins]\ndisabled = [1]\n"]
)
def test_what_cannot_be_understood_leaves_no_plugin_out(tmp_path: Path, text: str) -> None:
    (tmp_path / "harness.toml").write_text(text)
    assert disabled_plugins(tmp_path) == ()
    with pytest.raises(InputError, match=r"harness\.toml"):
        load_settings(tmp_path)


def test_the_projects_own_file_is_sound() -> None:
    found = load_settings(Path(__file__).parents[3])
    assert found.results.name == "results"


def test_a_relative_database_is_meant_from_the_folder(tmp_path: Path) -> None:
    (tmp_path / "harness.toml").write_text('[tracking]\nuri = "sqlite:///runs/mlflow.db"\n')
    assert load_settings(tmp_path).tracking_uri == f"sqlite:///{tmp_path}/runs/mlflow.db"
    (tmp_path / "harness.toml").write_text('[tracking]\nuri = "sqlite:///file:runs/mlflow.db?uri=true"\n')
    assert load_settings(tmp_path).tracking_uri == f"sqlite:///file:{tmp_path}/runs/mlflow.db?uri=true"


def test_all_unknown_keys_of_both_files_are_told_at_once(tmp_path: Path) -> None:
    text = 'dta = "x"\nresults = 3\n[compute]\nthread = 3\nconcurrent = 0\ndevice = "gpu"\n'
    assert _refusal(tmp_path, text, "[trackin]\nuri = 'x'\n").splitlines() == [
        "harness.toml: results: expected string, found 3",
        "harness.toml: compute.device: 'gpu' is not one of auto, cpu, mps, cuda, cuda:0, cuda:1, …",
        "harness.toml: compute.concurrent: must be greater than or equal to 1, found 0",
        "harness.toml: compute.thread: unknown key; allowed are concurrent, device, gpus_per_trial, ray_address, "
        "stall_s, threads; did you mean 'threads'?",
        "harness.toml: dta: unknown key; allowed are cache, compute, data, plugins, results, search, tracking; "
        "did you mean 'data'?",
        "harness.local.toml: trackin: unknown key; allowed are cache, compute, data, plugins, results, search, "
        "tracking; did you mean 'tracking'?",
    ]


def test_what_is_no_toml_is_refused_with_its_line(tmp_path: Path) -> None:
    assert _refusal(tmp_path, "data = \n") == "harness.toml: not valid TOML: Invalid value (at line 1, column 8)"


@pytest.mark.parametrize(
    ("tracking", "optuna"),
    [
        ("postgresql://host/db", "postgresql://host/db"),
        ("postgresql://me:secret@host:5432/db", "postgresql+psycopg2://host/db"),
        ("postgres://host/db", "postgresql://host/db"),
        ("sqlite:///one.db", "sqlite:///./one.db"),
        (None, "sqlite:///results/mlflow.db"),
        (None, "sqlite:///results/mlflow.db?timeout=5"),
        ("sqlite:///one.db?timeout=5", "sqlite:///one.db"),
        ("sqlite:///one.db", "sqlite:///file:one.db?uri=true"),
    ],
)
def test_one_database_for_optuna_and_mlflow_is_refused(tmp_path: Path, tracking: str | None, optuna: str) -> None:
    text = f'[search]\noptuna_url = "{optuna}"\n' + (f'[tracking]\nuri = "{tracking}"\n' if tracking else "")
    assert _refusal(tmp_path, text) == (
        "harness.toml: search.optuna_url: MLflow uses the same database (tracking.uri), and both keep their version "
        "in a table of one name; use two databases"
    )


@pytest.mark.parametrize(
    ("tracking", "optuna"),
    [
        ("postgresql://host/mlflow", "postgresql://host/optuna"),
        ("postgresql://host/db", "postgresql://host:5433/db"),
        ("http://host/db", "postgresql://host/db"),
        ("sqlite:///one.db", "sqlite:///two.db"),
    ],
)
def test_two_databases_are_fine(tmp_path: Path, tracking: str, optuna: str) -> None:
    (tmp_path / "harness.toml").write_text(f'[search]\noptuna_url = "{optuna}"\n[tracking]\nuri = "{tracking}"\n')
    assert load_settings(tmp_path).optuna_url is not None


def test_a_port_that_is_no_number_is_told(tmp_path: Path) -> None:
    refusal = _refusal(tmp_path, '[search]\noptuna_url = "postgresql://u@host:abc/db"\n')
    assert "'postgresql://u@host:abc/db' is not the URL of a database" in refusal
