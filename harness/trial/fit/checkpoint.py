"""What a trial leaves on disk after each epoch, so that a killed one goes on from there.

No random state is kept: every epoch draws from generators seeded by the trial's seed and the
epoch's number, so a resumed trial sees the same numbers as one that was never stopped.
"""

from __future__ import annotations

import hashlib
import io
import logging
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from harness.contract.errors import MachineError
from harness.contract.types import Epoch, TrialSpec, Workspace

FORMAT = 1
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Snapshot:
    """A fit between two epochs.

    Args:
        phase: index of the phase that is under way.
        epochs: all epochs so far, of all phases.
        weights: the model as it is.
        optimiser: its state; the schedule needs none, it is a function of the step.
        scaler: of fp16's loss scaling; empty without it.
        best: number of the phase's best epoch, 0 where there is none yet.
        best_weights: the model as it was then.
    """

    phase: int
    epochs: tuple[Epoch, ...]
    weights: Mapping[str, Tensor]
    optimiser: Mapping[str, Any]
    scaler: Mapping[str, Any]
    best: int
    best_weights: Mapping[str, Tensor]


class Checkpoint:
    """The checkpoint file of one trial; without a folder it keeps nothing."""

    def __init__(self, spec: TrialSpec, workspace: Workspace) -> None:
        self._path = workspace.checkpoints / f"{spec.id}.pt" if workspace.checkpoints else None
        self._digest = hashlib.sha256(spec.to_json().encode()).hexdigest()

    def save(self, snapshot: Snapshot) -> None:
        """Replaces the file in one step; a kill leaves the old one or the new one, never a half.

        Raises:
            MachineError: the disk is full or cannot be written.
        """
        if self._path is None:
            return
        values = {item: getattr(snapshot, item) for item in Snapshot.__dataclass_fields__}
        values |= {"format": FORMAT, "digest": self._digest, "epochs": [asdict(epoch) for epoch in snapshot.epochs]}
        buffer = io.BytesIO()  # torch.save on a full disk raises RuntimeError; writing bytes raises OSError
        torch.save(values, buffer)
        temporary = self._path.with_suffix(f".{os.getpid()}.tmp")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with temporary.open("wb") as file:
                    file.write(buffer.getbuffer())
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(self._path)
            finally:
                temporary.unlink(missing_ok=True)
        except OSError as error:
            raise MachineError(f"{self._path}: cannot write the checkpoint: {error.strerror}") from error

    def load(self) -> Snapshot | None:
        """The last snapshot of the same spec, on the CPU; None where there is none that can be used."""
        if self._path is None or not self._path.exists():
            return None
        data = self._path.read_bytes()
        try:
            values = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        except Exception as error:  # a damaged file makes the unpickler raise whatever it likes
            _log.warning("%s is damaged, the trial starts anew: %r", self._path, error)
            return None
        if values.pop("format", None) != FORMAT or values.pop("digest", None) != self._digest:
            _log.warning("%s belongs to another version of the trial, which starts anew", self._path)
            return None
        return Snapshot(**{**values, "epochs": tuple(Epoch(**epoch) for epoch in values["epochs"])})
