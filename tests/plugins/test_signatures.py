"""A parameter and its default are stated once: in the builder's signature."""

import inspect

import pytest

from harness.contract.components import no_facts, parameters
from harness.contract.loading.catalog import Catalog

COMPONENTS = [pytest.param(item, id=f"{kind}-{item.name}") for kind, item, _ in Catalog.discover().items()]


@pytest.mark.parametrize("component", COMPONENTS)
def test_facts_and_task_repeat_no_default_of_the_builder_and_name_no_other_parameter(component):
    for function in {component.facts, component.task} - {no_facts, None}:
        named = inspect.signature(function).parameters.values()
        named = [item for item in named if item.kind is inspect.Parameter.KEYWORD_ONLY]
        assert {item.name for item in named} <= set(parameters(component.build))
        assert [item.name for item in named if item.default is not inspect.Parameter.empty] == []
