"""What stands before any study: help, plans, lists. They must be light, and a broken plugin must not stop them."""

from __future__ import annotations

import errno
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from harness.cli.app import App
from harness.cli.commands.doctor import doctor
from harness.cli.commands.study import study
from harness.cli.help import commands_below
from harness.cli.main import build_cli
from harness.contract.loading.catalog import Catalog
from harness.contract.loading.hookspecs import hookimpl
from harness.contract.provider import Broken, Provider

Harness = Callable[..., Result]
HEAVY = ("torch", "timm", "ray", "mlflow", "optuna", "pandas", "sklearn", "matplotlib")
PROBE = f"""
import sys
from harness.cli.main import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)
"""


@pytest.mark.parametrize(
    "arguments",
    [
        "--help",
        "study --help",
        "study plan gmic_ablation",
        "study list",
        "plugin list",
        "data list",
        "ui --help",
        "compare --help",
    ],
)
def test_nothing_heavy_is_imported(arguments: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments.split()], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stderr.strip() == "[]"


@pytest.mark.parametrize("arguments", ["--help", "study --help"])
def test_help_loads_neither_arrays_nor_schemas(arguments: str, tmp_path: Path) -> None:
    """NumPy took a quarter of the time to the first line, pydantic a third of the rest."""
    code = PROBE.replace(repr(HEAVY), repr((*HEAVY, "numpy", "pydantic")))
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments.split()], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stderr.strip() == "[]"


def test_importing_harness_loads_nothing_heavy(tmp_path: Path) -> None:
    code = f"import sys, harness; print([name for name in {(*HEAVY, 'numpy', 'pydantic')} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


def test_every_command_has_help_that_teaches(harness: Harness, folder: Path) -> None:
    for path in commands(build_cli(App(folder))):
        for width in (60, 100):
            shown = harness(*path, "--help", width=width)
            assert shown.exit_code == 0 and len(shown.stdout) > 150, path
        if path not in {("study",), ("plugin",), ("data",)}:
            assert f"harness {' '.join(path)}" in shown.stdout[shown.stdout.index("Examples:") :], path


def help_of(cli: click.Group, path: tuple[str, ...], width: int) -> str:
    """Return the help of a command; click's runner ignores COLUMNS."""
    return CliRunner().invoke(cli, [*path, "--help"], terminal_width=width).stdout


@pytest.mark.parametrize("width", [60, 80, 100])
def test_every_group_lists_its_commands_with_whole_sentences(folder: Path, width: int) -> None:
    cli = build_cli(App(folder))
    for path in [(), *(path for path in commands(cli) if len(path) == 1)]:
        group = cli.commands[path[0]] if path else cli
        if isinstance(group, click.Group):
            listed = " ".join(help_of(cli, path, width).split("Commands:\n")[1].split())
            for name, command in group.commands.items():
                sentence = " ".join((command.help or "").split("\n\n")[0].split())
                assert f"{name} {command.short_help}" in listed, (path, name)
                assert (command.short_help or "").endswith(".") and sentence.startswith(command.short_help or "-")
            assert "..." not in listed


@pytest.mark.parametrize("width", [60, 80])
def test_no_word_of_a_help_text_is_broken(folder: Path, width: int) -> None:
    cli = build_cli(App(folder))
    for path, command in zip(commands(cli), commands_below(cli), strict=True):
        shown = help_of(cli, path, width)
        texts = [command.help or "", *(item.help or "" for item in command.params if isinstance(item, click.Option))]
        assert {word for text in texts for word in text.replace("\b", "").split()} <= set(shown.split()), path
        assert width < 80 or max(map(len, shown.splitlines())) <= width, path


def test_the_command_of_a_plugin_is_listed_with_its_whole_first_sentence(folder: Path) -> None:
    sentence = "Greet everybody at great length, with --every-name of the house, its guests and those who went home."

    class Plugin:
        @hookimpl
        def harness_commands(self, cli: click.Group) -> None:
            cli.add_command(click.Command("greet", help=f"{sentence} Then stop.\n\nMore."))

    app = App(folder)
    app.catalog = Catalog()
    app.catalog.register(Plugin())
    shown = help_of(build_cli(app), (), 60)
    assert f"greet {sentence} plugin " in " ".join(shown.split())


