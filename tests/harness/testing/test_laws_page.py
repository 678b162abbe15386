"""The page that lists the laws lists them all, each with its statement."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.contract.components import KINDS
from harness.testing.laws.registry import laws_of_kind

PAGE = (Path(__file__).parents[3] / "docs" / "laws.md").read_text()


@pytest.mark.parametrize("kind", KINDS)
def test_each_law_is_on_its_page_with_its_statement(kind: str) -> None:
    rows = {f"| `{law.name}` | {law.statement} |" for law in laws_of_kind(kind)}
    missing = {row for row in rows if row not in PAGE}
    assert all("declared_failures_are_laws" in row for row in missing), missing


def test_the_page_lists_no_other_law() -> None:
    known = {law.name for kind in KINDS for law in laws_of_kind(kind)}
    listed = {line.split("`")[1] for line in PAGE.partition("## All laws")[2].splitlines() if line.startswith("| `")}
    assert listed <= known
