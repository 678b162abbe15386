"""Checks of variants that are read or averaged: external predictions, readers, ensembles. Reads headers, no rows."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from harness.config.schema import validate
from harness.contract.errors import InputError, Problems, nearest
from harness.contract.files import file_facts
from harness.study.file.external import ONLY, ORACLE, EnsembleSection, ExternalSection, ReadersSection
from harness.study.file.spec import DERIVED, Study

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, kw_only=True)
class Derived:
    """A variant that is not trained.

    Args:
        tree: one complete table, `external` or `ensemble`; its `kind` is "multiclass" if exactly one class holds.
        facts: `table`, the digest of the file of external predictions; `classes`; `readers`, the names of a family.
        skip: why it does not run; "" if it does.
    """

    name: str
    tree: Mapping[str, Any]
    facts: Mapping[str, Any] = field(default_factory=dict)
    skip: str = ""


@dataclass(frozen=True, kw_only=True)
class Around:
    """The parts of the study that a derived variant is checked against.

    Args:
        root: the data root.
        classes: of the study's data set; () without one.
        kind: of the task: from the data set, or from [study] for studies of tables.
        trained: the trained variants that run at this budget -> why each is skipped; "" if it is not.
        selected: the derived variants that run at this budget.
    """

    root: Path
    classes: tuple[str, ...]
    kind: str
    trained: Mapping[str, str]
    selected: Sequence[str]


def check_derived(study: Study, around: Around, problems: Problems) -> dict[str, Derived]:
    """Return the study's derived variants that run; mistakes of all variants are added to `problems`."""
    found: dict[str, Derived] = {}
    checks: Mapping[str, Callable[..., Derived | None]] = {
        "external": _external,
        "readers": _readers,
        "ensembles": _ensemble,
    }
    for section in DERIVED:
        for name, table in study.derived.get(section, {}).items():
            where = f"{section}.{name}"
            made = checks[section](name, table, where, _Context(study, around, found, problems))
            if made is not None:
                found[name] = made
    found = {name: item for name, item in found.items() if name in around.selected}
    _check_classes(found, problems)
    return found


@dataclass(frozen=True)
class _Context:
    study: Study
    around: Around
    found: Mapping[str, Derived]
    problems: Problems

    @property
    def kind(self) -> dict[str, str]:
        """The key of a multi-class task; empty for others, whose identities it would change."""
        return {"kind": self.around.kind} if self.around.kind == "multiclass" else {}

    def member(self, name: str) -> Derived:
        """Return a derived variant; one without facts for any other variant."""
        return self.found.get(name) or Derived(name=name, tree={})


def _external(name: str, table: Mapping[str, Any], where: str, context: _Context) -> Derived | None:
    section = validate(ExternalSection, table, context.problems, where)
    read = _read(section, where, context) if section else None
    if section is None or read is None:
        return None
    header, tree, facts = read
    for key, column in section.score.items():
        _check_column(column, header, f"{where}.score{'.' * bool(key)}{key}", context.problems)
    return Derived(name=name, tree={"external": tree}, facts=facts)


def _readers(name: str, table: Mapping[str, Any], where: str, context: _Context) -> Derived | None:
    section = validate(ReadersSection, table, context.problems, where)
    read = _read(section, where, context) if section else None
    if section is None or read is None:
        return None
    header, tree, facts = read
    columns = {key: _matching(pattern, header) for key, pattern in tree.pop("scores").items()}
    names = [list(found) for found in columns.values()]
    if len(names[0]) < 2 or any(other != names[0] for other in names):
        found = [f"{pattern!r} matches {len(_matching(pattern, header))}" for pattern in section.score.values()]
        wanted = "a family needs two readers or more, the same for each class"
        context.problems.add(f"{where}.score", f"{wanted}: {'; '.join(found)}")
        return None
    readers = {reader: {key: found[reader] for key, found in columns.items()} for reader in names[0]}
    return Derived(name=name, tree={"external": {**tree, "readers": readers}}, facts={**facts, "readers": names[0]})


def _ensemble(name: str, table: Mapping[str, Any], where: str, context: _Context) -> Derived | None:
    section = validate(EnsembleSection, table, context.problems, where)
    if section is None:
        return None
    problems, before = context.problems, len(context.problems.messages)
    for index, member in enumerate(section.of):
        _check_member(member, name, f"{where}.of.{index}", context)
    weights = section.weighting()
    if weights == "oracle" and not name.startswith(ORACLE):
        problems.add(where, f"its weights are chosen on the rows it is scored on: its name must begin with {ORACLE!r}")
    members = [context.member(name) for name in section.of]
    families = [item.facts["readers"] for item in members if "readers" in item.facts]
    if any(family != families[0] for family in families):
        problems.add(f"{where}.of", "families of different readers cannot be averaged")
    if len(problems.messages) > before or name not in context.around.selected:
        return None
    trained = context.around.trained
    skips = [f"its member {item.name!r} is skipped" for item in members if trained.get(item.name) or item.skip]
    seeded = any(item.name in trained or item.tree.get("ensemble", {}).get("seeded") for item in members)
    tree = {"of": section.of, "weights": weights, "maximise": section.maximise, "folds": section.folds}
    classes = next((item.facts["classes"] for item in members if item.facts), context.around.classes)
    facts = {"classes": list(classes), **({"readers": families[0]} if families else {})}
    tree |= {"seeded": seeded, **context.kind}
    return Derived(name=name, tree={"ensemble": tree}, facts=facts, skip="; ".join(skips))


