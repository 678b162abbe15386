"""The state that every command shares: consoles, settings and catalog, each made on first use."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console, RenderableType
from rich.panel import Panel
from rich.text import Text

from harness.cli.rendering.atoms import Words, longest
from harness.config.settings_files import disabled_plugins, plugin_tables
from harness.contract.errors import HarnessError
from harness.contract.loading.attempts import Attempts
from harness.contract.loading.catalog import Catalog

if TYPE_CHECKING:
    from harness.api.session import Session
    from harness.config.settings import Settings

_TITLES = {1: "failed", 2: "the input is wrong", 3: "the machine failed", 130: "interrupted"}


@dataclass
class App:
    """One invocation of `harness`.

    Args:
        folder: the folder of `harness.toml`.
        owns_streams: True if the process exists for this invocation, so that its file descriptors can be moved.
    """

    folder: Path = field(default_factory=Path.cwd)
    owns_streams: bool = False

    @property
    def out(self) -> Console:
        """Standard output, made for each use so that a redirected stream is honoured."""
        return Console(file=sys.stdout, highlight=False)

    @property
    def err(self) -> Console:
        """Standard error, for messages that are no result."""
        return Console(file=sys.stderr, highlight=False, stderr=True)

    def show(self, *parts: RenderableType) -> None:
        """Print to standard output without cropping a word that is wider than the terminal."""
        for part in parts:
            self.out.print(part, crop=False)

    @cached_property
    def settings(self) -> Settings:
        """The settings of harness.toml.

        Raises:
            InputError: the file is wrong.
        """
        from harness.config.settings import load_settings

        return load_settings(self.folder)

    @cached_property
    def catalog(self) -> Catalog:
        """The installed components without disabled plugins; wrong settings disable nothing."""
        disabled, tables = disabled_plugins(self.folder), plugin_tables(self.folder)
        catalog = Catalog.discover(disabled, attempts=Attempts(), settings=tables)
        if os.environ.get("HARNESS_TRACE") == "1":
            trace(catalog, self.err)
        return catalog

    def load_files(self) -> None:
        """Add the plugins of single files to the catalog, for a command that runs components.

        Those that are not trusted are named.
        """
        from harness.config.trust import refusal
        from harness.contract.loading.single_files import find_files, load_files

        known = len(self.catalog.broken), len(self.catalog.remarks)
        load_files(self.catalog, find_files(self.folder), refusal)
        show_broken(self.err, self.catalog, known)

    @property
    def session(self) -> Session:
        """Settings and catalog, as the API takes them.

        Raises:
            InputError: harness.toml is wrong.
        """
        from harness.api.session import Session

        return Session(self.settings, self.catalog)


pass_app = click.make_pass_decorator(App)


def trace(catalog: Catalog, console: Console) -> None:
    """Print each plugin with its origin, then every hook call and its outcome."""
    for provider in catalog.providers.values():
        seconds = catalog.slow.get(provider)
        console.print(Text(f"trace: loaded {provider}" + (f", slow: {seconds:.2f} s" if seconds else ""), "dim"))
    for item in catalog.broken:
        console.print(Text(f"trace: broken {item.provider}: {item.reason}\n{item.details}", "dim"))

    def before(hook: str, implementations: Any, kwargs: Any) -> None:
        names = ", ".join(item.plugin_name for item in implementations) or "no plugin"
        console.print(Text(f"trace: {hook}({', '.join(kwargs)}) -> {names}", "dim"))

    def after(outcome: Any, hook: str, implementations: Any, kwargs: Any) -> None:
        if outcome.exception:
            console.print(Text(f"trace: {hook} raised {outcome.exception!r}", "dim"))

    catalog.manager.add_hookcall_monitoring(before, after)


def show_error(console: Console, error: HarnessError) -> None:
    """Print the message in a red panel."""
    show_panel(console, str(error), _TITLES.get(error.exit_code, "failed"), "red")


def show_panel(console: Console, message: str, title: str, colour: str) -> None:
    """Print a message in a panel; without one if a word, such as a path, is wider than the panel."""
    text = Text(message)
    if longest(text) <= console.width - 4:
        box = Panel(Words(text), title=f"harness: {title}", title_align="left", border_style=colour)
        console.print(box)
    else:
        console.print(Text(f"harness: {title}", colour), Words(text), sep="\n", crop=False)


def show_broken(console: Console, catalog: Catalog, seen: tuple[int, int] = (0, 0)) -> None:
    """Print the plugins that could not be loaded, and the likely mistakes of those that were, a line each."""
    if broken := catalog.broken[seen[0] :]:
        names = "; ".join(f"{item.provider}: {item.reason}" for item in broken)
        console.print(Text(f"not loaded: {names}", "yellow"), soft_wrap=True)
    for remark in catalog.remarks[seen[1] :]:
        console.print(Text(f"note: {remark.provider}: {remark.message}", "yellow"), soft_wrap=True)


def examples(*lines: str) -> str:
    """Return the epilog of a command's help: example calls, not wrapped."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
