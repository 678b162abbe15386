"""The built-in optimisers keep the laws; those of timm are timm's classes with timm's defaults."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch
from timm.optim import create_optimizer_v2, get_optimizer_info, list_optimizers

import harness_optimisers
from harness import Component
from harness.contract.components import parameters
from harness.testing import laws_for

COMPONENTS = {item.name: item for item in harness_optimisers.harness_optimisers()}
OURS = ("adam", "adamw", "sgd")
TIMMS = [name for name in COMPONENTS if name not in OURS]


test_laws = laws_for(harness_optimisers)


def test_ours_and_timms_are_there() -> None:
    assert set(OURS) < set(COMPONENTS) and {"lion", "adamp", "lamb", "lars", "adafactor"} < set(TIMMS)


@pytest.mark.parametrize("name", TIMMS)
def test_a_name_of_timm_means_timms_class_and_defaults(name: str) -> None:
    assert name in list_optimizers()
    info = get_optimizer_info(name)
    kind: Any = info.opt_class
    assert type(_built(COMPONENTS[name])) is kind
    theirs = {key: item.default for key, item in inspect.signature(kind.__init__).parameters.items()}
    theirs |= dict(info.defaults or {})
    if info.has_momentum:
        theirs["momentum"] = inspect.signature(create_optimizer_v2).parameters["momentum"].default
    ours = {key: item.default for key, item in parameters(COMPONENTS[name].build).items()}
    assert ours == {key: theirs[key] for key in ours}


@pytest.mark.parametrize("name", COMPONENTS)
def test_every_parameter_reaches_the_optimiser(name: str) -> None:
    """What is set is found in the parameter group, under the same name, and not at its default."""
    for key, parameter in parameters(COMPONENTS[name].build).items():
        value = _other(parameter.default)
        group = _built(COMPONENTS[name], **{key: value}).param_groups[0]
        found = group["prox"] if key == "no_prox" and "prox" in group else group.get(key, "absent")
        assert found == value, key


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("adam", {"betas": (0.9, 1.0)}, r"`0 <= betas < 1` must hold, but got betas=\(0.9, 1.0\)."),
        ("sgd", {"momentum": 1.0, "nesterov": False}, "`0 <= momentum < 1` must hold, but got momentum=1.0."),
        ("sgd", {"momentum": 0.0, "nesterov": True}, "`nesterov` needs a momentum above 0."),
        ("lars", {"eps": -1.0, "trust_coeff": 0.0}, "`eps >= 0` .* got eps=-1.0; `trust_coeff > 0` .*=0.0."),
        ("adafactor", {"decay_rate": 0.8}, "`-1 <= decay_rate < 0` must hold"),
    ],
)
def test_parameters_out_of_range_are_refused_before_anything_is_built(name: str, params: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        COMPONENTS[name].facts(**params)


@pytest.mark.parametrize("name", COMPONENTS)
def test_the_defaults_are_in_range(name: str) -> None:
    defaults = {key: item.default for key, item in parameters(COMPONENTS[name].build).items()}
    assert COMPONENTS[name].facts(**defaults) == {}


def _built(component: Component[Any], **params: Any) -> torch.optim.Optimizer:
    made: torch.optim.Optimizer = component.build([{"params": [torch.nn.Parameter(torch.ones(2))]}], 0.1, 0.0, **params)
    return made


def _other(default: Any) -> Any:
    if isinstance(default, bool):
        return not default
    if isinstance(default, tuple):
        return tuple(value / 2 for value in default)
    if isinstance(default, int):
        return 2 * default
    return {"adamw": "lion"}[default] if isinstance(default, str) else default * 2 if default < 0.5 else default / 2
