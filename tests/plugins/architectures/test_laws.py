from dataclasses import replace
from typing import Any

import harness_architectures
from harness import Component, Task
from harness.testing.contracts_models import ArchitectureLaws

EXAM = ("CC", "MLO", "other CC", "other MLO")


class TestSystems(ArchitectureLaws):
    plugin = harness_architectures

    def task_of(self, component: Component[Any]) -> Task:
        task = super().task_of(component)
        return replace(task, views=EXAM) if task.views else task
