"""Code of plugins that has changed since the trials of a study were trained with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from harness.contract.loading.catalog import Catalog
from harness.contract.types import Plan
from harness.study.journal.state import StudyState

STAGES = ("search", "confirm", "control")


@dataclass(frozen=True)
class Changed:
    """What would be trained again.

    Args:
        plugins: distribution and version of each plugin whose code has changed.
        variants: the variants that use one -> the digests of its code now.
        trials: number of their trials that have ended.
        seconds: that these took.
    """

    plugins: tuple[str, ...]
    variants: Mapping[str, Mapping[str, str]]
    trials: int
    seconds: float

    def __bool__(self) -> bool:
        return bool(self.variants)

    @property
    def says(self) -> str:
        """Whose code has changed, as a sentence without its end."""
        return f"{', '.join(self.plugins)}: code changed since this run"

    @property
    def offer(self) -> str:
        """What `--anew` would train, and the time that the same took before."""
        again = f"{self.trials} {'trial' if self.trials == 1 else 'trials'} that took {_duration(self.seconds)}"
        return f"`--anew` trains {', '.join(self.variants)} again ({again}), and no other variant"


def changed_code(plan: Plan, state: StudyState, catalog: Catalog) -> Changed:
    """Compare the code that each trial was asked with to the code that is installed now."""
    now, found, versions = catalog.code(_distributions(plan, state)), dict[str, dict[str, str]](), dict[str, str]()
    trials, seconds = 0, 0.0
    for variant in plan.trained:
        records = [record for stage in STAGES for record in state.of_variant(variant.id, stage)]
        old = {name for item in records for name, code in item.spec.code.items() if now.get(name, code) != code}
        if not old:
            continue
        found[variant.name] = {name: now[name] for name in sorted(old)}
        versions |= {name: plan.plugins.get(name, "") for name in old}
        ended = [record.result for record in records if record.result]
        trials, seconds = trials + len(ended), seconds + sum(result.seconds for result in ended)
    named = tuple(f"{name} {version}".strip() for name, version in sorted(versions.items()))
    return Changed(named, found, trials, seconds)


def _distributions(plan: Plan, state: StudyState) -> Iterable[str]:
    records = (record for item in plan.trained for stage in STAGES for record in state.of_variant(item.id, stage))
    return {name for record in records for name in record.spec.code}


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
