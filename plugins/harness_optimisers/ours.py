"""The optimisers of the published models, as torch has them: weight decay holds for every parameter, biases too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness_optimisers.declared import Betas, Groups, optimiser

if TYPE_CHECKING:
    from torch.optim import SGD, Adam, AdamW


@optimiser("Kingma & Ba 2015, arXiv:1412.6980")
def adam(groups: Groups, lr: float, weight_decay: float, /, *, betas: Betas = (0.9, 0.999)) -> Adam:
    """Scale steps by running moments of the gradient; weight decay is added to the gradient."""
    from torch.optim import Adam

    return Adam(groups, lr, betas=betas, weight_decay=weight_decay, fused=_fused(groups))


@optimiser("Loshchilov & Hutter 2019, arXiv:1711.05101")
def adamw(groups: Groups, lr: float, weight_decay: float, /, *, betas: Betas = (0.9, 0.999)) -> AdamW:
    """Scale steps as Adam does; weight decay is applied apart from the gradient."""
    from torch.optim import AdamW

    return AdamW(groups, lr, betas=betas, weight_decay=weight_decay, fused=_fused(groups))


@optimiser("Sutskever et al. 2013, ICML")
def sgd(groups: Groups, lr: float, weight_decay: float, /, *, momentum: float = 0.9, nesterov: bool = False) -> SGD:
    """Follow the gradient with momentum; weight decay is added to the gradient."""
    from torch.optim import SGD

    return SGD(groups, lr, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay)


def _fused(groups: Groups) -> bool | None:
    """Return True on the CPU, where one kernel makes the same update in a third of the time; else torch chooses.

    The fused update differs in rounding alone.
    """
    weights = [weight for group in groups for weight in group["params"]]
    return all(weight.device.type == "cpu" and weight.is_floating_point() for weight in weights) or None
