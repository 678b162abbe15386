"""An installed package with every mistake that is found at load: each is named with its distribution and way out."""

from __future__ import annotations

import json
from pathlib import Path

from tests.harness.contract.loading.installed import harness, install

MISTAKES = """
from harness import Component, hookimpl

def build_open(features: int, outputs: int, /, *, window: int = 1, **kwargs):
    return None

def build_misfit(features: int, outputs: int, /, *, window: int = 1.5):
    return None

def build_bare(features, outputs, /, *, window=1):
    return None

def build_narrow(features: int, /):
    return None

def build_sound(features: int, outputs: int, /):
    return None

@hookimpl
def harness_poolings():
    for name in ("open", "misfit", "bare", "narrow", "sound"):
        provides = frozenset({"salienzy" if name == "sound" else "saliency"})
        yield Component(name=name, build=globals()[f"build_{name}"], summary="s", provides=provides)
"""
LINES = {
    "open": "def build_open(features: int, outputs: int, /, *, window: int = 1)",
    "misfit": "def build_misfit(features: int, outputs: int, /, *, window: float = 1.5)",
    "bare": "def build_bare(features: int, outputs: int, /, *, window: int = 1)",
    "narrow": "def build_narrow(features: int, outputs: int, /)",
}


def test_every_mistake_is_named_and_what_is_sound_is_kept(tmp_path: Path) -> None:
    site = tmp_path / "site"
    install(site, "acme-pools", MISTAKES)
    install(site, "other-pools", MISTAKES.replace("@hookimpl\n", ""))
    install(site, "third-pools", MISTAKES.replace("harness_poolings", "harness_poolngs"))
    done = harness(site, "plugin", "list", "pooling", "--json")
    listed = json.loads(done.stdout)
    reasons = {item["distribution"]: [] for item in listed["broken"]}
    for item in listed["broken"]:
        reasons[item["distribution"]].append(item["reason"])
    for reason, (name, line) in zip(reasons["acme-pools"], LINES.items(), strict=True):
        assert f"the signature of {name!r}" in reason and reason.endswith(f"write `{line}`")
    assert reasons["other-pools"] == [
        "InputError: harness_poolings is not marked as a hook, so it is never called: "
        "write `@hookimpl` above `def harness_poolings()`"
    ]
    assert reasons["third-pools"] == [
        "InputError: there is no hook named 'harness_poolngs'; did you mean 'harness_poolings'?"
    ]
    assert "sound" in {row["name"] for row in listed["components"]}
    assert "'salienzy', which is no word of the harness; did you mean 'saliency'?" in done.stderr
    assert "acme_pools (acme-pools 0.1)" in done.stderr