def test_a_usage_error_exits_with_2(harness: Harness) -> None:
    assert harness("study", "bogus").exit_code == 2
    wrong = harness("study", "run", "tiny.toml", "--time-limit", "soon")
    assert wrong.exit_code == 2 and "2h" in wrong.stderr


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("15m", 900), ("1h30m", 5400), ("0.5d", 43200)])
def test_durations_are_read_as_people_write_them(text: str, seconds: float) -> None:
    from harness.cli.options import Duration

    assert Duration().convert(text, None, None) == seconds


def test_mistakes_are_reported_in_one_panel_with_exit_code_2(harness: Harness) -> None:
    wrong = harness("study", "plan", "tiny.toml", "--set", "train.epochs=3.7", "--set", "model.wdth=3")
    assert wrong.exit_code == 2
    assert "train.epochs" in wrong.stderr and "wdth" in wrong.stderr
    assert wrong.stderr.count("╭") == 1


def test_a_plan_shows_variants_cost_and_what_is_searched(harness: Harness) -> None:
    shown = harness("study", "plan", "tiny.toml", "--budget", "quick", width=60)
    assert shown.exit_code == 0
    assert "narrow, the baseline" in shown.stdout and "model.width = 8" in shown.stdout
    assert "searched in every variant: train.lr" in shown.stdout
    assert "4 trials to search, then 4 to confirm" in shown.stdout and "at most 16" in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 60


def test_a_plan_as_json_can_be_read_back(harness: Harness) -> None:
    from harness.study.journal.plan_io import plan_from_json

    plan = plan_from_json(harness("study", "plan", "tiny.toml", "--json").stdout)
    assert [variant.name for variant in plan.variants] == ["narrow", "wide"]


def test_plugins_are_listed_with_their_parameters(harness: Harness) -> None:
    shown = harness("plugin", "list").stdout
    assert "tiny_cnn" in shown and "from_step" in shown
    listed = json.loads(harness("plugin", "list", "dataset", "--json").stdout)
    assert [item["name"] for item in listed["components"]] == ["squares"] and listed["broken"] == []


