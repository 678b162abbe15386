"""The results of a study as data frames, as read from its folder: for notebooks, tables and the report."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.config.trees import dataset_table, task_of_tables
from harness.contract import tables
from harness.contract.errors import Problems
from harness.contract.keys import RANKED
from harness.contract.loading.catalog import Catalog
from harness.contract.types import Plan, Task
from harness.metrics.metric import Metric
from harness.metrics.registry import Metrics
from harness.study.journal.folders import read_plan, read_state
from harness.study.journal.progress import Progress
from harness.study.journal.state import StudyState
from harness.study.journal.trial_record import TrialRecord
from harness.study.results.frames import epochs_table, gather, trials_table

if TYPE_CHECKING:
    import pandas as pd

    from harness.tables.terms import Tables

RESAMPLES = 2000
"""Bootstrap samples of patients for each interval."""

CONFIRMED = "confirm"
TESTED = (CONFIRMED, "control")
"""Stages whose tables are read for confirmed models and their controls."""


@dataclass(frozen=True, repr=False)
class Results:
    """The results of a study, finished or not. Each table is read when it is first used.

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

    def __repr__(self) -> str:
        ended = sum(record.result is not None for record in self.records())
        state = "finished" if self.finished else "not finished"
        failed = f", failed: {', '.join(names)}" if (names := self.failures()) else ""
        return f"<Results {self.plan.directory}: {ended} trials ended, {state}{failed}>"

    def _repr_html_(self) -> str:
        """Return the leaderboard and an overlay for a notebook."""
        from harness.study.results.notebook import results_html

        return results_html(self.plan, repr(self)[1:-1], self.variants, self.overlays)

    @property
    def finished(self) -> bool:
        """True if every trial of the plan has ended."""
        return self.state.finished

    @cached_property
    def variants(self) -> pd.DataFrame:
        """A row for each variant: test AUC and Dice, with intervals and the paired difference to the baseline."""
        return self.table()

    @cached_property
    def heads(self) -> pd.DataFrame:
        """A table like `variants`, with a row for each head of a variant's models below its own output."""
        return self.table(heads=True)

    @cached_property
    def comparison(self) -> pd.DataFrame:
        """A row for each variant: adjusted tests of its difference to the baseline, and ties with the best.

        See `harness.tables.compare.contrasts.comparison_table`; empty while nothing is confirmed.
        """
        return self.compare(self.plan.baseline)

    @cached_property
    def attention(self) -> pd.DataFrame:
        """A row for each test image and class, of models with attention over patches; see `tables.ATTENTION`."""
        return self._gather("attention.parquet", tables.ATTENTION)

    @cached_property
    def claims(self) -> pd.DataFrame:
        """A row for each claim of the study, with the verdict for these models; see `tables.compare.claims`."""
        from harness.tables.compare.claims import COLUMNS, claims_table

        if not self.plan.claims or self.predictions.empty:
            import pandas as pd

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
    def declared(self) -> pd.DataFrame:
        """The test values of the study's `metrics`, those of plugins included; see `tables.compare.declared`."""
        from harness.tables.compare.declared import declared_table

        reported = [
            (record.spec.variant, record.result.metrics)
            for record in self.records()
            if record.spec.stage == "confirm" and record.result is not None and record.state == "complete"
        ]
        return declared_table(reported, self.plan.metrics)

    @cached_property
    def units(self) -> pd.DataFrame:
        """A table like `variants` for diagnosed units: the score of a breast is the mean of its views."""
        return self.table(unit=True)

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
        return self._gather("predictions.parquet", tables.PREDICTIONS)

    @cached_property
    def maps(self) -> pd.DataFrame:
        """A row for each image, class and map of every confirmed model; see `harness.contract.tables.MAPS`."""
        return self._gather("maps.parquet", tables.MAPS)

    @cached_property
    def lesions(self) -> pd.DataFrame:
        """A row for each image, class and lesion of every confirmed model."""
        return self._gather("lesions.parquet", tables.LESIONS)

    @cached_property
    def candidates(self) -> pd.DataFrame:
        """A row for each image, class, map and candidate of every confirmed model."""
        return self._gather("candidates.parquet", tables.CANDIDATES)

    @cached_property
    def layers(self) -> pd.DataFrame:
        """A row for each image, class, map and layer of the skin, of every confirmed model."""
        return self._gather("layers.parquet", tables.LAYERS)

    @cached_property
    def localisation(self) -> pd.DataFrame:
        """Every localisation metric, with its controls; see `harness.tables.measure.localisation_table`.

        A model trained on shuffled labels is the variant "control:shuffled_labels".
        """
        from harness.tables.measure.localisation_table import OF_MAPS, localisation_table

        metrics = self.metrics.at("tables", OF_MAPS)

        def of(variant: str) -> pd.DataFrame:
            maps, lesions, candidates, layers, terms = (
                self._gather(f"{name}.parquet", getattr(tables, name.upper()), TESTED, variant)
                for name in ("maps", "lesions", "candidates", "layers", "terms")
            )
            return localisation_table(maps, lesions, candidates, layers, self.task.classes, metrics, terms)

        return self._by_variant(of)

    @cached_property
    def classification(self) -> pd.DataFrame:
        """Every classification metric; see `harness.tables.measure.classification_table`."""
        from harness.tables.measure.classification_table import OF_SCORES, classification_table

        found = self._gather("predictions.parquet", tables.PREDICTIONS, TESTED)
        return classification_table(found, self.task.classes, self.metrics.at("tables", OF_SCORES))

    @cached_property
    def reliability(self) -> pd.DataFrame:
        """Calibration curves; see `harness.tables.measure.reliability_table.reliability_table`."""
        from harness.tables.measure.reliability_table import reliability_table

        return reliability_table(self.predictions, self.task.classes)

    @cached_property
    def classified(self) -> pd.DataFrame:
        """Every classification metric, mean and standard deviation over replicates.

        `low` and `high` are 95 % bounds over patients for the models' own output; see `tables.measure.intervals`.
        """
        from harness.tables.measure.classification_table import OF_SCORES
        from harness.tables.measure.intervals import classification_intervals
        from harness.tables.measure.summary import over_replicates

        def compute() -> pd.DataFrame:
            found = self._gather("predictions.parquet", tables.PREDICTIONS, TESTED)
            metrics = self.metrics.at("tables", OF_SCORES)
            bounds = classification_intervals(found, self.task.classes, metrics, resamples=RESAMPLES)
            return over_replicates(self.classification).merge(bounds.drop(columns="value"), how="left")

        return self._cached("classified", compute)

    @cached_property
    def localised(self) -> pd.DataFrame:
        """Every localisation metric, mean and standard deviation over replicates, with 95 % bounds over patients."""
        from harness.tables.measure.intervals import localisation_intervals
        from harness.tables.measure.localisation_table import OF_MAPS
        from harness.tables.measure.summary import over_replicates

        def bounds_of(variant: str) -> pd.DataFrame:
            maps = self._gather("maps.parquet", tables.MAPS, TESTED, variant)
            layers = self._gather("layers.parquet", tables.LAYERS, TESTED, variant)
            terms = self._gather("terms.parquet", tables.TERMS, TESTED, variant)
            metrics = self.metrics.at("tables", OF_MAPS)
            return localisation_intervals(maps, layers, self.task.classes, metrics, terms, resamples=RESAMPLES)

        def compute() -> pd.DataFrame:
            bounds = self._by_variant(bounds_of)
            return over_replicates(self.localisation).merge(
                bounds.drop(columns="value").assign(stratum="all"), how="left"
            )

        return self._cached("localised", compute)

    @cached_property
    def pooled_reliability(self) -> pd.DataFrame:
        """Calibration curves of each variant, with the images of its replicates pooled."""
        from harness.tables.measure.reliability_table import pooled_reliability

        return self._cached("reliability", lambda: pooled_reliability(self.reliability))

    @cached_property
    def replicates(self) -> pd.DataFrame:
        """Every metric of every confirmed model and head; see `harness.tables.measure.summary`."""
        import pandas as pd

        from harness.tables.measure.summary import replicates_table

        def of(variant: str) -> pd.DataFrame:
            metrics = self.metrics.at("replicates")
            return replicates_table(self._tables(metrics, variant), metrics, classes=self.task.classes)

        def compute() -> pd.DataFrame:
            found = self._by_variant(of)
            # Seeds and readers cannot be in one column of a file; external predictions may have neither.
            readers = found["seed"].map(lambda seed: isinstance(seed, str)).any()
            return found.assign(seed=found["seed"].astype(str) if readers else pd.to_numeric(found["seed"]))

        return self._cached("replicates", compute)

    @cached_property
    def each(self) -> pd.DataFrame:
        """The baseline against each reader and external table; see `readers.each_table`. Empty without them."""
        import pandas as pd

        from harness.tables.compare.readers import each_table

        systems = [variant.name for variant in self.plan.variants if variant.kind == "external"]
        options: dict[str, Any] = {"baseline": self.plan.baseline, "order": systems, "classes": list(self.task.classes)}

        def compute() -> pd.DataFrame:
            found = each_table(self.predictions, **options)
            return found.assign(
                replicate=found["replicate"].astype(object).where(found["replicate"].notna(), "").astype(str)
            )

        return self._cached("each", compute, **options) if systems else pd.DataFrame()

    @cached_property
    def unknown_masks(self) -> tuple[int, int]:
        """Positive (image, class) pairs of the test split with an unknown mask, and all positive pairs."""
        import pandas as pd

        from harness.tables.measure.costs import unknown_masks

        def compute() -> pd.DataFrame:
            maps = self._map_terms
            return pd.DataFrame([unknown_masks(maps)] if len(maps) else [(0, 0)], columns=["unknown", "all"])

        found = self._cached("unknown_masks", compute)
        return (int(found["unknown"].iloc[0]), int(found["all"].iloc[0])) if len(found) else (0, 0)

    @cached_property
    def faithfulness(self) -> pd.DataFrame:
        """A row for each variant, map and measure of [explain.faithfulness]; see `faithfulness_table`."""
        from harness.tables.measure.faithfulness_table import faithfulness_table

        def compute() -> pd.DataFrame:
            rows = self._gather("faithfulness.parquet", tables.FAITHFULNESS)
            return faithfulness_table(rows, order=[variant.name for variant in self.plan.variants])

        return self._cached("faithfulness", compute)

    @cached_property
    def overlays(self) -> dict[str, Mapping[str, Any]]:
        """Variant -> the pictures of its first confirmed model, in the form of `contract.tables.OVERLAYS`."""
        from harness.reporting.figures.pictures import read_overlays

        found: dict[str, Mapping[str, Any]] = {}
        for record in self.records():
            path = self.folder / "trials" / record.spec.id / "overlays.npz"
            if record.spec.variant not in found and record.spec.stage == "confirm" and path.exists():
                found[record.spec.variant] = read_overlays(path.read_bytes())
        return found

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

    def table(self, heads: bool = False, unit: bool = False) -> pd.DataFrame:
        """Return the table of `variants`, `heads` or `units`; empty while nothing is confirmed."""
        from harness.tables.measure.summary import variant_table

        options = self._compared(self.plan.baseline) | {"heads": heads, "unit": unit}
        name = ("heads" if heads else "variants") + ("_by_unit" if unit else "")
        found = self._kept(name, variant_table, options)
        return (
            found if unit or found.empty else found.assign(**{key: self._stored(key, found) for key in self.not_loaded})
        )

    @cached_property
    def not_loaded(self) -> tuple[str, ...]:
        """The study's metrics whose plugin is not loaded here; tables have the values that the trials stored."""
        return tuple(key for key in self.plan.metrics if self.metrics.get(key) is None)

    def _stored(self, key: str, rows: pd.DataFrame) -> list[float]:
        """Return the mean of a metric over the replicates of each row, as the trials reported it."""
        known = self.declared[(self.declared["metric"] == key) & (self.declared["class"] == "")]
        values = dict(zip(zip(known["variant"], known["head"], strict=True), known["value"], strict=True))
        return [values.get(place, float("nan")) for place in zip(rows["variant"], rows["head"], strict=True)]

    def compare(self, baseline: str) -> pd.DataFrame:
        """Return the comparison with any variant; see `comparison`."""
        from harness.tables.compare.contrasts import comparison_table

        return self._kept("comparison", comparison_table, self._compared(baseline))

    def records(self) -> list[TrialRecord]:
        """Return the trials of the plan's variants: by variant, searched ones first."""
        stages = ("search", "confirm", "control")
        return [r for v in self.plan.variants for stage in stages for r in self.state.of_variant(v.id, stage)]

    def failures(self) -> dict[str, str]:
        """Return the failed variants, each with the reason of its first failed trial."""
        return Progress(self.plan, self.state).failures()

    def _compared(self, baseline: str) -> dict[str, Any]:
        """Return the options of a table over variants."""
        return {
            "baseline": baseline,
            "order": [variant.name for variant in self.plan.variants],
            "classes": list(self.task.classes),
            "resamples": RESAMPLES,
            "seed": 0,
        }

    def _kept(self, name: str, make: Callable[..., pd.DataFrame], options: Mapping[str, Any]) -> pd.DataFrame:
        """Return a table over variants, computed once for the same models and options."""
        import pandas as pd

        metrics = self.metrics.leaderboard

        def compute() -> pd.DataFrame:
            if self.predictions.empty:
                return pd.DataFrame(columns=["variant", "head"])
            return make(self._tables(metrics), metrics, **options)

        return self._cached(name, compute, **options)

    def _cached(self, name: str, compute: Callable[[], pd.DataFrame], **options: Any) -> pd.DataFrame:
        """Return a table of the confirmed models and the control, read if it was computed with these options."""
        from harness.study.results.table_cache import cached

        confirmed = [
            (record.spec.id, record.finished, record.spec.metrics, record.spec.explain)
            for record in self.records()
            if record.spec.stage in TESTED and record.state == "complete"
        ]
        facts = {"confirmed": confirmed, "metrics": self.metrics.facts(), **options}
        return cached(self.folder, name, facts, compute) if confirmed else compute()

    def _tables(self, metrics: Sequence[Metric], variant: str | None = None) -> Tables:
        """Return the tables that these metrics read; histograms of maps, gigabytes, only if they are read."""
        from harness.tables.terms import READS, Tables

        read = {name for metric in metrics for name in metric.record.terms}
        histograms = [name for name in tables.HISTOGRAMS if name in read]
        without = [name for name in tables.HISTOGRAMS if name not in read]

        def positive(rows: pd.DataFrame) -> pd.DataFrame:
            return rows.assign(**{name: rows[name].where(rows["label"] == 1) for name in histograms if name in rows})

        names = ("lesions", "candidates", "layers", "attention", "terms")
        wanted = {metric.record.reads for metric in metrics}
        needed = {name for reads in wanted for name in READS[reads]}
        others: dict[str, Any] = {
            name: self._gather(f"{name}.parquet", getattr(tables, name.upper()), variant=variant)
            for name in names
            if name in needed
        }
        predictions = self.predictions if variant is None else self.predictions[self.predictions["variant"] == variant]
        if "maps" in needed and variant is None and not histograms:
            others["maps"] = self._map_terms
        elif "maps" in needed:
            others["maps"] = self._gather("maps.parquet", tables.MAPS, (CONFIRMED,), variant, without, positive)
        return Tables(predictions=predictions, **others)

    @cached_property
    def _map_terms(self) -> pd.DataFrame:
        """The table `maps` without its histograms, which take gigabytes."""
        return self._gather("maps.parquet", tables.MAPS, without=tables.HISTOGRAMS)

    def _gather(
        self,
        file: str,
        columns: Sequence[str],
        stages: Sequence[str] = (CONFIRMED,),
        variant: str | None = None,
        without: Collection[str] = (),
        keep: Callable[[pd.DataFrame], pd.DataFrame] | None = None,
    ) -> pd.DataFrame:
        confirmed = [r for r in self.records() if r.spec.stage in stages and r.state == "complete"]
        own = [record for record in confirmed if variant in (None, record.spec.variant)]
        return gather(self.folder, own, file, columns, without, keep)

    def _by_variant(self, make: Callable[[str], pd.DataFrame]) -> pd.DataFrame:
        """Return a table that is computed for one variant at a time: all histograms may take gigabytes."""
        import pandas as pd

        parts = [part for variant in self.plan.variants if len(part := make(variant.name))]
        return pd.concat(parts, ignore_index=True) if parts else make("")


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
