"""The documentation site builds without a warning: every page is in the navigation, every link leads somewhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the built site, as `make docs` builds it."""
    folder = tmp_path_factory.mktemp("site")
    strict = ["-W", "--keep-going", "-n", "-q", "-b", "html", "-d", str(folder / "doctrees")]
    built = subprocess.run(
        [sys.executable, "-m", "sphinx", *strict, str(ROOT / "docs"), str(folder / "html")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert built.returncode == 0, built.stderr
    return folder / "html"


def test_every_section_is_in_the_navigation_in_order(site: Path) -> None:
    page = (site / "index.html").read_text()
    sections = ["Start", "Your data", "Studies", "Architectures", "Plugins", "Metrics and statistics"]
    sections += ["Report and MLflow", "Cluster", "Python API", "Design", "Results", "Changelog"]
    places = [page.find(f'<span class="caption-text">{name}</span>') for name in sections]
    assert -1 not in places and places == sorted(places)


def test_the_python_api_is_on_its_page(site: Path) -> None:
    page = (site / "api.html").read_text()
    for name in ("harness.Component", "harness.InputError", "harness.seed_of", "harness.nn.Pooling"):
        assert f'id="{name}"' in page, name
