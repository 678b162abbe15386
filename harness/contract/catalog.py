"""The plugin host: finds components through entry points and tolerates broken plugins.

Each call makes a new catalog; there is no global state. A plugin that cannot be loaded is recorded
with its distribution, version and traceback. It fails a run only if the study needs it.
"""

from __future__ import annotations

import importlib.metadata
import inspect
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from textwrap import shorten
from typing import Any

import pluggy

from harness.contract.components import KINDS, Component, Factory, Use, mismatch, parameters
from harness.contract.errors import (
    InputError,
    MachineError,
    Origin,
    Problems,
    blamed_for,
    nearest,
    nearest_or_all,
)
from harness.contract.hookspecs import HarnessSpecs
from harness.contract.metrics import MetricRecord

GROUP = "harness"
SLOW_S = 0.5
BUILT_IN = "mil-harness"
"""The distribution of the built-in components."""
RESULTS_VERSION = "1"
"""Version of the built-in components in identities. Raised when their results change, not at each release."""
_ANY = (Exception, SystemExit)
"""What third-party code may raise: a script that is loaded as a plugin may call `sys.exit`."""
_HOOKS = {kind: f"harness_{kind}s" for kind in KINDS}


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
    "facts": ("a function", callable),
    "task": ("a function or None", lambda value: value is None or callable(value)),
    "higher_is_better": ("True or False", lambda value: isinstance(value, bool)),
}
"""Field of a Component -> description of its type, and a check of a value."""


@dataclass(frozen=True)
class Provider:
    """The source of a plugin: its entry point, distribution and version."""

    plugin: str
    distribution: str
    version: str

    def __str__(self) -> str:
        return f"{self.plugin} ({self.distribution} {self.version})"


@dataclass(frozen=True)
class Broken:
    """A plugin, or one of its components, that cannot be used, with the reason."""

    provider: Provider
    reason: str
    details: str = ""


