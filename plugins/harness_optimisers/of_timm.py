"""The optimisers of timm, under timm's names and with timm's defaults.

Each is stated once: its name, its class, a summary, the source, and its parameters with their defaults.
"""

from __future__ import annotations

from harness_optimisers.declared import timms

# Adam's family: steps are scaled by running moments of the gradient.
ADABELIEF = timms(
    "adabelief", "AdaBelief", "Scale steps by the belief in the gradient: its deviation from its running mean",
    "Zhuang et al. 2020, arXiv:2010.07468", betas=(0.9, 0.999), eps=1e-16, rectify=False,
)  # fmt: skip
ADAMP = timms(
    "adamp", "AdamP", "Scale steps as Adam does, without the part that only lengthens scale-invariant weights",
    "Heo et al. 2021, arXiv:2006.08217", betas=(0.9, 0.999), eps=1e-8, delta=0.1, wd_ratio=0.01, nesterov=True,
    caution=False,
)  # fmt: skip
ADAN = timms(
    "adan", "Adan", "Scale steps by moments of the gradient and of its change, with Nesterov momentum",
    "Xie et al. 2022, arXiv:2208.06677", betas=(0.98, 0.92, 0.99), eps=1e-8, no_prox=False, caution=False,
)  # fmt: skip
ADOPT = timms(
    "adopt", "Adopt", "Scale steps by the second moment of earlier gradients, so that any decay converges",
    "Taniguchi et al. 2024, arXiv:2411.02853", betas=(0.9, 0.9999), eps=1e-6, clip_exp=0.333, decoupled=False,
    caution=False,
)  # fmt: skip
LAPROP = timms(
    "laprop", "LaProp", "Scale the gradient by its second moment first, then average it",
    "Ziyin et al. 2020, arXiv:2002.04839", betas=(0.9, 0.999), eps=1e-15, caution=False,
)  # fmt: skip
MARS = timms(
    "mars", "Mars", "Correct the gradient by its last change, then step as AdamW or Lion does",
    "Yuan et al. 2024, arXiv:2411.10438", betas=(0.9, 0.99), eps=1e-8, gamma=0.025, mars_type="adamw",
    optimize_1d=False, caution=False,
)  # fmt: skip
NADAMW = timms(
    "nadamw", "NAdamW", "Scale steps as AdamW does, with Nesterov momentum",
    "Dozat 2016, ICLR workshop; Loshchilov & Hutter 2019, arXiv:1711.05101", betas=(0.9, 0.999), eps=1e-8,
    caution=False,
)  # fmt: skip
RADAM = timms(
    "radam", "RAdam", "Scale steps as Adam does once the variance of the scale is known; torch's class, as in timm",
    "Liu et al. 2020, arXiv:1908.03265", "torch.optim", betas=(0.9, 0.999), eps=1e-8, decoupled_weight_decay=False,
)  # fmt: skip

# Steps are scaled by the norm of a layer, for large batches.
LAMB = timms(
    "lamb", "Lamb", "Scale Adam's step by the norm of each layer; clips the gradient's norm to `max_grad_norm`",
    "You et al. 2020, arXiv:1904.00962", betas=(0.9, 0.999), eps=1e-6, max_grad_norm=1.0, trust_clip=False,
    always_adapt=False, caution=False,
)  # fmt: skip
LARS = timms(
    "lars", "Lars", "Scale SGD's step by the norm of each layer, where weights decay",
    "You et al. 2017, arXiv:1708.03888", momentum=0.9, nesterov=False, trust_coeff=0.001, eps=1e-8, trust_clip=False,
    always_adapt=False,
)  # fmt: skip
NOVOGRAD = timms(
    "novograd", "NvNovoGrad", "Divide each layer's gradient by the running norm of the layer's gradients",
    "Ginsburg et al. 2019, arXiv:1905.11286", betas=(0.95, 0.98), eps=1e-8, grad_averaging=False, amsgrad=False,
)  # fmt: skip

# No second moment of each weight is kept, or steps are scaled by something else.
ADAFACTOR = timms(
    "adafactor", "Adafactor", "Scale steps as Adam does, with second moments kept as row and column means",
    "Shazeer & Stern 2018, arXiv:1804.04235", clip_threshold=1.0, decay_rate=-0.8, min_dim_size_to_factor=16,
    caution=False,
)  # fmt: skip
LION = timms(
    "lion", "Lion", "Step by the sign of an averaged gradient; takes a tenth to a third of Adam's rate",
    "Chen et al. 2023, arXiv:2302.06675", betas=(0.9, 0.99), caution=False,
)  # fmt: skip
MADGRAD = timms(
    "madgrad", "MADGRAD", "Average the weights' gradients from the start on, scaled by cube roots of their squares",
    "Defazio & Jelassi 2021, arXiv:2101.11075", momentum=0.9, eps=1e-6, decoupled_decay=False,
)  # fmt: skip
RMSPROPTF = timms(
    "rmsproptf", "RMSpropTF", "Divide the gradient by the root of its running mean square, as TensorFlow does",
    "Hinton 2012, lecture 6; epsilon inside the root, as in TensorFlow", alpha=0.9, eps=1e-10, momentum=0.9,
    centered=False, decoupled_decay=False, lr_in_momentum=True, caution=False,
)  # fmt: skip
SGDP = timms(
    "sgdp", "SGDP", "Follow the gradient with momentum, without the part that only lengthens scale-invariant weights",
    "Heo et al. 2021, arXiv:2006.08217", momentum=0.9, nesterov=True, eps=1e-8, delta=0.1, wd_ratio=0.1, caution=False,
)  # fmt: skip
SGDW = timms(
    "sgdw", "SGDW", "Follow the gradient with Nesterov momentum; weight decay is applied apart from the gradient",
    "Loshchilov & Hutter 2019, arXiv:1711.05101", momentum=0.9, nesterov=True, caution=False,
)  # fmt: skip