def _check_member(member: str, name: str, path: str, context: _Context) -> None:
    around, written = context.around, context.study.names
    if member not in written:
        context.problems.add(path, f"no variant named {member!r}{nearest(member, [n for n in written if n != name])}")
    elif written.index(member) >= written.index(name):
        context.problems.add(path, f"list {member!r} before {name!r}, which averages it")
    elif name in around.selected and member not in (*around.trained, *around.selected):
        context.problems.add(path, f"the variant {member!r} does not run at this budget")


def _read(
    section: ExternalSection, where: str, context: _Context
) -> tuple[list[str], dict[str, Any], dict[str, Any]] | None:
    """Return the file's header, the normalised table (`scores` by class) and its facts."""
    problems, classes = context.problems, _classes(section, where, context)
    try:
        path = table_path(context.around.root, section.predictions)
        header = read_header(path)
        digest = next(iter(file_facts("predictions", str(path))["files"].values()))
    except (InputError, ValueError) as error:
        problems.add(f"{where}.predictions", str(error))
        return None
    before = len(problems.messages)
    single = {"label": [section.label], "split": [section.split]}
    for key, columns in {"id": section.id, "group": section.group, "unit": section.unit, **single}.items():
        for column in filter(None, columns):
            _check_column(column, header, f"{where}.{key}", problems)
    for label, column in section.labels.items():
        _check_column(column, header, f"{where}.labels.{label}", problems)
    if classes is None or len(problems.messages) > before:
        return None
    tree = {
        "predictions": section.predictions,
        "id": section.id,
        "group": section.group,
        "unit": section.unit,
        "split": section.split,
        "labels": section.truth(),
        "scores": {name: section.score[name if name in section.score else ONLY] for name in classes},
        **context.kind,
    }
    return header, tree, {"table": digest, "classes": list(classes)}


def _classes(section: ExternalSection, where: str, context: _Context) -> tuple[str, ...] | None:
    """Return the classes that the table scores: those of the data set or of its own labels."""
    problems, known, truth = context.problems, context.around.classes, section.truth()
    before = len(problems.messages)
    classes = known or tuple(truth)
    if known:
        for name in [name for name in truth if name not in known]:
            problems.add(f"{where}.labels", f"no class named {name!r}{nearest(name, known)}")
        for key in [key for key in ("group", "unit") if getattr(section, key)]:
            problems.add(f"{where}.{key}", "remove this key: the data set defines it")
    else:
        if not truth:
            problems.add(f"{where}.label", "this key is required without a data set")
        if not section.group:
            problems.add(f"{where}.group", "this key is required without a data set: intervals resample patients")
    if classes and set(section.score) == {ONLY} and len(classes) > 1:
        wanted = ", ".join(f'{name} = "…"' for name in classes)
        problems.add(f"{where}.score", f"there are {len(classes)} classes: write {{ {wanted} }}")
    elif classes and set(section.score) != {ONLY}:
        for name in [name for name in section.score if name not in classes]:
            problems.add(f"{where}.score.{name}", f"no class named {name!r}{nearest(name, classes)}")
        if missing := [name for name in classes if name not in section.score]:
            problems.add(f"{where}.score", f"no column for the class {', '.join(missing)}")
    return classes if len(problems.messages) == before else None


def _check_classes(found: Mapping[str, Derived], problems: Problems) -> None:
    """Check that all tables have the classes of the first one, which defines them without a data set."""
    first = next(iter(found.values()), None)
    for item in found.values():
        if first and sorted(item.facts["classes"]) != sorted(first.facts["classes"]):
            own, others = (", ".join(each.facts["classes"]) for each in (item, first))
            problems.add(item.name, f"its classes are {own}, but {first.name!r} has {others}")


def _check_column(column: str, header: Sequence[str], where: str, problems: Problems) -> None:
    if column not in header:
        listed = ", ".join(header[:8]) + (", …" if len(header) > 8 else "")
        problems.add(where, f"the table has no column {column!r}{nearest(column, header)} (it has {listed})")


def _matching(pattern: str, header: Iterable[str]) -> dict[str, str]:
    """Return reader -> column in the order of the header; a reader is the match up to the end of the star."""
    before, _, after = pattern.partition("*")
    shape = re.compile(f"({re.escape(before)}.+?){re.escape(after)}")
    return {match[1]: column for column in header if (match := shape.fullmatch(column))}


def table_path(root: Path, relative: str) -> Path:
    """Return the file of a table below the data root.

    Raises:
        InputError: the path leaves the root, the file is missing, or it is neither CSV nor Parquet.
    """
    path = root / relative
    if Path(relative).is_absolute() or not path.resolve().is_relative_to(root.resolve()):
        raise InputError(f"{relative!r} leaves the data root; write a path relative to it")
    if path.suffix not in (".csv", ".parquet"):
        raise InputError(f"{relative!r} cannot be read as a table; use a .csv or .parquet file")
    if not path.is_file():
        siblings = [str(other.relative_to(root)) for other in sorted(path.parent.glob("*")) if other.is_file()]
        raise InputError(f"no file {relative!r} below the data root {root}{nearest(relative, siblings)}")
    return path


def read_header(path: Path) -> list[str]:
    """Return the columns of a table without reading its rows.

    Raises:
        InputError: it cannot be read, has no column, or names one twice.
    """
    try:
        if path.suffix == ".parquet":
            import pyarrow.parquet as pq

            header = [str(name) for name in pq.read_schema(path).names]
        else:
            with path.open(newline="", encoding="utf-8-sig") as file:
                header = next(csv.reader(file), [])
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as a table: {error}") from error
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice or not header:
        raise InputError(f"{path}: " + (f"the column {', '.join(twice)} occurs twice" if twice else "is empty"))
    return header
