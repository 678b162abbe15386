"""Docs and code agree: hooks, links, the map of CONTRIBUTING; the language and vocabulary of every page."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.contract.loading.hookspecs import HarnessSpecs
from harness.trial.settings.training import TrainSettings

ROOT = Path(__file__).parents[2]
HOOKS = {name: hook for name, hook in vars(HarnessSpecs).items() if name.startswith("harness_")}
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]

REFUSED = (
    # words of 0.1 that have another name now
    "evidence", "floors?", "proposer", "stopper", "conductor", "Misfit", "Unfit", "label_floor", "harness_systems",
    "(?<!operating )(?<!file )systems?",
    # private words
    "told", "beside", "stands?", "stood", "comes? to", "came to", "came out", "came of", "became of", "anew", "bears?",
    "dealt", "strewn", "dear", "dearer", "dearest", "beneath", "likened", "gravest", "whence", "goes on", "go on",
)  # fmt: skip
CODE = re.compile(r"```.*?```|``.*?``|`[^`\n]*`|\]\([^)]*\)|\"[^\"\n]*\"", re.DOTALL)
"""What the language tests leave out: code, the targets of links, quotations."""
LONGEST = 25
"""Words in a sentence."""
RENAMED = "### Renamed"
"""The one place where the words of 0.1 are written: the table of renamed keys in CHANGELOG.md."""


@pytest.mark.parametrize("name", HOOKS)
def test_each_hook_is_in_the_docs_with_its_signature(name: str) -> None:
    signature = str(inspect.signature(HOOKS[name])).replace("'", "")
    assert f"`{name}{signature}`" in (ROOT / "docs" / "plugins.md").read_text()


@pytest.mark.parametrize("name", HOOKS)
def test_each_hook_is_used_in_a_test_or_a_plugin(name: str) -> None:
    used = [path for top in ("tests", "plugins") for path in (ROOT / top).rglob("*.py") if path.name != "test_docs.py"]
    assert any(re.search(rf"def {name}\(", path.read_text()) for path in used)


def test_each_training_setting_is_in_the_docs() -> None:
    table = (ROOT / "docs" / "studies.md").read_text().split("## Training settings")[1].split("\n## ")[0]
    settings = set(TrainSettings.model_fields) - {"shuffle_labels"}  # of a control: not for a study to set
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == settings


def test_every_relative_link_of_the_docs_leads_somewhere() -> None:
    broken = []
    for page in PAGES:
        for target, anchor in re.findall(r"\]\(([^)#\s]*)#?([^)\s]*)\)", page.read_text()):
            there = page.parent / target if target else page
            if "://" in target:
                continue
            if not there.exists() or (anchor and anchor not in _anchors(there)):
                broken.append(f"{page.name}: {target}#{anchor}")
    assert broken == []


def _anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_no_value_of_the_docs_is_still_to_be_filled_in() -> None:
    left = [f"{page.name}: {word}" for page in PAGES for word in re.findall(r"@[A-Za-z]\w*@", page.read_text())]
    assert left == []


def test_every_path_of_the_map_exists() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    paths = {path for row in rows for path in re.findall(r"`([\w./-]+/[\w./-]*)`", row)}
    assert len(paths) > 40
    assert sorted(path for path in paths if not (ROOT / path).exists()) == []


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().split()) <= 900


def test_every_page_begins_with_its_purpose() -> None:
    pages = [page for page in PAGES if page.parent != ROOT]
    begun = {page.name: page.read_text().splitlines()[:3] for page in pages}
    assert [name for name, lines in begun.items() if not re.match(r"# \S", lines[0]) or lines[1] != ""] == []
    assert [
        name for name, lines in begun.items() if not re.match(r"(This (page|section) |harness is )", lines[2])
    ] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_has_no_private_or_renamed_word(page: Path) -> None:
    text = CODE.sub(" ", "\n".join(_lines_of_today(page)))
    assert re.findall(rf"\b(?:{'|'.join(REFUSED)})\b", text, re.IGNORECASE) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_sentence_has_at_most_25_words(page: Path) -> None:
    long = [each for each in _sentences(_lines_of_today(page)) if len(re.findall(r"\w[\w'.,-]*", each)) > LONGEST]
    assert long == []


def _lines_of_today(page: Path) -> Iterator[str]:
    """Yield the lines of a page, without the table of what was renamed."""
    renamed = False
    for line in page.read_text().splitlines():
        renamed = line == RENAMED or (renamed and not line.startswith("#"))
        if not renamed:
            yield line


def _sentences(lines: Iterator[str]) -> Iterator[str]:
    """Yield the sentences of running text and lists; tables, headings, code and parentheses are left out."""
    text = "\n".join(line for line in lines if not line.startswith(("|", "#")))
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL).replace("**", "")
    text = re.sub(r"``.*?``|`[^`\n]*`|\[[^\]\n]*\d[^\]\n]*\]", "x", re.sub(r"\]\([^)]*\)", "]", text))
    text = re.sub(r"\([^()]*\)", "", text)
    for part in re.split(r"\n\s*\n|\n(?=- |\d+\. )", text):
        yield from re.split(r"(?<=[.!?:;]) ", " ".join(part.split()))
