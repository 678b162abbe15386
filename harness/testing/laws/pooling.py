"""Laws of poolings, on values in (0, 1), which every pooling accepts, and on what else a study may give them."""

from __future__ import annotations

import gc
import pickle
import weakref

import numpy as np
import torch
from torch import Tensor

from harness.contract.nn import Pooled, Pooling
from harness.testing.laws.compare import (
    attributes,
    backward,
    changed,
    close,
    finite,
    no_random_numbers,
    no_reseeding,
    noise,
    same_weights,
    within,
)
from harness.testing.laws.law import Law, expect, expected, law
from harness.testing.laws.subject import Subject

LAWS: list[Law] = []
_MANY = 500


@law(LAWS, mend="Reduce the instance axis with an operation that commutes.")
def order_does_not_matter(subject: Subject) -> None:
    """Check that instances in another order have the same value."""
    pooling, values = _pooling(subject), _values(3, 7, 4)
    order = torch.randperm(7, generator=torch.Generator().manual_seed(1))
    close(pooling(values[:, order]).value, pooling(values).value, "values of another order")


@law(LAWS, mend="Leave the instances out whose `mask` is False; they may hold anything.")
def masked_instances_do_not_matter(subject: Subject) -> None:
    """Check that a padded bag has the value of the bag alone, and padding has the weight 0."""
    pooling, values, mask = _pooling(subject), _values(2, 7, 4), torch.ones(2, 7, dtype=torch.bool)
    mask[1, 4:] = False
    padded = values.clone()
    padded[1, 4:] = 1e4
    pooled = pooling(padded, mask=mask)
    close(pooled.value[:1], pooling(values[:1]).value, "a bag without padding")
    close(pooled.value[1:], pooling(values[1:, :4]).value, "a padded bag")
    expect(pooled.weights is None or (pooled.weights[1, 4:] == 0).all(), "padding has a weight other than 0")


@law(LAWS, mend="Return the instance of a bag of one unchanged.")
def a_single_instance_is_given_back(subject: Subject) -> None:
    """Check that the value of one instance is the instance."""
    values = _values(3, 1, 4)
    close(_pooling(subject)(values).value, values[:, 0], "one instance")


@law(LAWS, mend="Keep logarithms, roots and quotients away from 0, and change no input in place.")
def equal_instances_give_finite_values_and_are_left_as_they_are(subject: Subject) -> None:
    """Check that instances that are all 0, 0.5 or 1 have finite values, and no input is written to."""
    pooling, others = _pooling(subject), _values(3, 7, 4)
    for value in (0.0, 0.5, 1.0):
        values = torch.full((3, 7, 4), value)
        before = values.clone(), others.clone()
        finite(pooling(values).value, f"values of instances of {value}")
        pooling(others)
        close((values, others), before, "the input afterwards", exact=True)


@law(LAWS, mend="Let the weights of a bag be at least 0 and sum to 1, or return none.")
def weights_are_a_distribution(subject: Subject) -> None:
    """Check that the weights of a bag, where there are any, are a distribution over its instances."""
    weights = _pooling(subject)(_values(3, 7, 4)).weights
    if weights is not None:
        expect((weights >= 0).all(), "a weight is negative")
        close(weights.sum(1), torch.ones_like(weights[:, 0]), "the sum of a bag's weights")


@law(LAWS, mend="Give each instance a share in the value, and detach nothing.")
def gradient_reaches_every_instance(subject: Subject) -> None:
    """Check that the value depends on every instance, by a finite gradient."""
    values = _values(2, 7, 4).requires_grad_()
    backward(_pooling(subject)(values).value.sum())
    expect(values.grad is not None, "no gradient reaches the instances")
    assert values.grad is not None
    finite(values.grad, "gradients")
    idle = int((values.grad.abs().sum(2) == 0).sum())
    expect(idle == 0, f"{idle} of 14 instances have the gradient 0")


@law(LAWS, mend="Compute weights from `key`, the value from `x`; with x in [0, 1] the value stays there.")
def class_scores_are_pooled_by_their_features(subject: Subject) -> None:
    """Check that class scores are pooled by weights from `key`, and stay between 0 and 1."""
    pooled: Pooled = subject.build(5, 2)(_values(3, 7, 2), key=noise(3, 7, 5))
    expect(pooled.value.shape == (3, 2), f"the value has the shape {tuple(pooled.value.shape)}, not (3, 2)")
    within(pooled.value, 0.0, 1.0, "pooled scores")


@law(LAWS, mend="Draw initial weights from torch's generator, and reseed nothing.")
def one_seed_gives_one_pooling(subject: Subject) -> None:
    """Check that one seed gives one set of weights."""
    same_weights(subject.build(4, 1, seed=3), subject.build(4, 1, seed=3))


@law(LAWS, mend="Draw from torch's generator as it is, or from one of your own; never call `manual_seed`.")
def nothing_is_reseeded(subject: Subject) -> None:
    """Check that building a pooling and calling it in training mode does not reseed torch's generator."""
    with no_reseeding():
        subject.factory()(4, 1).train()(_values(3, 7, 4))


