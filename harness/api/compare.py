"""`harness.compare`: the same variants over several studies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.api.results import results as read
from harness.api.session import Session
from harness.contract.errors import InputError, nearest
from harness.study.results.results import Results
from harness.tables.compare.joined import Joined, join_studies

if TYPE_CHECKING:
    import pandas as pd


def compare(
    studies: Sequence[str | Path | Results], *, baseline: str | None = None, session: Session | None = None
) -> Joined:
    """Join studies by the names of their variants: paired differences, and ranks over data sets.

    Args:
        studies: two or more names, `name@budget`, folders of results, or results.
        baseline: the variant that differences are taken to; None for the baseline of the studies.
        session: settings and components; those of the working directory if not given.

    Raises:
        InputError: fewer than two studies, one twice, a study without results, or no common baseline.

    Example:
        >>> harness.compare(["gmic_ablation@real", "mammography"]).differences  # doctest: +SKIP
    """
    session = session or Session.of()
    return join(read_all(studies, session), baseline)


def read_all(studies: Sequence[str | Path | Results], session: Session) -> dict[str, Results]:
    """Return the results of each study by the name it was given.

    Raises:
        InputError: fewer than two studies, one twice, or one without results.
    """
    found: dict[str, Results] = {}
    for given in studies:
        name = given.plan.directory if isinstance(given, Results) else str(given)
        if name in found:
            raise InputError(f"{name}: is listed twice.")
        found[name] = given if isinstance(given, Results) else _read(given, session)
    if len(found) < 2:
        named = f"{next(iter(found))}: " if found else ""
        raise InputError(f"{named}a comparison needs two studies; `harness study show` shows one.")
    return found


def join(found: Mapping[str, Results], baseline: str | None = None) -> Joined:
    """Join results by the names of their variants.

    Raises:
        InputError: the studies have no common baseline or share no other variant, or one is not confirmed.
    """
    chosen = common_baseline(found, baseline)
    tables = {name: _table(name, results, chosen) for name, results in found.items()}
    joined = join_studies(tables, {name: results.plan.dataset_digest for name, results in found.items()})
    if joined.differences["variant"].nunique() < 2:
        listed = "; ".join(f"{name}: {', '.join(v.name for v in r.plan.variants)}" for name, r in found.items())
        raise InputError(f"the studies share no variant other than the baseline ({listed}).")
    return joined


def common_baseline(found: Mapping[str, Results], given: str | None) -> str:
    """Return the variant that differences are taken to.

    Raises:
        InputError: the studies have different ones and none is given, or one has no such variant.
    """
    own = {name: results.plan.baseline for name, results in found.items()}
    chosen = given or next(iter(own.values()))
    if given is None and len(set(own.values())) > 1:
        listed = ", ".join(f"{name}: {baseline or 'none'}" for name, baseline in own.items())
        raise InputError(f"the studies have different baselines ({listed}); choose one with --baseline.")
    for name, results in found.items():
        names = [variant.name for variant in results.plan.variants]
        if chosen not in names:
            raise InputError(f"{name}: it has no variant {chosen!r} but {', '.join(names)}{nearest(chosen, names)}")
    return chosen


def _read(given: str | Path, session: Session) -> Results:
    name, _, budget = str(given).partition("@")
    return read(type(given)(name), budget=budget or None, session=session)


def _table(name: str, results: Results, baseline: str) -> pd.DataFrame:
    try:
        table = results.compare(baseline)
    except ValueError as error:
        raise InputError(f"{name}: {error}") from error
    if baseline not in table["variant"].tolist():
        raise InputError(
            f"{name}: {baseline!r} is not confirmed yet; `harness study resume {results.plan.named}` continues it."
        )
    return table
