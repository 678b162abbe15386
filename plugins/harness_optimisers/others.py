"""Optimisers that keep no second moment of each weight or scale by something else, from timm."""

from __future__ import annotations

from typing import Any

from harness_optimisers.declared import Betas, Groups, optimiser


@optimiser("Shazeer & Stern 2018, arXiv:1804.04235")
def adafactor(
    groups: Groups,
    lr: float,
    weight_decay: float,
    /,
    *,
    clip_threshold: float = 1.0,
    decay_rate: float = -0.8,
    min_dim_size_to_factor: int = 16,
    caution: bool = False,
) -> Any:
    """Scale steps as Adam does, with second moments kept as row and column means."""
    from timm.optim import Adafactor

    return Adafactor(
        groups, lr, clip_threshold=clip_threshold, decay_rate=decay_rate, weight_decay=weight_decay,
        min_dim_size_to_factor=min_dim_size_to_factor, caution=caution,
    )  # fmt: skip


@optimiser("Chen et al. 2023, arXiv:2302.06675")
def lion(
    groups: Groups, lr: float, weight_decay: float, /, *, betas: Betas = (0.9, 0.99), caution: bool = False
) -> Any:
    """Step by the sign of an averaged gradient; takes a tenth to a third of Adam's rate."""
    from timm.optim import Lion

    return Lion(groups, lr, betas=betas, weight_decay=weight_decay, caution=caution)


@optimiser("Defazio & Jelassi 2021, arXiv:2101.11075")
def madgrad(
    groups: Groups,
    lr: float,
    weight_decay: float,
    /,
    *,
    momentum: float = 0.9,
    eps: float = 1e-6,
    decoupled_decay: bool = False,
) -> Any:
    """Average the weights' gradients from the start on, scaled by cube roots of their squares."""
    from timm.optim import MADGRAD

    return MADGRAD(groups, lr, momentum=momentum, weight_decay=weight_decay, eps=eps, decoupled_decay=decoupled_decay)


@optimiser("Hinton 2012, lecture 6; epsilon inside the root, as in TensorFlow")
def rmsproptf(
    groups: Groups,
    lr: float,
    weight_decay: float,
    /,
    *,
    alpha: float = 0.9,
    eps: float = 1e-10,
    momentum: float = 0.9,
    centered: bool = False,
    decoupled_decay: bool = False,
    lr_in_momentum: bool = True,
    caution: bool = False,
) -> Any:
    """Divide the gradient by the root of its running mean square, as TensorFlow does."""
    from timm.optim import RMSpropTF

    return RMSpropTF(
        groups, lr, alpha, eps, weight_decay, momentum, centered, decoupled_decay, lr_in_momentum=lr_in_momentum,
        caution=caution,
    )  # fmt: skip


@optimiser("Heo et al. 2021, arXiv:2006.08217")
def sgdp(
    groups: Groups,
    lr: float,
    weight_decay: float,
    /,
    *,
    momentum: float = 0.9,
    nesterov: bool = True,
    eps: float = 1e-8,
    delta: float = 0.1,
    wd_ratio: float = 0.1,
    caution: bool = False,
) -> Any:
    """Follow the gradient with momentum, without the part that only lengthens scale-invariant weights."""
    from timm.optim import SGDP

    return SGDP(groups, lr, momentum, 0, weight_decay, nesterov, eps, delta, wd_ratio, caution)


@optimiser("Loshchilov & Hutter 2019, arXiv:1711.05101")
def sgdw(
    groups: Groups,
    lr: float,
    weight_decay: float,
    /,
    *,
    momentum: float = 0.9,
    nesterov: bool = True,
    caution: bool = False,
) -> Any:
    """Follow the gradient with Nesterov momentum; weight decay is applied apart from the gradient."""
    from timm.optim import SGDW

    return SGDW(groups, lr, momentum, weight_decay=weight_decay, nesterov=nesterov, caution=caution)
