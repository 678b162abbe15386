"""Laws of optimisers, on the squared distance of some weights from 1."""

from __future__ import annotations

import io
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from harness.testing.laws.law import Law, expect, law
from harness.testing.laws.subject import Subject

LAWS: list[Law] = []
_SHAPES = ((5, 20), (6,), (2, 3, 3, 3), ())


@law(LAWS, mend="Step against the gradient, with steps of the size of `lr`.")
def a_quadratic_is_reduced(subject: Subject) -> None:
    """Check that the distance is halved within `steps` steps at the rate `lr`."""
    weights, steps = _weights(), subject.settings.steps
    before = _distance(weights)
    _run(_over(subject, weights), weights, steps)
    expect(_distance(weights) < before / 2, f"after {steps} steps it is {_distance(weights):g}, at first {before:g}")


@law(LAWS, mend="Update every parameter of every group.")
def every_weight_learns(subject: Subject) -> None:
    """Check that three steps change every entry of every weight."""
    weights = _weights()
    before = _copies(weights)
    _run(_over(subject, weights), weights, 3)
    same = [tuple(new.shape) for old, new in zip(before, weights, strict=True) if (old == new).any()]
    expect(not same, f"entries of the weights of shape {same} are unchanged")


@law(LAWS, mend="Skip parameters whose `grad` is None, decay included.")
def a_weight_without_a_gradient_is_left_as_it_is(subject: Subject) -> None:
    """Check that a weight without a gradient does not change, and the others do."""
    weights = _weights()
    before = _copies(weights)
    _run(_over(subject, weights, decay=0.1), weights[1:], 3)
    expect(torch.equal(weights[0], before[0]), "the weight without a gradient changes")
    expect(not torch.equal(weights[1], before[1]), "another weight does not change")


@law(LAWS, mend="Read `weight_decay` from each parameter group.")
def weight_decay_shrinks_every_weight_of_its_group_and_no_other(subject: Subject) -> None:
    """Check that weights with decay shrink at a gradient of 0, and those of a group without stay."""
    weights, others = _weights(), _weights()
    before = _copies(weights)
    groups = [{"params": weights}, {"params": others, "weight_decay": 0.0}]
    optimiser: Optimizer = subject.build(groups, subject.settings.lr, 0.1)
    for _ in range(3):
        for weight in (*weights, *others):
            weight.grad = torch.zeros_like(weight)
        optimiser.step()
    pairs = list(zip(before, weights, others, strict=True))
    expect(all((new.abs() < old.abs()).all() for old, new, _ in pairs), "a weight with decay does not shrink")
    expect(all(torch.allclose(old, new, rtol=1e-6) for old, _, new in pairs), "a weight without decay changes")


@law(LAWS, mend='Read `group["lr"]` in each step.')
def the_rate_is_read_from_the_groups_at_each_step(subject: Subject) -> None:
    """Check that a rate that is changed between steps takes effect."""
    weights, others = _weights(), _weights()
    first, second = _over(subject, weights), _over(subject, others)
    _run(first, weights, 2)
    _run(second, others, 2)
    for group in second.param_groups:
        group["lr"] = 10 * subject.settings.lr
    _run(first, weights, 2)
    _run(second, others, 2)
    same = any(torch.equal(one, other) for one, other in zip(weights, others, strict=True))
    expect(not same, "ten times the rate gives the same weights")


@law(LAWS, mend="Keep all that the next step depends on in `state` and `param_groups`, as tensors and plain values.")
def a_resumed_training_goes_on_to_the_same_weights(subject: Subject) -> None:
    """Check that a training that is stopped after 1 or 7 steps and resumed gives the same bits."""
    for stop in (1, 7):
        weights = _weights()
        optimiser = _over(subject, weights, decay=0.01)
        _run(optimiser, weights, stop)
        file = io.BytesIO()
        torch.save({"optimiser": optimiser.state_dict(), "weights": _copies(weights)}, file)
        saved = torch.load(io.BytesIO(file.getvalue()), weights_only=True)
        others = [nn.Parameter(weight) for weight in saved["weights"]]
        resumed = _over(subject, others, decay=0.01)
        resumed.load_state_dict(saved["optimiser"])
        for step in range(9):
            _set_rate((optimiser, resumed), subject.settings.lr / (1 + step))
            _run(optimiser, weights, 1)
            _run(resumed, others, 1)
        same = all(torch.equal(one, other) for one, other in zip(weights, others, strict=True))
        expect(same, f"resumed after {stop} steps, it ends with other weights")


def _over(subject: Subject, weights: Sequence[nn.Parameter], decay: float = 0.0) -> Optimizer:
    made: Optimizer = subject.build([{"params": list(weights)}], subject.settings.lr, decay)
    return made


def _weights() -> list[nn.Parameter]:
    """Return weights of several shapes; none is near 0 or 1."""
    generator = torch.Generator().manual_seed(0)
    return [nn.Parameter(2 + torch.rand(shape, generator=generator)) for shape in _SHAPES]


def _copies(weights: Sequence[Tensor]) -> list[Tensor]:
    return [weight.detach().clone() for weight in weights]


def _distance(weights: Sequence[Tensor]) -> float:
    return sum(float((weight.detach() - 1).square().sum()) for weight in weights)


def _run(optimiser: Optimizer, weights: Sequence[nn.Parameter], steps: int) -> None:
    """Minimise the squared distance of the weights from 1."""
    for _ in range(steps):
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward([(weight - 1).square().sum() for weight in weights])
        optimiser.step()


def _set_rate(optimisers: Sequence[Optimizer], lr: float) -> None:
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["lr"] = lr
