"""The tables as text: rounded values with their intervals, in Markdown."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from harness.contract.keys import RANKED

if TYPE_CHECKING:
    import pandas as pd

_Row: TypeAlias = dict[Any, Any]
_NOTHING = "–"


def main_columns(table: pd.DataFrame, classes: Sequence[str], baseline: str, titles: Mapping[str, str]) -> pd.DataFrame:
    """Return the main table as text: a row per variant, of its own output."""
    leading = {
        "variant": lambda row: marked_name(row["variant"], baseline),
        "models": lambda row: str(row["replicates"]),
    }
    return _columns(table, leading, classes, titles)


def marked_name(variant: str, baseline: str, supervised: Collection[str] = ()) -> str:
    """Return the name of a variant with its marks: `gmic (baseline, fully supervised)`."""
    marks = ["baseline"] * (variant == baseline) + ["fully supervised"] * (variant in supervised)
    return str(variant) + (f" ({', '.join(marks)})" if marks else "")


def pivoted(
    leading: Mapping[str, Sequence[str]],
    keys: Sequence[tuple[str, ...]],
    titles: Mapping[str, str],
    values: Iterable[tuple[tuple[str, ...], str]],
) -> pd.DataFrame:
    """Return a table of text with a row per key and a column per metric; a dash where there is no value.

    Args:
        leading: the first columns.
        keys: of the rows.
        titles: metric -> title of its column.
        values: (key and metric, text) of each cell.
    """
    import pandas as pd

    found = dict(values)
    columns = {title: [found.get((*key, name), _NOTHING) for key in keys] for name, title in titles.items()}
    return pd.DataFrame({**leading, **columns})


def head_columns(table: pd.DataFrame, classes: Sequence[str], titles: Mapping[str, str]) -> pd.DataFrame:
    """Return the table of heads as text, metrics of scores only; a variant is named once, at its own output."""
    leading = {"variant": lambda row: str(row["variant"]), "head": lambda row: str(row["head"])}
    text = _columns(table, leading, classes, titles)
    text["variant"] = text["variant"].where(text["variant"].ne(text["variant"].shift()), "")
    return text


def each_columns(table: pd.DataFrame) -> pd.DataFrame:
    """Return the baseline against each other replicate as text; see `harness.tables.compare.readers.each_table`."""
    import pandas as pd

    run = table["replicate"].astype(object).where(table["replicate"].notna(), "")
    text = pd.DataFrame({"variant": table["variant"], "replicate": run.astype(str)})
    rows = records(table)
    text["AUC"] = [f"{number(row[RANKED])} {interval_text(row, RANKED)}" for row in rows]
    text["baseline − it"] = [bounded_text(row, "difference", signed=True) for row in rows]
    text["p"], text["p, Holm"] = [[p_value(row[name]) for row in rows] for name in ("p", "p_holm")]
    return text


def claims_columns(table: pd.DataFrame, titles: Mapping[str, str]) -> pd.DataFrame:
    """Return published claims and their verdicts as text; see `harness.tables.compare.claims.claims_table`."""
    import pandas as pd

    rows = records(table)
    text = pd.DataFrame({"claim": table["says"], "verdict": table["verdict"]})
    text["difference"] = [bounded_text(row, "difference", signed=True) for row in rows]
    text["of"] = [claimed(row, titles) for row in rows]
    text["between"] = [f"{row['better']} {number(row['value'])} − {row['than']} {number(row['other'])}" for row in rows]
    return text


def claimed(row: Mapping[str, Any], titles: Mapping[str, str]) -> str:
    """Return metric, class and margin of a claim: `Dice malignant`, `AUC, equal within .020`."""
    text: str = titles.get(row["metric"], row["metric"]) + (f" {row['class']}" if row["class"] else "")
    text += "" if math.isnan(row["n"]) else f", n = {row['n']:.0f}"
    text += "" if math.isnan(row["within"]) else f", equal within {number(row['within'])}"
    return text + ("" if math.isnan(row["not_below"]) else f", not below by {number(row['not_below'])}")


def p_value(value: float) -> str:
    """Format a p-value: .032, or < .001."""
    return _NOTHING if math.isnan(value) else "< .001" if value < 0.001 else number(value)


def search_columns(table: pd.DataFrame) -> pd.DataFrame:
    """Return the costs of the search as text."""
    text = table.astype(str)
    for column in ("searched", "confirmed", "optimism"):
        text[column] = table[column].map(number)
    return text.rename(columns={"epochs_search": "epochs, search", "epochs_confirm": "epochs, confirm"})


def markdown_table(table: pd.DataFrame) -> str:
    """Return a pipe table, first column aligned left, others right; `|` in a cell is escaped."""
    header = [str(column) for column in table.columns]
    lines = [header, [":--", *["--:"] * (len(header) - 1)], *table.values.tolist()]
    return "".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def number(value: float, *, signed: bool = False) -> str:
    """Format a value with three decimals and no leading zero: .871, -.020; a dash if it is NaN."""
    if math.isnan(value):
        return _NOTHING
    text = f"{value:+.3f}" if signed else f"{value:.3f}"
    return text.replace("0.", ".", 1) if abs(round(value, 3)) < 1 else text


def _columns(
    table: pd.DataFrame,
    leading: Mapping[str, Callable[[_Row], str]],
    classes: Sequence[str],
    titles: Mapping[str, str],
) -> pd.DataFrame:
    import pandas as pd

    columns = dict(leading)
    metrics = [name for name in titles if name in table]
    for metric in metrics:
        columns[titles[metric]] = partial(spread_text, metric=metric)
        if metric == RANKED:
            columns["95 %"] = partial(interval_text, key=metric)
        columns |= {f"{titles[metric]} {label}": partial(_value, key=f"{metric}/{label}") for label in classes}
    columns |= {
        f"{titles[metric]} − baseline": partial(bounded_text, key=f"{metric}_difference", signed=True)
        for metric in metrics
    }
    return pd.DataFrame({name: [of(row) for row in records(table)] for name, of in columns.items()})


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table by the names of its columns."""
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]


