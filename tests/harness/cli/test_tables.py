"""Tables and the display, as text of a given width."""

from __future__ import annotations

import io
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console, RenderableType

import harness.study.journal.journal as kinds
from harness.cli.views.leaderboard import claims_view, results_view
from harness.cli.views.live import LiveDisplay, PlainDisplay, RunProgress, draw, duration
from harness.cli.views.plan import plan_view
from harness.config.trees import changes, differences
from harness.contract.tables import OWN_HEAD
from harness.contract.types import Plan, Skip, TrialSpec
from harness.study.journal.journal import Event
from harness.testing.scripted import scripted_plan

TITLES = {"auroc": "AUC", "dice": "Dice"}
SEARCHED = {"quality": {"float": [0.0, 1.0]}}
FIRST = "gmicxxxxxxxx-search-0"


def plan(**changes: Any) -> Plan:
    return scripted_plan({"gmic": SEARCHED, "random_crops": SEARCHED, "k1": SEARCHED}, trials=2, epochs=4, **changes)


def text(shown: RenderableType, width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(shown)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def row(variant: str, head: str = OWN_HEAD, auroc: float = 0.873, gap: float = 0.0123) -> dict[str, Any]:
    first = variant == "gmic" and head == OWN_HEAD
    difference = {"": gap, "_low": gap - 0.1, "_high": gap + 0.1}
    return {
        "variant": variant,
        "head": head,
        "auroc": auroc,
        "auroc/benign": auroc - 0.02,
        "auroc/malignant": auroc + 0.02,
        "auroc_std": 0.021,
        "dice": 0.31 if head == OWN_HEAD else math.nan,
        **{f"auroc_difference{key}": math.nan if first else value for key, value in difference.items()},
    }


def test_every_value_of_maps_has_its_number_of_outlines() -> None:
    rows = [row("gmic"), row("random_crops")]
    equal = {("gmic", "dice"): 6, ("random_crops", "dice"): 6}
    assert "Dice, n = 6" in text(results_view(plan(), rows, ("a",), {}, TITLES, equal), 100)
    shown = text(results_view(plan(), rows, ("a",), {}, TITLES, {**equal, ("gmic", "dice"): 5}), 100)
    assert "0.310 (n = 5)" in shown and "0.310 (n = 6)" in shown and "Dice, n" not in shown


@pytest.mark.parametrize("width", [60, 100])
def test_the_table_fits_and_keeps_every_value(width: int) -> None:
    rows = [row("gmic"), row("gmic", "global"), row("random_crops")]
    shown = text(
        results_view(plan(demonstration=True), rows, ("benign", "malignant"), {"k1": "NaN loss"}, TITLES), width
    )
    assert max(map(len, shown.splitlines())) <= width
    for value in ("0.873", "±.021", "0.853", "0.893", "0.310", "+.012", "-.088", "+.112"):
        assert value in shown, value
    assert "A demonstration" in shown and "k1: NaN loss" in shown
    assert "\n   global" in shown and "…" not in shown
    assert "[-.088, +.112]" in shown


@pytest.mark.parametrize("width", [60, 100])
def test_what_a_source_states_is_shown_with_whether_it_holds_here(width: int) -> None:
    bounds = {"difference": 0.0094, "difference_low": 0.001, "difference_high": 0.017}
    claim = {"says": "fusion above global", "better": "gmic", "than": "gmic/global", "metric": "auroc", "class": ""}
    claim |= dict.fromkeys(("n", "within", "not_below"), math.nan)
    missing = dict.fromkeys(bounds, math.nan) | {"verdict": "not measured"}
    equal = claim | bounds | {"class": "benign", "within": 0.02}
    equal |= {"verdict": "contradicted for these trained models only"}
    shown = text(
        claims_view([claim | bounds | {"verdict": "supported"}, claim | {"metric": "dice"} | missing, equal], TITLES),
        width,
    )
    for part in ("fusion above global", "gmic/global,", "Dice", "+.009", "supported", "not measured"):
        assert part in shown
    for part in ("benign,", "within", ".020", "contradicted"):
        assert part in shown
    assert "[+.001, +.017]" in shown
    assert max(map(len, shown.splitlines())) <= width


def test_a_variant_without_values_keeps_its_row_and_the_order_of_the_study() -> None:
    shown = text(results_view(plan(), [row("gmic"), row("k1")], ("benign", "malignant"), {}, TITLES), 100)
    names = [line.split()[0] for line in shown.splitlines() if line.startswith((" gmic", " random", " k1"))]
    assert names == ["gmic", "random_crops", "k1"]


@pytest.mark.parametrize("width", [60, 100])
def test_a_plan_fits_and_names_skips_and_warnings(width: int) -> None:
    shown = text(plan_view(plan(skipped=(Skip(variant="seg", reason="needs masks"),), warnings=("few cells",))), width)
    assert max(map(len, shown.splitlines())) <= width
    assert "skipped: seg: needs masks" in shown and "warning: few cells" in shown
    assert "6 trials to search, then 6 to confirm" in " ".join(shown.split())


def test_a_plan_says_how_many_trials_are_model_based() -> None:
    searching = {"trials": 8, "pruner": {"use": "none"}, "seed": 0}
    for sampler, told in (({"use": "tpe", "startup": 4}, True), ({"use": "random"}, False)):
        shown = " ".join(text(plan_view(plan(search={**searching, "sampler": sampler})), 100).split())
        assert ("Of each search, 4 of 8 trials model-based." in shown) == told


def test_one_is_no_plural() -> None:
    lone = plan()
    shown = " ".join(text(plan_view(replace(lone, variants=lone.variants[:1])), 100).split())
    assert "1 variant: " in shown and "1 variants" not in shown


def test_changes_and_differences_name_paths_and_values() -> None:
    base = {"train": {"lr": 0.1, "augment": ["flip"]}, "model": {"use": "a"}}
    other = {"train": {"lr": {"log10": [-3, -1]}, "augment": ["flip"]}, "model": {"use": "a", "crops": 2}}
    assert changes(base, other) == ["train.lr = log10 [-3, -1]", "model.crops = 2"]
    assert differences(base, other) == ["train.lr: 0.1 -> log10 [-3, -1]", "model.crops: (none) -> 2"]


def event(kind: str, time: float = 0.0, **data: Any) -> Event:
    return Event(kind, time, data, offset=int(time) + 1)


def asked(variant: str, number: int, **changes: Any) -> Event:
    known: dict[str, Any] = {"study": "s", "study_id": "s", "budget": "b", "stage": "search", "seed": 0, "tree": {}}
    spec = TrialSpec(variant=variant, variant_id=f"{variant:x<16}", number=number, **known | changes)
    return event(kinds.TRIAL_ASKED, trial=spec.id, spec=json.loads(spec.to_json()))


def epoch(trial: str, number: int, value: float, time: float) -> Event:
    return event(kinds.EPOCH, time, trial=trial, number=number, metrics={}, value=value, smoothed=value)


def running() -> RunProgress:
    """One trial of two epochs out of four, by second 20; the study has 3 x 4 trials of 4 epochs."""
    progress = RunProgress(plan())
    for item in (
        event(kinds.STUDY_STARTED, plan=None, host="here"),
        asked("gmic", 0),
        event(kinds.TRIAL_STARTED, 0.0, trial=FIRST),
        epoch(FIRST, 1, 0.6, 10.0),
        epoch(FIRST, 2, 0.7, 20.0),
    ):
        progress.add(item)
    return progress


@pytest.mark.parametrize("width", [60, 100])
def test_the_display_shows_trial_epoch_value_best_and_time_left(width: int) -> None:
    shown = text(draw(running(), 20.0, "tracking: 312 events behind"), width)
    assert max(map(len, shown.splitlines())) <= width
    for word in ("gmic", "search 1/2", "2/4", "0.700", "val/auroc", "tracking: 312 events behind"):
        assert word in " ".join(shown.split()), word
    assert "8 min left" in " ".join(shown.split())  # 46 epochs of 10 s


def test_a_confirmation_of_a_fold_says_which() -> None:
    folded = plan(confirm={"seeds": [0, 1], "folds": 5})
    assert "30 to confirm (seeds 0, 1, folds 0 to 4 each)" in " ".join(text(plan_view(folded), 100).split())
    progress = RunProgress(folded)
    progress.add(asked("gmic", 7, stage="confirm", seed=1, fold=2))
    progress.add(event(kinds.TRIAL_STARTED, trial="gmicxxxxxxxx-confirm-7", pid=1))
    assert "confirm seed 1 fold 2/5" in text(draw(progress, 0.0, ""), 60)


def test_a_variant_that_is_trained_with_masks_is_marked() -> None:
    plain = plan()
    supervised = replace(plain, variants=(plain.variants[0], replace(plain.variants[1], needs=("train_masks",))))
    shown = text(results_view(supervised, [row("gmic"), row("random_crops")], ("a",), {}, TITLES), 100)
    assert "random_crops †" in shown and "gmic †" not in shown and "† fully supervised: trained with masks" in shown
    assert "†" not in text(results_view(plain, [row("gmic"), row("random_crops")], ("a",), {}, TITLES), 100)


def test_a_stopped_trial_counts_as_done_and_its_time_is_not_extrapolated() -> None:
    progress = running()
    progress.add(event(kinds.TRIAL_FINISHED, 20.0, trial=FIRST, state="pruned", value=0.7, reason="", epochs=2))
    assert progress.share == pytest.approx(4 / 48) and not progress.open


def test_a_resumed_study_measures_its_pace_anew() -> None:
    progress = running()
    progress.add(event(kinds.STUDY_STARTED, 9000.0, plan=None, host="here"))
    assert progress.left_s(9000.0) is None
    progress.add(event(kinds.TRIAL_STARTED, 9000.0, trial=FIRST))
    progress.add(epoch(FIRST, 3, 0.7, 9001.0))
    progress.add(epoch(FIRST, 4, 0.7, 9002.0))
    assert progress.left_s(9002.0) == pytest.approx(44)


def test_trials_of_a_variant_that_was_taken_out_do_not_disturb() -> None:
    progress = running()
    progress.add(asked("gone", 0))
    progress.add(epoch("gonexxxxxxxx-search-0", 1, 0.5, 21.0))
    assert progress.share == pytest.approx(2 / 48)


def test_plain_lines_tell_ends_and_reasons_but_not_what_was_before() -> None:
    console = Console(file=io.StringIO(), width=40)
    display = PlainDisplay(plan(), console, lambda: "", since=21)
    ended = {"state": "failed", "value": math.nan, "reason": "NaN loss", "epochs": 2}
    for item in (
        event(kinds.STUDY_STARTED, plan=None, host="here"),
        asked("gmic", 0),
        epoch(FIRST, 1, 0.6, 20.0),
        event(kinds.TRIAL_FINISHED, 30.0, trial=FIRST, **ended),
    ):
        display.event(item)
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert len(lines) == 1 and "gmic search 1/2: failed: NaN loss, - after 2 epochs" in lines[0]


def test_the_live_display_draws_from_the_first_event_on_and_takes_itself_away() -> None:
    console = Console(file=io.StringIO(), width=60, height=20, force_terminal=True, color_system=None)
    assert isinstance(console.file, io.StringIO)
    display = LiveDisplay(plan(), console, lambda: "tracking: 312 events behind")
    assert not console.file.getvalue(), "a run that is refused draws nothing"
    for item in (
        event(kinds.STUDY_STARTED, plan=None, host="here"),
        asked("gmic", 0),
        event(kinds.TRIAL_STARTED, trial=FIRST),
        epoch(FIRST, 3, 0.7, 1.0),
    ):
        display.event(item)
    assert display.close(1.0) == 0
    last = console.file.getvalue().split("val/auroc")[-1]
    drawn, *erased = last.split("\x1b[1A\x1b[2K")
    for word in ("gmic", "search 1/2", "3/4", "0.700", "tracking: 312 events"):
        assert word in drawn, word
    assert len(erased) == drawn.count("\n"), "as many lines are erased as were drawn"


@pytest.mark.parametrize(("seconds", "said"), [(40.0, "40 s"), (720.0, "12 min"), (12000.0, "3 h 20 min")])
def test_durations_are_said_as_people_say_them(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_what_is_undefined_is_null_in_json(tmp_path: Path) -> None:
    from harness.cli.views.numbers import defined

    assert json.dumps(defined({"a": math.nan, "b": [math.inf, 1.0]})) == '{"a": null, "b": [null, 1.0]}'
