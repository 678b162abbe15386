"""Arguments and options of several commands, and the plan or results that they name."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from harness.cli.app import App
from harness.cli.streams import results_apart
from harness.contract.types import Plan

if TYPE_CHECKING:
    from harness.study.results.results import Results

Command = TypeVar("Command", bound=Callable[..., Any])
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Duration(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.4 on
    """A duration such as `90s`, `15m`, `2h` or `1h30m`, as seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return seconds, or fail with a usage error."""
        if isinstance(value, float):
            return value
        if not re.fullmatch(r"(\d+(\.\d+)?[smhd])+", value):
            self.fail(f"{value!r} is not a duration; write 90s, 15m, 2h or 1h30m.", param, ctx)
        return sum(float(number) * _UNITS[unit] for number, _, unit in re.findall(r"(\d+(\.\d+)?)([smhd])", value))


def study_argument(command: Command) -> Command:
    """Add the argument STUDY: a name or a path."""
    return click.argument("study", metavar="STUDY")(command)


def budget_option(command: Command) -> Command:
    """Add the option `--budget` of a plan."""
    text = "Budget of the study file, such as quick or standard.  [default: the one the file names]"
    return click.option("--budget", metavar="NAME", help=text)(command)


def run_option(command: Command) -> Command:
    """Add the option `--budget` of a run."""
    text = "Use the run of this budget.  [default: the latest run of any budget]"
    return click.option("--budget", metavar="NAME", help=text)(command)


def set_option(command: Command) -> Command:
    """Add the option `--set`."""
    text = "Replace a value of the file; repeatable. `gap.train.lr=0.001` changes the variant gap alone."
    return click.option("--set", "sets", metavar="PATH=VALUE", multiple=True, help=text)(command)


def json_option(command: Command) -> Command:
    """Add the option `--json`, with which only `emit` writes to standard output."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.", callback=_apart)(command)


def _apart(context: click.Context, _: click.Parameter, value: bool) -> bool:
    if value and context.ensure_object(App).owns_streams:
        results_apart()
    return value


def heads_option(command: Command) -> Command:
    """Add the option `--heads`."""
    return click.option("--heads", is_flag=True, help="Add a row for each head below its variant.")(command)


def plan_of(app: App, study: str, budget: str | None, sets: tuple[str, ...]) -> Plan:
    """Return the plan that the command line names.

    Raises:
        InputError: every mistake in the study file and the options, at once.
    """
    from harness.api.plan import plan

    app.load_files()
    return plan(study, budget=budget, overrides=sets, session=app.session)


def results_of(app: App, study: str, budget: str | None) -> Results:
    """Return the results of the run that the command line names.

    Raises:
        InputError: the study was never run, or its data set is not installed.
    """
    from harness.api.results import results

    return results(study, budget=budget, session=app.session)
