"""The results of a study as data frames: for notebooks, tables and the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.config.trees import dataset_table, task_of_tables
from harness.contract.errors import Problems
from harness.contract.keys import RANKED
from harness.contract.loading.catalog import Catalog
from harness.contract.types import Plan, Task
from harness.metrics.registry import Metrics
from harness.study.journal.folders import read_plan, read_state
from harness.study.results.measured import RESAMPLES, MeasuredTables
from harness.study.results.stored import CONFIRMED

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class Results(MeasuredTables):
    """The results of a study, finished or not; each table is read or computed when it is first used.

    The tables of its trials, those of single models, and those that compare variants. Arguments as for `StoredTables`.
    """

    def __repr__(self) -> str:
        ended = sum(record.result is not None for record in self.records())
        state = "finished" if self.finished else "not finished"
        failed = f", failed: {', '.join(names)}" if (names := self.failures()) else ""
        return f"<Results {self.plan.directory}: {ended} trials ended, {state}{failed}>"

    def _repr_html_(self) -> str:
        """Return the leaderboard and an overlay for a notebook."""
        from harness.study.results.notebook import results_html

        return results_html(self.plan, repr(self)[1:-1], self.variants, self.overlays)

    @cached_property
    def variants(self) -> pd.DataFrame:
        """A row for each variant: test AUC and Dice, with intervals and the paired difference to the baseline."""
        return self.table()

    @cached_property
    def heads(self) -> pd.DataFrame:
        """A table like `variants`, with a row for each head of a variant's models below its own output."""
        return self.table(heads=True)

    @cached_property
    def units(self) -> pd.DataFrame:
        """A table like `variants` for diagnosed units: the score of a breast is the mean of its views."""
        return self.table(unit=True)

    def table(self, heads: bool = False, unit: bool = False) -> pd.DataFrame:
        """Return the table of `variants`, `heads` or `units`; empty while nothing is confirmed."""
        from harness.tables.measure.summary import variant_table

        options = self._compared(self.plan.baseline) | {"heads": heads, "unit": unit}
        name = ("heads" if heads else "variants") + ("_by_unit" if unit else "")
        found = self._over_variants(name, variant_table, options)
        if unit or found.empty:
            return found
        return found.assign(**{key: self._reported(key, found) for key in self.not_loaded})

    @cached_property
    def comparison(self) -> pd.DataFrame:
        """A row for each variant: adjusted tests of its difference to the baseline, and ties with the best.

        See `harness.tables.compare.contrasts.comparison_table`; empty while nothing is confirmed.
        """
        return self.compare(self.plan.baseline)

    def compare(self, baseline: str) -> pd.DataFrame:
        """Return the comparison with any variant; see `comparison`."""
        from harness.tables.compare.contrasts import comparison_table

        return self._over_variants("comparison", comparison_table, self._compared(baseline))

    @cached_property
    def claims(self) -> pd.DataFrame:
        """A row for each claim of the study, with the verdict for these models; see `tables.compare.claims`."""
        import pandas as pd

        from harness.tables.compare.claims import COLUMNS, claims_table

        if not self.plan.claims or self.predictions.empty:
            return pd.DataFrame(columns=list(COLUMNS))
        options = {key: self._compared("")[key] for key in ("classes", "resamples", "seed")}
        asked = {claim.metric for claim in self.plan.claims}
        metrics = [metric for metric in self.metrics.at("tables") if metric.key in asked]
        return self._cached(
            "claims",
            lambda: claims_table(self._tables(metrics), metrics, claims=self.plan.claims, **options),
            claims=[asdict(claim) for claim in self.plan.claims],
            columns=list(COLUMNS),
            **options,
        )

    @cached_property
    def each(self) -> pd.DataFrame:
        """The baseline against each reader and external table; see `readers.each_table`. Empty without them."""
        import pandas as pd

        from harness.tables.compare.readers import each_table

        external = [variant.name for variant in self.plan.variants if variant.kind == "external"]
        options: dict[str, Any] = {
            "baseline": self.plan.baseline,
            "order": external,
            "classes": list(self.task.classes),
        }

        def compute() -> pd.DataFrame:
            found = each_table(self.predictions, **options)
            names = found["replicate"].astype(object).where(found["replicate"].notna(), "")
            return found.assign(replicate=names.astype(str))

        return self._cached("each", compute, **options) if external else pd.DataFrame()

    @cached_property
    def declared(self) -> pd.DataFrame:
        """The test values of the study's `metrics`, those of plugins included; see `tables.compare.declared`."""
        from harness.tables.compare.declared import declared_table

        reported = [
            (record.spec.variant, record.result.metrics) for record in self._complete((CONFIRMED,)) if record.result
        ]
        return declared_table(reported, self.plan.metrics)

    def decisions(self, focus_from: float = 0.5, accuracy_from: float = 0.8) -> pd.DataFrame:
        """Return pointing, faithfulness and AUROC of each variant: is its focus reliable? See `decision_chart`.

        For masks of layers, pointing is Hit Rate 1, scaled to [0, 1]; see `focus_by_map`.
        """
        from harness.metrics.maps.layers import focus_by_map
        from harness.tables.measure.decision_chart import decision_chart, pointing_by_map

        focus = focus_by_map(self.layers) if self.task.mask_kind == "layers" else pointing_by_map(self._map_terms)
        right = dict(zip(self.variants["variant"], self.variants.get(RANKED, ()), strict=False))
        limits = {"focus_from": focus_from, "accuracy_from": accuracy_from}
        return decision_chart(self.faithfulness, focus, right, **limits)

    @cached_property
    def not_loaded(self) -> tuple[str, ...]:
        """The study's metrics whose plugin is not loaded here; tables have the values that the trials stored."""
        return tuple(key for key in self.plan.metrics if self.metrics.get(key) is None)

    def _reported(self, key: str, rows: pd.DataFrame) -> list[float]:
        """Return the mean of a metric over the replicates of each row, as the trials reported it."""
        known = self.declared[(self.declared["metric"] == key) & (self.declared["class"] == "")]
        values = dict(zip(zip(known["variant"], known["head"], strict=True), known["value"], strict=True))
        return [values.get(place, float("nan")) for place in zip(rows["variant"], rows["head"], strict=True)]

    def _compared(self, baseline: str) -> dict[str, Any]:
        """Return the options of a table over variants."""
        order, classes = [variant.name for variant in self.plan.variants], list(self.task.classes)
        return {"baseline": baseline, "order": order, "classes": classes, "resamples": RESAMPLES, "seed": 0}

    def _over_variants(self, name: str, make: Callable[..., pd.DataFrame], options: Mapping[str, Any]) -> pd.DataFrame:
        """Return a table over variants, computed once for the same models and options."""
        import pandas as pd

        metrics = self.metrics.leaderboard

        def compute() -> pd.DataFrame:
            if self.predictions.empty:
                return pd.DataFrame(columns=["variant", "head"])
            return make(self._tables(metrics), metrics, **options)

        return self._cached(name, compute, **options)


