"""The distribution is Apache-2.0, and installing it brings no GPL or AGPL package. LGPL is allowed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
COPYLEFT = re.compile(r"(?<!L)A?GPL|Affero|(?<!Lesser )(?<!Library )General Public License", re.IGNORECASE)


def stated(found: Distribution) -> list[str]:
    """Return the licence that a distribution states: its expression, else its classifiers, else its first line."""
    metadata = found.metadata
    if expression := metadata.get("License-Expression"):
        return [expression]
    classifiers = [text for text in metadata.get_all("Classifier") or [] if text.startswith("License ::")]
    return classifiers or (metadata.get("License") or "").strip().splitlines()[:1]


def is_copyleft(licence: str) -> bool:
    """Return True if every option of a licence is GPL or AGPL."""
    return all(COPYLEFT.search(option) for option in re.split(r"\bOR\b", licence))


def required(name: str, seen: set[str]) -> Iterator[Distribution]:
    """Yield a distribution and all that it requires on this machine, extras left out."""
    if name in seen:
        return
    seen.add(name)
    found = distribution(name)
    yield found
    for text in found.requires or []:
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield from required(re.sub(r"[-_.]+", "-", requirement.name).lower(), seen)


@pytest.mark.parametrize(
    ("licence", "copyleft"),
    [
        ("GPL-3.0-or-later", True),
        ("AGPL-3.0-only", True),
        ("License :: OSI Approved :: GNU Affero General Public License v3", True),
        ("License :: OSI Approved :: GNU General Public License v3 (GPLv3)", True),
        ("License :: OSI Approved :: GNU Lesser General Public License v3 (LGPLv3)", False),
        ("LGPL-3.0-only", False),
        ("MIT OR GPL-2.0-only", False),
        ("Apache-2.0", False),
    ],
)
def test_a_licence_is_recognised(licence: str, copyleft: bool) -> None:
    assert is_copyleft(licence) is copyleft


def test_no_dependency_is_gpl_or_agpl() -> None:
    found = list(required("mil-harness", set()))
    assert len(found) > 50  # torch, Ray and MLflow alone bring as many
    assert {each.name: licence for each in found for licence in stated(each) if is_copyleft(licence)} == {}


def test_the_licence_is_stated_and_enclosed() -> None:
    assert 'license = "Apache-2.0"' in (ROOT / "pyproject.toml").read_text()
    assert "Apache License\n                           Version 2.0" in (ROOT / "LICENSE").read_text()
