"""Standard output as a file descriptor: what plugins and C code print does not reach the JSON of a command."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

import click

_OUT, _ERR = 1, 2
_results: list[TextIO] = []
"""The private copy of standard output, while `results_apart` holds."""


@contextmanager
def output_aside() -> Iterator[None]:
    """Send everything that is written to standard output to standard error during the block."""
    sys.stdout.flush()
    try:
        kept = os.dup(_OUT)
    except OSError:  # it is closed
        yield
        return
    try:
        os.dup2(_ERR, _OUT)
        yield
    finally:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
        os.dup2(kept, _OUT)
        os.close(kept)


def results_apart() -> None:
    """Keep a private copy of standard output for `emit`, and send everything else to standard error from now on."""
    sys.stdout.flush()
    with suppress(OSError):
        _results.append(os.fdopen(os.dup(_OUT), "w", encoding="utf-8"))
        os.dup2(_ERR, _OUT)


def emit(text: str) -> None:
    """Write a result of a command, such as its JSON."""
    click.echo(text, file=_results[-1] if _results else None)
