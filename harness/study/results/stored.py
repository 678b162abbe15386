"""The tables that the trials of a study left, as read from its folder, and the cache of what is computed from them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.contract import tables
from harness.contract.types import Plan, Task
from harness.metrics.metric import Metric
from harness.metrics.registry import Metrics
from harness.study.journal.progress import Progress
from harness.study.journal.state import StudyState
from harness.study.journal.trial_record import TrialRecord
from harness.study.results.frames import epochs_table, gather, trials_table

if TYPE_CHECKING:
    import pandas as pd

    from harness.tables.terms import Tables

CONFIRMED = "confirm"
TESTED = (CONFIRMED, "control")
"""Stages whose tables are read for confirmed models and their controls."""


@dataclass(frozen=True, repr=False)
class StoredTables:
    """The tables of a study's trials. Each is read when it is first used.

    Args:
        plan: of the latest run.
        folder: of the study's run.
        state: of the journal.
        task: of the data set.
        metrics: of the study, and those that tables have without being named.
    """

    plan: Plan
    folder: Path
    state: StudyState
    task: Task
    metrics: Metrics = Metrics()

    @property
    def finished(self) -> bool:
        """True if every trial of the plan has ended."""
        return self.state.finished

    def records(self) -> list[TrialRecord]:
        """Return the trials of the plan's variants: by variant, searched ones first."""
        stages = ("search", *TESTED)
        return [r for v in self.plan.variants for stage in stages for r in self.state.of_variant(v.id, stage)]

    def failures(self) -> dict[str, str]:
        """Return the failed variants, each with the reason of its first failed trial."""
        return Progress(self.plan, self.state).failures()

    @property
    def left_out(self) -> dict[str, str]:
        """`<variant>, map <name>` or `metric <key>` -> why confirmed models, or tables, lack it."""
        found = {f"metric {key}": reason for key, reason in self.metrics.faults.items()}
        for record in self._complete((CONFIRMED,)):
            path = self.folder / "trials" / record.spec.id / tables.LEFT_OUT
            if path.exists():
                lines = (line.partition(": ") for line in path.read_text(encoding="utf-8").splitlines())
                own = record.spec.variant
                parts = ((name if name.startswith("metric ") else f"{own}, map {name}", why) for name, _, why in lines)
                found = dict(parts) | found
        return found

    @cached_property
    def trials(self) -> pd.DataFrame:
        """A row for each trial, with a column for each searched parameter."""
        return trials_table(self.records())

    @cached_property
    def epochs(self) -> pd.DataFrame:
        """A row for each epoch of each trial: its metrics, the objective and its smoothed value."""
        return epochs_table(self.records())

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """A row for each image, class and head of every confirmed model."""
        return self._stored("predictions")

    @cached_property
    def maps(self) -> pd.DataFrame:
        """A row for each image, class and map of every confirmed model; see `harness.contract.tables.MAPS`."""
        return self._stored("maps")

    @cached_property
    def lesions(self) -> pd.DataFrame:
        """A row for each image, class and lesion of every confirmed model."""
        return self._stored("lesions")

    @cached_property
    def candidates(self) -> pd.DataFrame:
        """A row for each image, class, map and candidate of every confirmed model."""
        return self._stored("candidates")

    @cached_property
    def layers(self) -> pd.DataFrame:
        """A row for each image, class, map and layer of the skin, of every confirmed model."""
        return self._stored("layers")

    @cached_property
    def attention(self) -> pd.DataFrame:
        """A row for each test image and class, of models with attention over patches; see `tables.ATTENTION`."""
        return self._stored("attention")

    @cached_property
    def overlays(self) -> dict[str, Mapping[str, Any]]:
        """Variant -> the pictures of its first confirmed model, in the form of `contract.tables.OVERLAYS`."""
        from harness.reporting.figures.pictures import read_overlays

        found: dict[str, Mapping[str, Any]] = {}
        for record in self.records():
            path = self.folder / "trials" / record.spec.id / "overlays.npz"
            if record.spec.variant not in found and record.spec.stage == CONFIRMED and path.exists():
                found[record.spec.variant] = read_overlays(path.read_bytes())
        return found

    @cached_property
    def _map_terms(self) -> pd.DataFrame:
        """The table `maps` without its histograms, which take gigabytes."""
        return self._stored("maps", without=tables.HISTOGRAMS)

    @cached_property
    def _resampled(self) -> dict[Any, Any]:
        """Values over resamples of patients that tables over all variants share; see `Tables.kept`."""
        return {}

    def _complete(self, stages: Sequence[str]) -> list[TrialRecord]:
        return [record for record in self.records() if record.spec.stage in stages and record.state == "complete"]

    def _stored(
        self,
        name: str,
        stages: Sequence[str] = (CONFIRMED,),
        variant: str | None = None,
        without: Collection[str] = (),
        keep: Callable[[pd.DataFrame], pd.DataFrame] | None = None,
    ) -> pd.DataFrame:
        """Return one table of all complete trials of these stages, or of one variant; options as for `gather`."""
        own = [record for record in self._complete(stages) if variant in (None, record.spec.variant)]
        return gather(self.folder, own, f"{name}.parquet", getattr(tables, name.upper()), without, keep)

    def _tables(self, metrics: Sequence[Metric], variant: str | None = None) -> Tables:
        """Return the tables that these metrics read; histograms of maps, gigabytes, only if they are read."""
        from harness.tables.terms import READS, Tables

        read = {name for metric in metrics for name in metric.record.terms}
        histograms = [name for name in tables.HISTOGRAMS if name in read]

        def positive(rows: pd.DataFrame) -> pd.DataFrame:
            return rows.assign(**{name: rows[name].where(rows["label"] == 1) for name in histograms if name in rows})

        needed = {name for metric in metrics for name in READS[metric.record.reads]}
        others: dict[str, Any] = {
            name: self._stored(name, variant=variant) for name in needed - {"predictions", "maps"}
        }
        if "maps" in needed and variant is None and not histograms:
            others["maps"] = self._map_terms
        elif "maps" in needed:
            without = [name for name in tables.HISTOGRAMS if name not in read]
            others["maps"] = self._stored("maps", (CONFIRMED,), variant, without, positive)
        predictions = self.predictions if variant is None else self.predictions[self.predictions["variant"] == variant]
        return Tables(predictions=predictions, kept=self._resampled if variant is None else {}, **others)

    def _by_variant(self, make: Callable[[str], pd.DataFrame]) -> pd.DataFrame:
        """Return a table that is computed for one variant at a time: all histograms may take gigabytes."""
        import pandas as pd

        parts = [part for variant in self.plan.variants if len(part := make(variant.name))]
        return pd.concat(parts, ignore_index=True) if parts else make("")

    def _cached(self, name: str, compute: Callable[[], pd.DataFrame], **options: Any) -> pd.DataFrame:
        """Return a table of the confirmed models and the control, read if it was computed with these options."""
        from harness.study.results.table_cache import cached

        confirmed = [
            (record.spec.id, record.finished, record.spec.metrics, record.spec.explain)
            for record in self._complete(TESTED)
        ]
        facts = {"confirmed": confirmed, "metrics": self.metrics.facts(), **options}
        return cached(self.folder, name, facts, compute) if confirmed else compute()
