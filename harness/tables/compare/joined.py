"""The comparison of studies: the same variants over data sets, with tests of their differences and ranks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from harness.contract.keys import RANKED
from harness.statistics.multiplicity import holm
from harness.statistics.ranks import Ranks, rank, why_no_ranks

if TYPE_CHECKING:
    import pandas as pd

_SHOWN = ("variant", "replicates", RANKED, *(f"{RANKED}_difference{end}" for end in ("", "_low", "_high")))
_TESTS = (f"{RANKED}_error", f"{RANKED}_p", "note")


@dataclass(frozen=True, repr=False)
class Joined:
    """The results of several studies for the variants they share.

    Args:
        differences: a row per study and variant, including the baseline: `study`, then of `comparison_table`
            `variant`, `replicates`, `auroc`, `auroc_difference`, `_low`, `_high` (95 %, bootstrap over patients),
            `auroc_error`, `auroc_p` (clustered DeLong) and `note`; `auroc_p_holm` is adjusted over the whole
            table, all variants of all studies.
        ranks: of the variants that every study has, by mean test AUC; None if they cannot be ranked.
        why: the reason for missing ranks; "" if there are ranks.
        left_out: variants that only one study has.
    """

    differences: pd.DataFrame
    ranks: Ranks | None
    why: str
    left_out: tuple[str, ...]

    def __repr__(self) -> str:
        rows = self.differences
        ranked = "ranked" if self.ranks else f"no ranks: {self.why}"
        return f"<Joined: {rows['study'].nunique()} studies, {rows['variant'].nunique()} variants, {ranked}>"

    def _repr_html_(self) -> str:
        """Show the differences in a notebook."""
        table = self.differences.to_html(index=False, border=0, na_rep="–", float_format="{:.3f}".format)
        return f"<p>{escape(repr(self)[1:-1])}</p>{table}"


def join_studies(tables: Mapping[str, pd.DataFrame], datasets: Mapping[str, str]) -> Joined:
    """Join tables of comparisons to the same baseline."""
    import pandas as pd

    counts = pd.concat([table["variant"] for table in tables.values()]).value_counts(sort=False)
    shared = [str(name) for name in counts.index[counts > 1]]
    rows = [
        table.loc[table["variant"].isin(shared), [*_SHOWN, *_TESTS]].assign(study=study)
        for study, table in tables.items()
    ]
    joined = pd.concat(rows, ignore_index=True)[["study", *_SHOWN, *_TESTS]]
    joined.insert(len(joined.columns) - 1, f"{RANKED}_p_holm", holm(joined[f"{RANKED}_p"].to_numpy()))
    ranks, why = _rank(joined, list(tables), datasets)
    return Joined(joined, ranks, why, tuple(str(name) for name in counts.index[counts == 1]))


def _rank(joined: pd.DataFrame, studies: Sequence[str], datasets: Mapping[str, str]) -> tuple[Ranks | None, str]:
    for place, study in enumerate(studies):
        twin = next((other for other in studies[:place] if datasets[other] == datasets[study]), None)
        if twin is not None:
            return None, f"ranks are over data sets, but {twin} and {study} use the same one; leave one of them out."
    areas = joined.pivot(index="study", columns="variant", values=RANKED).reindex(list(studies))
    everywhere = areas.dropna(axis="columns")
    if why := why_no_ranks(everywhere.shape[1], len(studies)):
        return None, why
    return rank(everywhere.to_numpy(), [str(name) for name in everywhere.columns]), ""
