"""The cost of a training step for each architecture, compared with the sum of its networks alone.

`python -m benchmarks architectures` prints the table. The plan builds each variant from a budget of its study, by
default `standard`; the step is that of the training loop. The networks alone get the same inputs, the same gradients
at their outputs and the same optimiser. Times are CPU seconds on one thread, measured for both sides in turn, so that
a busy machine affects both alike.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WANTED = 1.2
"""Largest allowed ratio of the CPU time of a step to that of its networks alone."""
LEAST_TURNS, MOST_TURNS, SECONDS = 5, 60, 4.0
"""Turns of each row: as many as fit into the seconds, within limits."""
FEW = {
    "images": ["dataset.images=[16, 8, 8]"],
    "bags": ["dataset.bags=[8, 4, 4]"],
    "bags of 100": ["dataset.bags=[8, 4, 4]", "dataset.mean=100"],
    "published network": [
        'select=["faster_rcnn"]',
        'study.baseline="faster_rcnn"',
        "dataset.images=[16, 8, 8]",
        "dataset.image_size=[240, 176]",
        "train.batch_size=8",
        'train.amp="auto"',
    ],
}
"""Overrides that reduce the number of samples or instances, of which a step sees one batch.

Published networks get images of the size of `standard`."""

GLOBAL_AND_LOCAL = ("backbone", "local_backbone")
BRANCHES = ("global_branch", "local_branch")
ENCODER = ("instances.encoder", "instances.project")
CLAM = (*ENCODER, "attention", "clusters.0", "clusters.1")
SCORER, POOLED = ("scorer.backbone", "scorer.head"), ("pooled.backbone", "pooled.embed")
DETECTOR = ("backbone", "pyramid", "sampler.head", "judge.box_roi_pool", "judge.box_head", "judge.box_predictor")


@dataclass(frozen=True)
class Case:
    """One row: a variant of a study, in one of its phases.

    Args:
        study: whose budget is taken.
        networks: dotted names of the modules that count as its networks.
        phase: None for the model's first phase.
        few: the key of `FEW` that makes the data small.
        budget: of the study.
    """

    study: str
    variant: str
    networks: tuple[str, ...]
    phase: str | None = None
    few: str = "images"
    budget: str = "standard"


CASES = (
    Case("gmic_baselines", "gmic", GLOBAL_AND_LOCAL),
    Case("gmic_baselines", "gmic_2019_small", GLOBAL_AND_LOCAL),
    Case("gmic_baselines", "glam_small", GLOBAL_AND_LOCAL),
    Case("gmic_baselines", "resnet_small", ("backbone",)),
    Case("gmic_baselines", "resnet_small_top_t", ("backbone",)),
    Case("gmic_baselines", "faster_rcnn_small", DETECTOR),
    Case("gmic_baselines", "faster_rcnn", DETECTOR, few="published network", budget="paper"),
    Case("gmic_baselines", "pixel_labels_small", ("classifier",), "patch_classifier"),
    Case(
        "gmic_baselines",
        "pixel_labels_small",
        ("classifier", "architecture.backbone", "architecture.local_backbone"),
        "train",
    ),
    Case("ag_cnn", "ag_cnn", BRANCHES, "global"),
    Case("ag_cnn", "ag_cnn", BRANCHES, "local"),
    Case("ag_cnn", "ag_cnn", BRANCHES, "fusion"),
    Case("a_mil", "attention", ("convolutions", "project", "pooling")),
    Case("attention_pooling", "squared", SCORER, "scorer"),
    Case("attention_pooling", "squared", (*SCORER, *POOLED), "pooling"),
    Case("dmv_cnn", "dmv_cnn", ("networks.0", "networks.1")),
    Case("mil_aggregators", "attention", (*ENCODER, "pooling"), few="bags"),
    Case("mil_aggregators", "clam_sb", CLAM, few="bags"),
    Case("mil_aggregators", "clam_mb", CLAM, few="bags"),
    Case("mil_aggregators", "transmil", (*ENCODER, "first", "position", "second"), few="bags"),
    Case("mil_aggregators", "dsmil", (*ENCODER, "score", "query"), few="bags"),
    Case("mil_aggregators", "clam_sb", CLAM, few="bags of 100"),
    Case("mil_aggregators", "clam_mb", CLAM, few="bags of 100"),
    Case("mil_aggregators", "dsmil", (*ENCODER, "score", "query"), few="bags of 100"),
)


@dataclass(frozen=True)
class Cost:
    """Costs of one row: medians in seconds of CPU time.

    Args:
        name: architecture, variant and phase.
        networks_s: forward, backward and optimiser of the networks alone.
        step_s: of the whole step.
    """

    name: str
    networks_s: float
    step_s: float

    @property
    def ratio(self) -> float:
        """Time of the step, divided by that of its networks."""
        return self.step_s / self.networks_s


@dataclass(frozen=True)
class Call:
    """A call of one network during a step, with the gradients that came back, so that it can be repeated."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]
    grad: bool
    autocast: bool
    gradients: dict[int, Any]

    def again(self) -> list[tuple[Any, Any]]:
        """Repeat the call; return pairs of outputs and the gradients to send back."""
        import torch

        with torch.set_grad_enabled(self.grad), torch.autocast("cpu", enabled=self.autocast):
            found = self.function(*_cut(self.arguments), **_cut(self.keywords))
        return [
            (output, self.gradients[place])
            for place, output in enumerate(_tensors(found))
            if place in self.gradients and output.requires_grad
        ]


