"""Plans: a study checked against the installed components. Nothing is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeVar

from pydantic import BaseModel

from harness.config.schema import validate
from harness.config.settings import Settings
from harness.config.space import grid, searched
from harness.contract.components import parameters
from harness.contract.errors import InputError, Problems, nearest
from harness.contract.loading.catalog import Catalog
from harness.contract.masks import KINDS_OF_TASK
from harness.contract.types import Plan, Task
from harness.study.file.located import Located
from harness.study.file.patch import Override, parse_override
from harness.study.file.resolve import Resolved, resolve
from harness.study.file.sections import ClaimSection, ConfirmSection, ExplainSection, SearchSection, StudySection
from harness.study.file.spec import Study
from harness.study.journal.plan_io import plan_from_json, plan_to_json
from harness.study.plan.advice import model_based
from harness.study.plan.assemble import Measures, Sections, assemble
from harness.study.plan.checks import Checked, Checker
from harness.study.plan.datacheck import verdicts
from harness.study.plan.derived import Around, Derived, check_derived
from harness.study.plan.measures import check_explain
from harness.study.plan.metrics import NamedMetrics, check_metrics

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
    """Resolve and check a study.

    Args:
        study: as `load_study` returns it.
        catalog: the installed components.
        settings: location of the data.
        budget: one of the study's, or None for its default.
        overrides: `--set` arguments, `a.b=VALUE`.

    Raises:
        InputError: something in the study is wrong; every mistake is in one message.
    """
    problems = Problems(str(study.path))
    problems.messages += study.problems
    resolved = resolve(study, budget, _overrides(overrides, problems), catalog, problems)
    sections = _sections(resolved, problems)
    checker = Checker(catalog, settings.data)
    checked = _check_variants(resolved, checker, problems)
    derived = _check_derived(study, resolved, sections, checker, checked, problems)
    _check_search(resolved, sections, catalog, problems)
    about = list(checked.values()) or _about(derived, sections.study.kind)
    measures = _check_measures(study, sections, catalog, about, problems)
    problems.raise_if_any()
    plan = assemble(study, resolved, sections, checked, derived, checker, measures, settings.results)
    digests = [plan.dataset_digest, *(str(variant.facts["digest"]) for variant in plan.trained)]
    known = verdicts(settings.results, digests if plan.trained else [])
    return replace(plan, data_checks=known, overrides=tuple(overrides))


def _overrides(texts: Sequence[str], problems: Problems) -> list[Override]:
    found = []
    for text in texts:
        try:
            found.append(parse_override(text))
        except InputError as error:
            problems.messages.append(str(error))
    return found


def _sections(resolved: Resolved, problems: Problems) -> Sections:
    def read(name: str, model: type[M]) -> M:
        located, table = Located(), resolved.sections[name]
        section = validate(model, table, located, name)
        for path, message in located.located:
            problems.add(resolved.origin("", path), message)
        if section is not None:
            return section
        # Its valid part is read, so that wrong names in it are reported at the same time.
        keys = {path.split(".")[1] for path, _ in located.located if "." in path}
        rest = {key: value for key, value in table.items() if key not in keys} if isinstance(table, Mapping) else {}
        return validate(model, rest, Located(), name) or model()

    study, search = read("study", StudySection), read("search", SearchSection)
    confirm, explain = read("confirm", ConfirmSection), read("explain", ExplainSection)
    return Sections(study, search, confirm, explain)


def _check_variants(resolved: Resolved, checker: Checker, problems: Problems) -> dict[str, Checked]:
    """Check every variant of the file, those that run in full; a mistake of the base is reported once.

    If a budget or `--set` changes the data, a variant that does not fit their images is skipped instead.
    """
    base = Located()
    checker.check(resolved.tree, base, facts=True)
    checked = {}
    for name, tree in resolved.variants.items():
        found = Located()
        result = checker.check(tree, found, facts=name in resolved.run)
        skipped = found.size_mismatches if resolved.swapped(name) else set()
        for path, message in (item for item in found.located if item not in skipped):
            shared = (path, message) in base.located
            problems.add(_place(resolved, name, path, shared), message)
        if result is not None and (not result.size_mismatch or skipped):
            checked[name] = result
    return checked


def _check_derived(
    study: Study,
    resolved: Resolved,
    sections: Sections,
    checker: Checker,
    checked: Mapping[str, Checked],
    problems: Problems,
) -> dict[str, Derived]:
    """Check variants that are read or averaged against the data set that the trained variants share."""
    kind = sections.study.kind
    if "kind" in sections.study.model_fields_set and (resolved.tree.get("dataset") or not any(study.derived.values())):
        problems.add("study.kind", "the data set knows it; the key is for studies of tables alone")
    if not any(study.derived.values()):
        return {}
    trained = [checked[name] for name in resolved.run if name in checked]
    task = trained[0].task if trained else checker.task(resolved.tree["dataset"], problems)
    systems = [name for name in resolved.derived if name not in study.derived.get("ensembles", {})]
    if systems and sections.confirm.folds is not None:
        problems.add("confirm.folds", f"{systems[0]!r} was tested once: it cannot be compared over folds")
    if systems and len({item.digest for item in trained}) > 1:
        problems.add(
            f"variants of {len(trained)}", f"{systems[0]!r} needs one test split, but they have several data sets"
        )
    around = Around(
        root=checker.root,
        classes=task.classes if task else (),
        kind=task.kind if task else kind,
        trained={name: checked[name].skip(resolved.variants[name]) if name in checked else "" for name in resolved.run},
        selected=resolved.derived,
    )
    return check_derived(study, around, problems)


def _about(derived: Mapping[str, Derived], kind: Literal["multilabel", "multiclass"]) -> list[Checked]:
    """Return the task against which metrics are checked without training: classes, and no masks or saliency."""
    if not derived:
        return []
    task = Task(kind=kind, classes=tuple(next(iter(derived.values())).facts["classes"]))
    none: frozenset[Any] = frozenset()
    provides = frozenset({kind}) & KINDS_OF_TASK
    return [Checked(facts={}, canonical={}, needs=none, provides=provides, used=none, task=task, digest="")]


def _place(resolved: Resolved, variant: str, path: str, shared: bool) -> str:
    written = resolved.origin(variant, path)
    if written != path and (not shared or written.startswith(("--set", "budgets."))):
        return path if shared and path in ("model", "dataset", "train") else written
    return path if shared else f"variants.{variant}.{path}"


def _check_search(resolved: Resolved, sections: Sections, catalog: Catalog, problems: Problems) -> None:
    if problems:  # an invalid range cannot be enumerated
        return
    trees = {name: resolved.variants[name] for name in resolved.run}
    for name, tree in trees.items() if sections.confirm.folds is not None else ():
        if paths := searched(tree):
            problems.add(
                "confirm.folds", f"k folds need a fixed configuration, but {name!r} searches {', '.join(paths)}"
            )
        dataset = str(tree["dataset"]["use"])
        if not {"fold", "folds"} <= set(parameters(catalog.get("dataset", dataset).build)):
            problems.add("confirm.folds", f"the data set {dataset!r} deals out no folds")
    for tree in trees.values() if sections.search.sampler.use == "grid" else ():
        try:
            grid(tree)
        except ValueError as error:
            problems.add("search.sampler", str(error))


def _check_claims(claims: Sequence[ClaimSection], names: Sequence[str], problems: Problems) -> None:
    for number, claim in enumerate(claims):
        for side in ("better", "than"):
            variant = getattr(claim, side).partition("/")[0]
            if variant not in names:
                problems.add(f"study.claims.{number}.{side}", f"no variant named {variant!r}{nearest(variant, names)}")


def _check_measures(
    study: Study, sections: Sections, catalog: Catalog, checked: list[Checked], problems: Problems
) -> Measures:
    explain, dropped = check_explain(sections.explain, catalog, checked, problems)
    baseline = sections.study.baseline
    if baseline and baseline not in study.names:
        problems.add("study.baseline", f"no variant named {baseline!r}{nearest(baseline, study.names)}")
    _check_claims(sections.study.claims, study.names, problems)
    metrics = NamedMetrics(sections.study, catalog)
    keys, unmeasured = check_metrics(metrics, checked, problems)
    tables = {key: table for key, table in metrics.tables.items() if key in keys}
    return Measures(keys, tables, metrics.objective(), explain, (*unmeasured, *dropped))
