"""Laws of metrics, of one model's outputs batch by batch and of the terms of its tables.

A metric that needs another task than a multi-label one with outlines is left out. One that is fitted on another
split, or reads lesions, has no value for a batch: only the laws of terms hold for it.
"""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from harness.contract.masks import KINDS_OF_TASK, offers
from harness.contract.metrics import MetricRecord
from harness.testing.laws.law import Law, expect, expected, law
from harness.testing.laws.metrics.cases import (
    IMAGES,
    TASK,
    TERMS,
    bound,
    draw,
    guesses,
    inverted,
    perfect,
    repeated,
    size,
    terms_of,
    values_of,
)
from harness.testing.laws.subject import Subject
from harness.trial.model.measure import collector, direct

LAWS: list[Law] = []
CASES = 100
"""Number of random cases that are compared with a reference."""


def is_direct(subject: Subject) -> bool:
    """Return True if the metric has a value for a batch of the laws' task."""
    return KINDS_OF_TASK & subject.component.needs <= offers(TASK) and direct(bound(_record(subject)))


def has_terms(subject: Subject) -> bool:
    """Return True if the metric is computed from scores, maps or lesions of the laws' task."""
    return KINDS_OF_TASK & subject.component.needs <= offers(TASK) and _record(subject).reads in TERMS


def has_values(subject: Subject) -> bool:
    """Return True if the formula can be called on the laws' task."""
    return is_direct(subject) or has_terms(subject)


def has_reference(subject: Subject) -> bool:
    """Return True if the settings hold the same metric by another library."""
    return is_direct(subject) and subject.component.name in subject.settings.references


@law(LAWS, mend="Set `higher_is_better`, or correct the formula.", applies=is_direct)
def perfect_is_best_and_inverted_is_worst(subject: Subject) -> None:
    """Check that the truth is best, and its opposite is worse than guesses are on average.

    Only on average: a lucky guess may be worse than tied scores that are all wrong (average precision).
    """
    metric, case = _record(subject), draw(0)
    worst, best = values_of(metric, inverted(case)), values_of(metric, perfect(case))
    guessed = [values_of(metric, {**case, **guesses(seed)}) for seed in range(20)]
    sign = 1 if metric.higher_is_better else -1
    for key in best:
        values = [sign * guess[key] for guess in guessed]
        where = f"{key or 'the mean'}: truth {best[key]:g}, opposite {worst[key]:g}"
        expect(max(values) <= sign * best[key], f"{where}, and the best guess {sign * max(values):g}")
        expect(np.mean(values) >= sign * worst[key], f"{where}, guesses on average {sign * np.mean(values):g}")
        expect(sign * worst[key] < sign * best[key], where)


@law(LAWS, mend="Set `bounds` to the lowest and the highest value, or correct the formula.", applies=is_direct)
def values_lie_within_the_bounds(subject: Subject) -> None:
    """Check that guesses, the truth and its opposite have values within `bounds`."""
    low, high = _record(subject).bounds
    for case in (draw(0), perfect(draw(0)), inverted(draw(0)), draw(7)):
        values = values_of(_record(subject), case)
        wrong = {key: value for key, value in values.items() if not math.isnan(value) and not low <= value <= high}
        expect(not wrong, f"{wrong} outside [{low:g}, {high:g}]")


@law(LAWS, mend='Count each row as often as its weight says, in every resample of "r n".', applies=has_terms)
def weights_say_how_often_each_row_counts(subject: Subject) -> None:
    """Check that a weight of 1 changes nothing, 2 repeats the row and 0 leaves it out."""
    metric, terms = _record(subject), terms_of(_record(subject))
    own, count = bound(metric), size(terms)
    threshold = own.fitted(terms)
    plain = float(own.value(terms, None, threshold))
    counts = np.random.default_rng(3).integers(0, 3, count)
    weighted = own.value(terms, np.stack([np.ones(count), counts.astype(float)]), threshold)
    expect(np.shape(weighted) == (2,), f"two resamples give the shape {np.shape(weighted)}")
    expect(_equal(weighted[0], plain), f"weights of 1 give {weighted[0]:g}, no weights {plain:g}")
    if metric.reads != "lesions":
        again = float(own.value(repeated(terms, counts), None, threshold))
        expect(_equal(weighted[1], again), f"weights give {weighted[1]:g}, repeated rows {again:g}")


@law(LAWS, mend="Write `label`, a `summary` of at most 120 signs, and `bounds` in order.")
def the_record_says_what_it_is(subject: Subject) -> None:
    """Check that the record has a label, a summary of one line and ordered bounds."""
    metric = _record(subject)
    expect(metric.label and metric.summary, "label or summary is empty")
    expect(len(metric.summary) <= 120, f"the summary has {len(metric.summary)} signs")
    expect(metric.bounds[0] < metric.bounds[1], f"bounds are {metric.bounds}")


