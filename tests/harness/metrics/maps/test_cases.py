"""Which images a gallery shows: by score alone, and the same whether chosen at once or batch by batch."""

from __future__ import annotations

import numpy as np
import pytest

from harness.metrics.maps.cases import KINDS, choose_cases


def drawn(seed: int, count: int = 40) -> tuple[list[str], np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = random.choice([0.0, 1.0, np.nan], count, p=[0.5, 0.4, 0.1])
    scores = random.integers(0, 15, count) / 15  # with ties
    return [f"i{place:02}" for place in range(count)], labels, scores, random.random(count) < 0.8


@pytest.mark.parametrize("seed", range(20))
def test_cases_are_the_extreme_scores(seed: int) -> None:
    ids, labels, scores, shown = drawn(seed)
    found = choose_cases(ids, labels, scores, shown, count=3)
    positive, negative = scores[(labels == 1) & shown], scores[labels == 0]
    assert scores[found["hit"]].tolist() == sorted(positive, reverse=True)[:3]
    assert scores[found["miss"]].tolist() == sorted(positive)[:3]
    assert scores[found["false alarm"]].tolist() == sorted(negative, reverse=True)[:3]


@pytest.mark.parametrize("seed", range(20))
def test_order_and_batches_do_not_matter(seed: int) -> None:
    ids, labels, scores, shown = drawn(seed)
    whole = {ids[place] for places in choose_cases(ids, labels, scores, shown).values() for place in places}
    order = np.random.default_rng(seed + 100).permutation(len(ids))
    kept: list[int] = []
    for batch in np.array_split(order, 7):
        seen = [*kept, *batch.tolist()]
        some = choose_cases([ids[p] for p in seen], labels[seen], scores[seen], shown[seen])
        kept = [seen[place] for places in some.values() for place in places]
    assert {ids[place] for place in kept} == whole


@pytest.mark.parametrize("positives", range(6))
def test_no_image_is_a_hit_and_a_miss(positives: int) -> None:
    labels = np.ones(positives)
    found = choose_cases([str(place) for place in range(positives)], labels, np.arange(positives) / 10, count=3)
    assert not set(found["hit"]) & set(found["miss"])
    assert len(found["hit"]) + len(found["miss"]) == positives and len(found["hit"]) >= len(found["miss"])
    assert set(found) == set(KINDS) and found["false alarm"] == []
