"""Assembly of a plan from the resolved and checked parts. The only error: nothing is left to run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import harness.study.plan.identity as identity
from harness.config.space import searched
from harness.config.trees import of_fold
from harness.contract.components import Use
from harness.contract.errors import InputError, Problems
from harness.contract.provider import BUILT_IN
from harness.contract.types import Claim, Objective, Plan, Skip, VariantPlan, folder_name
from harness.metrics.registry import study_metrics
from harness.study.file.resolve import Resolved
from harness.study.file.sections import ConfirmSection, ExplainSection, SearchSection, StudySection
from harness.study.file.slots import used
from harness.study.file.spec import Study
from harness.study.journal.anew import read_anew
from harness.study.plan.advice import warnings
from harness.study.plan.checks import Checked, Checker
from harness.study.plan.derived import Derived


@dataclass(frozen=True)
class Sections:
    """The sections that are not components; the valid part of an invalid one, so that its names are checked too."""

    study: StudySection
    search: SearchSection
    confirm: ConfirmSection
    explain: ExplainSection


@dataclass(frozen=True)
class Measures:
    """The metrics and explainers to compute, and why others are left out."""

    metrics: tuple[str, ...]
    metric_tables: Mapping[str, Mapping[str, Any]]
    objective: Objective
    explain: ExplainSection
    dropped: tuple[str, ...]


def assemble(
    study: Study,
    resolved: Resolved,
    sections: Sections,
    checked: Mapping[str, Checked],
    derived: Mapping[str, Derived],
    checker: Checker,
    measures: Measures,
    results: Path,
) -> Plan:
    """Return the plan of a study without mistakes.

    Args:
        study: the file.
        resolved: the study at its budget.
        sections: those that are not components.
        checked: facts of each valid variant.
        derived: variants that are read or averaged.
        checker: knows the data sets.
        measures: what is computed.
        results: folder of all results, in which variants may be marked to be trained anew.

    Raises:
        InputError: every variant is skipped.
    """
    section, search, confirm = sections.study, sections.search, sections.confirm
    base, objective = _base(resolved, checker), measures.objective
    study_id = identity.study_id(
        resolved.tree,
        objective={"metric": objective.metric, "mode": objective.mode},
        search=search.model_dump(),
        confirm=confirm.model_dump(exclude={"label_control"}),  # it adds a trial and changes none
        digest=base["digest"],
        plugins=base["plugins"],
    )
    skips = {name: checked[name].skip(resolved.variants[name]) for name in resolved.run}
    runnable = [name for name, reason in skips.items() if not reason]
    folds = confirm.folds
    anew = read_anew(results / folder_name(study.name, resolved.budget, study_id))
    trained = tuple(
        _variant(name, resolved, checked[name], checker, study_id, base, folds, anew.get(name, {})) for name in runnable
    )
    variants = (*trained, *_derived(derived, study_id, trained))
    skipped = tuple(Skip(variant=name, reason=reason) for name, reason in skips.items() if reason)
    skipped += tuple(Skip(variant=name, reason=item.skip) for name, item in derived.items() if item.skip)
    if not variants:
        reasons = "; ".join(f"{skip.variant}: {skip.reason}" for skip in skipped)
        raise InputError(f"{study.path}: nothing is left to run ({reasons})")
    baseline = section.baseline or (*resolved.run, *derived)[0]
    metrics = study_metrics(checker.catalog, measures.metrics, measures.metric_tables)
    measured = {("metric", checker.catalog.address_of("metric", metric.record)) for metric in metrics}
    measured |= {("explainer", item.name) for entry in measures.explain.use if (item := Use.of(entry))}
    return Plan(
        study=study.name,
        study_id=study_id,
        budget=resolved.budget,
        path=study.path,
        question=section.question,
        baseline=baseline,
        objective=objective,
        metrics=measures.metrics,
        metric_tables={key: _plain(table) for key, table in measures.metric_tables.items()},
        variants=variants,
        skipped=skipped,
        warnings=(*measures.dropped, *warnings(variants, checked, search.model_dump(), baseline)),
        tree=_plain(resolved.tree),
        search=search.model_dump(),
        confirm=confirm.model_dump(exclude=set() if confirm.label_control else {"label_control"}),
        explain=measures.explain.model_dump(),
        dataset_digest=base["digest"] or (checked[runnable[0]].digest if runnable else _files_digest(derived)),
        plugins=checker.catalog.versions(measured.union(*(checked[name].used for name in runnable))),
        demonstration=resolved.demonstration,
        claims=tuple(_claims(section, {variant.name for variant in variants})),
    )


def _claims(section: StudySection, names: Collection[str]) -> Iterator[Claim]:
    """Yield the claims whose variants both run."""
    for claim in section.claims:
        if {side.partition("/")[0] for side in (claim.better, claim.than)} <= set(names):
            yield Claim(**claim.model_dump())


def _base(resolved: Resolved, checker: Checker) -> dict[str, Any]:
    """Return digest and plugin versions of the base's own components, all of which a variant may replace."""
    digest = checker.dataset(resolved.tree["dataset"]).digest if not searched(resolved.tree["dataset"]) else ""
    return {"digest": digest, "plugins": checker.catalog.versions(used(resolved.tree, checker.catalog))}


