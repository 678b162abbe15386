"""Earlier runs of the same study: finished, resumable, or different and in what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.text import Text

from harness.cli.app import App
from harness.cli.rendering.atoms import Words
from harness.contract.errors import HarnessError, InputError
from harness.contract.types import Plan

if TYPE_CHECKING:
    from harness.study.results.changed import Changed
    from harness.study.results.results import Results


def describe_earlier(app: App, plan: Plan, earlier: Results | None) -> Sequence[str]:
    """Return lines for an earlier run: the study is resumed, is finished, or differs and how."""
    from harness.cli.views.show import progress_of
    from harness.config.trees import differences
    from harness.study.journal.folders import read_plan, runs_of

    if earlier is not None:
        if earlier.finished:
            return ["already finished: this is its table (--fresh runs the study again)"]
        return [f"resuming: {progress_of(earlier)}"]
    mine = app.settings.results / plan.directory  # exists if the run began and no trial did
    others = [folder for folder in runs_of(app.settings.results, plan.study, plan.budget) if folder != mine]
    if not others:
        return []
    try:
        before = read_plan(others[0])
    except HarnessError:  # damaged, or of another version
        return ["starting again"]
    changed = differences(_identity(before), _identity(plan)) or ["how harness derives the identity of a study"]
    return [f"starting again; changes since {others[0].name}:", *(f"  {line}" for line in changed)]


def show_last_duration(app: App, plan: Plan) -> None:
    """Print how long the latest complete run of the study took on this machine, if there was one."""
    from harness.cli.views.live import duration
    from harness.study.run.last_duration import last_duration

    if found := last_duration(app.settings.results, plan):
        name, seconds = found
        app.show(Words(f"{name} took {duration(seconds)} on this machine", "dim"))


def show_changed_code(app: App, changed: Changed) -> None:
    """Print whose code has changed since the trials of the study, and what `--anew` would train again."""
    if changed:
        app.err.print(Text(f"{changed.says}; {changed.offer}", "yellow"), soft_wrap=True)


def _identity(plan: Plan) -> dict[str, Any]:
    parts = {
        "search": plan.search,
        "confirm": plan.confirm,
        "plugins": plan.plugins,
        "data digest": plan.dataset_digest[:12],
    }
    return {**plan.tree, **parts, "objective": {"metric": plan.objective.metric, "mode": plan.objective.mode}}


def check_versions(app: App, plan: Plan) -> None:
    """Refuse to resume with other plugins than those of the finished trials.

    Raises:
        InputError: names each plugin that differs.
    """
    changed = app.catalog.unlike(plan.plugins)
    if changed:
        raise InputError(
            f"{plan.directory} was started with other plugins: {', '.join(changed)}. `harness study run` starts again."
        )
