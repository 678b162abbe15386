"""Distributions: the tables of a study file that declare a search range. Knows nothing of trees."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.contract.errors import Problems, nearest

Real = int | float
"""Written out because the run-time type check does not promote int to float."""
SMALLEST_EXPONENT = 0.1
"""Positive exponents up to this are values that were written where their exponents are meant."""
KINDS = {
    "float": ("log", "step", "default"),
    "int": ("log", "step", "default"),
    "log10": ("default",),
    "choice": ("default",),
}
"""Each kind of distribution and the other keys its table may hold."""


@dataclass(frozen=True)
class Number:
    """A range of floats or ints, both ends included. Holds values, never exponents.

    Args:
        step: distance of the allowed values from `low` on; None for any.
        default: the value of trial 0.
    """

    integer: bool
    low: Real
    high: Real
    log: bool
    step: Real | None
    default: Real

    @property
    def finite(self) -> bool:
        """True if the range holds finitely many values."""
        return self.step is not None or self.low == self.high

    def count(self) -> int | None:
        """Return how many values the range holds, None if it is continuous."""
        return int(math.floor((self.high - self.low) / (self.step or 1) + 1e-9)) + 1 if self.finite else None

    def points(self) -> list[Real]:
        """Return every value of a finite range, in ascending order."""
        return [self.low + index * (self.step or 1) for index in range(self.count() or 0)]

    def __str__(self) -> str:
        scale = ", log scale" if self.log else ""
        step = f" in steps of {self.step:g}" if self.step not in (None, 1) else ""
        return f"{self.low:g} to {self.high:g}{step}{scale}"

    def suggest(self, name: str, trial: Any) -> Any:
        """Ask the trial for a value."""
        if self.integer:
            return trial.suggest_int(name, self.low, self.high, step=1 if self.log else self.step, log=self.log)
        return trial.suggest_float(name, self.low, self.high, step=self.step, log=self.log)


@dataclass(frozen=True)
class Choice:
    """A choice among options. A sampler sees the `labels`: scalars unchanged, tables and lists by name."""

    options: tuple[Any, ...]
    labels: tuple[Any, ...]
    default: Any

    def __str__(self) -> str:
        return "one of " + ", ".join(map(str, self.labels))

    def option(self, label: Any) -> Any:
        """Return the option of a label."""
        return self.options[self.labels.index(label)]

    def options_from_default(self) -> list[Any]:
        """Return all options, the default first."""
        first = self.labels.index(self.default)
        return [self.options[first], *self.options[:first], *self.options[first + 1 :]]

    def suggest(self, name: str, trial: Any) -> Any:
        """Ask the trial for a label."""
        return trial.suggest_categorical(name, list(self.labels))


def is_distribution(value: Any) -> bool:
    """Return True if a value of a study's tree is a distribution. A component's table (with `use`) is none."""
    return isinstance(value, Mapping) and "use" not in value and any(kind in value for kind in KINDS)


def read(table: Mapping[str, Any]) -> Number | Choice:
    """Return the distribution that a table declares. The table must have passed `check`."""
    if "choice" in table:
        options = tuple(table["choice"])
        labels = labels_of(options)
        return Choice(options, labels, _default_label(options, labels, table.get("default", options[0])))
    if "log10" in table:
        low, high = (10.0**bound for bound in table["log10"])
        middle = math.sqrt(low) * math.sqrt(high)
        default = 10.0 ** table["default"] if "default" in table else middle
        return Number(False, low, high, True, None, min(max(default, low), high))
    return _read_range(table)


def check(table: Mapping[str, Any], problems: Problems, path: str) -> bool:
    """Return True if the table is a valid distribution. Every mistake is added to `problems`."""
    before = len(problems.messages)
    kinds = [kind for kind in KINDS if kind in table]
    if len(kinds) > 1:
        problems.add(path, f"a range is one of {', '.join(KINDS)}, found {' and '.join(kinds)}")
        return False
    kind = kinds[0]
    for key in table:
        if key != kind and key not in KINDS[kind]:
            allowed = (kind, *KINDS[kind])
            problems.add(f"{path}.{key}", f"{kind!r} takes {', '.join(allowed)}{nearest(key, allowed)}")
    if kind == "choice":
        _check_choice(table, problems, path)
    else:
        _check_range(kind, table, problems, path)
    return len(problems.messages) == before


def labels_of(options: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a label for each option: a table's `use`, or its full text if two options share that."""
    names = [_name(option) for option in options]
    return tuple(
        _full(option) if isinstance(option, Mapping) and names.count(name) > 1 else name
        for option, name in zip(options, names, strict=True)
    )


