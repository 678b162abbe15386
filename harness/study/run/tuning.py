"""What the conductor asks of a proposer and of a tuner. Their implementations stand in harness.adapters."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from harness.contract.catalog import Catalog
from harness.contract.types import Epoch, Opening, Plan, TrialResult, TrialSpec, VariantPlan, Workspace
from harness.study.journal.journal import History, TrialRecord

if TYPE_CHECKING:
    from harness.study.run.conductor import Conductor

Events = Generator[Epoch | Opening | TrialResult, None, None]
"""A trial as it runs: epochs, in confirm an opening of the test split, exactly one result; closed by who stops it."""
RunTrial = Callable[[TrialSpec, Catalog, Workspace], Events]


class Pause(Enum):
    """Why there is no trial to hand out."""

    WAIT = "wait"
    """Trials that are running decide what comes next."""
    DONE = "done"
    """Nothing is left to do, or the run is being stopped."""


@dataclass(frozen=True)
class Proposal:
    """A configuration to try: the tree without distributions, and what was sampled by dotted path."""

    tree: Mapping[str, Any]
    params: Mapping[str, Any] = field(default_factory=dict)


@runtime_checkable
class Proposer(Protocol):
    """Proposes configurations, one search a variant, and keeps a store of what became of them.

    The journal is the truth; a proposer is told what it misses. Each method raises MachineError
    where its store cannot be reached.
    """

    def sync(self, plan: Plan, history: History) -> None:
        """Called once before anything else: brings the store up to the journal."""

    def ask(self, variant: VariantPlan, number: int, params: Mapping[str, Any] | None = None) -> Proposal | None:
        """The configuration of search trial `number`; number 0 is the default one.

        Args:
            variant: whose tree holds the distributions.
            number: how many were asked before; asked again after a crash, the answer is the same.
            params: proposes exactly these.

        Returns:
            None where the space is exhausted.
        """

    def tell(self, record: TrialRecord) -> None:
        """What became of a search trial; twice is the same as once."""

    def states(self, variant_id: str) -> dict[int, str]:
        """The state of each search trial in the store: complete, pruned, failed or running."""


@runtime_checkable
class Tuner(Protocol):
    """Takes specs from the conductor, runs their trials and reports what happens, until told to stop.

    `run` returns when the conductor has nothing more to hand out. It ends promptly once
    `conductor.stopping` is true, and leaves no process of its own behind.
    """

    def run(self, conductor: Conductor, catalog: Catalog, workspace: Workspace, concurrent: int) -> None:
        """Runs everything, `concurrent` trials at a time.

        Raises:
            MachineError: the machine failed; the study can be resumed.
            InputError: what the user wrote turned out to be wrong only when it was built.
        """
