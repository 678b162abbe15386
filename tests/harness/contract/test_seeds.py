"""Random numbers from names."""

import torch

from harness.nn import generator


def test_draws_depend_on_the_names_and_on_nothing_else() -> None:
    state = torch.get_rng_state()
    first = torch.rand(4, generator=generator("crops", "image 1"))
    torch.rand(3)
    assert torch.equal(first, torch.rand(4, generator=generator("crops", "image 1")))
    assert not torch.equal(first, torch.rand(4, generator=generator("crops", "image 2")))
    torch.set_rng_state(state)
    generator("crops").initial_seed()
    assert torch.equal(state, torch.get_rng_state())
