"""Study files as they are read: base, variants and budgets. Nothing is resolved or checked against plugins."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.config.distributions import check, is_distribution
from harness.contract.errors import InputError, Problems, nearest

TREE = ("dataset", "train", "model")
"""Sections that define a trial; a variant patches only these."""
DERIVED = ("external", "readers", "ensembles")
"""Sections of variants that are not trained, in the order in which they are run and shown."""
SECTIONS = ("study", *TREE, "search", "confirm", "explain")
"""Sections of the base; a budget may patch each of them."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


@dataclass(frozen=True, kw_only=True)
class Study:
    """A study file.

    Args:
        base: the sections as written.
        variants: name -> patch of `dataset`, `train`, `model`; in the order of the file.
        derived: section of DERIVED -> name -> table, as written.
        budgets: name -> patch of the base, with `select` and `demonstration`.
        problems: mistakes in the file's structure, which the plan reports together with all others.
    """

    name: str
    path: Path
    base: Mapping[str, Any]
    variants: Mapping[str, Mapping[str, Any]]
    derived: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    budgets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """All variants, trained or not, in the order in which they are shown."""
        return [*self.variants, *(name for tables in self.derived.values() for name in tables)]

    @property
    def question(self) -> str:
        """The question of the study; "" if the file has none."""
        section = self.base.get("study", {})
        return str(section.get("question", "")) if isinstance(section, Mapping) else ""


def find_study(name_or_path: str) -> Path:
    """Return the file of a study: a path that ends in .toml, or a name in ./studies or in the package.

    Raises:
        InputError: no such file or study, or a name that holds a path.
    """
    if name_or_path.endswith(".toml"):
        path = Path(name_or_path)
        if not path.is_file():
            raise InputError(f"{path}: no such file")
        return path
    if not NAME.fullmatch(name_or_path):
        raise InputError(
            f"{name_or_path!r} is not a study name: use letters, digits, - and _ only, or a path that ends in .toml"
        )
    known = study_names()
    if name_or_path not in known:
        listed = ", ".join(known) or "none"
        raise InputError(f"no study named {name_or_path!r}{nearest(name_or_path, known)} (there are: {listed})")
    return known[name_or_path]


def study_names() -> dict[str, Path]:
    """Return the file of every study that has a name, sorted; ./studies hides studies of the package."""
    package = Path(__file__).parents[2]
    folders = (Path("studies"), package / "studies", package.parent / "studies")
    found: dict[str, Path] = {}
    for folder in folders:
        for path in sorted(folder.glob("*.toml")):
            found.setdefault(path.stem, path)
    return dict(sorted(found.items()))


def load_study(path: Path) -> Study:
    """Read a study file.

    Raises:
        InputError: it cannot be read, is not TOML, or its name cannot be the name of a study.
    """
    if not NAME.fullmatch(path.stem):
        raise InputError(f"{path}: a file name is a study name: use letters, digits, - and _ only, found {path.stem!r}")
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8 at byte {error.start}") from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: is not valid TOML: {error}") from error
    return read_study(tables, path)


def read_study(tables: Mapping[str, Any], path: Path) -> Study:
    """Return the study of a file's tables; mistakes in their structure are in its `problems`."""
    problems = Problems(str(path))
    _check_structure(tables, problems)
    return Study(
        name=path.stem,
        path=path,
        base={name: table for name, table in tables.items() if name in SECTIONS and isinstance(table, Mapping)},
        variants=_variants(tables),
        derived={section: _patches(tables, section) for section in DERIVED},
        budgets=_patches(tables, "budgets"),
        problems=tuple(problems.messages),
    )


