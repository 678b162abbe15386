"""Components, and the translation of a study's table into a call of a builder.

The builder's signature is the schema: the harness supplies positional-only parameters, the study
sets keyword-only ones, and their annotations state the allowed values.
"""

from __future__ import annotations

import inspect
import types as _types
import typing
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any, Generic, Literal, TypeVar, get_args, get_origin

from harness.contract.errors import ContractError, Origin, blamed, nearest

T = TypeVar("T")

KINDS = ("dataset", "backbone", "pooling", "architecture", "explainer", "metric", "optimiser", "schedule")


def no_facts(*_: Any, **__: Any) -> Mapping[str, Any]:
    """Return the facts of a component that declares none."""
    return {}


@dataclass(frozen=True, kw_only=True)
class Component(Generic[T]):
    """A named part that a plugin provides.

    Args:
        name: as written after `use =`; snake_case.
        build: module-level function that imports heavy libraries inside its body.
            Positional-only parameters come from the harness, keyword-only ones from the study.
        summary: one line for `harness plugin list`.
        source: paper or URL.
        needs: requirements on the data and other components: "train_masks", "eval_masks", "saliency", …, and the kind
            of sample: "instances", "bag", "views", "features" (see `harness.contract.masks`). Default: single images.
        provides: what satisfies the `needs` of others: "saliency", "explain_layer", "stages", "attention". A word of
            your own has a prefix, as "acme:words".
        space: the author's default search ranges, in the DSL of a study file.
        facts: function of the arguments of `build`, without torch. It receives every parameter, so it needs no
            defaults; name those it reads and end with `**_`. It returns stride, width, the shape of the map, and
            "files": {path: sha256} of files that parameters name (see `file_facts`), which enter a trial's
            identity. For an explainer, "cost" gives passes of the network per image and class: `forwards`,
            `backwards`, `forwards_per_channel` of the layer to explain, or `window_px` and `stride_px` of a
            sliding window. Raises ValueError for invalid parameters, so that the plan reports them.
        task: for a data set (required): `(**params) -> Task`, without building it. It receives every parameter, as
            `facts` does.
        tiny: the smallest valid configuration, for the conformance tests.
        refuses: settings of [train] that it cannot be trained with -> message of the plan. `"augment"` is any value
            except the default, `"balance=weights"` that value.
        assumed: detail that the source does not state -> the choice made.
        xfail: law -> reason why it cannot hold.
        equals: for a pooling: name of another one -> parameters with which this one gives the same values.
        higher_is_better: for a metric: True if a search with it as objective maximises it.
    """

    name: str
    build: Callable[..., T]
    summary: str
    source: str = ""
    needs: frozenset[str] = frozenset()
    provides: frozenset[str] = frozenset()
    space: Mapping[str, Any] = field(default_factory=dict)
    facts: Callable[..., Mapping[str, Any]] = no_facts
    task: Callable[..., Any] | None = None
    tiny: Mapping[str, Any] = field(default_factory=dict)
    refuses: Mapping[str, str] = field(default_factory=dict)
    assumed: Mapping[str, str] = field(default_factory=dict)
    xfail: Mapping[str, str] = field(default_factory=dict)
    equals: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    higher_is_better: bool = True


@dataclass(frozen=True)
class Slot:
    """Mark of a builder's parameter that takes a nested component of this kind."""

    kind: str


BackboneFactory = Annotated[Callable[..., Any], Slot("backbone")]
PoolingFactory = Annotated[Callable[..., Any], Slot("pooling")]
ArchitectureFactory = Annotated[Callable[..., Any], Slot("architecture")]


@dataclass(frozen=True)
class Use:
    """A component by name with its parameters: `{ use = "...", … }` in a study."""

    name: str
    params: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, table: Any) -> Use | None:
        """Return the Use of a table, a bare name or a Use; None for anything else."""
        if isinstance(table, Use):
            return table
        name = table.get("use") if isinstance(table, Mapping) else table
        if not isinstance(name, str):
            return None
        return cls(name, {key: table[key] for key in table if key != "use"} if isinstance(table, Mapping) else {})


def use(name: str, **params: Any) -> Any:
    """Return the default of a builder's parameter that takes a component, by name."""
    return Use(name, params)


