"""Optimisers that scale each step by running moments of the gradient: Adam's family, from timm."""

from __future__ import annotations

from typing import Any, Literal

from harness_optimisers.declared import Betas, Groups, optimiser


@optimiser("Zhuang et al. 2020, arXiv:2010.07468")
def adabelief(
    groups: Groups,
    lr: float,
    weight_decay: float,
    /,
    *,
    betas: Betas = (0.9, 0.999),
    eps: float = 1e-16,
    rectify: bool = False,
) -> Any:
    """Scale steps by the belief in the gradient: its deviation from its running mean."""
    from timm.optim import AdaBelief

    return AdaBelief(groups, lr, betas=betas, eps=eps, weight_decay=weight_decay, rectify=rectify)


@optimiser("Heo et al. 2021, arXiv:2006.08217")
def adamp(
    groups: Groups,
    lr: float,
    weight_decay: float,
    /,
    *,
    betas: Betas = (0.9, 0.999),
    eps: float = 1e-8,
    delta: float = 0.1,
    wd_ratio: float = 0.01,
    nesterov: bool = True,
    caution: bool = False,
) -> Any:
    """Scale steps as Adam does, without the part that only lengthens scale-invariant weights."""
    from timm.optim import AdamP

    return AdamP(
        groups, lr, betas=betas, eps=eps, weight_decay=weight_decay, delta=delta, wd_ratio=wd_ratio,
        nesterov=nesterov, caution=caution,
    )  # fmt: skip


@optimiser("Xie et al. 2022, arXiv:2208.06677")
def adan(
    groups: Groups,
    lr: float,
    weight_decay: float,
    /,
    *,
    betas: tuple[float, float, float] = (0.98, 0.92, 0.99),
    eps: float = 1e-8,
    no_prox: bool = False,
    caution: bool = False,
) -> Any:
    """Scale steps by moments of the gradient and of its change, with Nesterov momentum."""
    from timm.optim import Adan

    return Adan(groups, lr, betas=betas, eps=eps, weight_decay=weight_decay, no_prox=no_prox, caution=caution)


@optimiser("Taniguchi et al. 2024, arXiv:2411.02853")
def adopt(
    groups: Groups,
    lr: float,
    weight_decay: float,
    /,
    *,
    betas: Betas = (0.9, 0.9999),
    eps: float = 1e-6,
    clip_exp: float = 0.333,
    decoupled: bool = False,
    caution: bool = False,
) -> Any:
    """Scale steps by the second moment of earlier gradients, so that any decay converges."""
    from timm.optim import Adopt

    return Adopt(
        groups, lr, betas=betas, eps=eps, clip_exp=clip_exp, weight_decay=weight_decay, decoupled=decoupled,
        caution=caution,
    )  # fmt: skip


@optimiser("Ziyin et al. 2020, arXiv:2002.04839")
def laprop(
    groups: Groups,
    lr: float,
    weight_decay: float,
    /,
    *,
    betas: Betas = (0.9, 0.999),
    eps: float = 1e-15,
    caution: bool = False,
) -> Any:
    """Scale the gradient by its second moment first, then average it."""
    from timm.optim import LaProp

    return LaProp(groups, lr, betas=betas, eps=eps, weight_decay=weight_decay, caution=caution)


@optimiser("Yuan et al. 2024, arXiv:2411.10438")
def mars(
    groups: Groups,
    lr: float,
    weight_decay: float,
    /,
    *,
    betas: Betas = (0.9, 0.99),
    eps: float = 1e-8,
    gamma: float = 0.025,
    mars_type: Literal["adamw", "lion"] = "adamw",
    optimize_1d: bool = False,
    caution: bool = False,
) -> Any:
    """Correct the gradient by its last change, then step as AdamW or Lion does."""
    from timm.optim import Mars

    return Mars(
        groups, lr, betas=betas, eps=eps, weight_decay=weight_decay, gamma=gamma, mars_type=mars_type,
        optimize_1d=optimize_1d, caution=caution,
    )  # fmt: skip


@optimiser("Dozat 2016, ICLR workshop; Loshchilov & Hutter 2019, arXiv:1711.05101")
def nadamw(
    groups: Groups,
    lr: float,
    weight_decay: float,
    /,
    *,
    betas: Betas = (0.9, 0.999),
    eps: float = 1e-8,
    caution: bool = False,
) -> Any:
    """Scale steps as AdamW does, with Nesterov momentum."""
    from timm.optim import NAdamW

    return NAdamW(groups, lr, betas=betas, eps=eps, weight_decay=weight_decay, caution=caution)


@optimiser("Liu et al. 2020, arXiv:1908.03265")
def radam(
    groups: Groups,
    lr: float,
    weight_decay: float,
    /,
    *,
    betas: Betas = (0.9, 0.999),
    eps: float = 1e-8,
    decoupled_weight_decay: bool = False,
) -> Any:
    """Scale steps as Adam does once the variance of the scale is known; torch's class, as in timm."""
    from torch.optim import RAdam

    return RAdam(groups, lr, betas, eps, weight_decay, decoupled_weight_decay)
