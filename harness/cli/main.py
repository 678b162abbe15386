"""The command `harness`. Light: torch, ray, optuna, mlflow and pandas are imported inside commands only."""

from __future__ import annotations

import errno
import os
from typing import Any

import click

from harness.cli.app import App, show_broken, show_error
from harness.cli.commands.compare import compare
from harness.cli.commands.data import data
from harness.cli.commands.doctor import doctor
from harness.cli.commands.explain import explain
from harness.cli.commands.plugin import plugin
from harness.cli.commands.predict import predict
from harness.cli.commands.study import study
from harness.cli.commands.ui import ui
from harness.cli.help import complete_help
from harness.cli.streams import output_aside
from harness.contract.errors import HarnessError, MachineError
from harness.contract.loading.catalog import Catalog
from harness.contract.provider import Broken

COMMANDS = (study, predict, explain, compare, plugin, data, doctor, ui)
FAULTS_OF_THE_MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO)


class Harness(click.Group):
    """The top group. It turns a HarnessError into a panel and an exit code, and leaves all other errors alone."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command.

        A HarnessError is explained to the user. Any other error is a bug and keeps its traceback.
        """
        app = ctx.ensure_object(App)
        try:
            return super().invoke(ctx)
        except HarnessError as error:
            show_error(app.err, error)
            ctx.exit(error.exit_code)
        except OSError as error:
            if error.errno not in FAULTS_OF_THE_MACHINE:
                raise
            show_error(
                app.err,
                MachineError(f"{error.filename or 'disk'}: {error.strerror}; correct that and repeat the command"),
            )
            ctx.exit(MachineError.exit_code)
        except KeyboardInterrupt:
            app.err.print("interrupted")
            ctx.exit(130)


def build_cli(app: App) -> click.Group:
    """Return the command line with the commands that plugins add."""
    cli = Harness(
        "harness",
        help=__doc_help__,
        context_settings={"obj": app, "help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    for command in COMMANDS:
        cli.add_command(command)
    click.version_option(package_name="mil-harness", prog_name="harness")(cli)
    add_commands(cli, app.catalog)
    complete_help(cli)
    return cli


def add_commands(cli: click.Group, catalog: Catalog) -> None:
    """Let every plugin add commands: new names only, and none of a plugin whose hook fails."""
    before = _commands(cli)
    for provider, worked in catalog.each("harness_commands", cli=cli):
        for group, commands in before.items():
            for name, command in commands.items():
                if worked and group.commands.get(name) is not command:
                    reason = f"harness_commands: the command {name!r} exists already and is not replaced"
                    catalog.broken.append(Broken(provider, reason))
            group.commands = {**(group.commands if worked else {}), **commands}
        before = _commands(cli)


def _commands(group: click.Group) -> dict[click.Group, dict[str, click.Command]]:
    """Return the commands of the group and of each group below it."""
    found = {group: dict(group.commands)}
    for command in group.commands.values():
        if isinstance(command, click.Group):
            found |= _commands(command)
    return found


def main() -> None:
    """Run the command `harness`."""
    # Waiting threads of OpenMP sleep: active ones take the cores from NNPACK, the loader and other trials.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read when torch is imported
    app = App(owns_streams=True)
    with output_aside():
        cli = build_cli(app)
    show_broken(app.err, app.catalog)
    cli(prog_name="harness")


__doc_help__ = """Run fair, resumable benchmarks of weakly supervised medical image classifiers.

\b
  harness study plan gmic_ablation       plan and cost
  harness study run gmic_ablation        search, confirm
  harness study show gmic_ablation       results
  harness predict gmic_ablation new.csv  scores
  harness explain gmic_ablation new.csv  saliency maps
  harness ui                             trials in MLflow

Exit codes: 0 done, 1 some variant failed, 2 the input is wrong, 3 the machine failed, 130 interrupted.
"""

if __name__ == "__main__":
    main()
