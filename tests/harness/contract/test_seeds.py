"""Seeds from names. The names are data: another spelling gives other numbers to every study."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import torch

from harness.contract import seeds
from harness.nn import generator

ROOT = Path(__file__).parents[3]
NAMES = {"augment", "epoch", "floor", "init", "order", "randomise", "sampler", "shift", "shuffle", "test", "tta"}
"""First name of each seed of version 0.1."""


def test_a_seed_depends_on_all_its_names_and_their_order() -> None:
    found = [seeds.of("init", 0), seeds.of("init", 1), seeds.of("order", 0), seeds.of(0, "init"), seeds.of("init0")]
    assert len(set(found)) == len(found)
    assert all(0 <= seed < 2**31 for seed in found)


def test_a_seed_is_the_same_on_every_machine() -> None:
    assert (seeds.of("init", 0), seeds.of("order", 3, 1)) == (1008323691, 1505743941)


def test_no_release_renames_a_seed() -> None:
    files = [path for top in ("harness", "plugins") for path in (ROOT / top).rglob("*.py")]
    first = [call.args[0] for path in files for call in _seeds(ast.parse(path.read_text(encoding="utf-8")))]
    assert {name.value for name in first if isinstance(name, ast.Constant)} >= NAMES


def test_draws_depend_on_the_names_and_on_nothing_else() -> None:
    state = torch.get_rng_state()
    first = torch.rand(4, generator=generator("crops", "image 1"))
    torch.rand(3)
    assert torch.equal(first, torch.rand(4, generator=generator("crops", "image 1")))
    assert not torch.equal(first, torch.rand(4, generator=generator("crops", "image 2")))
    torch.set_rng_state(state)
    generator("crops").initial_seed()
    assert torch.equal(state, torch.get_rng_state())


def _seeds(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "seeds.of":
            yield node
