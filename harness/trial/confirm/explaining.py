"""The maps of one model: its own saliency map, and those of the study's explainers."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from harness.contract.errors import ContractError, Interrupted, MachineError, Problems, blamed_for, origin_of
from harness.contract.loading.catalog import Catalog
from harness.contract.nn import Batch, Explainer, Model, Output, drawn
from harness.contract.tables import LEFT_OUT, OWN_MAP, named
from harness.trial.seams.intact import Snapshot
from harness.trial.seams.outputs import explained

MACHINE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}
"""Numbers of the errors of a disk, which are no component's fault."""
_LAW = "the_model_is_left_as_it_was"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Turn:
    """An explainer with a model of its own."""

    name: str
    explainer: Explainer
    model: Model


class Explaining:
    """The explainers that a study names, by the name of their maps. Each explains a model that no other one had.

    An explainer that cannot explain the model, raises, gives maps outside its contract, or changes its model is left
    out with all its maps, and `files` gives the reason. The other results of the trial stay.

    Args:
        explain: the study's table.
        catalog: provides the explainers.
        rebuilt: builds the model in eval mode from the saved weights.

    Attributes:
        moving: names of tensors that the model changes by itself when it is run.
        left_out: name of maps -> why they are missing.

    Raises:
        InputError: an explainer is not installed, or takes other parameters.
    """

    def __init__(self, explain: Mapping[str, Any], catalog: Catalog, rebuilt: Callable[[], Model]) -> None:
        tables = {name: table for name, table in map(named, explain.get("use", ())) if name != OWN_MAP}
        problems, self._rebuilt = Problems(""), rebuilt
        made = {name: catalog.factory("explainer", table, problems, "explainer") for name, table in tables.items()}
        problems.raise_if_any()
        self._factories = {name: factory for name, factory in made.items() if factory is not None}
        self.moving: Collection[str] = ()
        self.left_out: dict[str, str] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the explainers' maps."""
        return tuple(self._factories)

    @contextmanager
    def turn(self, name: str) -> Iterator[Turn]:
        """Hold one explainer and its model, which is compared with the saved weights at the end.

        An error inside ends the block, and is recorded instead of raised, unless the machine failed.
        """
        with self.attempt(name):
            turn = Turn(name, self._factories[name](), self._rebuilt())
            before = Snapshot.of(turn.model)
            yield turn
            if changes := before.changes(turn.model, self.moving):
                shown = ", ".join(changes[:3]) + (f" and {len(changes) - 3} more" if len(changes) > 3 else "")
                raise ContractError(
                    origin_of(turn.explainer), f"back a changed model ({shown})", "the same model", _LAW
                )

    @contextmanager
    def attempt(self, name: str) -> Iterator[None]:
        """Record an error inside under a name of maps; they are left out."""
        try:
            yield
        except (MachineError, Interrupted):
            raise
        except (Exception, SystemExit) as error:  # a third-party explainer may call sys.exit
            if isinstance(error, OSError) and error.errno in MACHINE:
                raise
            _log.warning("left out: %s: %s", name, error, exc_info=True)
            plain = isinstance(error, ContractError | TypeError | ValueError)
            called = blamed_for(error)
            named = f"{called}: " if called else ""
            self.left_out[name] = str(error) if plain else f"{named}{type(error).__name__}: {error}"

    def files(self) -> dict[str, bytes]:
        """Return LEFT_OUT, if any maps were left out."""
        lines = "".join(f"{name}: {' '.join(reason.split())}\n" for name, reason in self.left_out.items())
        return {LEFT_OUT: lines.encode()} if lines else {}


def own_map(out: Output, batch: Batch, classes: Sequence[int]) -> Float[Tensor, "b h w"] | None:
    """Return a model's own map of one class per image, at the image's size; None if it has none."""
    if out.saliency is None or batch.images is None:
        return None
    own = drawn(out, batch)[torch.arange(len(classes)), list(classes)].float()
    return functional.interpolate(own[:, None], batch.images.shape[2:], mode="nearest")[:, 0]


def every_class(
    explainer: Explainer, model: Model, batch: Batch, wanted: Bool[Tensor, "b k"]
) -> Float[Tensor, "b k h w"]:
    """Return an explainer's maps of the wanted classes, one class of every image at a time; zeros elsewhere."""
    assert batch.images is not None
    turns = [row.nonzero().flatten().tolist() for row in wanted.cpu()]
    found = batch.images.new_zeros(*wanted.shape, *batch.images.shape[2:])
    for turn in range(max(map(len, turns), default=0)):
        maps = explained(explainer, model, batch, [own[turn] if turn < len(own) else 0 for own in turns])
        for place, own in enumerate(turns):
            if turn < len(own):
                found[place, own[turn]] = maps[place]
    return found
