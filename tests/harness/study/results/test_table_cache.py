"""A table is computed once for the same facts and the same code, and anew for others."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import harness.study.results.table_cache as table_cache
from harness.study.results.table_cache import cached

FACTS = {"confirmed": [["t1", 17.5]], "resamples": 2000}


class Counted:
    """A computation that counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> pd.DataFrame:
        self.calls += 1
        return pd.DataFrame({"variant": ["gmic", "gap"], "p": [float("nan"), 0.1 * self.calls], "tied": [True, False]})


def test_the_same_facts_are_computed_once_and_come_back_the_same(tmp_path: Path) -> None:
    compute = Counted()
    first, again = (cached(tmp_path, "comparison", dict(FACTS), compute) for _ in range(2))
    pd.testing.assert_frame_equal(first, again)
    assert compute.calls == 1


def test_other_facts_replace_the_table_and_leave_other_tables_alone(tmp_path: Path) -> None:
    compute = Counted()
    cached(tmp_path, "comparison", FACTS, compute)
    cached(tmp_path, "comparison-of-heads", FACTS, compute)
    cached(tmp_path, "comparison", FACTS | {"resamples": 500}, compute)
    assert compute.calls == 3
    names = sorted(path.name.rpartition("-")[0] for path in (tmp_path / "tables").iterdir())
    assert names == ["comparison", "comparison-of-heads"]


def test_other_code_computes_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compute = Counted()
    cached(tmp_path, "comparison", FACTS, compute)
    monkeypatch.setattr(table_cache, "_code", lambda: "mended")
    assert cached(tmp_path, "comparison", FACTS, compute)["p"][1] == pytest.approx(0.2)


def test_a_computation_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> pd.DataFrame:
        raise ValueError("two variants were tested on different images")

    with pytest.raises(ValueError, match="different images"):
        cached(tmp_path, "comparison", FACTS, fail)
    assert not (tmp_path / "tables").exists()


def test_results_that_may_only_be_read_are_shown_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "tables").write_text("a file where the folder would be: nothing can be written below it")
    table = pd.DataFrame({"a": [1.0]})
    pd.testing.assert_frame_equal(cached(tmp_path, "units", {}, lambda: table), table)
