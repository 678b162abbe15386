"""Checks of a variant's tree against the installed components, at both ends of ranges. Builds the data set only."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.config.schema import validate
from harness.config.space import concretes, contradictions, searched
from harness.contract.components import Factory, parameters
from harness.contract.dataset import Dataset
from harness.contract.errors import HarnessError, InputError, Problems, SizeMismatchError
from harness.contract.loading.catalog import Catalog
from harness.contract.masks import offers, unmet
from harness.contract.types import Task
from harness.study.file.located import Located
from harness.study.file.slots import training, uses
from harness.study.file.spec import check_values
from harness.study.plan.identity import canonical
from harness.study.plan.training import check_training
from harness.trial.settings.training import PARTS, TrainSettings

MANY_CELLS = 1 << 20
"""Assumed number of cells of a map of unknown size, so large that no pooling is refused."""


@dataclass(frozen=True, kw_only=True)
class Checked:
    """Facts of a valid tree.

    Args:
        facts: of the architecture in its default configuration.
        canonical: keys of the model's table -> their effective values, if equal in the whole search space.
        needs: of the architecture and all components in its slots.
        provides: of the same, and of the data set.
        used: (kind, address) of every component that any configuration uses.
        task: of the data set.
        digest: of the data set.
        notes: of the data set, on how its files are read.
        size_mismatch: why valid parameters do not fit the size of the images; "" if they do.
    """

    facts: Mapping[str, Any]
    canonical: Mapping[str, Any]
    needs: frozenset[str]
    provides: frozenset[str]
    used: frozenset[tuple[str, str]]
    task: Task
    digest: str
    notes: tuple[str, ...] = ()
    size_mismatch: str = ""

    @property
    def missing(self) -> list[str]:
        """The needs of the model that neither the data nor its own parts provide."""
        return unmet(self.needs, self.provides, self.task)

    def skip(self, tree: Mapping[str, Any]) -> str:
        """Return why a variant of this tree cannot run on these data; "" if it can."""
        model, dataset = tree["model"]["use"], tree["dataset"]["use"]
        if self.missing:
            return f"{model!r} needs {', '.join(self.missing)}, which {dataset!r} does not provide"
        return f"{model!r} does not fit the images of {dataset!r}: {self.size_mismatch}" if self.size_mismatch else ""


@dataclass
class DatasetFacts:
    """Task, digest and notes of a data set; the problems of building it are reported once."""

    task: Task | None = None
    digest: str = ""
    notes: tuple[str, ...] = ()
    provides: frozenset[str] = frozenset()
    trainable: bool = True
    problems: list[tuple[str, str]] = field(default_factory=list)


class Checker:
    """Checks of trees; a data set that several variants share is built once."""

    def __init__(self, catalog: Catalog, root: Any) -> None:
        self.catalog, self.root = catalog, root
        self._datasets: dict[str, DatasetFacts] = {}

    def check(self, tree: Mapping[str, Any], problems: Located, *, facts: bool) -> Checked | None:
        """Return the facts of the tree, or None if it is invalid; mistakes are added to `problems`.

        A tree that only does not fit the size of the images is returned with `Checked.size_mismatch`.

        Args:
            tree: of a variant, expanded.
            problems: gets the mistakes; a range that does not fit its parameter is reported once, not at both ends.
            facts: False for a variant that does not run: only its keys and values are checked.
        """
        found = Located()
        sound = {section: table for section, table in tree.items() if _sound(section, table, found)}
        dropped = {".".join(path.split(".")[:2]) for path, _ in found.located}
        # A section with an invalid range is read without it, so that its other keys are reported as well.
        rest = {section: _without(section, table, dropped) for section, table in tree.items() if section not in sound}
        partial = {section: table for section, table in rest.items() if table}
        result = self._check({**partial, **sound}, found, facts=facts and set(rest) <= {"train"}, build=facts)
        ranges, reported = set(searched(sound)) | dropped, set[str]()
        for path, message in found.located:
            if path not in reported & ranges:
                problems.add(path, message)
            reported.add(path)
        problems.size_mismatches |= found.size_mismatches
        return result

    def dataset(self, table: Mapping[str, Any]) -> DatasetFacts:
        """Return task and digest of a data set; it is built, but no image is decoded."""
        key = canonical(table)
        if key not in self._datasets:
            self._datasets[key] = self._build(table)
        return self._datasets[key]

    def task(self, table: Mapping[str, Any], problems: Problems) -> Task | None:
        """Return the task of a data set on which nothing is trained; None without a data set."""
        return self._dataset(table, problems, build=True).task if table else None

    def _check(self, tree: Mapping[str, Any], problems: Located, *, facts: bool, build: bool) -> Checked | None:
        trains = concretes(tree["train"]) if "train" in tree else []
        for train in trains:
            validate(TrainSettings, train, problems, "train")
            self._check_parts(train, problems, trained="model" in tree)
        before = len(problems.messages)
        dataset = self._dataset(tree["dataset"], problems, build=build) if "dataset" in tree else DatasetFacts()
        configurations = concretes(tree["model"]) if "model" in tree else []
        models = [self.catalog.factory("architecture", table, problems, "model") for table in configurations]
        if len(problems.messages) > before or not models or not facts or dataset.task is None:
            return None
        factories = [factory for factory in models if factory is not None]
        known = [self._facts(factory, dataset.task, problems) for factory in factories]
        size_mismatches = [message for path, message in problems.located if (path, message) in problems.size_mismatches]
        if len(size_mismatches) < len(problems.located):
            return None
        parts = {
            (kind, self.catalog.address_of(kind, component)): component
            for factory in factories
            for kind, component in uses(factory, "architecture")
        }
        files = {path: found for item in known for path, found in item.get("files", {}).items()}
        checked = Checked(
            facts={**known[0], "files": files} if files else known[0],
            canonical=_agreed(known),
            needs=frozenset().union(*(component.needs for component in parts.values())),
            provides=dataset.provides.union(*(component.provides for component in parts.values())),
            used=frozenset({*parts, ("dataset", tree["dataset"]["use"]), *(_named(trains))}),
            task=dataset.task,
            digest=dataset.digest,
            notes=dataset.notes,
            size_mismatch=size_mismatches[0] if size_mismatches else "",
        )
        if not checked.missing:  # else it is skipped for any training settings
            check_training(tree["train"], dataset.task, parts.values(), problems)
            if not dataset.trainable and any(TrainSettings.of(train).epochs for train in trains):
                problems.add("train.epochs", "there is nothing to train on: 0 scores the model as it is built")
        return checked

    def _check_parts(self, train: Mapping[str, Any], problems: Located, *, trained: bool) -> None:
        """Check optimiser and schedule of a [train] table without ranges; defaults only if a model is trained."""
        for kind, default in PARTS.items():
            if kind not in train and not trained:
                continue
            before, path = len(problems.messages), f"train.{kind}"
            factory = self.catalog.factory(kind, train.get(kind, default), problems, path)
            if factory and len(problems.messages) == before:
                self._ask(factory, (), kind, path, problems)

    def _dataset(self, table: Mapping[str, Any], problems: Problems, *, build: bool) -> DatasetFacts:
        for path in searched({"dataset": table}):
            problems.add(path, "data cannot be searched: every trial of a variant must see the same")
            return DatasetFacts()
        factory = self.catalog.factory("dataset", table, problems, "dataset")
        if factory is None or not build:
            return DatasetFacts()
        found = self.dataset(table)
        for path, message in found.problems:
            problems.add(path, message)
        return found

    def _build(self, table: Mapping[str, Any]) -> DatasetFacts:
        problems, found = Located(), DatasetFacts()
        factory = self.catalog.factory("dataset", table, problems, "dataset")
        if factory is None or problems:
            return found
        if factory.component.task is None:  # results are read without building the data set
            provider = self.catalog.provider_of("dataset", factory.component)
            lacking = f"{factory.name!r} declares no task: its Component needs `task=`; it is from {provider}"
            found.problems.append(("dataset.use", lacking))
            return found
        try:
            found.task = factory.component.task(**factory.params)
            dataset: Dataset = factory(self.root)
            found.task, found.digest, found.notes = dataset.task, dataset.digest, tuple(dataset.notes())
            found.trainable = not factory.params.get("unseen", False)
        except (ValueError, InputError) as error:
            found.problems.append(("dataset", str(error)))
        except HarnessError:
            raise
        except Exception as error:
            provider = self.catalog.provider_of("dataset", factory.component)
            raise HarnessError(f"{provider}: the data set {factory.name!r} failed: {error!r}") from error
        if found.task is not None:
            found.provides = factory.component.provides | offers(found.task)
        return found

    def _facts(self, factory: Factory, task: Task, problems: Located) -> Mapping[str, Any]:
        before = len(problems.messages)
        files = self._slot_files(factory, task, "model", problems)
        if len(problems.messages) > before:
            return {}
        facts = self._ask(factory, (task,), "architecture", "model", problems)
        files |= facts.get("files", {})
        backbone = factory.params.get("backbone")
        if isinstance(backbone, Factory) and "field" in (own := backbone.facts()):
            facts = {**facts, "field": own["field"]}
        return {**facts, "files": files} if files else facts

    def _slot_files(self, factory: Factory, task: Task, path: str, problems: Located) -> dict[str, str]:
        """Check the components in the slots, and return the files that they read."""
        known, files = parameters(factory.component.build), dict[str, str]()
        for key, value in factory.params.items():
            if isinstance(value, Factory):
                kind = str(known[key].slot)
                files |= self._slot_files(value, task, f"{path}.{key}", problems)
                supplied: dict[str, tuple[Any, ...]] = {"pooling": (MANY_CELLS,), "architecture": (task,)}
                files |= self._ask(value, supplied.get(kind, ()), kind, f"{path}.{key}", problems).get("files", {})
        return files

    def _ask(
        self, factory: Factory, supplied: tuple[Any, ...], kind: str, path: str, problems: Located
    ) -> Mapping[str, Any]:
        try:
            return factory.facts(*supplied)
        except ValueError as error:
            problems.add(path, str(error))
            if isinstance(error, SizeMismatchError):
                problems.size_mismatches.add((path, str(error)))
        except Exception as error:
            provider = self.catalog.provider_of(kind, factory.component)
            raise HarnessError(f"{provider}: the facts of {factory.name!r} failed: {error!r}") from error
        return {}


def _sound(section: str, table: Any, problems: Problems) -> bool:
    """Return True if the ranges of a section can be enumerated."""
    before = len(problems.messages)
    check_values(table, section, problems)
    if len(problems.messages) == before:
        for path in contradictions({section: table}):
            problems.add(path, "two options search this parameter over different ranges; they must be the same")
    return len(problems.messages) == before


def _without(section: str, table: Any, dropped: Collection[str]) -> dict[str, Any]:
    """Return a section without its invalid keys; empty if its component is unknown."""
    if not isinstance(table, Mapping) or f"{section}.use" in dropped or section in dropped:
        return {}
    found = {key: value for key, value in table.items() if f"{section}.{key}" not in dropped}
    return found if not contradictions({section: found}) else {}


def _named(trains: Iterable[Mapping[str, Any]]) -> set[tuple[str, str]]:
    """Return kind and name of every optimiser and schedule that valid [train] tables use."""
    return {(kind, named.name) for train in trains for kind, named in training(train) if named}


def _agreed(facts: list[Mapping[str, Any]]) -> dict[str, Any]:
    first, *others = [item.get("canonical", {}) for item in facts]
    return {key: value for key, value in first.items() if all(other.get(key) == value for other in others)}
