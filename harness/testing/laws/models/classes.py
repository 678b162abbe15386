"""The law that scores and maps belong to the classes whose weights they are computed with.

Which axes of which weights are classes follows from two models of three and four classes: those whose length differs.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from harness.contract.nn import Model, Output
from harness.testing.laws.compare import close
from harness.testing.laws.law import Law, SkipLaw, law
from harness.testing.laws.models.samples import batch_of, blind, task_of
from harness.testing.laws.subject import Subject

LAWS: list[Law] = []
_NAMES = ("a", "b", "c", "d")
_ORDERS = ((1, 0, 2), (1, 2, 0))
"""Orders of three classes that no other order commutes with, so that maps in any wrong order are noticed."""


@law(LAWS, mend="Compute score and map k from the weights of class k, and return maps in the order of `task.classes`.")
def maps_and_scores_permute_with_the_classes(subject: Subject) -> None:
    """Check that scores, heads and saliency permute when the weights of the classes are permuted."""
    task = replace(task_of(subject), classes=_NAMES[:3])
    model: Model = subject.build(task).eval()
    larger: Model = subject.build(replace(task, classes=_NAMES)).eval()
    state, batch = {key: value.clone() for key, value in model.state_dict().items()}, blind(batch_of(subject, task))
    axes, branches = _class_axes(state, larger.state_dict()), _branches(state, larger.state_dict())
    with torch.no_grad():
        wanted, failures = _by_class(model(batch)), []
        for first, major in itertools.product((False, True), repeat=2):
            try:
                for order in _ORDERS:
                    model.load_state_dict(_permuted(state, axes, branches, _Form(order, first, major)))
                    _compare(_by_class(model(batch)), wanted, order)
                return
            except AssertionError as failure:
                failures.append(failure)
    odd = [key for key, found in axes.items() if any(axis.times > 1 or axis.more for axis in found)]
    if odd:
        raise SkipLaw(f"the place of the classes in {odd[0]} is not recognised")
    raise failures[0]


@dataclass(frozen=True)
class _Axis:
    """An axis of `times` entries for each class and for each of `more` further ones, such as a background."""

    place: int
    times: int
    more: int


@dataclass(frozen=True)
class _Form:
    """An order of the classes, and how an axis has them: further entries `first`, classes in `major` order."""

    order: tuple[int, ...]
    first: bool
    major: bool

    def index(self, axis: _Axis) -> Tensor:
        """Return the order of the entries of an axis."""
        classes, others = torch.tensor(self.order), torch.arange(axis.more)
        own = torch.cat((others, classes + axis.more) if self.first else (classes, others + len(self.order)))
        step = torch.arange(axis.times)
        if self.major:
            return (own[:, None] * axis.times + step).flatten()
        return (step[:, None] * len(own) + own).flatten()


def _class_axes(small: Mapping[str, Tensor], large: Mapping[str, Tensor]) -> dict[str, list[_Axis]]:
    """Return the class axes of each weight that has any.

    Raises:
        SkipLaw: no weight has classes, or one has them in a form that is not recognised.
    """
    axes = {}
    for key, value in small.items():
        if value.ndim != large[key].ndim:
            raise SkipLaw(f"the number of axes of {key} depends on the number of classes")
        pairs = list(enumerate(zip(value.shape, large[key].shape, strict=True)))
        if any(after < before or before % (after - before) for _, (before, after) in pairs if after != before):
            raise SkipLaw(f"{key} has the shape {tuple(value.shape)} for 3 classes, {tuple(large[key].shape)} for 4")
        found = [_Axis(place, m, before // m - 3) for place, (before, after) in pairs if (m := after - before)]
        if any(axis.more < 0 for axis in found):
            raise SkipLaw(f"{key} has the shape {tuple(value.shape)} for 3 classes")
        if found:
            axes[key] = found
    if not axes and small.keys() == large.keys():
        raise SkipLaw("no weight has an axis of classes")
    return axes


def _branches(small: Mapping[str, Tensor], large: Mapping[str, Tensor]) -> set[str]:
    """Return the prefixes of module lists with an entry for each class."""
    return {match[1] for key in large.keys() - small.keys() if (match := re.match(r"(.*?\.)3\.", key))}


def _permuted(
    state: Mapping[str, Tensor], axes: Mapping[str, list[_Axis]], branches: set[str], form: _Form
) -> dict[str, Tensor]:
    """Return the weights with class `order[k]` in place of class k."""
    made = {}
    for key in state:
        source = key
        for prefix in branches:
            if match := re.match(rf"{re.escape(prefix)}(\d+)(\..*)", key):
                source = f"{prefix}{form.order[int(match[1])]}{match[2]}"
        values = state[source]
        for axis in axes.get(key, ()):
            values = values.index_select(axis.place, form.index(axis))
        made[key] = values
    return made


def _compare(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor], order: tuple[int, ...]) -> None:
    for name, values in wanted.items():
        close(found[name], values[:, list(order)], f"{name} after permuting the classes", within=1e-4)


def _by_class(out: Output) -> dict[str, Tensor]:
    named = {"probs": out.probs, "logits": out.logits, "saliency": out.saliency, **out.heads}
    return {name: values for name, values in named.items() if values is not None}