def _read_range(table: Mapping[str, Any]) -> Number:
    integer, log = "int" in table, bool(table.get("log", False))
    low, high = (int(b) if integer else float(b) for b in table["int" if integer else "float"])
    step = table.get("step", 1 if integer else None)
    if "default" in table:
        default = table["default"]
    elif log:
        default = round(math.sqrt(low * high)) if integer else math.sqrt(low) * math.sqrt(high)
    elif step is not None:
        default = low + step * (int(math.floor((high - low) / step + 1e-9)) // 2)
    else:
        default = low / 2 + high / 2
    default = min(max(default, low), high)
    return Number(integer, low, high, log, step, int(default) if integer else float(default))


def _check_range(kind: str, table: Mapping[str, Any], problems: Problems, path: str) -> None:
    bounds, step = table[kind], table.get("step")
    fits = _is_int if kind == "int" else _is_number
    word = "whole numbers" if kind == "int" else "finite numbers"
    if not (isinstance(bounds, list | tuple) and len(bounds) == 2 and all(map(fits, bounds))):
        problems.add(f"{path}.{kind}", f"expected [low, high], two {word}, found {bounds!r}")
        return
    low, high = bounds
    log = table.get("log", False) if kind != "log10" else False
    if kind == "log10" and not (-300 <= low and high <= 300):
        problems.add(f"{path}.log10", f"the bounds are exponents of 10, found {bounds!r}")
    elif kind == "log10" and 0 < low <= high <= SMALLEST_EXPONENT:
        exponents = ", ".join(f"{math.log10(bound):.4g}" for bound in bounds)
        problems.add(
            f"{path}.log10",
            f"the bounds are exponents: {list(bounds)} searches {10**low:.6g} to {10**high:.6g}; for {low:g} to "
            f"{high:g} write {{ log10 = [{exponents}] }} or {{ float = {list(bounds)}, log = true }}",
        )
    if low > high:
        problems.add(f"{path}.{kind}", f"the lower bound comes first, found {bounds!r}")
    if not isinstance(log, bool):
        problems.add(f"{path}.log", f"expected true or false, found {log!r}")
    elif log and low < (1 if kind == "int" else 5e-324):
        problems.add(f"{path}.{kind}", f"a log scale begins above 0, found {bounds!r}")
    if step is not None:
        _check_step(step, low, high, bool(log), fits, problems, f"{path}.step")
    default = table.get("default", low)
    if not fits(default):
        problems.add(f"{path}.default", f"expected a {word.removesuffix('s')}, found {default!r}")
    elif low <= high and not low <= default <= high:
        problems.add(f"{path}.default", f"{default!r} is outside {list(bounds)}")
    elif step is not None and fits(step) and step > 0 and not _multiple(default - low, step):
        problems.add(f"{path}.default", f"{default!r} is not on the grid of step {step!r} from {low!r}")


def _check_step(step: Any, low: Real, high: Real, log: bool, fits: Any, problems: Problems, path: str) -> None:
    if not fits(step) or step <= 0:
        problems.add(path, f"expected a number above 0, found {step!r}")
    elif log:
        problems.add(path, "a log scale has no step")
    elif low <= high and not _multiple(high - low, step):
        problems.add(path, f"{high!r} is not a whole number of steps of {step!r} above {low!r}")


def _check_choice(table: Mapping[str, Any], problems: Problems, path: str) -> None:
    options = table["choice"]
    if not isinstance(options, list | tuple) or not options:
        problems.add(f"{path}.choice", f"expected a list of options, found {options!r}")
        return
    if any(is_distribution(option) for option in options):
        problems.add(f"{path}.choice", "an option is a value or a table, not a range; write one range for all of it")
        return
    labels = labels_of(tuple(options))
    twice = [label for index, label in enumerate(labels) if label in labels[:index]]
    for label in dict.fromkeys(twice):
        problems.add(f"{path}.choice", f"the option {label!r} is given twice")
    default = table.get("default", options[0])
    if default not in options and default not in labels:
        problems.add(f"{path}.default", f"{default!r} is not one of {', '.join(map(str, labels))}")


def _default_label(options: tuple[Any, ...], labels: tuple[Any, ...], default: Any) -> Any:
    for option, label in zip(options, labels, strict=True):
        if default is option or (type(default) is type(option) and default == option):
            return label
    return labels[labels.index(default)]


def _name(option: Any) -> Any:
    if isinstance(option, Mapping) and isinstance(option.get("use"), str):
        return option["use"]
    return _full(option) if isinstance(option, Mapping | list | tuple) else option


def _full(option: Any) -> str:
    if isinstance(option, Mapping) and isinstance(option.get("use"), str):
        rest = ", ".join(f"{key}={_full(value)}" for key, value in sorted(option.items()) if key != "use")
        return f"{option['use']}({rest})" if rest else str(option["use"])
    return json.dumps(option, sort_keys=True, default=str)


def _multiple(distance: Real, step: Real) -> bool:
    return abs(distance / step - round(distance / step)) < 1e-9


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
