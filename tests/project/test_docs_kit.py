"""The pages about plugins show the shipped example as it is, and the tutorial does what it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from harness.contract.components import KINDS
from harness.contract.loading.hookspecs import HarnessSpecs

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "plugins"
EXAMPLE = ROOT / "example"
SHOWN = re.compile(r"^`((?:src|studies)/[\w./]+)`:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
"""A file of the example: its path, then its text."""
WRITTEN = re.compile(r"Replace `([\w./]+)` with:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RUN = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_pages_show_every_file_of_the_example_as_it_is() -> None:
    shown = {path: text for page in PAGES.glob("*.md") for path, text in SHOWN.findall(page.read_text())}
    assert {path: (EXAMPLE / path).read_text() for path in shown} == shown
    sources = {str(path.relative_to(EXAMPLE)) for path in EXAMPLE.rglob("*.py") if path.parent.name in _parts()}
    studies = {str(path.relative_to(EXAMPLE)) for path in EXAMPLE.glob("studies/*.toml")}
    assert set(shown) == sources | studies


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_of_a_kind_states_what_harness_supplies(kind: str) -> None:
    page = (PAGES / f"{kind}.md").read_text()
    said = re.search(r"`(build\(.*?\*\*params\))", getattr(HarnessSpecs, f"harness_{kind}s").__doc__ or "")
    assert said is not None and said[1] in page


def test_the_single_file_of_the_docs_is_a_plugin(tmp_path: Path) -> None:
    from harness.contract.loading.catalog import Catalog
    from harness.contract.loading.single_files import SingleFile, run_file

    (text,) = re.findall(r"```python\n(# plugins/mine\.py.*?)```", (PAGES / "running.md").read_text(), re.DOTALL)
    catalog = Catalog()
    run_file(catalog, SingleFile(str(tmp_path / "mine.py"), text))
    assert catalog.broken == [] and catalog.names("pooling") == ["power_mean"]


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A folder, and an environment in which harness is installed and pip may install more."""
    folder = tmp_path_factory.mktemp("tutorial")
    venv.create(folder / "env", with_pip=False)
    own = next(path for path in sys.path if path.endswith("site-packages"))
    site = next((folder / "env").glob("lib/python*/site-packages"))
    (site / "harness_under_test.pth").write_text(f"{ROOT}\n{ROOT / 'plugins'}\n{own}\n")
    programs = folder / "env" / "bin"
    for name in ("harness", "pytest", "pip"):
        (programs / name).write_text(f'#!/bin/sh\nexec "{programs}/python" -m {name} "$@"\n')
        (programs / name).chmod(0o755)
    kept = {key: os.environ[key] for key in ("HOME", "TMPDIR") if key in os.environ}
    offline = {"PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_NO_DEPS": "1", "OMP_NUM_THREADS": "1"}
    return folder, {**kept, **offline, "PATH": f"{programs}:/usr/bin:/bin", "XDG_CONFIG_HOME": str(folder / "config")}


@pytest.mark.slow
def test_the_tutorial_reaches_the_leaderboard(shell: tuple[Path, dict[str, str]]) -> None:
    folder, environment = shell
    shown = ""
    for kind, path, text in _steps((PAGES / "tutorial.md").read_text()):
        if kind == "write":
            assert (folder / path).is_file(), f"{path} is replaced, so `plugin new` wrote it"
            (folder / path).write_text(text)
            continue
        for line in text.splitlines():
            command, _, note = line.partition("#")
            if command.startswith("cd "):
                folder = folder / command.split()[1]
                continue
            done = subprocess.run(
                ["sh", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, timeout=600
            )
            expected = 1 if "exit code 1" in note else 0
            assert done.returncode == expected, f"{line}: {done.returncode}\n{done.stdout}\n{done.stderr}"
            shown += done.stdout
    assert "masked_instances_do_not_matter" in shown, "the first version breaks this law"
    assert re.search(r"^ power_mean +0\.\d{3}", shown, re.MULTILINE), "the variant is on the leaderboard"


def _parts() -> set[str]:
    return {path.name for path in (EXAMPLE / "src" / "acme_example").iterdir() if path.is_dir()}


def _steps(page: str) -> list[tuple[str, str, str]]:
    """Return what the page writes and runs, in its order: ("write", path, text) or ("run", "", commands)."""
    found = [(match.start(), "write", match[1], match[2]) for match in WRITTEN.finditer(page)]
    found += [(match.start(), "run", "", match[1]) for match in RUN.finditer(page)]
    return [(kind, path, text) for _, kind, path, text in sorted(found)]
