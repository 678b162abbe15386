"""The origin of an error: the plugin, its distribution and the line, for the reason of a failed trial."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.contract.errors import Origin, blamed_for
from harness.contract.loading.catalog import Catalog
from harness.contract.provider import Provider


def raised_in(error: BaseException, catalog: Catalog) -> str:
    """Return the innermost frame in a plugin, `pooling.py:34 of rocket (rocket-pools 0.2)`; "" if there is none.

    If a component was called, it is the innermost frame of its plugin, and the component's name follows.
    """
    blamed = blamed_for(error)
    own = {name: item for name, item in catalog.providers.items() if blamed is None or _provides(item, blamed)}
    place = _innermost(error, own, catalog)
    if blamed is None:
        return place
    return f"{place}, {blamed.kind} {blamed.name!r}" if place else str(blamed)


def _provides(provider: Provider, blamed: Origin) -> bool:
    return (provider.distribution, provider.version) == (blamed.distribution, blamed.version)


def _innermost(error: BaseException, providers: Mapping[str, Provider], catalog: Catalog) -> str:
    places = [(place, provider) for name, provider in providers.items() if (place := _place(catalog, name))]
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        file = Path(frame.filename)
        for place, provider in places:
            if file == place or place in file.parents:
                return _location(file, place, frame.lineno or 0, provider)
    return ""


def _place(catalog: Catalog, name: str) -> Path | None:
    """Return the folder of a plugin's package, or the file of a plugin that is a single module."""
    plugin: Any = catalog.manager.get_plugin(name)
    module: Any = plugin if hasattr(plugin, "__file__") else sys.modules.get(type(plugin).__module__)
    if not (file := getattr(module, "__file__", None)):
        return None
    return Path(file).parent if module.__package__ else Path(file)


def _location(file: Path, place: Path, line: int, provider: Provider) -> str:
    return f"{file.relative_to(place) if file != place else file.name}:{line} of {provider}"
