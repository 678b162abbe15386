"""What an earlier run of the same study left: finished, to be resumed, or different, and in what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rich.text import Text

from harness.cli.app import App
from harness.contract.errors import InputError, MachineError
from harness.contract.types import Plan

if TYPE_CHECKING:
    from harness.study.results.results import Results
    from harness.study.run.run import Outcome


def earlier_results(app: App, plan: Plan) -> Results | None:
    """What an earlier run of exactly this study left; unfinished where the plan has variants it had not."""
    from harness.study.results.results import read_results

    folder = app.settings.results / plan.directory
    if not (folder / "journal.jsonl").exists():
        return None
    try:
        results = replace(read_results(folder, app.catalog), plan=plan)
    except MachineError:  # a damaged plan.json, which the run writes anew; a damaged journal stops that run
        return None
    known = all(
        results.history.of_variant(variant.id, "search" if variant.kind == "trained" else "confirm")
        for variant in plan.variants
    )
    floors = [record for record in results.history.trials.values() if record.spec.stage == "floor"]
    known = known and (bool(floors) or not plan.confirm.get("label_floor"))
    results.history.finished = results.history.finished and known
    return results


def ended(results: Results) -> Outcome:
    """How a study ended that is not run again."""
    from harness.study.run.run import Outcome

    failed = results.failures()
    lines = [f"{name} failed: {reason.strip().splitlines()[-1]}" for name, reason in failed.items()]
    return Outcome(1 if failed else 0, tuple(failed), "\n".join(lines), reasons=failed)


def what_is_there(app: App, plan: Plan, earlier: Results | None) -> Sequence[str]:
    """Whether this resumes, is finished, or differs from the run before."""
    from harness.cli.views.show import progress_of
    from harness.config.trees import differences
    from harness.study.journal.folders import read_plan, runs_of

    if earlier is not None:
        if earlier.finished:
            return ["finished before: this is its table (--fresh runs it anew)"]
        return [f"resuming: {progress_of(earlier)}"]
    mine = app.settings.results / plan.directory  # there if it was begun and nothing ran
    others = [folder for folder in runs_of(app.settings.results, plan.study, plan.budget) if folder != mine]
    if not others:
        return []
    try:
        before = read_plan(others[0])
    except MachineError:
        return ["starting anew"]
    changed = differences(_identity(before), _identity(plan)) or ["the harness's own way of naming studies"]
    return [f"starting anew; since {others[0].name} has changed:", *(f"  {line}" for line in changed)]


def show_took(app: App, plan: Plan) -> None:
    """Prints how long the latest whole run of the study took on this machine, if there was one."""
    from harness.cli.views.live import duration
    from harness.study.run.last_duration import took

    if found := took(app.settings.results, plan):
        name, seconds = found
        app.out.print(Text(f"{name} took {duration(seconds)} on this machine", "dim"))


def _identity(plan: Plan) -> dict[str, Any]:
    parts = {
        "search": plan.search,
        "confirm": plan.confirm,
        "plugins": plan.plugins,
        "data digest": plan.dataset_digest[:12],
    }
    return {**plan.tree, **parts, "objective": {"metric": plan.objective.metric, "mode": plan.objective.mode}}


def check_versions(app: App, plan: Plan) -> None:
    """Refuses to go on with other plugins than the trials so far had.

    Raises:
        InputError: names each that is another one now.
    """
    changed = app.catalog.unlike(plan.plugins)
    if changed:
        raise InputError(f"{plan.directory} was begun with other plugins: {', '.join(changed)}. `run` starts anew.")
