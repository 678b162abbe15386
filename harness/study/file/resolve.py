"""Resolution of a study file to trees: base < budget < variant < --set. The trees are checked elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.config.distributions import is_distribution
from harness.config.merge import merge
from harness.contract.errors import Problems, nearest
from harness.contract.loading.catalog import Catalog
from harness.contract.types import NO_BUDGET
from harness.study.file.located import Located
from harness.study.file.patch import Override, states
from harness.study.file.slots import expand, refusal
from harness.study.file.spec import SECTIONS, TREE, Study, check_selection, check_values

Layers = Sequence[tuple[str, Mapping[str, Any]]]


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """A study at one budget.

    Args:
        sections: `study`, `search`, `confirm`, `explain`, patched.
        tree: `dataset`, `train`, `model` of the base, patched by the budget and by --set.
        variants: every variant of the file with its own tree.
        run: the variants that this budget trains, in the order of the file.
        derived: the variants that it reads or averages.
        layers: variant -> the patches of its tree with the prefix of their paths, last first;
            under "" those of the other sections.
    """

    budget: str
    sections: Mapping[str, Any]
    tree: Mapping[str, Any]
    variants: Mapping[str, Mapping[str, Any]]
    run: tuple[str, ...]
    derived: tuple[str, ...]
    demonstration: bool
    layers: Mapping[str, Layers]

    def origin(self, variant: str, path: str) -> str:
        """Return the path at which the user wrote the value at `path`; "" stands for no variant."""
        return _origin(self.layers[variant], path)

    def swapped(self, variant: str) -> bool:
        """Return True if the budget or `--set` changes the data of the study."""
        patches = [patch for prefix, patch in self.layers[variant] if not prefix.startswith("variants.")]
        return any(isinstance(patch, Mapping) and "dataset" in patch for patch in patches)


def resolve(
    study: Study, budget: str | None, overrides: Sequence[Override], catalog: Catalog, problems: Problems
) -> Resolved:
    """Apply the budget, each variant, and `--set` in the given order; mistakes are added to `problems`.

    Raises:
        InputError: there is no such budget.
    """
    name = _budget(study, budget, problems)
    patch = {key: value for key, value in study.budgets.get(name, {}).items() if key in SECTIONS}
    sections = {section: merge(study.base.get(section, {}), patch.get(section, {})) for section in SECTIONS}
    base = {section: _table(sections[section]) for section in TREE}
    layers = {variant: _layers(study, name, variant, overrides) for variant in ("", *study.variants)}
    trees = {}
    for variant, changes in study.variants.items():
        merged = {section: _table(merge(base[section], changes.get(section, {}))) for section in TREE}
        trees[variant] = _expand(merged, layers[variant], catalog, problems)
    tree = expand(base, catalog, Problems(""))
    selection, wanted = study.budgets.get(name, {}).get("select", "all"), list(overrides)
    for override in [item for item in wanted if item.path[0] == "select"]:
        selection = override.value
        check_selection(selection, study.names, problems, "--set select")
    chosen = [v for v in study.names if selection == "all" or (isinstance(selection, list) and v in selection)]
    selected = [v for v in chosen if v in study.variants]
    for override in wanted:
        if override.path[0] in study.names and override.path[0] not in study.variants:
            problems.add(f"--set {override.dotted}", f"has no effect: {override.path[0]!r} is not trained")
            continue
        _apply(override, sections, tree, trees, selected, catalog, problems)
    return Resolved(
        budget=name,
        sections={section: sections[section] for section in SECTIONS if section not in TREE},
        tree=expand(tree, catalog, Problems("")),
        variants={variant: _expand(found, layers[variant], catalog, problems) for variant, found in trees.items()},
        run=tuple(selected),
        derived=tuple(name for name in chosen if name not in study.variants),
        demonstration=study.budgets.get(name, {}).get("demonstration", False) is True,
        layers=layers,
    )


def _budget(study: Study, budget: str | None, problems: Problems) -> str:
    """Return the name of the budget; raise with all problems so far if there is none."""
    known = list(study.budgets)
    section = study.base.get("study", {})
    name = budget or str(section.get("budget", "") or ("" if known else NO_BUDGET))
    if name in known or (not known and budget is None):
        return name
    listed = ", ".join(known) or "none"
    if not name:
        problems.add("study.budget", f"name the default budget, one of {listed}")
    else:
        problems.add("", f"no budget named {name!r}{nearest(name, known)} (there are: {listed})")
    raise problems.error()


def _table(value: Any) -> Mapping[str, Any]:
    """Return the value, or an empty table if it is none: that was reported when the file was read."""
    return value if isinstance(value, Mapping) and not is_distribution(value) else {}


def _expand(tree: Mapping[str, Any], layers: Layers, catalog: Catalog, problems: Problems) -> dict[str, Any]:
    found = Located()
    expanded = expand(tree, catalog, found)
    for path, message in found.located:
        problems.add(_origin(layers, path), message)
    return expanded


def _origin(layers: Layers, path: str) -> str:
    keys = path.split(".")
    return next((f"{prefix}{path}" for prefix, patch in layers if states(patch, keys)), path)


def _apply(
    override: Override,
    sections: dict[str, Any],
    tree: dict[str, Any],
    trees: dict[str, dict[str, Any]],
    selected: Sequence[str],
    catalog: Catalog,
    problems: Problems,
) -> None:
    head, where = override.path[0], f"--set {override.dotted}"
    check_values(override.value, where, problems)
    if head == "select":
        return
    if override.path == ("study", "budget"):
        problems.add(where, "choose a budget with --budget NAME")
    elif head in trees:
        _apply_to_variant(override, trees, selected, catalog, problems)
    elif head not in SECTIONS:
        problems.add(where, f"no section or variant named {head!r}{nearest(head, ['select', *SECTIONS, *trees])}")
    elif len(override.path) == 1 and not (head in TREE and isinstance(override.value, Mapping)):
        problems.add(where, "set a section key by key; only dataset, train and model can be set to a table")
    elif head not in TREE:
        sections[head] = merge(sections[head], override.table[head])
    else:
        reasons = [refusal(trees[name], override.path, catalog) for name in selected]
        if reasons and None not in reasons:
            problems.add(where, f"has no effect on any variant: {reasons[0]}")
        for found in [tree, *trees.values()]:
            if refusal(found, override.path, catalog) is None:
                found[head] = merge(found[head], override.table[head])


def _apply_to_variant(
    override: Override,
    trees: dict[str, dict[str, Any]],
    selected: Sequence[str],
    catalog: Catalog,
    problems: Problems,
) -> None:
    name, path, where = override.path[0], override.path[1:], f"--set {override.dotted}"
    if name not in selected:
        problems.add(where, f"has no effect: the variant {name!r} does not run at this budget")
    elif len(path) < 2 or path[0] not in TREE:
        problems.add(where, f"only keys of {', '.join(TREE)} can be set for a variant")
    elif reason := refusal(trees[name], path, catalog):
        problems.add(where, f"has no effect: {reason}")
    else:
        trees[name][path[0]] = merge(trees[name][path[0]], override.table[name][path[0]])


def _layers(
    study: Study, budget: str, variant: str, overrides: Sequence[Override]
) -> list[tuple[str, Mapping[str, Any]]]:
    layers: list[tuple[str, Mapping[str, Any]]] = [
        (f"budgets.{budget}.", study.budgets.get(budget, {})),
        (f"variants.{variant}.", study.variants.get(variant, {})),
    ]
    for override in overrides:
        if override.path[0] == variant:
            layers.append((f"--set {variant}.", override.table[variant]))
        elif override.path[0] in SECTIONS:
            layers.append(("--set ", override.table))
    return layers[::-1]