def _value(row: _Row, key: str) -> str:
    return number(row[key])


def spread_text(row: _Row, metric: str) -> str:
    """Format a value with its ± if it has one: `.871 ± .013`."""
    return mean_text(row[metric], row[f"{metric}_std"])


def mean_text(value: float, spread: float) -> str:
    """Format a mean with its standard deviation if it has one: `.871 ± .013`."""
    return number(value) + ("" if math.isnan(spread) else f" ± {number(spread)}")


def interval_text(row: _Row, key: str, signed: bool = False) -> str:
    """Format the columns `<key>_low` and `<key>_high` as `[.842, .901]`; a dash if they are NaN."""
    return bounds_text(row[f"{key}_low"], row[f"{key}_high"], signed)


def bounds_text(low: float, high: float, signed: bool = False) -> str:
    """Format bounds as `[.842, .901]`; a dash if they are NaN."""
    bounds = [number(bound, signed=signed) for bound in (low, high)]
    return _NOTHING if bounds[0] == _NOTHING else f"[{bounds[0]}, {bounds[1]}]"


def bounded_text(row: _Row, key: str, signed: bool = False) -> str:
    """Format a value with its interval if it has one: `.871 [.842, .901]`."""
    value, bounds = number(row[key], signed=signed), interval_text(row, key, signed)
    return value if bounds == _NOTHING else f"{value} {bounds}"


def spread_axes(runs: Iterable[tuple[Any, Any]]) -> str:
    """Return the axes of a standard deviation: "3 seeds", "5 folds", "3 seeds x 5 folds", "9 readers".

    "" for one replicate: there is no spread.
    """
    pairs = list(dict.fromkeys(runs))
    counts = [len({pair[place] for pair in pairs}) for place in (0, 1)]
    first = "readers" if any(isinstance(seed, str) for seed, _ in pairs) else "seeds"
    names = [f"{count} {name}" for count, name in zip(counts, (first, "folds"), strict=True) if count > 1]
    return " x ".join(names)
