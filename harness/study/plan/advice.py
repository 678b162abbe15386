"""Warnings of a plan: a study is valid, but may not show what its author expects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.config.distributions import is_distribution
from harness.config.space import size
from harness.contract.types import VariantPlan
from harness.study.plan.checks import Checked
from harness.study.plan.identity import canonical

FEW_CELLS = 100


def warnings(
    variants: Sequence[VariantPlan], checked: Mapping[str, Checked], search: Mapping[str, Any], baseline: str
) -> list[str]:
    """Return every warning of a plan, the most important first."""
    if baseline not in {variant.name for variant in variants}:
        missing = [f"the baseline {baseline!r} does not run: no differences to it are shown"]
    else:
        missing = []
    trained = [variant for variant in variants if variant.kind == "trained"]
    return [
        *missing,
        *dict.fromkeys(note for variant in trained for note in checked[variant.name].notes),
        *_same_thing(trained, checked),
        *_few_cells(trained, checked),
        *_wide_field(trained, checked),
        *_nothing_searched(trained, search),
        *_search(trained, search),
    ]


def model_based(search: Mapping[str, Any]) -> int:
    """Return how many trials of a variant a model of earlier trials proposes; the others are random."""
    sampler = search["sampler"]
    return max(0, int(search["trials"]) - int(sampler["startup"])) if sampler["use"] == "tpe" else 0


def _same_thing(variants: Sequence[VariantPlan], checked: Mapping[str, Checked]) -> Iterator[str]:
    alike: dict[str, list[str]] = {}
    for variant in variants:
        model = {**variant.tree["model"], **checked[variant.name].canonical}
        alike.setdefault(canonical({**variant.tree, "model": model}), []).append(variant.name)
    for names in alike.values():
        if len(names) > 1:
            yield f"{_listed(names)} are equivalent{_on_map(checked[names[0]].facts)}"


def _few_cells(variants: Sequence[VariantPlan], checked: Mapping[str, Checked]) -> Iterator[str]:
    small: dict[int, list[str]] = {}
    fractions = set()
    for variant in variants:
        cells = checked[variant.name].facts.get("cells")
        for fraction in _fractions(variant.tree["model"]):
            fractions.add(canonical(fraction))
            if cells is not None and cells < FEW_CELLS:
                small.setdefault(cells, []).append(variant.name)
    varies = len(fractions) > 1 or any(text.startswith("{") for text in fractions)
    for cells, names in small.items() if varies else ():
        shape = _shape(checked[names[0]].facts)
        yield f"the{shape} map has {cells} cells while t varies: below {FEW_CELLS} cells, 1 % is less than one cell"


def _wide_field(variants: Sequence[VariantPlan], checked: Mapping[str, Checked]) -> Iterator[str]:
    """Yield a warning for each effective field of two thirds of the image or more: most cells see every lesion."""
    wide: dict[tuple[int, int, int], list[str]] = {}
    for variant in variants:
        own = checked[variant.name]
        theoretical, effective = own.facts.get("field", (0, 0))
        if effective and 0 < 2 * min(own.task.image_size) <= 3 * effective:
            wide.setdefault((theoretical, effective, min(own.task.image_size)), []).append(variant.name)
    for (theoretical, effective, side), names in wide.items():
        yield (
            f"a cell of {_listed(names)} effectively sees {effective} px (95 % of the squared gradient at the start, "
            f"{theoretical} px in theory) of {side}: its map may not localise; take a smaller stride"
        )


def _nothing_searched(variants: Sequence[VariantPlan], search: Mapping[str, Any]) -> Iterator[str]:
    names = [variant.name for variant in variants if not variant.searched]
    if names and search["trials"] > 1:
        verb = "searches" if len(names) == 1 else "search"
        yield f"{_listed(names)} {verb} nothing: one trial instead of {search['trials']}"


def _search(variants: Sequence[VariantPlan], search: Mapping[str, Any]) -> Iterator[str]:
    sampler, trials = search["sampler"]["use"], search["trials"]
    if not any(variant.searched for variant in variants):
        return
    if sampler == "tpe" and not model_based(search):
        startup = search["sampler"]["startup"]
        yield f"no trial of this 'tpe' search is model-based: {trials} trials, and the first {startup} are random"
    sizes = {variant.name: size(variant.tree) or 0 for variant in variants if variant.searched}
    for name, points in sizes.items():
        if 0 < points < trials:
            yield f"the search of {name!r} ends after {points} of {trials} trials: its space has no more points"
        elif points > trials and sampler == "grid":
            yield f"search.trials = {trials} leaves {points - trials} of the {points} points of {name!r} untried"
    yield from _pruner(variants, search["pruner"])


def _pruner(variants: Sequence[VariantPlan], pruner: Mapping[str, Any]) -> Iterator[str]:
    if pruner["use"] != "asha":
        return
    for variant in variants:
        epochs = variant.tree["train"].get("epochs")
        if isinstance(epochs, int) and pruner["grace"] >= epochs:
            yield (
                f"no trial of {variant.name!r} is ever pruned: search.pruner.grace is {pruner['grace']} epochs, "
                f"and a trial has {epochs}"
            )
            return


def _fractions(value: Any) -> Iterator[Any]:
    """Yield every `fraction` in a model's table, distributions too: t of a top-t % pooling."""
    if isinstance(value, Mapping):
        if "fraction" in value and not is_distribution(value):
            yield value["fraction"]
        for item in value.values():
            yield from _fractions(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _fractions(item)


def _on_map(facts: Mapping[str, Any]) -> str:
    return f" on a{_shape(facts)} map" if facts.get("map") else ""


def _shape(facts: Mapping[str, Any]) -> str:
    return f" {facts['map'][0]} x {facts['map'][1]}" if facts.get("map") else ""


def _listed(names: Sequence[str]) -> str:
    quoted = [repr(name) for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"
