"""A component, and how a study's table becomes a call of its builder.

The builder's signature is the schema: positional-only parameters are supplied by the harness,
keyword-only ones are set by the study, and their annotations say what is allowed.
"""

from __future__ import annotations

import inspect
import types as _types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any, Generic, Literal, TypeVar, get_args, get_origin

from harness.contract.errors import nearest

T = TypeVar("T")

KINDS = ("dataset", "backbone", "pooling", "architecture", "explainer", "metric", "optimiser", "schedule")


def no_facts(*_: Any, **__: Any) -> Mapping[str, Any]:
    """The facts of a component that declares none."""
    return {}


@dataclass(frozen=True, kw_only=True)
class Component(Generic[T]):
    """What a plugin offers under a name.

    Args:
        name: as written after `use =`; snake_case.
        build: light module-level function that imports heavy libraries inside its own body.
            Positional-only parameters come from the harness, keyword-only ones from the study.
        summary: one line for `harness plugin list`.
        source: paper or URL.
        needs: what the data must offer: "train_masks", "eval_masks", "saliency", …, and of what kind a sample is:
            "instances", "bag", "views", "features" (see `harness.contract.masks`); single images where not said.
        provides: what others may ask for: "saliency", "explain_layer", "stages", "masks", …
        space: the author's default search ranges, in the DSL of a study file.
        facts: from the same arguments as `build`, light and free of torch. It is given every parameter, so that it
            needs no defaults of its own; name those it reads and end with `**_`. Stride, width, the
            shape of the map, and "files": {path: sha256} of those that parameters name (see
            `file_facts`), which become part of a trial's identity. Of an explainer "cost", passes of
            the network an image and class: `forwards`, `backwards`, `forwards_per_channel` of the layer
            to explain, or `window_px` and `stride_px` of a window that moves over the image. Raises
            ValueError for parameters that cannot work, so that the plan can say so before anything is built.
        task: a dataset's facts, `(**params) -> Task`, known without building it; every data set needs it. It is given
            every parameter, as `facts` is.
        tiny: the smallest legal configuration, for the laws.
        refuses: settings of [train] that it cannot be trained with -> what the plan is to say: `"augment"` is any
            value but the default, `"balance=weights"` that value.
        assumed: what the source does not say, and what was chosen.
        xfail: law -> why it cannot hold.
        higher_is_better: of a metric: which way a search goes that has it for its objective.
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
    higher_is_better: bool = True


@dataclass(frozen=True)
class Slot:
    """Marks a builder's parameter that takes a nested component of this kind."""

    kind: str


BackboneFactory = Annotated[Callable[..., Any], Slot("backbone")]
PoolingFactory = Annotated[Callable[..., Any], Slot("pooling")]
ArchitectureFactory = Annotated[Callable[..., Any], Slot("architecture")]


@dataclass(frozen=True)
class Use:
    """A component by name with its parameters: what `{ use = "...", … }` means in a study."""

    name: str
    params: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, table: Any) -> Use | None:
        """Return what a table, a bare name or a Use means, or None for anything else."""
        if isinstance(table, Use):
            return table
        name = table.get("use") if isinstance(table, Mapping) else table
        if not isinstance(name, str):
            return None
        return cls(name, {key: table[key] for key in table if key != "use"} if isinstance(table, Mapping) else {})


def use(name: str, **params: Any) -> Any:
    """The default of a builder's parameter that takes a component, by name."""
    return Use(name, params)


@dataclass(frozen=True)
class Factory:
    """A component with its parameters filled in; call it with what the harness supplies."""

    component: Component[Any]
    params: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The component's name."""
        return self.component.name

    def __call__(self, *supplied: Any) -> Any:
        """Builds it."""
        return self.component.build(*supplied, **self.params)

    def facts(self, *supplied: Any) -> Mapping[str, Any]:
        """Its facts for these parameters; nothing is built."""
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
        """Whether the study must set it."""
        return self.default is inspect.Parameter.empty


@cache
def parameters(build: Callable[..., Any]) -> Mapping[str, Parameter]:
    """What a study may set on a builder, by name.

    Other annotations are left alone: evaluating them would import torch or pandas.
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
    """Why `value` does not fit `annotation`, or None where it does.

    Strict: 3.7 is no int, 1 is a float, True is neither.
    """
    if _fits(annotation, value):
        return None
    if get_origin(annotation) is Literal:
        options = [str(option) for option in get_args(annotation)]
        return f"{value!r} is not one of {', '.join(options)}{nearest(str(value), options)}"
    return f"expected {describe(annotation)}, found {value!r}"


def describe(annotation: Any) -> str:
    """The annotation as a user would say it: `int`, `one of a, b`, `list of float`."""
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