def test_a_broken_plugin_is_named_in_one_line_and_stops_nothing(third_party_site: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "harness.cli.main", "plugin", "list"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(third_party_site), "PATH": "", "COLUMNS": "200"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    lines = [line for line in done.stderr.splitlines() if line.startswith("not loaded: ")]
    assert len(lines) == 1 and "broken" in lines[0]


def test_a_plugin_may_add_commands(folder: Path) -> None:
    class Plugin:
        @hookimpl
        def harness_commands(self, cli: click.Group) -> None:
            cli.add_command(click.Command("greet", callback=lambda: click.echo("hello")))

    app = App(folder)
    app.catalog = Catalog()
    app.catalog.register(Plugin())
    assert CliRunner().invoke(build_cli(app), ["greet"]).stdout == "hello\n"


def test_a_plugin_replaces_no_command_and_the_clash_is_named(folder: Path) -> None:
    class Thief:
        @hookimpl
        def harness_commands(self, cli: click.Group) -> None:
            cli.add_command(click.Command("doctor", callback=lambda: click.echo("stolen")))
            cli.commands["study"].add_command(click.Command("run"))  # type: ignore[attr-defined]
            cli.add_command(click.Command("greet", callback=lambda: click.echo("hello")))

    app = App(folder)
    app.catalog = Catalog()
    app.catalog.register(Thief(), Provider("thief", "thief-package", "2.0"))
    cli = build_cli(app)
    assert cli.commands["doctor"] is doctor and study.commands["run"].params
    assert CliRunner().invoke(cli, ["greet"]).stdout == "hello\n"
    assert [f"{item.provider}: {item.reason}" for item in app.catalog.broken] == [
        "thief (thief-package 2.0): harness_commands: the command 'doctor' exists already and is not replaced",
        "thief (thief-package 2.0): harness_commands: the command 'run' exists already and is not replaced",
    ]


def test_a_plugin_whose_hook_fails_leaves_no_command_behind(folder: Path) -> None:
    class Faulty:
        @hookimpl
        def harness_commands(self, cli: click.Group) -> None:
            cli.add_command(click.Command("greet"))
            cli.commands.pop("ui")
            raise RuntimeError("too late")

    app = App(folder)
    app.catalog = Catalog()
    app.catalog.register(Faulty(), Provider("faulty", "faulty-package", "1"))
    cli = build_cli(app)
    assert "greet" not in cli.commands and "ui" in cli.commands
    assert [item.reason for item in app.catalog.broken] == ["harness_commands: RuntimeError: too late"]


def test_a_list_in_json_has_the_parameters_that_its_help_promises(harness: Harness) -> None:
    (pooling,) = [
        row
        for row in json.loads(harness("plugin", "list", "architecture", "--json").stdout)["components"]
        if row["name"] == "tiny_cnn"
    ]
    assert {"name", "type", "required"} <= set(pooling["parameters"][0])
    assert "width" in {row["name"] for row in pooling["parameters"]}
    (squares,) = [row for row in json.loads(harness("data", "list", "--json").stdout) if row["name"] == "squares"]
    assert "images" in {row["name"] for row in squares["parameters"]}


def test_a_slow_plugin_is_listed_with_its_distribution(folder: Path) -> None:
    app = App(folder)
    app.catalog = Catalog()
    app.catalog.slow[Provider("heavy", "heavy-package", "3.1")] = 1.25
    told = CliRunner().invoke(build_cli(app), ["plugin", "list"]).stdout
    assert "heavy (heavy-package 3.1) took 1.2 s to load" in told
    found = json.loads(CliRunner().invoke(build_cli(app), ["plugin", "list", "--json"]).stdout)["slow"]
    assert found == [{"plugin": "heavy", "distribution": "heavy-package", "version": "3.1", "seconds": 1.25}]


def test_a_plugin_of_hooks_alone_is_listed_with_them(folder: Path) -> None:
    class Watcher:
        @hookimpl
        def harness_study_started(self, plan: object) -> None:
            raise AssertionError("no study is run")

    app = App(folder)
    app.catalog = Catalog()
    app.catalog.register(Watcher(), Provider("watch", "acme-watch", "0.1"))
    told = CliRunner().invoke(build_cli(app), ["plugin", "list"]).stdout
    assert "watch (acme-watch 0.1) has the hooks harness_study_started" in told
    found = json.loads(CliRunner().invoke(build_cli(app), ["plugin", "list", "--json"]).stdout)["plugins"]
    assert found == [
        {"plugin": "watch", "distribution": "acme-watch", "version": "0.1"}
        | {"hooks": ["harness_study_started"], "notes": []}
    ]


def test_ctrl_c_while_the_command_starts_shows_no_traceback() -> None:
    probe = """
import sys

class Interrupted:
    def find_spec(self, name, path=None, target=None):
        if name == "harness.cli.main":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupted())
from harness.__main__ import main
main()
"""
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True)
    assert done.returncode == 130 and done.stderr == "interrupted\n"


