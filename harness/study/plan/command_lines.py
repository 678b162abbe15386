"""Shell command lines that reproduce a plan."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

from harness.contract.types import Plan

OF_DATA = r"dataset\s*[.=]"
"""Prefix of a `--set` argument that changes the data."""


def run_command(plan: Plan) -> str:
    """Return the command that runs a plan's study."""
    return " ".join(["harness study run", plan.named, *_set_options(plan.overrides)])


def check_command(plan: Plan) -> str:
    """Return the command that checks a plan's data, with every `--set` that changes them."""
    data = [text for text in plan.overrides if re.match(OF_DATA, text)]
    return " ".join(["harness data check", plan.named, *_set_options(data), "--full"])


def _set_options(overrides: Iterable[str]) -> list[str]:
    return [f"--set {shlex.quote(text)}" for text in overrides]
