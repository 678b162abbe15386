"""`harness.plan`: from a study to what would run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from harness.api.session import Session
from harness.config.toml import toml
from harness.contract.errors import InputError
from harness.contract.types import Plan
from harness.study.file.spec import NAME, Study, find_study, load_study, read_study
from harness.study.plan.plan import make_plan

StudyLike: TypeAlias = str | Path | Mapping[str, Any]
"""A study's name, the path of its TOML file, or its tables as a dict with `study.name`."""
Overrides: TypeAlias = Mapping[str, Any] | Sequence[str]
"""Values that replace those of the study: `{"train.epochs": 2}`, or `["train.epochs=2"]` as `--set` takes them."""


def plan(
    study: StudyLike, *, budget: str | None = None, overrides: Overrides = (), session: Session | None = None
) -> Plan:
    """Check a study against what is installed; train and decode nothing.

    Args:
        study: a name (looked up in ./studies, then among the packaged ones), the path of a TOML file, or a dict
            of its tables, named by `study.name`.
        budget: one of the study's budgets; None for the study's own choice.
        overrides: values by dotted path, as a dict or as `--set` arguments.
        session: settings and components; those of the working directory if not given.

    Raises:
        InputError: the study, an override or the settings are wrong; every mistake in one message.

    Example:
        >>> harness.plan("gmic_ablation", overrides={"train.epochs": 2}).trials  # doctest: +SKIP
        3
    """
    session = session or Session.of(files=True)
    texts = as_texts(overrides)
    return make_plan(read(study), session.catalog, session.settings, budget=budget, overrides=texts)


def read(study: StudyLike) -> Study:
    """Return a study from its name, its path or its tables.

    Raises:
        InputError: it does not exist, cannot be read, or its tables have no usable `study.name`.
    """
    if isinstance(study, Mapping):
        return _from_tables(study)
    if isinstance(study, Path) and study.suffix != ".toml":
        raise InputError(f"{study}: a study is a file that ends in .toml, a name, or a dict")
    return load_study(find_study(str(study)))


def as_texts(overrides: Overrides) -> tuple[str, ...]:
    """Return overrides as `--set` arguments, whose values are TOML.

    Raises:
        InputError: a value is not a TOML value.
    """
    if isinstance(overrides, Mapping):
        return tuple(f"{path}={_text(value, path)}" for path, value in overrides.items())
    if isinstance(overrides, str):
        raise InputError(f"overrides: expected a dict or a list of PATH=VALUE, found {overrides!r}")
    return tuple(overrides)


def _from_tables(tables: Mapping[str, Any]) -> Study:
    section = tables.get("study")
    name = section.get("name") if isinstance(section, Mapping) else None
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise InputError(
            f"study.name: a study given as a dict needs a name of letters, digits, - and _ only, found {name!r}"
        )
    own = {key: value for key, value in section.items() if key != "name"} if isinstance(section, Mapping) else {}
    return read_study({**tables, "study": own}, Path(name))


def _text(value: Any, path: str) -> str:
    try:
        return toml(value)
    except TypeError as error:
        raise InputError(f"overrides: {path}: {error}") from error
