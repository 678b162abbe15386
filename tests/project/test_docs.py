"""Docs and code say the same: every hook stands in docs/plugins.md with its exact signature, and has a test."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from harness.contract.hookspecs import HarnessSpecs

ROOT = Path(__file__).parents[2]
HOOKS = {name: hook for name, hook in vars(HarnessSpecs).items() if name.startswith("harness_")}


@pytest.mark.parametrize("name", HOOKS)
def test_each_hook_stands_in_the_docs_with_its_signature(name: str) -> None:
    signature = str(inspect.signature(HOOKS[name])).replace("'", "")
    assert f"`{name}{signature}`" in (ROOT / "docs" / "plugins.md").read_text()


@pytest.mark.parametrize("name", HOOKS)
def test_each_hook_is_used_in_a_test_or_a_plugin(name: str) -> None:
    used = [path for top in ("tests", "plugins") for path in (ROOT / top).rglob("*.py") if path.name != "test_docs.py"]
    assert any(re.search(rf"def {name}\(", path.read_text()) for path in used)


def test_every_relative_link_of_the_docs_leads_somewhere() -> None:
    broken = []
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
        for target, anchor in re.findall(r"\]\(([^)#\s]*)#?([^)\s]*)\)", page.read_text()):
            there = page.parent / target if target else page
            if "://" in target:
                continue
            if not there.exists() or (anchor and anchor not in _anchors(there)):
                broken.append(f"{page.name}: {target}#{anchor}")
    assert broken == []


def _anchors(page: Path) -> set[str]:
    """Of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_no_figure_of_the_docs_is_still_to_be_filled_in() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    left = [f"{page.name}: {word}" for page in pages for word in re.findall(r"@[A-Za-z]\w*@", page.read_text())]
    assert left == []
