"""A comparison of several studies as a table, as JSON and as files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType

from harness.cli.rendering.atoms import Words
from harness.cli.rendering.grid import Grid
from harness.cli.views.numbers import defined, difference, p_text, three_digits
from harness.contract.keys import RANKED
from harness.statistics.ranks import Ranks
from harness.tables.compare.joined import Joined
from harness.tables.markdown import records

_HOW = (
    "AUC: mean of the test AUC over classes and confirmed models. [low, high]: 95 % interval over the study's "
    "patients, paired bootstrap. p: DeLong's test, clustered by patient; adjusted by Holm's method over all rows of "
    "this table. Seeds and folds are held fixed: the intervals do not cover other seeds."
)


def compared_view(joined: Joined, baseline: str, notes: Mapping[str, str]) -> RenderableType:
    """Return a row for each study and variant, then the ranks or the reason why there are none."""
    numbers = ["AUC", f"against {baseline}", "p", "adjusted"]
    table = Grid("study", "variant", *numbers, right=numbers, keys=2, grouped=True)
    for row in records(joined.differences):
        is_baseline = row["variant"] == baseline
        tests = ["", ""] if is_baseline else [p_text(row[f"{RANKED}_{end}"]) for end in ("p", "p_holm")]
        table.add_row(row["study"], row["variant"], three_digits(row[RANKED]), difference(row, is_baseline), *tests)
    parts: list[RenderableType] = [table, Words(_HOW, "dim")]
    parts += [Words(f"{name}: {note}", "yellow") for name, note in notes.items() if note]
    cautions = dict.fromkeys(f"{row['study']}: {row['note']}" for row in records(joined.differences) if row["note"])
    parts += [Words(line, "yellow") for line in cautions]
    if joined.left_out:
        parts.append(Words(f"in one study only, left out: {', '.join(joined.left_out)}", "yellow"))
    parts.append(_ranks_view(joined.ranks) if joined.ranks else Words(f"no ranks: {joined.why}", "yellow"))
    return Group(*parts)


def compared_json(joined: Joined, baseline: str, written: Sequence[Path]) -> dict[str, Any]:
    """Return the comparison as one JSON object; undefined values are null."""
    ranks = joined.ranks
    value = {
        "baseline": baseline,
        "rows": records(joined.differences),
        "left_out": list(joined.left_out),
        "ranks": _ranks_json(ranks) if ranks else None,
        "no_ranks_because": joined.why,
        "written": [str(path) for path in written],
    }
    result: dict[str, Any] = defined(value)
    return result


def write_compared(folder: Path, joined: Joined) -> list[Path]:
    """Write `differences.csv` and, if there are ranks, `ranks.csv` and `ranks.png`; return their paths."""
    files = {"differences.csv": joined.differences.to_csv(index=False).encode()}
    if joined.ranks is not None:
        from harness.reporting.figures.ranks import critical_difference_figure

        pairs = zip(joined.ranks.names, joined.ranks.means, strict=True)
        lines = ["variant,mean_rank,datasets", *(f"{name},{mean},{joined.ranks.datasets}" for name, mean in pairs)]
        files["ranks.csv"] = ("\n".join(lines) + "\n").encode()
        files["ranks.png"] = critical_difference_figure(joined.ranks, "Mean rank by test AUC, over data sets")
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return [folder / name for name in files]


def _ranks_view(ranks: Ranks) -> RenderableType:
    table = Grid("variant", "mean rank", title="ranks by AUC, 1 is the best", right=["mean rank"])
    for name, mean in zip(ranks.names, ranks.means, strict=True):
        table.add_row(name, f"{mean:.2f}")
    joined = "; ".join(" = ".join(ranks.names[first : last + 1]) for first, last in ranks.groups)
    text = (
        f"Friedman over {ranks.datasets} data sets: chi2 {ranks.statistic:.2f}, p {p_text(ranks.p)} by permutation. "
        f"Nemenyi's critical difference at {ranks.level:.0%}: {ranks.critical:.2f}. "
        f"Not separated: {joined or 'no pair'}."
    )
    return Group(table, Words(text, "dim"))


def _ranks_json(ranks: Ranks) -> dict[str, Any]:
    means = dict(zip(ranks.names, (float(mean) for mean in ranks.means), strict=True))
    return {
        "mean_rank": means,
        "datasets": ranks.datasets,
        "friedman": {"statistic": ranks.statistic, "p": ranks.p},
        "nemenyi": {"level": ranks.level, "critical_difference": ranks.critical, "p": ranks.pairs.tolist()},
        "not_separated": [list(ranks.names[first : last + 1]) for first, last in ranks.groups],
    }