@dataclass
class Catalog:
    """All components that are installed and not disabled, by kind and name.

    `Catalog.discover()` builds one. Tests register their own plugins in an empty one.
    """

    manager: pluggy.PluginManager = field(default_factory=lambda: _manager())
    providers: dict[str, Provider] = field(default_factory=dict)
    broken: list[Broken] = field(default_factory=list)
    slow: dict[Provider, float] = field(default_factory=dict)
    left_out: set[str] = field(default_factory=set)
    _components: dict[str, dict[str, tuple[Component[Any], Provider]]] = field(
        default_factory=lambda: {kind: {} for kind in KINDS}
    )

    @classmethod
    def discover(cls, disabled: Iterable[str] = (), only: Iterable[str] | None = None) -> Catalog:
        """Load the entry points of group `harness`.

        Args:
            disabled: entry points to leave out.
            only: the entry points to load, or None for all of them.
        """
        catalog, banned = cls(), set(disabled)
        wanted = None if only is None else set(only)
        for entry, provider in _entry_points():
            if wanted is not None and provider.plugin not in wanted:
                continue
            if provider.plugin in banned:
                catalog.left_out.add(provider.plugin)
                continue
            if provider.plugin in catalog.providers:
                other = catalog.providers[provider.plugin]
                catalog.broken.append(Broken(provider, f"the name is taken by {other}"))
                continue
            started = time.perf_counter()
            try:
                with redirect_stdout(sys.stderr):  # what a plugin prints must not precede our JSON
                    plugin = entry.load()
            except BaseException as error:  # an import may raise more than Exception; only Ctrl-C is passed on
                if isinstance(error, KeyboardInterrupt):
                    raise
                catalog.broken.append(Broken(provider, _line(error), traceback.format_exc()))
            else:
                catalog.register(plugin, provider)
            seconds = time.perf_counter() - started
            if seconds > SLOW_S:
                catalog.slow[provider] = seconds
        return catalog

    def register(self, plugin: Any, provider: Provider | None = None) -> None:
        """Add one plugin (a module or object with hook implementations)."""
        name = getattr(plugin, "__name__", type(plugin).__name__)
        provider = provider or Provider(name, "local", "0")
        try:
            self.manager.register(plugin, name=provider.plugin)
            _check_hooks(self.manager, plugin)
        except _ANY as error:
            if self.manager.has_plugin(provider.plugin):
                self.manager.unregister(name=provider.plugin)
            self.broken.append(Broken(provider, _line(error), traceback.format_exc()))
            return
        self.providers[provider.plugin] = provider
        for kind in KINDS:
            self._collect(kind, plugin, provider)

    def names(self, kind: str) -> list[str]:
        """Return the names of one kind, sorted."""
        return sorted(self._components[kind])

    def items(self) -> Iterator[tuple[str, Component[Any], Provider]]:
        """Yield every component with its kind and provider, in the order of KINDS, then by name."""
        for kind in KINDS:
            for name in self.names(kind):
                component, provider = self._components[kind][name]
                yield kind, component, provider

    def get(self, kind: str, name: str) -> Component[Any]:
        """Return a component.

        Raises:
            InputError: no component of that kind has that name; the message suggests the nearest one.
        """
        found = self._components[kind].get(name)
        if found is None:
            raise InputError(self._unknown(kind, name))
        return found[0]

    def provider(self, kind: str, name: str) -> Provider:
        """Return the provider of a component."""
        self.get(kind, name)
        return self._components[kind][name][1]

    def origin(self, kind: str, name: str) -> Origin:
        """Return the component and its provider, as errors name them."""
        provider = self.provider(kind, name)
        return Origin(kind, name, provider.distribution, provider.version)

    def factory(self, kind: str, table: Any, problems: Problems, path: str) -> Factory | None:
        """Make a factory from `{ use = "...", … }`; every mistake is added to `problems`.

        Returns None if the table names no component.
        """
        wanted = Use.of(table)
        if wanted is None:
            article = "an" if kind[0] in "aeo" else "a"
            problems.add(path, f'{article} {kind} is a table with `use = "name"`, found {table!r}')
            return None
        name, given = wanted.name, wanted.params
        if name not in self._components[kind]:
            problems.add(f"{path}.use", self._unknown(kind, name))
            return None
        component = self._components[kind][name][0]
        known = parameters(component.build)
        for key in given:
            if key not in known and key != "space":
                problems.add(
                    f"{path}.{key}", f"{name!r} takes {', '.join(known) or 'no parameters'}{nearest(key, known)}"
                )
        filled: dict[str, Any] = {}
        for key, parameter in known.items():
            here = f"{path}.{key}"
            value = given.get(key, parameter.default)
            if parameter.required and key not in given:
                problems.add(here, f"{name!r} needs this parameter")
            elif parameter.slot and (isinstance(value, Mapping | Use | str)):
                filled[key] = self.factory(parameter.slot, value, problems, here)
            elif key in given and (reason := mismatch(parameter.annotation, value)):
                problems.add(here, reason)
            else:
                filled[key] = tuple(value) if isinstance(value, list) else value
        return Factory(component, filled, self.origin(kind, name))

    def build(self, kind: str, table: Mapping[str, Any] | Use | str, *supplied: Any, where: str = "") -> Any:
        """Build a component from its table.

        Raises:
            InputError: the table is wrong; the message lists every mistake.
        """
        problems = Problems(where)
        factory = self.factory(kind, table, problems, kind)
        problems.raise_if_any()
        assert factory is not None
        try:
            return factory(*supplied)
        except ValueError as error:
            inner = blamed_for(error)
            named = f"{kind} {factory.name!r}" + ("" if inner in (None, factory.origin) else f": {inner}")
            raise InputError(f"{where + ': ' if where else ''}{named}: {error}") from error

    def versions(self, used: Iterable[tuple[str, str]]) -> dict[str, str]:
        """Return `distribution -> version` of the (kind, name) pairs that a tree uses."""
        found = {self.provider(kind, name) for kind, name in used}
        return {provider.distribution: _results_version(provider) for provider in sorted(found, key=str)}

    def expect(self, planned: Mapping[str, str]) -> None:
        """Check that the versions installed here are those that a study was planned with.

        Raises:
            MachineError: a version differs; the message lists all such distributions.
        """
        if wrong := self.unlike(planned):
            raise MachineError(f"the worker has other plugins than the study was planned with: {', '.join(wrong)}")

    def unlike(self, planned: Mapping[str, str]) -> list[str]:
        """Return a phrase for each distribution of `planned` that has another version here or is not installed."""
        here = {provider.distribution: _results_version(provider) for provider in self.providers.values()}
        return [
            f"{name} {version} (here: {here.get(name, 'not installed')})"
            for name, version in planned.items()
            if here.get(name) != version
        ]

    def notify(self, hook: str, **kwargs: Any) -> None:
        """Call an observing hook of every plugin; a plugin that raises is recorded and removed."""
        for _ in self.each(hook, **kwargs):
            pass

    def each(self, hook: str, **kwargs: Any) -> Iterator[tuple[Provider, bool]]:
        """Call a hook of one plugin after the other, as `notify` does, and yield whether each call succeeded."""
        caller = getattr(self.manager.hook, hook)
        for implementation in list(caller.get_hookimpls()):
            name, worked = implementation.plugin_name, True
            others = [plugin for other, plugin in self.manager.list_name_plugin() if other != name]
            try:
                self.manager.subset_hook_caller(hook, others)(**kwargs)
            except _ANY as error:
                worked = False
                self.broken.append(Broken(self.providers[name], f"{hook}: {_line(error)}", traceback.format_exc()))
                self.manager.unregister(name=name)
            yield self.providers[name], worked

    def _collect(self, kind: str, plugin: Any, provider: Provider) -> None:
        hook = _HOOKS[kind]
        if not hasattr(plugin, hook):
            return
        try:
            components = list(getattr(plugin, hook)())
        except _ANY as error:
            self.broken.append(Broken(provider, f"{hook}: {_line(error)}", traceback.format_exc()))
            return
        for component in components:
            reason = self._unfit(kind, component)
            if reason:
                self.broken.append(Broken(provider, f"{hook}: {reason}"))
            else:
                self._components[kind][component.name] = (component, provider)

    def _unfit(self, kind: str, component: Any) -> str | None:
        expected: type[Component[Any]] = MetricRecord if kind == "metric" else Component
        if not isinstance(component, expected):
            return f"expected a {expected.__name__}, found {type(component).__name__}"
        for key in ("name", "summary"):
            if not isinstance(value := getattr(component, key), str):
                return f"the {key} of a {kind} is a string, not {value!r}"
        for key, (wanted, fits) in _FIELDS.items():
            if not fits(value := getattr(component, key)):
                return f"the {key} of {component.name!r} is {wanted}, not {value!r}"
        if old := sorted({"evidence"} & (component.needs | component.provides)):
            return f"{component.name!r} names {old[0]!r} in needs or provides{nearest(old[0], ['saliency'])}"
        if not callable(component.build):
            return f"the build of {component.name!r} cannot be called: {component.build!r}"
        if not component.name.isidentifier() or component.name != component.name.lower():
            return f"{component.name!r} is no snake_case name"
        if component.name in self._components[kind]:
            other = self._components[kind][component.name][1]
            return f"the {kind} {component.name!r} is already provided by {other}"
        try:
            parameters(component.build)
        except _ANY as error:
            return f"the signature of {component.name!r} cannot be read: {_line(error)}"
        return None

    def _unknown(self, kind: str, name: str) -> str:
        message = f"no {kind} named {name!r}{nearest_or_all(name, self._components[kind])}"
        if self.broken:
            message += " (not loaded: " + ", ".join(f"{item.provider}" for item in self.broken) + ")"
        return message


