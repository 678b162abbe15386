"""Metrics that each break one law: all are the area under the ROC curve, but for one thing."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from harness import MetricRecord
from harness.metrics.functional import Scores
from harness.testing.fakes import area
from tests.harness.testing.zoo.animal import Animal

DIRECT = (
    "perfect_is_best_and_inverted_is_worst",
    "values_lie_within_the_bounds",
    "the_order_of_batches_does_not_matter",
    "what_is_seen_has_a_value",
    "nothing_seen_is_nan",
    "equals_its_reference_on_random_cases",
)


def unweighted(terms: Scores, weights: Any, /) -> Any:
    value = area(terms, None)
    return value if weights is None else np.full(len(weights), value)


def by_the_first_row(terms: Scores, weights: Any, /) -> Any:
    return area(terms, weights) * (1 - 0.1 * (terms.scores[0] if len(terms.scores) else 0))


def never(terms: Scores, weights: Any, /) -> Any:
    return math.nan if weights is None else np.full(len(weights), math.nan)


def zero_of_nothing(terms: Scores, weights: Any, /) -> Any:
    return area(terms, weights) if len(terms.scores) else 0.0


def nothing(terms: Scores, weights: Any, /) -> Any:
    return None


def writing(terms: Scores, weights: Any, /) -> Any:
    value = area(terms, weights)
    terms.scores[:] = terms.scores[::-1].copy()
    return value


def wrong(labels: Any, scores: Any, saliency: Any, masks: Any) -> dict[str, float]:
    return {"": 0.5, "benign": 0.5, "malignant": 0.5}


REFERENCES = {"equals_its_reference_on_random_cases": wrong}


def _is(law: str, build: Any = area, *also: str, exact: bool = True, **declared: Any) -> Animal:
    known = {"label": "AUC", "summary": f"breaks {law}", "reads": "scores", "form": "statistic"}
    return Animal(MetricRecord(name=law, build=build, **{**known, **declared}), frozenset(also), exact)


ANIMALS = [
    _is("perfect_is_best_and_inverted_is_worst", higher_is_better=False),
    _is("values_lie_within_the_bounds", bounds=(0.0, 0.5)),
    _is("weights_say_how_often_each_row_counts", unweighted),
    _is("the_record_says_what_it_is", label=""),
    _is("the_order_of_batches_does_not_matter", by_the_first_row),
    _is("what_is_seen_has_a_value", never, "perfect_is_best_and_inverted_is_worst"),
    _is("nothing_seen_is_nan", zero_of_nothing),
    _is(
        "values_are_numbers",
        nothing,
        *DIRECT[:-1],
        "inputs_are_left_as_they_are",
        "weights_say_how_often_each_row_counts",
    ),
    _is(
        "inputs_are_left_as_they_are",
        writing,
        *DIRECT,
        "values_are_numbers",
        "weights_say_how_often_each_row_counts",
        exact=False,
    ),
    _is("equals_its_reference_on_random_cases"),
    _is("declared_failures_are_laws", xfail={"no_law": "there is no such law"}),
]
HONEST = _is("honest")