def _variants(tables: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the variants to train: the base if there are no others; none if there is nothing to train."""
    trains = any(section in tables for section in ("train", "model")) or not any(tables.get(name) for name in DERIVED)
    return _patches(tables, "variants") or ({"base": {}} if trains else {})


def _patches(tables: Mapping[str, Any], name: str) -> dict[str, Mapping[str, Any]]:
    found = tables.get(name, {})
    return {key: patch for key, patch in found.items() if isinstance(patch, Mapping)} if isinstance(found, dict) else {}


def _check_structure(tables: Mapping[str, Any], problems: Problems) -> None:
    _check_sections(tables, (*SECTIONS, "variants", *DERIVED, "budgets"), "", "a study has the sections", problems)
    taken: dict[str, str] = {}
    for section in ("variants", *DERIVED):
        for name, _ in _named(tables, section, problems):
            if name in (*SECTIONS, "variants", *DERIVED, "budgets", "select"):
                problems.add(f"{section}.{name}", "this is the name of a section; choose another name")
            elif name in taken:
                problems.add(f"{section}.{name}", f"another variant has this name: {taken[name]}.{name}")
            taken.setdefault(name, section)
    for name, patch in _patches(tables, "variants").items():
        hint = "a variant can change"
        _check_sections(patch, TREE, f"variants.{name}.", hint, problems, "search", "confirm", "study", "explain")
    variants = [*_variants(tables), *(name for section in DERIVED for name in _patches(tables, section))]
    for name, patch in _named(tables, "budgets", problems):
        where = f"budgets.{name}."
        _check_sections(
            {key: value for key, value in patch.items() if key not in ("select", "demonstration")},
            (*SECTIONS, "select", "demonstration"),
            where,
            "a budget has the keys",
            problems,
        )
        check_selection(patch.get("select", "all"), variants, problems, f"{where}select")
        if not isinstance(patch.get("demonstration", False), bool):
            problems.add(f"{where}demonstration", f"expected true or false, found {patch['demonstration']!r}")


def check_selection(selected: Any, variants: Iterable[str], problems: Problems, path: str) -> None:
    """Check a `select = [...]`, which lists variants or is "all"."""
    names = list(variants)
    if selected == "all":
        return
    if not isinstance(selected, list | tuple) or not selected:
        problems.add(path, f'expected "all" or a list of variants, found {selected!r}')
        return
    for name in selected:
        if name not in names:
            problems.add(path, f"no variant named {name!r}{nearest(str(name), names)}")
        elif selected.count(name) > 1:
            problems.add(path, f"the variant {name!r} is listed twice")


def check_values(value: Any, path: str, problems: Problems) -> None:
    """Add every invalid distribution, and every value that a study cannot hold, to `problems`."""
    if isinstance(value, Mapping):
        if is_distribution(value) and not check(value, problems, path):
            return
        for key, item in value.items():
            check_values(item, f"{path}.{key}", problems)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            check_values(item, f"{path}.{index}", problems)
    elif isinstance(value, float) and value - value != 0:
        problems.add(path, f"expected a finite number, found {value}")
    elif not isinstance(value, str | int | float | bool):
        problems.add(path, f"a {type(value).__name__} is not allowed here")


def _named(tables: Mapping[str, Any], section: str, problems: Problems) -> list[tuple[str, Mapping[str, Any]]]:
    found = tables.get(section, {})
    if not isinstance(found, Mapping):
        problems.add(section, f"expected a table, found {found!r}")
        return []
    for name, patch in found.items():
        if not NAME.fullmatch(name):
            problems.add(f"{section}.{name!r}", "a name holds letters, digits, - and _ only")
        if not isinstance(patch, Mapping):
            problems.add(f"{section}.{name}", f"expected a table, found {patch!r}")
    return list(_patches(tables, section).items())


def _check_sections(
    tables: Mapping[str, Any], allowed: Iterable[str], path: str, hint: str, problems: Problems, *shared: str
) -> None:
    allowed = tuple(allowed)
    for name, table in tables.items():
        if name in shared:
            problems.add(f"{path}{name}", "must be the same for every variant, so that variants can be compared")
        elif name not in allowed:
            problems.add(f"{path}{name}", f"{hint} {', '.join(allowed)}{nearest(name, allowed)}")
        elif not isinstance(table, Mapping):
            problems.add(f"{path}{name}", f"expected a table, found {table!r}")
        elif name in TREE and is_distribution(table):
            problems.add(f"{path}{name}", "a section cannot be a range; set ranges for its keys")
        elif name in TREE:
            check_values(table, f"{path}{name}", problems)
