"""Checks of the fields of a Component, and of the words in its `needs` and `provides`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from harness.contract.components import Component
from harness.contract.errors import RENAMED, nearest
from harness.contract.masks import KINDS_OF_TASK, SAMPLE_WORDS
from harness.contract.metrics import MetricRecord

WORDS = frozenset(
    {"saliency", "explain_layer", "stages", "attention", "eval_masks", "train_masks", *KINDS_OF_TASK, *SAMPLE_WORDS}
)
"""The words of the harness in `needs` and `provides`."""


def _is_names(value: Any) -> bool:
    return isinstance(value, frozenset | set) and all(isinstance(item, str) for item in value)


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(key, str) for key in value)


def _is_prose(value: Any) -> bool:
    return _is_table(value) and all(isinstance(item, str) for item in value.values())


_FIELDS: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "source": ("a string", lambda value: isinstance(value, str)),
    "needs": ("a set of strings", _is_names),
    "provides": ("a set of strings", _is_names),
    "refuses": ("a table of strings", _is_prose),
    "space": ("a table", _is_table),
    "tiny": ("a table", _is_table),
    "assumed": ("a table of strings", _is_prose),
    "xfail": ("a table of strings", _is_prose),
    "equals": ("a table of tables", lambda value: _is_table(value) and all(map(_is_table, value.values()))),
    "facts": ("a function", callable),
    "task": ("a function or None", lambda value: value is None or callable(value)),
    "higher_is_better": ("True or False", lambda value: isinstance(value, bool)),
}
"""Field of a Component -> description of its type, and a check of a value."""


def misfit(kind: str, component: Any) -> str | None:
    """Return the first field of a component that cannot be right, in words, or None."""
    expected: type[Component[Any]] = MetricRecord if kind == "metric" else Component
    if not isinstance(component, expected):
        return f"expected a {expected.__name__}, found {type(component).__name__}"
    for key in ("name", "summary"):
        if not isinstance(value := getattr(component, key), str):
            return f"the {key} of a {kind} is a string, not {value!r}"
    for key, (wanted, fits) in _FIELDS.items():
        if not fits(value := getattr(component, key)):
            return f"the {key} of {component.name!r} is {wanted}, not {value!r}"
    if old := sorted(word for word in component.needs | component.provides if RENAMED.get(word) in WORDS):
        return f"{component.name!r} names {old[0]!r} in needs or provides{nearest(old[0], WORDS)}"
    if not callable(component.build):
        return f"the build of {component.name!r} cannot be called: {component.build!r}"
    if not component.name.isidentifier() or component.name != component.name.lower():
        return f"{component.name!r} is no snake_case name"
    return None


def unknown_words(component: Component[Any]) -> Iterator[str]:
    """Yield a remark for each word of `needs` or `provides` that is neither the harness's nor `acme:word`."""
    for field in ("needs", "provides"):
        for word in sorted(getattr(component, field) - WORDS):
            if ":" not in word:
                hint = nearest(word, WORDS) or f"; a word of your own has a prefix, as 'acme:{word}'"
                yield f"the {field} of {component.name!r} names {word!r}, which is no word of the harness{hint}"