def _variant(
    name: str,
    resolved: Resolved,
    checked: Checked,
    checker: Checker,
    study_id: str,
    base: Mapping[str, Any],
    folds: int | None,
    anew: Mapping[str, str],
) -> VariantPlan:
    tree = resolved.variants[name]
    plugins = checker.catalog.versions(checked.used)
    own: dict[str, Any] = {}
    if checked.digest != base["digest"]:
        own["digest"] = checked.digest
    if files := checked.facts.get("files"):
        own["files"] = files
    if others := {key: version for key, version in plugins.items() if key not in base["plugins"]}:
        own["plugins"] = others
    if anew:
        own["code"] = anew
    return VariantPlan(
        name=name,
        id=identity.variant_id(study_id, name, tree, own),
        tree=_plain(tree),
        searched=searched(tree),
        needs=tuple(sorted(checked.needs)),
        code=checker.catalog.code(plugins),
        facts=_plain(
            {**checked.facts, "digest": checked.digest, **_data_facts(tree["dataset"], checked, folds, checker)}
        ),
    )


def _data_facts(table: Mapping[str, Any], checked: Checked, folds: int | None, checker: Checker) -> dict[str, Any]:
    """Return the digests of folds, and the task of a stranger's data set, whose plugin `results` does not load."""
    own = checker.catalog.provider("dataset", str(table["use"])).distribution == BUILT_IN
    return fold_digests(table, folds, checker) | ({} if own else {"task": asdict(checked.task)})


def _derived(derived: Mapping[str, Derived], study_id: str, trained: Sequence[VariantPlan]) -> Iterator[VariantPlan]:
    """Yield the variants that are read or averaged; their members are part of their identities."""
    ids = {variant.name: variant.id for variant in trained}
    for name, item in derived.items():
        if item.skip:
            continue
        own: dict[str, Any] = {key: item.facts[key] for key in ("table",) if key in item.facts}
        if members := item.tree.get("ensemble", {}).get("of"):
            own["members"] = [ids[member] for member in members]
        ids[name] = identity.variant_id(study_id, name, item.tree, own)
        yield VariantPlan(name=name, id=ids[name], tree=_plain(item.tree), facts=_plain(item.facts))


def _files_digest(derived: Mapping[str, Derived]) -> str:
    """Return the digest of a study without a data set: of its table, or of its tables' digests."""
    digests = sorted({item.facts["table"] for item in derived.values() if "table" in item.facts})
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


def fold_digests(table: Mapping[str, Any], folds: int | None, checker: Checker) -> dict[str, list[str]]:
    """Return the digest of the data for each fold as the test split, which the trials of that fold expect.

    Raises:
        InputError: the data of a fold cannot be used, such as one without a class; every such fold is named.
    """
    if folds is None:
        return {}
    found = [checker.dataset(of_fold(table, fold, folds)) for fold in range(folds)]
    problems = Problems("")
    for fold, facts in enumerate(found):
        for _, message in facts.problems:
            problems.add("confirm.folds", f"fold {fold} of {folds}: {message}")
    problems.raise_if_any()
    return {"fold_digests": [facts.digest for facts in found]}


def _plain(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the value as JSON has it, so that a plan that is read back is equal."""
    plain: dict[str, Any] = json.loads(identity.canonical(value))
    return plain
