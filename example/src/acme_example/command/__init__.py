"""A command: `harness slowest STUDY` lists the trials of a run that took longest."""

from __future__ import annotations

import click
from harness import hookimpl


@click.command(epilog="Example: harness slowest gmic_ablation --count 3")
@click.argument("study", metavar="STUDY")
@click.option("--count", type=click.IntRange(1), default=5, show_default=True, help="Number of trials.")
def slowest(study: str, count: int) -> None:
    """List the trials of the latest run of STUDY that took longest."""
    from harness import results

    table = results(study).trials.sort_values("seconds", ascending=False).head(count)
    click.echo(table[["variant", "stage", "number", "seconds"]].to_string(index=False))


@hookimpl
def harness_commands(cli: click.Group) -> None:
    """Add the command to `harness`."""
    cli.add_command(slowest)
