"""Packages of a stranger, written as pip installs them: a module and a dist-info with an entry point."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def install(site: Path, name: str, code: str, version: str = "0.1") -> None:
    """Write a distribution of one module, whose entry point has the name of the module."""
    module = name.replace("-", "_")
    site.mkdir(exist_ok=True)
    (site / f"{module}.py").write_text(code)
    info = site / f"{module}-{version}.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(f"[harness]\n{module} = {module}\n")


def harness(site: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own, in which the packages of `site` are installed."""
    path = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])
    own = {"XDG_STATE_HOME": str(site / "state"), "PYTHONPATH": path, **environment}
    code = "from harness.__main__ import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=site, env={**os.environ, **own}, capture_output=True, text=True
    )


def editable(site: Path, name: str, version: str = "0.1") -> None:
    """Mark an installed distribution as pip marks one that is installed with `-e`."""
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    (info / "direct_url.json").write_text('{"url": "file:///home/acme", "dir_info": {"editable": true}}')
