"""Several studies side by side, as rich text, as JSON and as files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from harness.cli.views.show import defined
from harness.cli.views.tables import difference, figure, known, plain_table
from harness.statistics.ranks import Ranks
from harness.tables.compare.joined import Joined

_HOW = (
    "AUC: mean over classes and confirmed models of the test AUC. [low, high]: 95 % over the study's patients, paired "
    "bootstrap. p: DeLong's test, clustered by patient; adjusted by Holm's method over all rows of this table. Seeds "
    "and folds are held fixed: none of this says what other seeds would give."
)


def compared_view(joined: Joined, baseline: str, notes: Mapping[str, str], width: int) -> RenderableType:
    """A row a study and variant, then the ranks or why there are none.

    Args:
        joined: what `join_studies` gives.
        baseline: what differences are to.
        notes: study -> what must be known of it, or "".
        width: of the terminal; below 80 an interval stands under its figure.
    """
    numbers = ["AUC", f"against {baseline}", "p", "adjusted"]
    table = plain_table("study", "variant", *numbers, right=numbers)
    last, gap = "", " " if width >= 80 else "\n"
    for row in _rows(joined):
        is_baseline = row["variant"] == baseline
        tests = ["", ""] if is_baseline else [p_text(row["auroc_p"]), p_text(row["auroc_p_holm"])]
        name = row["study"] if row["study"] != last else ""
        table.add_row(name, row["variant"], figure(row["auroc"]), difference(row, is_baseline, gap), *tests)
        last = row["study"]
    parts: list[RenderableType] = [table, Text(_HOW, "dim")]
    parts += [Text(f"{name}: {note}", "yellow") for name, note in notes.items() if note]
    told = dict.fromkeys(f"{row['study']}: {row['note']}" for row in _rows(joined) if row["note"])
    parts += [Text(line, "yellow") for line in told]
    if joined.left_out:
        parts.append(Text(f"in one study only, left out: {', '.join(joined.left_out)}", "yellow"))
    parts.append(_ranks_view(joined.ranks) if joined.ranks else Text(f"no ranks: {joined.why}", "yellow"))
    return Group(*parts)


def compared_json(joined: Joined, baseline: str, written: Sequence[Path]) -> dict[str, Any]:
    """The same as one JSON object; what is undefined is null."""
    ranks = joined.ranks
    value = {
        "baseline": baseline,
        "rows": _rows(joined),
        "left_out": list(joined.left_out),
        "ranks": _ranks_json(ranks) if ranks else None,
        "no_ranks_because": joined.why,
        "written": [str(path) for path in written],
    }
    result: dict[str, Any] = defined(value)
    return result


def write_compared(folder: Path, joined: Joined) -> list[Path]:
    """Writes `differences.csv` and, where there are ranks, `ranks.csv` and `ranks.png`; the files written."""
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


def p_text(value: float) -> str:
    """A p-value with three digits; `<.001` below that, a dash where there is none."""
    if not known(value):
        return "-"
    return "<.001" if value < 0.001 else f"{value:.3f}".removeprefix("0")


def _ranks_view(ranks: Ranks) -> RenderableType:
    table = plain_table("variant", "mean rank", title="ranks by AUC, 1 the best", right=["mean rank"])
    for name, mean in zip(ranks.names, ranks.means, strict=True):
        table.add_row(name, f"{mean:.2f}")
    joined = "; ".join(" = ".join(ranks.names[first : last + 1]) for first, last in ranks.groups)
    text = (
        f"Friedman over {ranks.datasets} data sets: chi2 {ranks.statistic:.2f}, p {p_text(ranks.p)} by permutation. "
        f"Nemenyi's critical difference at {ranks.level:.0%}: {ranks.critical:.2f}. "
        f"Not separated: {joined or 'no pair'}."
    )
    return Group(table, Text(text, "dim"))


def _ranks_json(ranks: Ranks) -> dict[str, Any]:
    means = dict(zip(ranks.names, (float(mean) for mean in ranks.means), strict=True))
    return {
        "mean_rank": means,
        "datasets": ranks.datasets,
        "friedman": {"statistic": ranks.statistic, "p": ranks.p},
        "nemenyi": {"level": ranks.level, "critical_difference": ranks.critical, "p": ranks.pairs.tolist()},
        "not_separated": [list(ranks.names[first : last + 1]) for first, last in ranks.groups],
    }


def _rows(joined: Joined) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in joined.differences.to_dict("records")]
