"""Checks what a study measures and shows: its objective, metrics and explainers."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, Literal

from harness.contract.catalog import Catalog
from harness.contract.components import Factory, parameters
from harness.contract.errors import Problems, nearest, nearest_or_all
from harness.contract.keys import metric_of
from harness.contract.masks import REGIONS, unmet
from harness.contract.tables import OWN_MAP, named
from harness.contract.types import Objective
from harness.study.file.sections import ExplainSection, ObjectiveSection, StudySection
from harness.study.plan.checks import Checked
from harness.study.plan.pricing import explaining

MASKS = frozenset({"eval_masks", "train_masks", "region", "layers", *REGIONS})


def directed(section: ObjectiveSection, catalog: Catalog) -> Objective:
    """The objective with its direction: the study's or, where it names none, that of the metric."""
    name = metric_of(section.metric, catalog.names("metric"))
    natural = _mode(name, catalog) if name else "max"
    return Objective(metric=section.metric, mode=section.mode or natural)


def check_objective(
    section: ObjectiveSection, catalog: Catalog, checked: Collection[Checked], problems: Problems
) -> None:
    """Notes an objective that no search could follow, or that would lead it to the worst there is."""
    key = section.metric
    path, parts = "study.objective.metric", key.split("/")[1:]
    name = metric_of(key, catalog.names("metric"))
    if name is None:
        problems.add(path, f"no metric named {parts[0]!r}{nearest_or_all(parts[0], catalog.names('metric'))}")
        return
    if needs := sorted(catalog.get("metric", name).needs & MASKS):
        problems.add(path, f"{name!r} needs {', '.join(needs)}, which a search may not see")
    natural = _mode(name, catalog)
    if section.mode not in (None, natural):
        better = "higher" if natural == "max" else "lower"
        problems.add(
            "study.objective.mode", f"{section.mode!r} contradicts {name!r}, of which {better} is better: {natural!r}"
        )
    rest = parts[parts.index(name) + 1 :]
    for item in checked:
        if len(rest) > 1 or (rest and rest[0] not in item.task.classes):
            problems.add(path, f"no class named {'/'.join(rest)!r}{nearest(rest[0], item.task.classes)}")


def _mode(metric: str, catalog: Catalog) -> Literal["max", "min"]:
    return "max" if catalog.get("metric", metric).higher_is_better else "min"


def check_metrics(
    section: StudySection, catalog: Catalog, checked: Collection[Checked], problems: Problems
) -> tuple[list[str], list[str]]:
    """The metrics to compute, the objective's among them, and why others are left out."""
    wanted = [*section.metrics]
    objective = metric_of(section.objective.metric, catalog.names("metric"))
    if objective is not None and objective not in wanted:
        wanted.insert(0, objective)
    kept, dropped = [], []
    for index, name in enumerate(dict.fromkeys(wanted)):
        if name not in catalog.names("metric"):
            hint = nearest_or_all(name, catalog.names("metric"))
            problems.add(f"study.metrics.{index}", f"no metric named {name!r}{hint}")
            continue
        component = catalog.get("metric", name)
        if owed := [key for key, parameter in parameters(component.build).items() if parameter.required]:
            problems.add(
                f"study.metrics.{index}", f"the metric {name!r} needs {', '.join(owed)}: a study sets none of it"
            )
        needs = component.needs
        lacking = [sorted(needs - item.provides) for item in checked]
        if lacking and all(lacking):
            dropped.append(f"the metric {name!r} is left out: it needs {', '.join(lacking[0])}")
        else:
            kept.append(name)
    return kept, dropped


def check_explain(
    section: ExplainSection, catalog: Catalog, checked: Collection[Checked], problems: Problems
) -> tuple[ExplainSection, list[str]]:
    """The explainers that some variant can feed; why others are left out, and what they cost.

    Mistakes go to `problems`.
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
    if section.faithfulness is not None and section.faithfulness.use and _no_images(checked):
        section = section.model_copy(update={"faithfulness": None})
        dropped.append("faithfulness is left out: it covers parts of single images")
    prices = [] if problems else explaining(section, factories, [item.task for item in checked])
    return section, [*dropped, *prices]


def _check_name(
    name: str, factory: Factory, taken: Collection[str], catalog: Catalog, path: str, problems: Problems
) -> None:
    """Notes a name that would not tell a map from another's."""
    if name in taken:
        hint = f'; name one of them, as `name = "{factory.name}_2"`'
        problems.add(path, f"{name!r} stands here twice: its maps would bear one name{hint}")
    elif name == factory.name:
        return
    elif not re.fullmatch("[a-z][a-z0-9_]*", name):
        problems.add(f"{path}.name", f"small letters, digits and _ make a name, a letter first, found {name!r}")
    elif name in {OWN_MAP, *catalog.names("explainer")}:
        problems.add(f"{path}.name", f"{name!r} is another explainer's name, and this is {factory.name!r}")


def _no_images(checked: Collection[Checked]) -> bool:
    """Whether there is data, and no sample of it is a single image."""
    return bool(checked) and all(item.task.sample != "image" for item in checked)


def _explainer(entry: Any, path: str, catalog: Catalog, problems: Problems) -> Factory | None:
    """The explainer of a table, if its parameters can work."""
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