@dataclass(frozen=True)
class Factory:
    """A component with its parameters; call it with the arguments that the harness supplies.

    Args:
        component: what is built.
        params: its keyword-only arguments.
        origin: kind, name, distribution and version, for errors; what is built carries it.
    """

    component: Component[Any]
    params: Mapping[str, Any]
    origin: Origin | None = None

    @property
    def name(self) -> str:
        """The component's name."""
        return self.component.name

    def __call__(self, *supplied: Any) -> Any:
        """Build the component.

        Raises:
            ContractError: the builder returns None.
        """
        with blamed(self.origin):
            built = self.component.build(*supplied, **self.params)
        if self.origin is not None:
            if built is None:
                raise ContractError(self.origin, "nothing when it was built", "what the builder makes")
            with suppress(AttributeError, TypeError):  # frozen, or without attributes of its own
                built.harness_origin = self.origin
        return built

    def facts(self, *supplied: Any) -> Mapping[str, Any]:
        """Return the component's facts for these parameters, without building it."""
        return self.component.facts(*supplied, **self.params)


@dataclass(frozen=True)
class Parameter:
    """One keyword-only parameter of a builder."""

    name: str
    annotation: Any
    default: Any
    slot: str | None

    @property
    def required(self) -> bool:
        """True if the study must set it."""
        return self.default is inspect.Parameter.empty


@cache
def parameters(build: Callable[..., Any]) -> Mapping[str, Parameter]:
    """Return the parameters of a builder that a study may set, by name.

    Other annotations are not evaluated, because that would import torch or pandas.
    """
    signature = inspect.signature(build)
    keyword_only = [name for name, item in signature.parameters.items() if item.kind is item.KEYWORD_ONLY]
    hints = {name: build.__annotations__[name] for name in keyword_only if name in build.__annotations__}
    # The builder's own globals, decorated or not, so that a plugin may write its annotations as strings.
    probe = _types.SimpleNamespace(__annotations__=hints)
    holder = typing.cast(Any, _types.FunctionType((lambda: None).__code__, inspect.unwrap(build).__globals__))
    holder.__annotations__ = probe.__annotations__
    evaluated = typing.get_type_hints(holder, include_extras=True)
    found = {}
    for name in keyword_only:
        annotation = evaluated.get(name, Any)
        found[name] = Parameter(name, annotation, signature.parameters[name].default, _slot(annotation))
    return found


def mismatch(annotation: Any, value: Any) -> str | None:
    """Return why `value` does not fit `annotation`, or None if it does.

    Strict: 3.7 is not an int, 1 is a float, True is neither.
    """
    if _fits(annotation, value):
        return None
    if get_origin(annotation) is Literal:
        options = [str(option) for option in get_args(annotation)]
        return f"{value!r} is not one of {', '.join(options)}{nearest(str(value), options)}"
    return f"expected {describe(annotation)}, found {value!r}"


def describe(annotation: Any) -> str:
    """Return the annotation in words for users: `int`, `one of a, b`, `list of float`."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return describe(arguments[0])
    if origin is Literal:
        return "one of " + ", ".join(str(option) for option in arguments)
    if origin in (typing.Union, _types.UnionType):
        return " or ".join(describe(argument) for argument in arguments if argument is not type(None))
    if origin in (tuple, list):
        inner = [describe(argument) for argument in arguments if argument is not Ellipsis]
        return "list of " + (", ".join(inner) if inner else "values")
    return getattr(annotation, "__name__", str(annotation))


def _slot(annotation: Any) -> str | None:
    if get_origin(annotation) is Annotated:
        return next((mark.kind for mark in annotation.__metadata__ if isinstance(mark, Slot)), None)
    if get_origin(annotation) in (typing.Union, _types.UnionType):
        return next((kind for kind in map(_slot, get_args(annotation)) if kind), None)
    return None


def _fits(annotation: Any, value: Any) -> bool:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is Any:
        return True
    if origin is Annotated:
        return _fits(arguments[0], value)
    if origin is Literal:
        return any(value == option and type(value) is type(option) for option in arguments)
    if origin in (typing.Union, _types.UnionType):
        return any(_fits(argument, value) for argument in arguments)
    if annotation is None or annotation is type(None):
        return value is None
    if origin in (tuple, list):
        return _fits_sequence(origin, arguments, value)
    if origin is not None:
        return isinstance(value, origin)
    if annotation is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if annotation is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, annotation)


def _fits_sequence(origin: type, arguments: tuple[Any, ...], value: Any) -> bool:
    if not isinstance(value, list | tuple):
        return False
    if origin is tuple and arguments and arguments[-1] is not Ellipsis:
        return len(value) == len(arguments) and all(map(_fits, arguments, value))
    return not arguments or all(_fits(arguments[0], item) for item in value)
