"""What samples configurations and what a trial reports while it runs. Implementations are in harness.adapters."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from harness.contract.loading.catalog import Catalog
from harness.contract.types import Epoch, Opening, Plan, TrialResult, TrialSpec, VariantPlan, Workspace
from harness.study.journal.state import StudyState
from harness.study.journal.trial_record import TrialRecord

Events = Generator[Epoch | Opening | TrialResult, None, None]
"""A trial as it runs: epochs, in confirm an opening of the test split, exactly one result; closed by who stops it."""
RunTrial = Callable[[TrialSpec, Catalog, Workspace], Events]
Prunes = Callable[[TrialSpec, Epoch], bool]
"""A pruner: returns True if the trial is to end after this epoch. Each epoch is given once."""


@dataclass(frozen=True)
class Started:
    """A worker has begun a trial."""

    pid: int
    host: str


Report = Started | Epoch | Opening | TrialResult


@dataclass(frozen=True)
class Configuration:
    """A configuration to try: the tree without distributions, and what was sampled by dotted path."""

    tree: Mapping[str, Any]
    params: Mapping[str, Any] = field(default_factory=dict)


@runtime_checkable
class Sampler(Protocol):
    """Samples configurations, one search a variant, and keeps a store of how each trial ended.

    Where the journal and the store differ, the journal is right. Each method raises MachineError
    where the store cannot be reached.
    """

    def sync(self, plan: Plan, state: StudyState) -> None:
        """Bring the store up to the journal; called once, before anything else."""

    def ask(self, variant: VariantPlan, number: int, params: Mapping[str, Any] | None = None) -> Configuration | None:
        """Return the configuration of search trial `number`; number 0 is the default one.

        Args:
            variant: whose tree holds the distributions.
            number: how many were asked before; asked again after a crash, the answer is the same.
            params: returns exactly these.

        Returns:
            None where the space is exhausted.
        """

    def tell(self, record: TrialRecord) -> None:
        """Store how a search trial ended; twice is the same as once."""

    def states(self, variant_id: str) -> dict[int, str]:
        """Return the state of each search trial in the store: complete, pruned, failed or running."""
