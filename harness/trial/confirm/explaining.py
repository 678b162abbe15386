"""The maps of one model: its own saliency map, and those of the study's explainers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from harness.contract.loading.catalog import Catalog
from harness.contract.nn import Batch, Explainer, Model, Output
from harness.contract.tables import OWN_MAP, WEIGHTS_CONTROL, named
from harness.trial.guards.calls import guarded

_log = logging.getLogger(__name__)


class Explaining:
    """The explainers that a study names, by the name of their maps.

    An explainer that does not explain models of this kind (TypeError) is left out, and `files` gives the
    reason. Any other error fails the trial.
    """

    def __init__(self, explain: Mapping[str, Any], catalog: Catalog) -> None:
        tables = dict(map(named, explain.get("use", ())))
        self._explainers: dict[str, Explainer] = {
            name: catalog.build("explainer", table) for name, table in tables.items() if name != OWN_MAP
        }
        self._left_out, self._given = dict[str, str](), set[str]()

    def every_class(
        self, model: Model, batch: Batch, wanted: Bool[Tensor, "b k"]
    ) -> Iterator[tuple[str, Float[Tensor, "b k h w"]]]:
        """Yield each explainer's maps of the wanted classes of each image; maps of other classes are zeros."""
        yield from self._each(lambda explainer: _every_class(explainer, model, batch, wanted))

    def controls(
        self, fresh: Model, batch: Batch, wanted: Bool[Tensor, "b k"]
    ) -> Iterator[tuple[str, Float[Tensor, "b k h w"]]]:
        """Yield the same for the architecture with random weights, under names of controls.

        An explainer that fails on it has no control, and `files` gives the reason; its maps of the trained model stay.
        """
        for name, explainer in self._explainers.items():
            control = f"{WEIGHTS_CONTROL}:{name}"
            if name in self._left_out or control in self._left_out:
                continue
            try:
                with guarded(explainer):
                    maps = _every_class(explainer, fresh, batch, wanted)
            except (TypeError, ValueError, RuntimeError) as error:
                _log.warning("left out: %s: %s", control, error)
                self._left_out[control] = str(error)
                continue
            yield control, maps

    def one_class(
        self, model: Model, batch: Batch, out: Output, classes: Sequence[int], only: str | None = None
    ) -> Iterator[tuple[str, Float[Tensor, "b h w"]]]:
        """Yield the maps of one class per image, at the image's size; only one map if `only` names it."""
        assert batch.images is not None
        if out.saliency is not None and only in (None, OWN_MAP):
            own = out.saliency[torch.arange(len(classes)), list(classes)].float()
            yield OWN_MAP, functional.interpolate(own[:, None], batch.images.shape[2:], mode="nearest")[:, 0]
        yield from self._each(lambda explainer: explainer.explain(model, batch, classes), only)

    def files(self) -> dict[str, bytes]:
        """Return `explainers_left_out.txt`, if any explainer was left out."""
        lines = "".join(f"{name}: {reason}\n" for name, reason in self._left_out.items())
        return {"explainers_left_out.txt": lines.encode()} if lines else {}

    def _each(self, explain: Callable[[Explainer], Tensor], only: str | None = None) -> Iterator[tuple[str, Tensor]]:
        for name, explainer in self._explainers.items():
            if name in self._left_out or only not in (None, name):
                continue
            try:
                with guarded(explainer):
                    maps = explain(explainer)
            except TypeError as error:
                if name in self._given:  # it explained earlier batches, so this is another error
                    raise
                _log.warning("left out: %s: %s", name, error)
                self._left_out[name] = str(error)
                continue
            self._given.add(name)
            yield name, maps


def _every_class(
    explainer: Explainer, model: Model, batch: Batch, wanted: Bool[Tensor, "b k"]
) -> Float[Tensor, "b k h w"]:
    """Return maps of the wanted classes, one class of every image at a time; zeros elsewhere."""
    assert batch.images is not None
    turns = [row.nonzero().flatten().tolist() for row in wanted.cpu()]
    found = batch.images.new_zeros(*wanted.shape, *batch.images.shape[2:])
    for turn in range(max(map(len, turns), default=0)):
        maps = explainer.explain(model, batch, [own[turn] if turn < len(own) else 0 for own in turns])
        for place, own in enumerate(turns):
            if turn < len(own):
                found[place, own[turn]] = maps[place]
    return found
