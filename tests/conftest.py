"""What all tests share: threads, the real data where it is, and a stranger's plugin."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import HealthCheck, settings

from harness.contract.loading.catalog import Catalog
from harness.testing.laws.law import Law

settings.register_profile(
    "busy machine",
    suppress_health_check=[HealthCheck.too_slow],
    deadline=None,
    derandomize=True,  # what fails once fails again
)
settings.load_profile("busy machine")
pytest_plugins = ["tests.made_up_tables"]
PACKAGES = (Path(__file__).parents[1] / "example", Path(__file__).parent / "third_party")
"""The package that `harness plugin new` copies, and one whose plugins are wrong on purpose."""


TRAINED = ("cnn", "gmic", "clam", "native", "gradcam")
"""Built-in components whose laws of whole trainings are tried by `make test`; those of all others are slow."""


@pytest.hookimpl(tryfirst=True)  # before the option -m is applied
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the laws that train as slow, except those of a few components."""
    for item in items:
        given = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
        law, subject = given.get("law"), given.get("subject")
        if isinstance(law, Law) and law.trains and subject.component.name not in TRAINED:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The real data that HARNESS_DATA points to; the test is skipped where it is absent."""
    root = os.environ.get("HARNESS_DATA")
    if not root or not Path(root).is_dir():
        pytest.skip("HARNESS_DATA names no folder of real data")
    return Path(root).resolve()


@pytest.fixture(autouse=True, scope="session")
def _own_state_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep records of imports out of the home folder, also those of commands that tests start."""
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    """The built-in components, found as a user's run finds them."""
    return Catalog.discover()


@pytest.fixture(scope="session")
def third_party_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip installed strangers' plugins, good and bad."""
    site = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--target", str(site), *map(str, PACKAGES)], check=True, capture_output=True)
    return site


@pytest.fixture(scope="session")
def migrated_mlflow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty MLflow database, made once: its migrations take seconds."""
    from harness.adapters.mlflow.client import connect

    path = tmp_path_factory.mktemp("mlflow") / "template.db"
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The ``noload`` loader strategy", DeprecationWarning)  # MLflow's own
        connect(f"sqlite:///{path}")
    return path


@pytest.fixture
def mlflow_uri(migrated_mlflow: Path, tmp_path: Path) -> str:
    """A fresh MLflow store at `tmp_path/mlflow.db`, where a study in `tmp_path` has it by default."""
    shutil.copy(migrated_mlflow, tmp_path / "mlflow.db")
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says how many tests were skipped, none included: a run without the real data must not look like one with them."""
    skipped = len(terminalreporter.stats.get("skipped", []))
    terminalreporter.write_line(f"tests skipped: {skipped}")
