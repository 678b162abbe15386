"""`harness.run`: from a study to its results."""

from __future__ import annotations

from dataclasses import replace

from harness.api.execution import TunerName, execute, set_aside, train_anew
from harness.api.plan import Overrides, StudyLike, plan
from harness.api.report import write
from harness.api.session import Session
from harness.contract.errors import HarnessError, InputError, Interrupted, MachineError
from harness.study.results.results import Results, read_results

_ERRORS: dict[int, type[HarnessError]] = {error.exit_code: error for error in (InputError, MachineError, Interrupted)}


def run(
    study: StudyLike,
    *,
    budget: str | None = None,
    overrides: Overrides = (),
    fresh: bool = False,
    anew: bool = False,
    tuner: TunerName = "ray",
    concurrent: int | None = None,
    time_limit_s: float | None = None,
    session: Session | None = None,
) -> Results:
    """Search every variant of a study, confirm its best over seeds, and write the report.

    The same call resumes a run that was stopped and returns the results of one that is finished.

    Args:
        study: a name, the path of a TOML file, or a dict of its tables, named by `study.name`.
        budget: one of the study's budgets; None for the study's own choice.
        overrides: values by dotted path, as a dict or as `--set` arguments.
        fresh: rename earlier results of the same study and start again.
        anew: train again those variants whose plugins have other code than they were trained with.
        tuner: "ray", or "inline" for one trial at a time in this process.
        concurrent: trials at a time; None for the setting in harness.toml.
        time_limit_s: end the run after this time; it can be resumed.
        session: settings and components; those of the working directory if not given.

    Returns:
        The results. A variant that failed is in `failures()`, with its reason.

    Raises:
        InputError: the study, an override, the data or the settings are wrong.
        MachineError: the disk, the database or a process failed; the same call resumes.
        Interrupted: the run was stopped or its time is over; the same call resumes.

    Example:
        >>> harness.run("gmic_ablation", budget="quick").variants  # doctest: +SKIP
    """
    session = session or Session.of(files=True)
    made = plan(study, budget=budget, overrides=overrides, session=session)
    if anew and train_anew(made, session):
        made = plan(study, budget=budget, overrides=overrides, session=session)
    if concurrent is not None:
        if concurrent < 1:
            raise InputError(f"concurrent: expected at least 1 trial at a time, found {concurrent!r}")
        session = replace(session, settings=replace(session.settings, concurrent=concurrent))
    folder = session.settings.results / made.directory
    if fresh and folder.exists():
        set_aside(folder)
    execution = execute(made, session, tuner=tuner, time_limit_s=time_limit_s)
    if error := _ERRORS.get(execution.outcome.exit_code):
        raise error(execution.outcome.message)
    found = read_results(folder, session.catalog)
    if execution.ran or not (folder / "report" / "report.html").exists():
        write(found, session)
    return found
