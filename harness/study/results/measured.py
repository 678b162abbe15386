"""The metrics of every confirmed model as data frames: a row per model, class and metric, and means over replicates."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from harness.study.results.stored import TESTED, StoredTables

if TYPE_CHECKING:
    import pandas as pd

RESAMPLES = 2000
"""Bootstrap samples of patients for each interval."""


@dataclass(frozen=True, repr=False)
class MeasuredTables(StoredTables):
    """The tables of single models. Arguments as for `StoredTables`."""

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
            if found.empty:  # no label is known
                return found
            # Seeds and readers cannot be in one column of a file; external predictions may have neither.
            readers = found["seed"].map(lambda seed: isinstance(seed, str)).any()
            return found.assign(seed=found["seed"].astype(str) if readers else pd.to_numeric(found["seed"]))

        return self._cached("replicates", compute)

    @cached_property
    def classification(self) -> pd.DataFrame:
        """Every classification metric; see `harness.tables.measure.classification_table`."""
        from harness.tables.measure.classification_table import OF_SCORES, classification_table

        found = self._stored("predictions", TESTED)
        return classification_table(found, self.task.classes, self.metrics.at("tables", OF_SCORES))

    @cached_property
    def classified(self) -> pd.DataFrame:
        """Every classification metric, mean and standard deviation over replicates.

        `low` and `high` are 95 % bounds over patients for the models' own output; see `tables.measure.intervals`.
        """
        from harness.tables.measure.classification_table import OF_SCORES
        from harness.tables.measure.intervals import classification_intervals
        from harness.tables.measure.summary import over_replicates

        def compute() -> pd.DataFrame:
            found, metrics = self._stored("predictions", TESTED), self.metrics.at("tables", OF_SCORES)
            bounds = classification_intervals(found, self.task.classes, metrics, resamples=RESAMPLES)
            return over_replicates(self.classification).merge(bounds.drop(columns="value"), how="left")

        return self._cached("classified", compute)

    @cached_property
    def localisation(self) -> pd.DataFrame:
        """Every localisation metric, with its controls; see `harness.tables.measure.localisation_table`.

        A model trained on shuffled labels is the variant "control:shuffled_labels".
        """
        from harness.tables.measure.localisation_table import OF_MAPS, localisation_table

        def of(variant: str) -> pd.DataFrame:
            names = ("maps", "lesions", "candidates", "layers", "terms")
            maps, lesions, candidates, layers, terms = (self._stored(name, TESTED, variant) for name in names)
            metrics = self.metrics.at("tables", OF_MAPS)
            return localisation_table(maps, lesions, candidates, layers, self.task.classes, metrics, terms)

        return self._by_variant(of)

    @cached_property
    def localised(self) -> pd.DataFrame:
        """Every localisation metric, mean and standard deviation over replicates, with 95 % bounds over patients."""
        from harness.tables.measure.intervals import localisation_intervals
        from harness.tables.measure.localisation_table import OF_MAPS
        from harness.tables.measure.summary import over_replicates

        def bounds_of(variant: str) -> pd.DataFrame:
            maps, layers, terms = (self._stored(name, TESTED, variant) for name in ("maps", "layers", "terms"))
            metrics = self.metrics.at("tables", OF_MAPS)
            return localisation_intervals(maps, layers, self.task.classes, metrics, terms, resamples=RESAMPLES)

        def compute() -> pd.DataFrame:
            bounds = self._by_variant(bounds_of).drop(columns="value").assign(stratum="all")
            return over_replicates(self.localisation).merge(bounds, how="left")

        return self._cached("localised", compute)

    @cached_property
    def reliability(self) -> pd.DataFrame:
        """Calibration curves; see `harness.tables.measure.reliability_table.reliability_table`."""
        from harness.tables.measure.reliability_table import reliability_table

        return reliability_table(self.predictions, self.task.classes)

    @cached_property
    def pooled_reliability(self) -> pd.DataFrame:
        """Calibration curves of each variant, with the images of its replicates pooled."""
        from harness.tables.measure.reliability_table import pooled_reliability

        return self._cached("reliability", lambda: pooled_reliability(self.reliability))

    @cached_property
    def faithfulness(self) -> pd.DataFrame:
        """A row for each variant, map and measure of [explain.faithfulness]; see `faithfulness_table`."""
        from harness.tables.measure.faithfulness_table import faithfulness_table

        order = [variant.name for variant in self.plan.variants]
        return self._cached("faithfulness", lambda: faithfulness_table(self._stored("faithfulness"), order=order))

    @cached_property
    def unknown_masks(self) -> tuple[int, int]:
        """Positive (image, class) pairs of the test split with an unknown mask, and all positive pairs."""
        import pandas as pd

        from harness.tables.measure.costs import unknown_masks

        found = self._cached(
            "unknown_masks",
            lambda: pd.DataFrame([unknown_masks(self._map_terms)], columns=["unknown", "all"]),
        )
        return int(found["unknown"].iloc[0]), int(found["all"].iloc[0])
