"""The global random generators of a process: seeded for a block and restored after it.

A plugin may draw from any of them. The draws of a trial must not depend on earlier trials of the process.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

_seed_python, _seed_numpy = random.seed, np.random.seed
"""The functions themselves: while a trial runs, `harness.trial.guards` notes who calls those of the modules."""


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's generators (of the CPU and of `device`), NumPy's and Python's for the block."""
    numpy, python = np.random.get_state(), random.getstate()
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.default_generator.manual_seed(seed)
        if device.type == "cuda":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        elif device.type == "mps":
            torch.mps.manual_seed(seed)
        _seed_numpy(seed)
        _seed_python(seed)
        try:
            yield
        finally:
            np.random.set_state(numpy)
            random.setstate(python)
