"""Checks of the explainers of a study."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from harness.contract.components import Factory
from harness.contract.errors import Problems
from harness.contract.loading.catalog import Catalog
from harness.contract.masks import unmet
from harness.contract.tables import OWN_MAP, named
from harness.study.file.sections import ExplainSection
from harness.study.plan.checks import Checked
from harness.study.plan.metrics import misnamed
from harness.study.plan.pricing import explaining


def check_explain(
    section: ExplainSection, catalog: Catalog, checked: Collection[Checked], problems: Problems
) -> tuple[ExplainSection, list[str]]:
    """Return the explainers that at least one variant supports, why others are left out, and their costs.

    Mistakes are added to `problems`.
    """
    kept: list[str | dict[str, Any]] = []
    dropped, names, factories = [], set[str](), dict[str, Factory]()
    for index, entry in enumerate(section.use):
        path = f"explain.use.{index}"
        name, table = named(entry)
        factory = _explainer(table, path, catalog, problems)
        if factory is not None:
            _check_name(name, factory, names, catalog, path, problems)
            names.add(name)
        lacking = [unmet(factory.component.needs, item.provides, item.task) for item in checked] if factory else []
        if factory and lacking and all(lacking):
            dropped.append(f"the explainer {name!r} is left out: it needs {', '.join(lacking[0])}")
            continue
        kept.append(entry)
        factories |= {name: factory} if factory else {}
    section = section.model_copy(update={"use": kept})
    bags = bool(checked) and all(item.task.sample != "image" for item in checked)
    if section.faithfulness is not None and section.faithfulness.use and bags:
        section = section.model_copy(update={"faithfulness": None})
        dropped.append("faithfulness is left out: it covers parts of single images")
    prices = [] if problems else explaining(section, factories, [item.task for item in checked])
    return section, [*dropped, *prices]


def _check_name(
    name: str, factory: Factory, taken: Collection[str], catalog: Catalog, path: str, problems: Problems
) -> None:
    """Check that a name identifies the maps of one explainer."""
    if name in taken:
        hint = f'; name one of them, as `name = "{factory.name}_2"`'
        problems.add(path, f"{name!r} is listed twice: its maps would have one name{hint}")
    elif message := misnamed(name, factory.name, {OWN_MAP, *catalog.names("explainer")}, "explainer"):
        problems.add(f"{path}.name", message)


def _explainer(entry: Any, path: str, catalog: Catalog, problems: Problems) -> Factory | None:
    """Return the explainer of a table if its parameters are valid."""
    before = len(problems.messages)
    factory = catalog.factory("explainer", entry, problems, path)
    if factory is None or len(problems.messages) > before:
        return None
    try:
        factory.facts()
    except ValueError as error:
        problems.add(path, str(error))
        return None
    return factory
