"""Studies joined by their variants: one family of p-values, ranks over different data sets only."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.multitest import multipletests

from harness.statistics.ranks import rank
from harness.tables.compare.contrasts import comparison_table
from harness.tables.compare.joined import join_studies
from harness.tables.terms import Tables

ORDER = ("blind", "gmic", "gap")


@pytest.fixture(scope="module")
def parts(tables) -> dict[str, pd.DataFrame]:
    """The made-up test images in three parts, as if they were data sets."""
    third = tables[0]["group"].str[1:].astype(int) % 3
    options = {"baseline": "gmic", "order": ORDER, "classes": ("benign", "malignant"), "resamples": 100}
    return {f"study{k}": comparison_table(Tables(predictions=tables[0][third == k]), **options) for k in range(3)}


def test_p_values_are_adjusted_over_the_whole_table(parts) -> None:
    rows = join_studies(parts, {name: name for name in parts}).differences
    known = rows[rows["auroc_p"].notna()]
    assert len(rows) == 9 and len(known) == 6
    np.testing.assert_allclose(known["auroc_p_holm"], multipletests(known["auroc_p"], method="holm")[1])


def test_variants_are_ranked_over_data_sets(parts) -> None:
    joined = join_studies(parts, {name: name for name in parts})
    figures = np.stack([table.set_index("variant")["auroc"][list(ORDER)] for table in parts.values()])
    assert joined.ranks is not None and joined.why == ""
    assert joined.ranks.names == rank(figures, ORDER).names and joined.ranks.names[-1] == "blind"
    assert joined.ranks.statistic == pytest.approx(rank(figures, ORDER).statistic)


def test_two_data_sets_and_one_data_set_twice_are_not_ranked(parts) -> None:
    two = {name: parts[name] for name in ("study0", "study1")}
    joined = join_studies(two, {name: name for name in two})
    assert joined.ranks is None and "at least 3 data sets, here are 2" in joined.why
    twice = join_studies(parts, {"study0": "busi", "study1": "inbreast", "study2": "busi"})
    assert twice.ranks is None and "study0 and study2 use the same one" in twice.why


def test_a_variant_that_one_study_alone_has_is_named_and_left_out(parts) -> None:
    fewer = {name: table if name == "study0" else table[table["variant"] != "blind"] for name, table in parts.items()}
    joined = join_studies(fewer, {name: name for name in fewer})
    assert joined.left_out == ("blind",) and set(joined.differences["variant"]) == {"gmic", "gap"}
    assert joined.ranks is None and "at least 3 variants" in joined.why


def test_only_variants_with_a_value_everywhere_are_ranked(parts) -> None:
    fewer = {name: table if name != "study2" else table[table["variant"] != "blind"] for name, table in parts.items()}
    joined = join_studies(fewer, {name: name for name in fewer})
    assert joined.left_out == () and "blind" in set(joined.differences["variant"])
    assert joined.ranks is None and "here are 2" in joined.why