def read_results(folder: Path, catalog: Catalog) -> Results:
    """Return the results in a folder.

    Raises:
        InputError: there are none, or their data set is not installed.
    """
    plan = read_plan(folder)
    task = task_of(plan, catalog)
    metrics = Metrics.of(catalog, task, plan.metrics, plan.metric_tables)
    return Results(plan, folder, read_state(folder), task, metrics)


def task_of(plan: Plan, catalog: Catalog) -> Task:
    """Return the task of the plan's data set or, without one, the classes of its tables.

    A data set that is not loaded here, such as one of a single file, has the task that the plan stored.

    Raises:
        InputError: the data set is not installed and the plan lacks its task, or it takes other parameters now.
    """
    problems, table = Problems(str(plan.path)), dataset_table(plan)
    if not table:
        return task_of_tables(plan.variants[0].tree, tuple(plan.variants[0].facts["classes"]))
    stored = plan.trained[0].facts.get("task") if plan.trained else None
    if stored is not None and catalog.address("dataset", str(table["use"])) is None:
        values: dict[str, Any] = {key: tuple(item) if isinstance(item, list) else item for key, item in stored.items()}
        return Task(**values)
    factory = catalog.factory("dataset", table, problems, "dataset")
    problems.raise_if_any()
    assert factory is not None and factory.component.task is not None
    task: Task = factory.component.task(**factory.params)
    return task
