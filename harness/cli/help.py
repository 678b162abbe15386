"""Help texts with whole sentences and whole words, for the commands of plugins as well."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator

import click

_HYPHEN = "\N{NON-BREAKING HYPHEN}"


class WholeWords(click.HelpFormatter):
    """A formatter that breaks lines at spaces only: click breaks `--time-limit` after a hyphen."""

    def write_text(self, text: str) -> None:
        """Write a text with its paragraphs."""
        super().write_text(text.replace("-", _HYPHEN))

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Write options or commands with their help."""
        super().write_dl([(name, text.replace("-", _HYPHEN)) for name, text in rows], col_max, col_spacing)

    def getvalue(self) -> str:
        """Return what was written."""
        return super().getvalue().replace(_HYPHEN, "-")


class HelpContext(click.Context):
    """A context that shows help in whole words."""

    formatter_class = WholeWords


def complete_help(group: click.Group) -> None:
    """Let every command show its first sentence in the list of its group, where click would cut it."""
    group.context_class = HelpContext
    for command in commands_below(group):
        command.context_class = HelpContext
        command.short_help = command.short_help or first_sentence(command.help or "")


def first_sentence(text: str) -> str:
    """Return the first sentence of a help text in one line."""
    paragraph = inspect.cleandoc(text).split("\n\n")[0]
    return re.split(r"(?<=[.!?])\s+(?=[A-Z`(])", " ".join(paragraph.split()))[0]


def commands_below(group: click.Group) -> Iterator[click.Command]:
    """Yield every command of a group and of the groups in it."""
    for command in group.commands.values():
        yield command
        if isinstance(command, click.Group):
            yield from commands_below(command)