class Prepared:
    """A case before its first step, with one batch.

    Args:
        folder: keeps the images.
    """

    def __init__(self, case: Case, folder: Path) -> None:
        import torch

        from harness.contract.loading.catalog import Catalog
        from harness.contract.types import Objective
        from harness.trial.data.cache import Cache
        from harness.trial.data.loader import Loader
        from harness.trial.data.stage import FitData, Ledger
        from harness.trial.fit.phases import choose, set_modes
        from harness.trial.fit.schedule import Updates
        from harness.trial.fit.train import Fit
        from harness.trial.model.build import build_model
        from harness.trial.model.evaluate import predict
        from harness.trial.settings.training import TrainSettings

        catalog = Catalog.discover()
        spec = _spec(case, catalog)
        settings, device = TrainSettings.of(spec.tree["train"]), torch.device("cpu")
        dataset = catalog.build("dataset", spec.tree["dataset"], folder)
        needs = catalog.get("architecture", spec.tree["model"]["use"]).needs
        data = FitData.of(Cache.ensure(dataset, folder), needs, Ledger())
        self.loader = Loader(data.train, data.task, settings, device)
        self.model = build_model(spec, catalog, dataset.task, settings, device)
        phases = {phase.name: phase for phase in self.model.phases()}
        phase = phases[case.phase] if case.phase else next(iter(phases.values()))
        updates = Updates.of(settings, catalog)
        self.optimiser = updates.optimiser(choose(self.model, phase))
        self.scaler = torch.amp.GradScaler("cpu", enabled=False)
        self.model.begin_epoch(lambda: predict(self.model, self.loader, settings, device, labelled=True))
        set_modes(self.model, phase)
        self.batch = next(iter(self.loader.training(1)))
        self.job = Fit(self.model, self.loader, settings, updates, Objective(), 0, device, dict)
        self.networks = [self.model.get_submodule(name) for name in case.networks]
        learning = [weight for net in self.networks for weight in net.parameters() if weight.requires_grad]
        self.alone = updates.optimiser(learning) if learning else None
        detail = "" if len(phases) == 1 else f", phase {phase.name}"
        detail += f", {case.few}" if case.few not in ("images", "bags") else ""
        self.name = f"{spec.tree['model']['use']} ({case.variant}{detail})"

    def step(self) -> None:
        """Run a step of the training loop, with learning rate 0, so that every step computes the same."""
        from harness.trial.fit.train import _step

        _step(self.job, self.batch, self.optimiser, self.scaler, 0.0)

    def only_networks(self, calls: Sequence[Call]) -> None:
        """Run forward, backward and update of the networks alone."""
        import torch

        pairs = [pair for call in calls for pair in call.again()]
        if self.alone is None:
            return
        self.alone.zero_grad(set_to_none=True)
        torch.autograd.backward([output for output, _ in pairs], [gradient for _, gradient in pairs])
        self.alone.step()

    def calls(self) -> list[Call]:
        """Return the calls of the networks in a step, in order."""
        found: list[Call] = []
        with _listening(self.networks, found):
            self.step()
        return found


