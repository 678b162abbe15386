"""Plugins of one file, without a package: `plugins/*.py` in the user's folder.

Nothing here runs a file that the user has not trusted. A worker runs the text that the driver read, so that a file need
not be on its disk.
"""

from __future__ import annotations

import hashlib
import linecache
import sys
import types
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from harness.contract.errors import InputError
from harness.contract.loading.attempts import Attempts
from harness.contract.loading.catalog import Catalog
from harness.contract.loading.finding import Wanted
from harness.contract.provider import Broken, Provider

FOLDER = "plugins"
VERSION = "file"
"""The version of every such plugin in identities; the digest of its source is recorded with each trial."""
_MODULE = "harness_single_file_"
"""Begins the names of their modules, so that none hides an installed module."""


@dataclass(frozen=True)
class SingleFile:
    """A plugin of one file.

    Args:
        path: of the file.
        text: its source, as it was read.
    """

    path: str
    text: str

    @property
    def name(self) -> str:
        """The plugin's name: the file's, without its ending."""
        return Path(self.path).stem

    @property
    def digest(self) -> str:
        """The SHA-256 of the source."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def provider(self) -> Provider:
        """The source of its components."""
        return Provider(self.name, f"{self.name}.py", VERSION)

    def load(self) -> types.ModuleType:
        """Run the file and return its module, as an entry point does."""
        module = types.ModuleType(_MODULE + self.name)
        module.__file__ = self.path
        lines = self.text.splitlines(keepends=True)
        linecache.cache[self.path] = (len(self.text), None, lines, self.path)  # for tracebacks on other machines
        sys.modules[module.__name__] = module  # what is pickled names its module
        exec(compile(self.text, self.path, "exec"), module.__dict__)
        return module


def find_files(folder: Path) -> list[Path]:
    """Return the single files of a user's folder, sorted; one whose name begins with _ is none."""
    return sorted(path for path in (folder / FOLDER).glob("[!_]*.py") if path.is_file())


def read_file(path: Path) -> SingleFile:
    """Read a file without running it.

    Raises:
        InputError: it cannot be read, or its name is no module's.
    """
    if not path.stem.isidentifier() or path.suffix != ".py":
        raise InputError(f"{path}: a plugin is a file NAME.py, and NAME has letters, digits and _ only")
    try:
        return SingleFile(str(path.resolve()), path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error


def load_files(catalog: Catalog, paths: Iterable[Path], refusal: Callable[[SingleFile], str]) -> None:
    """Add the plugins of single files to a catalog; what cannot be used is recorded as broken.

    Args:
        catalog: of the installed plugins.
        paths: of the files; one that is loaded already is left as it is.
        refusal: returns why a file may not be run; "" if it may.
    """
    attempts = Attempts()
    dangerous = attempts.ended()
    for path in paths:
        if path.stem in catalog.files:
            continue
        try:
            file = read_file(path)
        except InputError as error:
            catalog.broken.append(Broken(Provider(path.stem, path.name, VERSION), str(error)))
            continue
        if reason := refusal(file):
            catalog.broken.append(Broken(file.provider, reason))
        else:
            run_file(catalog, file, attempts, dangerous)


def run_file(
    catalog: Catalog, file: SingleFile, attempts: Attempts | None = None, dangerous: Collection[Provider] = ()
) -> None:
    """Run a file and add its components to the catalog, under the same guards as an installed plugin.

    Args:
        catalog: of the installed plugins.
        file: trusted by the user.
        attempts: records of imports; None to keep none.
        dangerous: plugins that ended an earlier process.
    """
    catalog.admit(file, file.provider, Wanted.of_environment(), attempts, dangerous)
    if catalog.providers.get(file.name) == file.provider:
        catalog.files[file.name] = file