@law(LAWS, mend="Draw random numbers in training only (`if self.training`).")
def eval_draws_no_random_number(subject: Subject) -> None:
    """Check that a pooling in eval mode draws no random number and is deterministic."""
    pooling, values = _pooling(subject).eval(), _values(3, 7, 4)
    with no_random_numbers("a pooling in eval mode"):
        first = pooling(values).value
    close(pooling(values).value, first, "a second call", exact=True)


@law(LAWS, mend="Clamp before logarithms and roots: features and scores before a link may be negative.")
def negative_values_stay_finite(subject: Subject) -> None:
    """Check that instances of either sign have finite values and gradients."""
    values = (5 * noise(3, 7, 4)).requires_grad_()
    value = _pooling(subject)(values).value
    finite(value, "values of instances in [-15, 15]")
    if value.requires_grad:
        backward(value.sum())
        finite(torch.zeros(1) if values.grad is None else values.grad, "their gradients")


@law(LAWS, mend="Divide by at least one instance; the value of an empty bag is finite and without meaning.")
def an_empty_bag_stays_finite(subject: Subject) -> None:
    """Check that a bag without a real instance has a finite value, and leaves the others as they are."""
    pooling, values, mask = _pooling(subject), _values(2, 5, 4), torch.ones(2, 5, dtype=torch.bool)
    mask[1] = False
    pooled = pooling(values, mask=mask)
    finite(pooled.value, "values of a batch with an empty bag")
    close(pooled.value[:1], pooling(values[:1]).value, "the other bag")


@law(LAWS, mend="Work in logarithms or means: products and sums of exponentials over- or underflow.")
def many_instances_stay_finite(subject: Subject) -> None:
    """Check that a bag of 500 instances has a finite value and finite gradients, with and without a mask."""
    values, mask = _values(2, _MANY, 4).requires_grad_(), torch.ones(2, _MANY, dtype=torch.bool)
    pooling = _pooling(subject)
    for name, value in (("values", pooling(values).value), ("masked values", pooling(values, mask=mask).value)):
        finite(value, f"{name} of {_MANY} instances")
        if value.requires_grad:
            backward(value.sum())
    finite(torch.zeros(1) if values.grad is None else values.grad, f"gradients of {_MANY} instances")


@law(LAWS, mend="Keep no lambda, open file, lock or local class on the module.")
def it_can_be_pickled(subject: Subject) -> None:
    """Check that a pooling survives pickle, which takes it to other processes."""
    pooling, values = _pooling(subject).eval(), _values(3, 7, 4)
    with expected("pickle"):
        again: Pooling = pickle.loads(pickle.dumps(pooling))
    close(again(values).value, pooling(values).value, "values after pickle", exact=True)


@law(LAWS, mend="Return everything in `Pooled`; keep nothing of a batch on the module or in a global.")
def no_input_is_kept(subject: Subject) -> None:
    """Check that nothing of a batch is held after the call: not its memory, not as an attribute."""
    pooling = _pooling(subject).eval()
    with torch.no_grad():
        pooling(_values(3, 7, 4))
        before = attributes(pooling)
        array = np.random.default_rng(0).random((3, 7, 4), np.float32)
        held, values = weakref.ref(array), torch.from_numpy(array)
        del array
        pooling(values)
        del values
    if held() is not None:
        gc.collect()  # a cycle is no leak
    expect(held() is None, "the memory of the input is still held after the call")
    kept = changed(before, attributes(pooling))
    expect(not kept, f"the call changes {', '.join(kept)}")


@law(LAWS, mend="Call neither `.item()`, `float(tensor)` nor `if tensor:`; each waits for the device.")
def it_runs_without_values(subject: Subject) -> None:
    """Check that a pooling runs under FakeTensorMode, as torch.compile and export need it."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    with expected("under FakeTensorMode"), FakeTensorMode():
        pooling, mask = _pooling(subject), torch.ones(2, 7, dtype=torch.bool)
        shapes = [pooling(torch.rand(2, 7, 4)).value.shape, pooling(torch.rand(2, 7, 4), mask=mask).value.shape]
    expect(shapes == [(2, 4)] * 2, f"the values have the shapes {[tuple(shape) for shape in shapes]}")


@law(
    LAWS,
    mend="Correct the arithmetic at the ends of the range, or what `equals` says.",
    applies=lambda subject: bool(subject.component.equals),
)
def it_equals_what_it_declares(subject: Subject) -> None:
    """Check that `Component.equals` is true: with those parameters it gives the other pooling's values."""
    values, mask = _values(3, 50, 4), torch.ones(3, 50, dtype=torch.bool)
    mask[1, 20:] = False
    for name, params in subject.component.equals.items():
        other: Pooling = subject.catalog.build("pooling", name, 4, 1)
        own: Pooling = subject.factory(**params)(4, 1)
        for given in (None, mask):
            found, wanted = own(values, mask=given).value, other(values, mask=given).value
            close(found, wanted, f"values with {dict(params)} against {name!r}", within=1e-6)


def _pooling(subject: Subject) -> Pooling:
    pooling: Pooling = subject.build(4, 1)
    return pooling


def _values(*shape: int) -> Tensor:
    return 0.05 + 0.9 * torch.rand(shape, generator=torch.Generator().manual_seed(0))