def _manager() -> pluggy.PluginManager:
    manager = pluggy.PluginManager("harness")
    manager.add_hookspecs(HarnessSpecs)
    return manager


def _entry_points() -> list[tuple[Any, Provider]]:
    # Any: once the backport importlib_metadata is imported (by MLflow), it provides entry points of its own class.
    found = []
    for entry in importlib.metadata.entry_points(group=GROUP):
        name = entry.dist.name if entry.dist else "unknown"
        version = entry.dist.version if entry.dist else "0"
        found.append((entry, Provider(entry.name, name, version)))
    # Our own distribution first, so that a third party that reuses a built-in name is reported as the clash.
    return sorted(found, key=lambda pair: (pair[1].distribution != BUILT_IN, pair[1].distribution, pair[1].plugin))


def _check_hooks(manager: pluggy.PluginManager, plugin: Any) -> None:
    known = {name for name in vars(HarnessSpecs) if name.startswith("harness_")}
    for name in dir(plugin):
        if not hasattr(hook := getattr(plugin, name), "harness_impl"):
            continue
        if name not in known:
            raise InputError(f"there is no hook named {name!r}{nearest(name, known)}")
        for key, parameter in inspect.signature(hook).parameters.items():
            if parameter.default is not parameter.empty:
                # pluggy never passes such an argument: the hook would always see its own default.
                raise InputError(
                    f"{name}: the argument {key!r} has a default, and none may have one; write {key!r} alone"
                )
    manager.check_pending()


def _line(error: BaseException) -> str:
    """Return an error as one line; pluggy names a wrong argument on its second line."""
    return shorten(f"{type(error).__name__}: {error}", 400, placeholder=" …")


def _results_version(provider: Provider) -> str:
    """Return the version that enters identities, so that a release that changes no result keeps existing studies."""
    return RESULTS_VERSION if provider.distribution == BUILT_IN else provider.version
