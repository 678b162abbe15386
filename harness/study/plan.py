"""A plan: a study checked against what is installed. What will run, what is skipped and why; nothing is trained."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel

from harness.contract.catalog import Catalog
from harness.contract.errors import InputError, Problems, nearest
from harness.contract.types import Plan, Skip, VariantPlan
from harness.study import identity
from harness.study.advice import model_based, warnings
from harness.study.checks import Checked, Checker
from harness.study.located import Located
from harness.study.measures import check_explain, check_metrics, check_objective
from harness.study.patch import Override, parse_override
from harness.study.plan_io import plan_from_json, plan_to_json
from harness.study.resolve import Resolved, resolve
from harness.study.schema import validate
from harness.study.sections import ConfirmSection, ExplainSection, SearchSection, StudySection
from harness.study.settings import Settings
from harness.study.slots import uses
from harness.study.space import concretes, grid, searched
from harness.study.spec import Study

M = TypeVar("M", bound=BaseModel)

__all__ = ["make_plan", "model_based", "plan_from_json", "plan_to_json"]


def make_plan(
    study: Study,
    catalog: Catalog,
    settings: Settings,
    *,
    budget: str | None = None,
    overrides: Sequence[str] = (),
) -> Plan:
    """Resolves and checks a study.

    Args:
        study: as `load_study` read it.
        catalog: what is installed.
        settings: where the data are.
        budget: one of the study's, or None for the one that a bare run takes.
        overrides: `--set` arguments, `a.b=VALUE`.

    Raises:
        InputError: anything in the study is wrong; every mistake in one message.
    """
    problems = Problems(str(study.path))
    problems.messages += study.problems
    resolved = resolve(study, budget, _overrides(overrides, problems), catalog, problems)
    sections = _sections(resolved, problems)
    checker = Checker(catalog, settings.data)
    checked = _check_variants(resolved, checker, problems)
    _check_search(resolved, sections, problems)
    measures = _check_measures(study, sections, catalog, list(checked.values()), problems)
    problems.raise_if_any()
    return _plan(study, resolved, sections, checked, checker, measures)


@dataclass(frozen=True)
class Sections:
    """The sections that are no components; what stands here in place of a wrong one is never used."""

    study: StudySection
    search: SearchSection
    confirm: ConfirmSection
    explain: ExplainSection
    wrong: frozenset[str]


@dataclass(frozen=True)
class Measures:
    """What is computed and drawn, and why some of what was asked for is not."""

    metrics: tuple[str, ...]
    explain: ExplainSection
    dropped: tuple[str, ...]


def _overrides(texts: Sequence[str], problems: Problems) -> list[Override]:
    found = []
    for text in texts:
        try:
            found.append(parse_override(text))
        except InputError as error:
            problems.messages.append(str(error))
    return found


def _sections(resolved: Resolved, problems: Problems) -> Sections:
    def read(name: str, model: type[M]) -> M | None:
        located = Located()
        section = validate(model, resolved.sections[name], located, name)
        for path, message in located.located:
            problems.add(resolved.origin("", path), message)
        return section

    study, search = read("study", StudySection), read("search", SearchSection)
    confirm, explain = read("confirm", ConfirmSection), read("explain", ExplainSection)
    found = {"study": study, "search": search, "confirm": confirm, "explain": explain}
    return Sections(
        study or StudySection(),
        search or SearchSection(),
        confirm or ConfirmSection(),
        explain or ExplainSection(),
        frozenset(name for name, section in found.items() if section is None),
    )


def _check_variants(resolved: Resolved, checker: Checker, problems: Problems) -> dict[str, Checked]:
    """Checks every variant of the file, those that run to the end; a mistake of the base is told once."""
    base = Located()
    checker.check(resolved.tree, base, facts=True)
    checked = {}
    for name, tree in resolved.variants.items():
        found = Located()
        result = checker.check(tree, found, facts=name in resolved.run)
        for path, message in found.located:
            shared = (path, message) in base.located
            problems.add(_place(resolved, name, path, shared), message)
        if result is not None:
            checked[name] = result
    return checked


def _place(resolved: Resolved, variant: str, path: str, shared: bool) -> str:
    written = resolved.origin(variant, path)
    if written != path and (not shared or written.startswith(("--set", "budgets."))):
        return path if shared and path in ("model", "dataset", "train") else written
    return path if shared else f"variants.{variant}.{path}"


def _check_search(resolved: Resolved, sections: Sections, problems: Problems) -> None:
    if problems:  # an unsound range cannot be walked through
        return
    trees = {name: resolved.variants[name] for name in resolved.run}
    for name, tree in trees.items() if sections.confirm.folds is not None else ():
        if paths := searched(tree):
            problems.add(
                "confirm.folds", f"k folds need a fixed configuration, but {name!r} searches {', '.join(paths)}"
            )
    for tree in trees.values() if sections.search.sampler.use == "grid" else ():
        try:
            grid(tree)
        except ValueError as error:
            problems.add("search.sampler", str(error))


def _check_measures(
    study: Study, sections: Sections, catalog: Catalog, checked: list[Checked], problems: Problems
) -> Measures:
    explain, dropped = sections.explain, list[str]()
    if "explain" not in sections.wrong:
        explain, dropped = check_explain(explain, catalog, checked, problems)
    if "study" in sections.wrong:
        return Measures((), explain, ())
    baseline = sections.study.baseline
    if baseline and baseline not in study.variants:
        problems.add("study.baseline", f"no variant named {baseline!r}{nearest(baseline, study.variants)}")
    check_objective(sections.study.objective.metric, catalog, checked, problems)
    metrics, unmeasured = check_metrics(sections.study, catalog, checked, problems)
    return Measures(tuple(metrics), explain, (*unmeasured, *dropped))


def _plan(
    study: Study,
    resolved: Resolved,
    sections: Sections,
    checked: Mapping[str, Checked],
    checker: Checker,
    measures: Measures,
) -> Plan:
    section, search, confirm = sections.study, sections.search, sections.confirm
    base = _base(resolved, checker)
    study_id = identity.study_id(
        resolved.tree,
        objective=section.objective.model_dump(),
        search=search.model_dump(),
        confirm=confirm.model_dump(),
        digest=base["digest"],
        plugins=base["plugins"],
    )
    runnable = [name for name in resolved.run if not checked[name].missing]
    variants = tuple(_variant(name, resolved, checked[name], checker, study_id, base) for name in runnable)
    skipped = tuple(
        Skip(variant=name, reason=_reason(resolved.variants[name], checked[name]))
        for name in resolved.run
        if name not in runnable
    )
    if not variants:
        reasons = "; ".join(f"{skip.variant}: {skip.reason}" for skip in skipped)
        raise InputError(f"{study.path}: nothing is left to run ({reasons})")
    baseline = section.baseline or resolved.run[0]
    measured = {*(("metric", name) for name in measures.metrics), *_explainers(measures.explain)}
    return Plan(
        study=study.name,
        study_id=study_id,
        budget=resolved.budget,
        path=study.path,
        question=section.question,
        baseline=baseline,
        objective=section.as_objective(),
        metrics=measures.metrics,
        variants=variants,
        skipped=skipped,
        warnings=(*measures.dropped, *warnings(variants, checked, search.model_dump(), baseline)),
        tree=_plain(resolved.tree),
        search=search.model_dump(),
        confirm=confirm.model_dump(),
        explain=measures.explain.model_dump(),
        dataset_digest=base["digest"] or checked[runnable[0]].digest,
        plugins=checker.catalog.versions(measured.union(*(checked[name].used for name in runnable))),
        demonstration=resolved.demonstration,
    )


def _base(resolved: Resolved, checker: Checker) -> dict[str, Any]:
    """Digest and plugin versions of what the base itself names; a variant may name all of it instead."""
    used = set()
    for section, kind in (("dataset", "dataset"), ("model", "architecture")):
        for table in concretes(resolved.tree[section]):
            factory = checker.catalog.factory(kind, table, Problems(""), section)
            used |= {(kind, part.name) for kind, part in uses(factory, kind)} if factory else set()
    digest = checker.dataset(resolved.tree["dataset"]).digest if not searched(resolved.tree["dataset"]) else ""
    return {"digest": digest, "plugins": checker.catalog.versions(used)}


def _variant(
    name: str, resolved: Resolved, checked: Checked, checker: Checker, study_id: str, base: Mapping[str, Any]
) -> VariantPlan:
    tree = resolved.variants[name]
    plugins = checker.catalog.versions(checked.used)
    own: dict[str, Any] = {}
    if checked.digest != base["digest"]:
        own["digest"] = checked.digest
    if others := {key: version for key, version in plugins.items() if key not in base["plugins"]}:
        own["plugins"] = others
    return VariantPlan(
        name=name,
        id=identity.variant_id(study_id, name, tree, own),
        tree=_plain(tree),
        searched=searched(tree),
        needs=tuple(sorted(checked.needs)),
        facts=_plain({**checked.facts, "digest": checked.digest}),
    )


def _reason(tree: Mapping[str, Any], checked: Checked) -> str:
    model, dataset = tree["model"]["use"], tree["dataset"]["use"]
    return f"{model!r} needs {', '.join(checked.missing)}, which {dataset!r} does not provide"


def _explainers(explain: ExplainSection) -> set[tuple[str, str]]:
    return {("explainer", entry if isinstance(entry, str) else str(entry.get("use"))) for entry in explain.use}


def _plain(value: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON has it, so that a plan that was read back equals the one that was made."""
    plain: dict[str, Any] = json.loads(identity.canonical(value))
    return plain
