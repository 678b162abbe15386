"""The search space inside a study's tree: a distribution may replace any value.

`{ float = [a, b] }`, `{ int = [a, b] }`, `{ log10 = [a, b] }`, `{ choice = [...] }`, with `log`,
`step` and `default`. The values come from Optuna, a fixed trial or a test.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any, Protocol, runtime_checkable

from harness.config.distributions import Choice, Number, is_distribution, read

Tree = Mapping[str, Any]


@runtime_checkable
class Trial(Protocol):
    """Protocol of a trial for `sample`: `optuna.Trial`, `optuna.trial.FixedTrial` and `Default` follow it."""

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """Return a float in [low, high]."""

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """Return an int in [low, high]."""

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """Return one of the choices."""


def sample(tree: Tree, trial: Trial) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the tree with every distribution replaced by a value of `trial`, and these values by dotted path.

    A distribution inside an option of a choice is sampled only if the option is picked. The choice
    itself is recorded as the option's label.
    """
    params: dict[str, Any] = {}
    return _sample(tree, trial, "", params), params


def default_params(tree: Tree) -> dict[str, Any]:
    """Return the parameters of trial 0: the default of every parameter that is active at the defaults."""
    return sample(tree, Default(tree))[1]


def searched(tree: Tree) -> tuple[str, ...]:
    """Return the dotted paths of all parameters, also those inside options of a choice, in the order of the file."""
    return tuple(dict.fromkeys(path for path, _ in distributions(tree)))


def distributions(value: Any, path: str = "") -> Iterator[tuple[str, Number | Choice]]:
    """Yield every distribution below `value` with its dotted path; a choice comes before those in its options."""
    if is_distribution(value):
        found = read(value)
        yield path, found
        for option in found.options if isinstance(found, Choice) else ():
            yield from distributions(option, path)
    else:
        for key, item in _items(value):
            yield from distributions(item, f"{path}.{key}" if path else key)


def contradictions(tree: Tree) -> tuple[str, ...]:
    """Return the parameters that two options of a choice search over different ranges."""
    known: dict[str, Number | Choice] = {}
    return tuple(dict.fromkeys(p for p, found in distributions(tree) if known.setdefault(p, found) != found))


def size(value: Any) -> int | None:
    """Return the number of distinct configurations, None if a parameter is continuous."""
    if is_distribution(value):
        found = read(value)
        if isinstance(found, Number):
            return found.count()
        counts = [size(option) for option in found.options]
        return None if None in counts else sum(count or 0 for count in counts)
    counts = [size(item) for _, item in _items(value)]
    return None if None in counts else math.prod(count or 1 for count in counts)


def same_point(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return True if two trials have the same parameters, up to the rounding of a step."""
    return one.keys() == other.keys() and all(_same(value, other[name]) for name, value in one.items())


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
    return bool(type(one) is type(other) and one == other)


def grid(tree: Tree) -> list[dict[str, Any]]:
    """Return every distinct configuration as the parameters of a trial, the default first.

    Raises:
        ValueError: a parameter is continuous; the message names all of them.
    """
    endless = [path for path, found in distributions(tree) if isinstance(found, Number) and not found.finite]
    if endless:
        raise ValueError(f"a grid needs a `step` or a `choice`, but {', '.join(dict.fromkeys(endless))} is continuous")
    points = [default_params(tree), *(params for _, params in _grid(tree, ""))]
    unique = {json.dumps(point, sort_keys=True): point for point in points}
    return list(unique.values())


def concretes(value: Any) -> list[Any]:
    """Return values without distributions: the default, then variations in one parameter at a time.

    A number varies to both its bounds, a choice to each of its options. This finds every single
    value that a component refuses.
    """
    if is_distribution(value):
        found = read(value)
        if isinstance(found, Number):
            return list(dict.fromkeys([found.default, found.low, found.high]))
        first, *others = [concretes(option) for option in found.options_from_default()]
        return [*first, *(option for other in others for option in other)]
    if not isinstance(value, Mapping | list | tuple):
        return [value]
    parts = {key: concretes(item) for key, item in _items(value)}
    base = {key: options[0] for key, options in parts.items()}
    departures = [{**base, key: option} for key, options in parts.items() for option in options[1:]]
    return [_like(value, found) for found in [base, *departures]]


class Default:
    """A trial that takes every default of `tree`."""

    def __init__(self, tree: Tree) -> None:
        # An option's own parameters come after the choice; the same name always has the same default.
        self._defaults = {path: found.default for path, found in distributions(tree)}

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """Return the default."""
        return float(self._defaults[name])

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """Return the default."""
        return int(self._defaults[name])

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """Return the default."""
        return self._defaults[name]


def _sample(value: Any, trial: Trial, path: str, params: dict[str, Any]) -> Any:
    if is_distribution(value):
        found = read(value)
        params[path] = found.suggest(path, trial)
        if isinstance(found, Choice):
            return _sample(found.option(params[path]), trial, path, params)
        return params[path]
    parts = {key: _sample(item, trial, f"{path}.{key}" if path else key, params) for key, item in _items(value)}
    return _like(value, parts)


def _grid(value: Any, path: str) -> list[tuple[Any, dict[str, Any]]]:
    if is_distribution(value):
        found = read(value)
        if isinstance(found, Number):
            return [(point, {path: point}) for point in found.points()]
        return [
            (inner, {path: label, **params})
            for label, option in zip(found.labels, found.options, strict=True)
            for inner, params in _grid(option, path)
        ]
    parts = [[(key, *point) for point in _grid(item, f"{path}.{key}" if path else key)] for key, item in _items(value)]
    found_points = []
    for combination in product(*parts):
        merged = {name: point for _, _, params in combination for name, point in params.items()}
        found_points.append((_like(value, {key: inner for key, inner, _ in combination}), merged))
    return found_points


def _items(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        yield from value.items()
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield str(index), item


def _like(value: Any, parts: Mapping[str, Any]) -> Any:
    if isinstance(value, Mapping):
        return dict(parts)
    return list(parts.values()) if isinstance(value, list | tuple) else value
