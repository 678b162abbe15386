"""What benchmarks/bench_architectures.py calls a network alone: the same calls, the same gradients."""

from __future__ import annotations

import torch
from torch import nn

from benchmarks.bench_architectures import Call, Cost, _listening


class Stages(nn.Module):
    """Two layers, both of whose outputs are given; the second is made of the first."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3, 4), nn.Linear(4, 2)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return self.stages(rows)[-1]

    def stages(self, rows: torch.Tensor) -> tuple[torch.Tensor, ...]:
        middle = self.first(rows)
        return middle, self.second(middle)


def test_a_network_alone_learns_what_it_learnt_inside_its_system() -> None:
    torch.manual_seed(0)
    network, judge, rows = Stages(), nn.Linear(4, 1), torch.randn(5, 3)
    calls: list[Call] = []
    with _listening([network], calls):
        middle, last = network.stages(rows)
        loss = judge(middle).square().sum() + last.exp().sum() + network(rows).sum()
        with torch.no_grad():
            network(rows)
        torch.autograd.backward(loss)
    assert [call.grad for call in calls] == [True, True, False]  # and `stages` within `forward` is no call of its own
    assert "forward" not in vars(network) and "stages" not in vars(network)
    inside = [weight.grad.clone() for weight in network.parameters() if weight.grad is not None]
    network.zero_grad()
    pairs = [pair for call in calls for pair in call.again()]
    torch.autograd.backward([output for output, _ in pairs], [gradient for _, gradient in pairs])
    alone = [weight.grad for weight in network.parameters() if weight.grad is not None]
    assert len(inside) == 4
    torch.testing.assert_close(alone, inside)


def test_a_ratio_is_of_the_step_over_its_networks() -> None:
    assert Cost("gmic", networks_s=2.0, step_s=3.0).ratio == 1.5