def cost(case: Case, turns: int | None = None) -> Cost:
    """Measure one row.

    Args:
        case: the variant and its networks.
        turns: how often each side is timed; by default as `SECONDS` allow.
    """
    import statistics
    import time

    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with tempfile.TemporaryDirectory() as folder, torch.random.fork_rng():
            torch.manual_seed(0)
            ready = Prepared(case, Path(folder))
            calls = ready.calls()
            sides: tuple[Callable[[], None], ...] = (lambda: ready.only_networks(calls), ready.step)
            taken: tuple[list[float], list[float]] = ([], [])
            spent, turn = 0.0, -1  # one round is not counted
            while turn < (turns or LEAST_TURNS) or (turns is None and turn < MOST_TURNS and spent < SECONDS):
                for side, seconds in zip(sides, taken, strict=True):
                    started = time.process_time()
                    side()
                    seconds.append(time.process_time() - started)
                    spent += seconds[-1]
                turn += 1
    finally:
        torch.set_num_threads(before)
    networks, step = (statistics.median(seconds[1:]) for seconds in taken)
    return Cost(ready.name, networks, step)


def table(costs: Sequence[Cost]) -> Any:
    """Return the table for rich."""
    from rich.table import Table

    from benchmarks.bench_models import bf16_support

    found = Table(
        title=f"A training step compared with its networks alone: CPU time, 1 thread; bf16 support: {bf16_support()}"
    )
    for column in ("architecture", "networks alone", "step", "ratio", "wanted", "reached"):
        found.add_column(column, justify="left" if column == "architecture" else "right")
    for row in costs:
        seconds = (f"{row.networks_s:.4f} s", f"{row.step_s:.4f} s")
        reached = "yes" if row.ratio <= WANTED else "no"
        found.add_row(row.name, *seconds, f"{row.ratio:.2f}x", f"at most {WANTED:g}x", reached)
    return found


def _spec(case: Case, catalog: Any) -> Any:
    """Return the variant's first trial at the row's budget."""
    from harness.config.settings import load_settings
    from harness.study.file.spec import find_study, load_study
    from harness.study.plan.plan import make_plan
    from harness.testing.plans import default_trial

    study = load_study(find_study(case.study))
    plan = make_plan(study, catalog, load_settings(), budget=case.budget, overrides=FEW[case.few])
    return default_trial(plan, next(variant for variant in plan.variants if variant.name == case.variant))


@contextmanager
def _listening(networks: Sequence[Any], found: list[Call]) -> Iterator[None]:
    """Record each call of the networks; only the outer one of nested calls of the same network."""
    for network in networks:
        inside: list[bool] = []
        for name in ("forward", "stages"):
            if callable(getattr(network, name, None)):
                setattr(network, name, _noting(getattr(network, name), inside, found))
    try:
        yield
    finally:
        for network in networks:
            for name in ("forward", "stages"):
                vars(network).pop(name, None)


def _noting(function: Callable[..., Any], inside: list[bool], found: list[Call]) -> Callable[..., Any]:
    import torch

    def noted(*arguments: Any, **keywords: Any) -> Any:
        if inside:
            return function(*arguments, **keywords)
        state = torch.is_grad_enabled(), torch.is_autocast_enabled("cpu")
        call = Call(function, _cut(arguments), _cut(keywords), *state, {})
        found.append(call)
        inside.append(True)
        try:
            # A view of each output receives only gradients from outside: a stage also feeds the next one.
            outputs = _mapped(function(*arguments, **keywords), lambda tensor: tensor.view_as(tensor))
        finally:
            inside.clear()
        for place, output in enumerate(_tensors(outputs)):
            if output.requires_grad:
                output.register_hook(lambda gradient, place=place: call.gradients.update({place: gradient.detach()}))
        return outputs

    return noted


def _cut(value: Any) -> Any:
    """Return the same tensors detached; they require a gradient if they did before."""
    return _mapped(value, lambda tensor: tensor.detach().requires_grad_(tensor.requires_grad))


def _mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    import torch

    if isinstance(value, torch.Tensor):
        return change(value)
    if isinstance(value, dict):
        return type(value)((key, _mapped(item, change)) for key, item in value.items())
    if isinstance(value, list | tuple):
        items = [_mapped(item, change) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    if hasattr(value, "value") and hasattr(value, "weights"):  # the output of a pooling
        return type(value)(_mapped(value.value, change), _mapped(value.weights, change))
    return value


def _tensors(value: Any) -> list[Any]:
    found: list[Any] = []
    _mapped(value, found.append)
    return found


def main() -> None:
    """Measure and print the table."""
    from rich.console import Console

    Console(width=140).print(table([cost(case) for case in CASES]))


if __name__ == "__main__":
    main()
