"""The commit of a study's folder, which may be a stranger's download, is read without running what it names."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness.study.run.commit import commit_of


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A repository of one commit with a tracked file."""
    project = tmp_path / "project"
    project.mkdir()
    git(project, "init", "-q")
    (project / "study.toml").write_text("a = 1\n")
    (project / ".gitattributes").write_text("*.toml filter=a=b\n")
    git(project, "add", ".")
    git(project, "commit", "-qm", "first")
    return project


def test_a_clean_folder_has_its_commit_and_an_edited_one_says_so(folder: Path) -> None:
    commit = git(folder, "rev-parse", "HEAD")
    assert commit_of(folder) == commit
    (folder / "study.toml").write_text("a = 2\n")
    assert commit_of(folder) == f"{commit}+changes"


def test_a_folder_without_a_commit_has_none(tmp_path: Path) -> None:
    assert commit_of(tmp_path) == ""


@pytest.mark.parametrize("key", ["core.fsmonitor", "filter.a=b.clean", "filter.a=b.process", "core.hooksPath"])
def test_a_program_that_the_folder_names_does_not_run(folder: Path, tmp_path: Path, key: str) -> None:
    trace, script = tmp_path / "trace", tmp_path / "hooks" / "post-index-change"
    script.parent.mkdir()
    script.write_text(f"#!/bin/sh\necho ran > {trace}\ncat\n")
    script.chmod(0o755)
    git(folder, "config", key, str(script.parent if key == "core.hooksPath" else script))
    git(folder, "config", "filter.a=b.required", "true")
    (folder / "study.toml").write_text("b = 1\n")  # of the same length: git reads it to compare
    assert commit_of(folder).endswith("+changes")
    assert not trace.exists()
    subprocess.run(["git", "-C", str(folder), "status"], capture_output=True, check=False)
    assert trace.exists() or key == "core.hooksPath", "plain git would have run it"


def test_a_submodule_is_not_entered(folder: Path, tmp_path: Path) -> None:
    inner, trace = folder / "inner", tmp_path / "trace"
    inner.mkdir()
    git(inner, "init", "-q")
    (inner / "file").write_text("1\n")
    git(inner, "add", ".")
    git(inner, "commit", "-qm", "inner")
    git(folder, "add", "inner")
    git(folder, "commit", "-qm", "second")
    script = tmp_path / "monitor"
    script.write_text(f"#!/bin/sh\necho ran > {trace}\n")
    script.chmod(0o755)
    git(inner, "config", "core.fsmonitor", str(script))
    assert commit_of(folder) == git(folder, "rev-parse", "HEAD")
    assert not trace.exists()
