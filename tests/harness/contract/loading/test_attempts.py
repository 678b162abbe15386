"""A plugin whose import ends the process is known to the next command, which goes on without it."""

from __future__ import annotations

import json
from pathlib import Path

from harness.contract.loading.attempts import Attempts
from harness.contract.provider import Provider
from tests.harness.contract.loading.installed import harness, install

GOOD = """
from harness import Component, hookimpl

def build_median(features: int, outputs: int, /):
    return None

@hookimpl
def harness_poolings():
    yield Component(name="acme_median", build=build_median, summary="good")
"""


def test_the_next_command_names_it_goes_on_and_a_retry_forgets_it(tmp_path: Path) -> None:
    site = tmp_path / "site"
    install(site, "acme-pools", "import os; os._exit(3)")
    install(site, "other-pools", GOOD)
    first = harness(site, "plugin", "list", "pooling", "--json")
    assert first.returncode == 3 and first.stdout == ""
    second = harness(site, "plugin", "list", "pooling", "--json")
    assert second.returncode == 0
    listed = json.loads(second.stdout)
    assert "acme_median" in {row["name"] for row in listed["components"]}
    (broken,) = listed["broken"]
    assert broken["distribution"] == "acme-pools" and broken["reason"] == (
        "it ended the process while it was imported, so it is not loaded; to try it again: "
        "HARNESS_PLUGINS=acme-pools harness plugin list"
    )
    assert harness(site, "plugin", "list", HARNESS_PLUGINS="acme-pools").returncode == 3
    install(site, "acme-pools", GOOD.replace("acme_median", "mended"))
    mended = harness(site, "plugin", "list", "pooling", "--json", HARNESS_PLUGINS="acme-pools")
    names = {row["name"] for row in json.loads(mended.stdout)["components"]}
    assert "mended" in names and "acme_median" not in names and "mean" in names
    after = json.loads(harness(site, "plugin", "list", "--json").stdout)
    assert after["broken"] == [] and {"mended", "acme_median"} <= {row["name"] for row in after["components"]}


def test_a_hook_that_ends_the_process_is_known_too(tmp_path: Path) -> None:
    site = tmp_path / "site"
    install(site, "acme-pools", GOOD.replace("    yield", "    import os; os._exit(4)\n    yield"))
    assert harness(site, "plugin", "list").returncode == 4
    told = harness(site, "--help")
    assert told.returncode == 0 and "acme_pools (acme-pools 0.1): it ended the process" in told.stderr


def test_off_leaves_the_built_in_plugins_and_a_name_that_is_not_installed_is_told(tmp_path: Path) -> None:
    site = tmp_path / "site"
    install(site, "acme-pools", GOOD)
    off = json.loads(harness(site, "plugin", "list", "pooling", "--json", HARNESS_PLUGINS="off").stdout)
    assert "mean" in {row["name"] for row in off["components"]} and off["broken"] == []
    assert {row["distribution"] for row in off["components"]} == {"mil-harness"}
    wrong = harness(site, "--help", HARNESS_PLUGINS="acme-poles")
    assert "HARNESS_PLUGINS names 'acme-poles', which is not installed; did you mean 'acme-pools'?" in wrong.stderr


def test_an_import_that_another_process_has_not_finished_is_no_end(tmp_path: Path) -> None:
    records, acme = Attempts(tmp_path / "records"), Provider("acme", "acme-pools", "0.1")
    with records.attempt(acme):
        assert records.ended() == []
        (left,) = (tmp_path / "records").iterdir()
        copy = left.with_name(left.name.replace(".json", "0.json"))
        copy.write_text(left.read_text())  # of a process that ended
        assert records.ended() == [acme]
    assert records.ended() == [] and not list((tmp_path / "records").iterdir())


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    records = Attempts(tmp_path / "file" / "records")
    with records.attempt(Provider("acme", "acme-pools", "0.1")):
        pass
    assert records.ended() == []