@law(LAWS, mend="Compute from all terms at once, without their order.", applies=is_direct)
def the_order_of_batches_does_not_matter(subject: Subject) -> None:
    """Check that another order of images and another size of batches give the same values."""
    case = draw(1)
    order = np.random.default_rng(1).permutation(IMAGES)
    expected_values = values_of(_record(subject), case)
    shuffled = {name: values[order] for name, values in case.items()}
    _same(values_of(_record(subject), shuffled), expected_values, "in another order")
    _same(values_of(_record(subject), case, batch=IMAGES), expected_values, "in one batch")


@law(LAWS, mend="Return a finite number where there are positives and negatives.", applies=is_direct)
def what_is_seen_has_a_value(subject: Subject) -> None:
    """Check that values are finite: a metric that is always NaN would keep all other laws."""
    wrong = {key: value for key, value in values_of(_record(subject), draw(0)).items() if not math.isfinite(value)}
    expect(not wrong, f"{wrong} on images with every label")


@law(LAWS, mend="Return NaN where the metric is undefined, neither 0 nor an error.", applies=is_direct)
def nothing_seen_is_nan(subject: Subject) -> None:
    """Check that a metric of no image is NaN."""
    values = collector(bound(_record(subject)), TASK).compute()
    expect(all(math.isnan(value) for value in values.values()), f"no image gives {values}")


@law(LAWS, mend="Return a number, or one for each row or resample; no text and not None.", applies=has_values)
def values_are_numbers(subject: Subject) -> None:
    """Check that the formula gives numbers."""
    metric = _record(subject)
    with expected("the value is no number"):
        if has_terms(subject):
            terms = terms_of(metric)
            np.asarray(bound(metric).value(terms, None, bound(metric).fitted(terms)), np.float64)
        if is_direct(subject):
            values = values_of(metric, draw(0))
            expect(all(isinstance(value, float) for value in values.values()), f"values are {values}")


@law(
    LAWS,
    mend="Copy what you change (`scores = scores.copy()`): the next metric reads the same arrays.",
    applies=has_values,
)
def inputs_are_left_as_they_are(subject: Subject) -> None:
    """Check that a metric does not write into its terms, weights or the model's output."""
    written: list[str] = []
    metric = replace(_record(subject), build=_watched(_record(subject).build, written))
    if has_terms(subject):
        terms = terms_of(metric)
        threshold = bound(metric).fitted(terms)
        for weights in (None, np.ones((2, size(terms)))):
            bound(metric).value(terms, weights, threshold)
    if is_direct(subject):
        values_of(metric, draw(0))
    expect(not written, f"the formula writes into {written[0] if written else ''}")


@law(LAWS, mend="Correct the formula, or the reference.", applies=has_reference)
def equals_its_reference_on_random_cases(subject: Subject) -> None:
    """Check that the metric equals its reference in `Settings.references` on 100 random cases.

    A reference is a function `(labels "n k", scores "n k", saliency "n k h w", masks "n k h w")` that returns
    {"": …, class: …}.
    """
    metric = _record(subject)
    reference = subject.settings.references[metric.name]
    for seed in range(CASES):
        case = draw(100 + seed)
        wanted = reference(case["labels"], case["scores"], case["saliency"], case["masks"])
        _same(values_of(metric, case), wanted, f"case {seed} against the reference")


def _record(subject: Subject) -> MetricRecord:
    assert isinstance(subject.component, MetricRecord)
    return subject.component


def _same(found: Mapping[str, float], wanted: Mapping[str, float], what: str) -> None:
    expect(found.keys() == wanted.keys(), f"{what}: keys {sorted(found)}, not {sorted(wanted)}")
    wrong = {key: (found[key], value) for key, value in wanted.items() if not _equal(found[key], value)}
    expect(not wrong, f"{what}: (found, expected) {wrong}")


def _equal(found: float, wanted: float) -> bool:
    return (math.isnan(found) and math.isnan(wanted)) or math.isclose(found, wanted, rel_tol=1e-6, abs_tol=1e-6)


def _watched(build: Callable[..., Any], written: list[str]) -> Callable[..., Any]:
    """Return the formula with a note in `written` for each call that changes an argument."""

    def watched(*given: Any, **params: Any) -> Any:
        before = [pickle.dumps(value) for value in given]
        found = build(*given, **params)
        for value, old in zip(given, before, strict=True):
            if pickle.dumps(value) != old:
                written.append(f"its {type(value).__name__}")
        return found

    return watched