def test_tracing_shows_hook_calls_and_tracebacks(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from harness.cli.app import trace

    catalog = Catalog()
    catalog.broken.append(Broken(Provider("bad", "bad-package", "1"), "it broke", "Traceback: line 1"))
    app = App(folder)
    trace(catalog, app.err)
    catalog.manager.hook.harness_study_finished(plan=None, results=None, settings={})
    told = capsys.readouterr().err
    assert "bad-package 1" in told and "Traceback: line 1" in told
    assert "harness_study_finished(" in told and "-> no plugin" in told


def test_wrong_settings_are_reported_by_the_command_that_needs_them(folder: Path) -> None:
    (folder / "harness.toml").write_text("[compute]\nthread = 2\n")
    runner = CliRunner()
    assert runner.invoke(build_cli(App(folder)), ["--help"]).exit_code == 0
    wrong = runner.invoke(build_cli(App(folder)), ["study", "list"])
    assert wrong.exit_code == 2 and "threads" in wrong.stderr


def test_a_bug_of_ours_keeps_its_traceback(folder: Path) -> None:
    app = App(folder)
    cli = build_cli(app)

    @cli.command("boom")
    def boom() -> None:
        raise ZeroDivisionError("ours")

    assert isinstance(CliRunner().invoke(cli, ["boom"]).exception, ZeroDivisionError)


def test_data_are_prepared_and_checked_by_name_or_by_study(harness: Harness, folder: Path) -> None:
    ready = harness("data", "prepare", "squares", "--set", "images=20")
    assert ready.exit_code == 0, ready.output
    assert (folder / "cache").is_dir() and "ready:" in ready.stdout
    told = json.loads(harness("data", "prepare", "squares", "--set", "images=20", "--json").stdout)
    assert told["images"] == {"train": 40, "val": 20, "tune_loc": 0, "test": 20} and Path(told["folder"]).is_dir()
    unknown = harness("data", "check", "sqares")
    assert unknown.exit_code == 2 and "squares" in unknown.stderr


@pytest.mark.slow
def test_a_full_check_is_kept_and_shown_by_the_plan(harness: Harness, folder: Path) -> None:
    budget = ("tiny.toml", "--budget", "quick")
    assert "data: not checked" in harness("study", "plan", *budget).stdout
    quick = harness("data", "check", *budget)
    assert quick.exit_code == 0 and "train: 24 images" in quick.stdout and "images: not checked" in quick.stdout
    assert not (folder / "cache").exists()  # nothing was decoded
    full = harness("data", "check", *budget, "--full")
    assert full.exit_code in (0, 1) and "AUC" in full.stdout and "verdict: " in full.stdout
    kept = next((folder / "results" / "data_checks").iterdir())
    found = json.loads(harness("data", "check", *budget, "--full", "--json").stdout)
    assert found == json.loads(kept.read_text())
    shown = harness("study", "plan", *budget, width=200).stdout
    assert f"data: {found['verdict']}" in shown and "not checked" not in shown
    assert json.loads(harness("data", "check", *budget, "--json").stdout)["kept"] == found


def test_checking_again_belongs_to_a_full_check(harness: Harness) -> None:
    wrong = harness("data", "check", "tiny.toml", "--again")
    assert wrong.exit_code == 2 and "--again belongs to --full" in wrong.stderr


def test_a_folder_that_cannot_be_written_is_the_machines_fault(folder: Path) -> None:
    @click.command()
    def full() -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "results")

    app = App(folder)
    app.catalog = Catalog()
    cli = build_cli(app)
    cli.add_command(full, "full")
    done = CliRunner().invoke(cli, ["full"])
    assert done.exit_code == 3 and "results: No space left on device" in done.stderr


def test_the_ui_says_what_is_in_its_way(harness: Harness, folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        refused = harness("ui", "--port", str(taken.getsockname()[1]))
    assert refused.exit_code == 2 and "is taken; try --port" in refused.stderr
    (folder / "results" / "mlflow.db").unlink()
    empty = harness("ui")
    assert empty.exit_code == 2 and "tracked yet" in empty.stderr
    (folder / "harness.toml").write_text('[tracking]\nuri = "http://tracking.example:5000"\n')
    assert "http://tracking.example:5000" in harness("ui").stdout


def test_the_ui_listens_on_this_machine_alone(harness: Harness, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[list[str]] = []
    monkeypatch.setattr(os, "execve", lambda path, command, environment: called.append(command))
    assert harness("ui", "--port", "5057").exit_code == 0
    (command,) = called
    assert command[command.index("--host") + 1] == "127.0.0.1" and command.count("--host") == 1
    assert command[command.index("--backend-store-uri") + 1].endswith("results/mlflow.db")
