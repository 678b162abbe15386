"""Optimisers that scale steps by the norm of a layer, for large batches, from timm."""

from __future__ import annotations

from typing import Any

from harness_optimisers.declared import Betas, Groups, optimiser


@optimiser("You et al. 2020, arXiv:1904.00962")
def lamb(
    groups: Groups,
    lr: float,
    weight_decay: float,
    /,
    *,
    betas: Betas = (0.9, 0.999),
    eps: float = 1e-6,
    max_grad_norm: float = 1.0,
    trust_clip: bool = False,
    always_adapt: bool = False,
    caution: bool = False,
) -> Any:
    """Scale Adam's step by the norm of each layer; clips the gradient's norm to `max_grad_norm`."""
    from timm.optim import Lamb

    return Lamb(
        groups, lr, betas=betas, eps=eps, weight_decay=weight_decay, max_grad_norm=max_grad_norm,
        trust_clip=trust_clip, always_adapt=always_adapt, caution=caution,
    )  # fmt: skip


@optimiser("You et al. 2017, arXiv:1708.03888")
def lars(
    groups: Groups,
    lr: float,
    weight_decay: float,
    /,
    *,
    momentum: float = 0.9,
    nesterov: bool = False,
    trust_coeff: float = 0.001,
    eps: float = 1e-8,
    trust_clip: bool = False,
    always_adapt: bool = False,
) -> Any:
    """Scale SGD's step by the norm of each layer, where weights decay."""
    from timm.optim import Lars

    return Lars(
        groups, lr, momentum=momentum, weight_decay=weight_decay, nesterov=nesterov, trust_coeff=trust_coeff, eps=eps,
        trust_clip=trust_clip, always_adapt=always_adapt,
    )  # fmt: skip


@optimiser("Ginsburg et al. 2019, arXiv:1905.11286")
def novograd(
    groups: Groups,
    lr: float,
    weight_decay: float,
    /,
    *,
    betas: Betas = (0.95, 0.98),
    eps: float = 1e-8,
    grad_averaging: bool = False,
    amsgrad: bool = False,
) -> Any:
    """Divide each layer's gradient by the running norm of the layer's gradients."""
    from timm.optim import NvNovoGrad

    return NvNovoGrad(
        groups, lr, betas=betas, eps=eps, weight_decay=weight_decay, grad_averaging=grad_averaging, amsgrad=amsgrad
    )
