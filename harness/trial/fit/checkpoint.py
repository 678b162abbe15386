"""Checkpoints of a trial after each epoch, from which a killed trial resumes.

No random state is kept: every epoch draws from generators seeded by the trial's seed and the epoch's number.
A resumed trial therefore gives the same numbers as one that was never stopped.
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
    """The state of a fit between two epochs.

    Args:
        phase: index of the current phase.
        epochs: all epochs so far, of all phases.
        weights: of the model now.
        optimiser: its state; the schedule has none, as it is a function of the step.
        scaler: state of fp16's loss scaling; empty without it.
        best: number of the phase's best epoch, 0 before the first.
        best_weights: of the model in that epoch.
    """

    phase: int
    epochs: tuple[Epoch, ...]
    weights: Mapping[str, Tensor]
    optimiser: Mapping[str, Any]
    scaler: Mapping[str, Any]
    best: int
    best_weights: Mapping[str, Tensor]


class Checkpoint:
    """The checkpoint file of one trial; without a folder nothing is kept."""

    def __init__(self, spec: TrialSpec, workspace: Workspace) -> None:
        self._path = workspace.checkpoints / f"{spec.id}.pt" if workspace.checkpoints else None
        self._digest = hashlib.sha256(spec.to_json().encode()).hexdigest()

    def save(self, snapshot: Snapshot) -> None:
        """Replace the file atomically: a killed process leaves the old file or the new one.

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
        """Load the last snapshot of the same spec, on the CPU; None if there is no valid one."""
        if self._path is None or not self._path.exists():
            return None
        data = self._path.read_bytes()
        try:
            values = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        except Exception as error:  # a damaged file can make the unpickler raise any error
            _log.warning("%s is damaged, the trial starts again: %r", self._path, error)
            return None
        if values.pop("format", None) != FORMAT or values.pop("digest", None) != self._digest:
            _log.warning("%s is of another version of the trial, which starts again", self._path)
            return None
        return Snapshot(**{**values, "epochs": tuple(Epoch(**epoch) for epoch in values["epochs"])})
