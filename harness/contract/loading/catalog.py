"""The plugin host: finds components through entry points and tolerates broken plugins.

Each call makes a new catalog; there is no global state. A plugin that cannot be loaded is recorded
with its distribution, version and traceback. It fails a run only if the study needs it.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pluggy

from harness.contract.components import KINDS, Component, Factory, Use, mismatch, parameters
from harness.contract.errors import InputError, MachineError, Origin, Problems, blamed_for, nearest
from harness.contract.loading.attempts import Attempts
from harness.contract.loading.code import code_digest, is_fluid
from harness.contract.loading.fields import misfit, unknown_words
from harness.contract.loading.finding import Wanted, ended, entry_points, importing, in_one_line
from harness.contract.loading.hooks import HOOKS, OBSERVING, check_contract, check_hooks, new_manager
from harness.contract.loading.offers import Offer, Offers, address_of, normal, normal_address
from harness.contract.loading.plugin_settings import PluginSettings, masked, settings_of
from harness.contract.loading.signatures import wrong_signature
from harness.contract.provider import BUILT_IN, LOCAL, Broken, Provider, Remark

SLOW_S = 0.5
RESULTS_VERSION = "2"
"""Version of the built-in components in identities. Raised when their results change, not at each release."""
_ANY = (Exception, SystemExit)
"""What third-party code may raise: a script that is loaded as a plugin may call `sys.exit`."""
_HOOKS = {kind: f"harness_{kind}s" for kind in KINDS}


@dataclass
class Catalog:
    """All components that are installed and not disabled, by kind and name.

    `Catalog.discover()` builds one. Tests register their own plugins in an empty one.

    Args:
        manager: calls hooks.
        providers: of the plugins that are loaded, by entry point.
        broken: plugins and components that cannot be used.
        remarks: likely mistakes in plugins that are used all the same.
        at_import: what imports changed in this process.
        deadly: entry points that are left out because their import ended an earlier process.
        slow: seconds of imports that took long.
        left_out: names in `disabled` that an installed plugin has.
        disabled: addresses that are left out.
        files: plugins of single files that `single_files.run_file` has added, by name.
        settings: tables of harness.toml, by address.
    """

    manager: pluggy.PluginManager = field(default_factory=new_manager)
    providers: dict[str, Provider] = field(default_factory=dict)
    broken: list[Broken] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    at_import: list[Remark] = field(default_factory=list)
    deadly: list[str] = field(default_factory=list)
    slow: dict[Provider, float] = field(default_factory=dict)
    left_out: set[str] = field(default_factory=set)
    disabled: frozenset[str] = frozenset()
    files: dict[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    _own: dict[str, PluginSettings] = field(default_factory=dict)
    _components: dict[str, Offers] = field(default_factory=lambda: {kind: Offers(kind) for kind in KINDS})

    @classmethod
    def discover(
        cls,
        disabled: Iterable[str] = (),
        only: Iterable[str] | None = None,
        attempts: Attempts | None = None,
        settings: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> Catalog:
        """Load the entry points of group `harness` that HARNESS_PLUGINS allows.

        Args:
            disabled: addresses to leave out: of distributions, components or entry points.
            only: the entry points to load, or None for all of them.
            attempts: records of imports; a plugin that ended an earlier process is left out. None to keep none.
            settings: of plugins, by address.
        """
        catalog = cls(disabled=frozenset(disabled), settings=settings or {})
        wanted, found = Wanted.of_environment(), entry_points()
        names = None if only is None else set(only)
        dangerous = [] if attempts is None else attempts.ended()
        catalog.broken += wanted.unknown([provider for _, provider in found])
        for entry, provider in found:
            if names is not None and provider.plugin not in names:
                continue
            catalog.admit(entry, provider, wanted, attempts, dangerous)
        return catalog

    def admit(
        self,
        entry: Any,
        provider: Provider,
        wanted: Wanted,
        attempts: Attempts | None,
        dangerous: Collection[Provider] = (),
    ) -> None:
        """Load one plugin, unless the settings or HARNESS_PLUGINS leave it out or it is known to end the process.

        Args:
            entry: has `load()`, which returns the plugin.
            provider: of the plugin.
            wanted: of the environment.
            attempts: records of imports; None to keep none.
            dangerous: plugins whose import ended an earlier process.
        """
        if self._leaves_out(provider) or not wanted.allows(provider):
            return
        if provider in dangerous and not wanted.named(provider):
            self.broken.append(ended(provider))
            self.deadly.append(provider.plugin)
        elif provider.plugin in self.providers:
            other = self.providers[provider.plugin]
            self.broken.append(Broken(provider, f"the name is taken by {other}"))
        else:
            self._load(entry, provider, attempts)

    def _load(self, entry: Any, provider: Provider, attempts: Attempts | None) -> None:
        started, changes = time.perf_counter(), list[str]()
        with importing(provider, attempts, changes):
            try:
                plugin = entry.load()
            except BaseException as error:  # an import may raise more than Exception; only Ctrl-C is passed on
                if isinstance(error, KeyboardInterrupt):
                    raise
                self._break(provider, error)
            else:
                self.register(plugin, provider)
        self.at_import += [Remark(provider, change) for change in changes]
        seconds = time.perf_counter() - started
        if seconds > SLOW_S:
            self.slow[provider] = seconds

    def register(self, plugin: Any, provider: Provider | None = None) -> None:
        """Add one plugin (a module or object with hook implementations)."""
        name = getattr(plugin, "__name__", type(plugin).__name__)
        provider = provider or Provider(name, LOCAL, "0")
        try:
            check_contract(plugin)
            self._own[provider.plugin] = settings_of(provider, self.settings)
            self.manager.register(plugin, name=provider.plugin)
            check_hooks(plugin)
            self.manager.check_pending()
        except _ANY as error:
            if self.manager.has_plugin(provider.plugin):
                self.manager.unregister(name=provider.plugin)
            self._break(provider, error)
            return
        self.providers[provider.plugin] = provider
        for kind in KINDS:
            self._collect(kind, provider)

    def names(self, kind: str) -> list[str]:
        """Return the names of one kind, sorted; the addresses of components whose name two plugins offer."""
        return self._components[kind].names()

    def items(self) -> Iterator[tuple[str, Component[Any], Provider]]:
        """Yield every component with its kind and provider, in the order of KINDS, then by name."""
        for kind in KINDS:
            for component, provider in self._components[kind]:
                yield kind, component, provider

    def address(self, kind: str, name: str) -> str | None:
        """Return the one form in which trees name a component, from any spelling; None if it names no single one.

        A built-in component has its name, any other `distribution:name`.
        """
        return self._components[kind].find(name)

    def address_of(self, kind: str, component: Component[Any]) -> str:
        """Return the address of a component that `get` or `items` returned."""
        return address_of(component, self.provider_of(kind, component))

    def provider_of(self, kind: str, component: Component[Any]) -> Provider:
        """Return the provider of a component that `get` or `items` returned."""
        return next(provider for found, provider in self._components[kind] if found is component)

    def get(self, kind: str, name: str) -> Component[Any]:
        """Return a component by name or address.

        Raises:
            InputError: no component of that kind has that name, or several have; the message has the nearest name.
        """
        return self._found(kind, name)[0]

    def provider(self, kind: str, name: str) -> Provider:
        """Return the provider of a component by name or address."""
        return self._found(kind, name)[1]

    def _found(self, kind: str, name: str) -> Offer:
        address = self.address(kind, name)
        if address is None:
            raise InputError(self._unknown(kind, name))
        return self._components[kind].offer(address)

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
        if self.address(kind, name) is None:
            problems.add(f"{path}.use", self._unknown(kind, name))
            return None
        component = self.get(kind, name)
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
                value = self._of_neighbour(value, parameter.slot, name, kind) if key not in given else value
                filled[key] = self.factory(parameter.slot, value, problems, here)
            elif key in given and (reason := mismatch(parameter.annotation, value)):
                problems.add(here, reason)
            else:
                filled[key] = tuple(value) if isinstance(value, list) else value
        return Factory(component, filled, self.origin(kind, name))

    def _of_neighbour(self, default: Any, kind: str, owner: str, owner_kind: str) -> Any:
        """Return the default of a slot; a name that several plugins offer is that of the owner's own plugin."""
        if not isinstance(default, Use) or self.address(kind, default.name):
            return default
        own = f"{normal(self.provider(owner_kind, owner).distribution)}:{default.name}"
        return Use(own, default.params) if self.address(kind, own) else default

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
        """Return `distribution -> version` of the (kind, name or address) pairs that a tree uses."""
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

    def code(self, distributions: Iterable[str]) -> dict[str, str]:
        """Return the digest of the code of those distributions whose version does not identify it, as it is now."""
        found: dict[str, list[Any]] = {}
        for name, provider in self.providers.items():
            if provider.distribution in distributions and is_fluid(provider):
                found.setdefault(provider.distribution, []).append(self.manager.get_plugin(name))
        return {distribution: code_digest(plugins) for distribution, plugins in sorted(found.items())}

    def expect_code(self, planned: Mapping[str, str]) -> None:
        """Check that the code of plugins is that of the plan.

        Raises:
            MachineError: some has changed; the run pauses.
        """
        now = self.code(planned)
        if changed := [name for name, digest in planned.items() if now.get(name, digest) != digest]:
            raise MachineError(f"{', '.join(changed)}: code changed while the study was running; undo the change")

    def hooks(self) -> dict[str, list[str]]:
        """Return the hooks of each plugin by the name of the plugin, in the order in which they were loaded."""
        found: dict[str, list[str]] = {name: [] for name in self.providers}
        for hook in HOOKS:
            for implementation in getattr(self.manager.hook, hook).get_hookimpls():
                found[implementation.plugin_name].append(hook)
        return found

    def observers(self) -> list[str]:
        """Return the names of the plugins that observe studies, in the order in which they were loaded."""
        return [name for name, hooks in self.hooks().items() if set(OBSERVING) & set(hooks)]

    def notify(self, hook: str, only: str | None = None, **kwargs: Any) -> None:
        """Call an observing hook of every plugin, or of one; a plugin that raises is recorded and removed."""
        for _ in self.each(hook, only, **kwargs):
            pass

    def each(self, hook: str, only: str | None = None, **kwargs: Any) -> Iterator[tuple[Provider, bool]]:
        """Call a hook of one plugin after the other, as `notify` does, and yield whether each call succeeded."""
        caller = getattr(self.manager.hook, hook)
        for name in [found.plugin_name for found in caller.get_hookimpls() if only in (None, found.plugin_name)]:
            worked = True
            try:
                self._call(hook, name, **kwargs)
            except _ANY as error:
                worked = False
                self._break(self.providers[name], error, f"{hook}: ")
                self.manager.unregister(name=name)
            yield self.providers[name], worked

    def _call(self, hook: str, name: str, **kwargs: Any) -> list[Any]:
        """Call a hook of one plugin with its own settings; return its result in a list, empty without the hook."""
        others = [plugin for other, plugin in self.manager.list_name_plugin() if other != name]
        found: list[Any] = self.manager.subset_hook_caller(hook, others)(settings=self._own[name], **kwargs)
        return found

    def masked(self, text: str) -> str:
        """Return the text without values that settings of plugins took from the environment."""
        return masked(text, {value: name for own in self._own.values() for value, name in own.secrets.items()})

    def _collect(self, kind: str, provider: Provider) -> None:
        hook = _HOOKS[kind]
        try:
            components = [item for found in self._call(hook, provider.plugin) for item in found]
        except _ANY as error:
            self._break(provider, error, f"{hook}: ")
            return
        for component in components:
            if reason := misfit(kind, component) or wrong_signature(kind, component):
                self.broken.append(Broken(provider, f"{hook}: {reason}"))
            elif self._leaves_out(provider, component.name):
                continue
            elif reason := self._components[kind].add(component, provider):
                self.broken.append(Broken(provider, f"{hook}: {reason}"))
            else:
                self.remarks += [Remark(provider, message) for message in unknown_words(component)]

    def _break(self, provider: Provider, error: BaseException, where: str = "") -> None:
        """Remember the error that is being handled, which makes a plugin unusable."""
        reason, details = f"{where}{in_one_line(error)}", traceback.format_exc()
        self.broken.append(Broken(provider, self.masked(reason), self.masked(details)))

    def _leaves_out(self, provider: Provider, component: str = "") -> bool:
        """Return True if `disabled` names this plugin, or this component of it."""
        dist = normal(provider.distribution)
        own = {f"{dist}:{component}"} if component else {provider.plugin, dist}
        found = {name for name in self.disabled if name in own or normal_address(name) in own}
        self.left_out |= found
        return bool(found)

    def _unknown(self, kind: str, name: str) -> str:
        message = self._components[kind].unknown(name)
        if self.broken and not message.startswith("several"):
            message += " (not loaded: " + "; ".join(f"{item.provider}: {item.reason}" for item in self.broken) + ")"
        return message


def _results_version(provider: Provider) -> str:
    """Return the version that enters identities, so that a release that changes no result keeps existing studies."""
    return RESULTS_VERSION if provider.distribution == BUILT_IN else provider.version
