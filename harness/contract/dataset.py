"""The interface of a data set. Free of torch: the plan needs its digest, the cache its images or features."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.contract.types import Sample, Split, Task

if TYPE_CHECKING:
    import numpy as np


class Dataset(ABC):
    """Images, labels and splits. The harness decodes each image once, into a cache.

    You must write: `task`, `digest`, `split`, `read`. You may write: `prepare`, `read_mask`, `read_outline`,
    `mask_files`, `label_files`, `metadata`, `read_coords`, `notes`. `split` returns samples without masks. Masks are
    read one sample at a time, and only by a stage that may see them.
    """

    task: Task

    @property
    @abstractmethod
    def digest(self) -> str:
        """Digest that changes with every image, label, mask and preprocessing step; cheap to compute."""

    @abstractmethod
    def split(self, name: Split) -> Sequence[Sample]:
        """Return the samples of one split; `tune_loc` is empty if the data set has none."""

    @abstractmethod
    def read(self, sample: Sample) -> np.ndarray | Sequence[np.ndarray | None]:
        """Read one sample, in the form that `task.sample` names.

        "image": the decoded image, uint8 or uint16, "h w" or "h w c", at `task.image_size`.
        "bag": its images, "n h w" or "n h w c"; n is at least 1 and may differ from sample to sample.
        "views": a list of images, one per name of `task.views`, None for a missing view; at least one is present.
        "features": float32 "n d", finite, with d = `task.features`; n is at least 1.

        Raises:
            InputError: the image is missing, unreadable or truncated; the message names file and row.
        """

    def prepare(self) -> None:  # noqa: B027 - optional
        """Prepare the data once (unpack, download, check); a second call changes nothing."""

    def read_mask(self, sample: Sample) -> np.ndarray | None:
        """Read the outlines as uint8 "k h w" of 0 and 1 at `task.image_size`, or return None if there are none.

        For `mask_kind` "layers" the values are the grey levels of `harness.contract.masks.LAYERS`.
        """
        return None

    def read_outline(self, sample: Sample) -> np.ndarray | None:
        """Read the outlines at the size of their file, bool "k h w"; None if `read_mask` gives all that is known.

        Pointing and FROC are measured against them. Their shape has the aspect of `task.image_size`: where images
        are padded, so are they.
        """
        return None

    def mask_files(self) -> Iterable[Path]:
        """Return the files that hold masks; opening one during search is an error."""
        return ()

    def label_files(self) -> Iterable[Path]:
        """Return the files that hold labels, such as a manifest.

        `split` must not need them again: opening one while a model is fitted is an error, as for masks.
        """
        return ()

    def read_coords(self, sample: Sample) -> np.ndarray | None:
        """Read the coordinates of the instances of a bag or feature table, float32 "n 2" (x, y); None if unknown.

        Either all samples of a data set have them, or none.
        """
        return None

    def notes(self) -> Sequence[str]:
        """Return remarks on how the files are read, one sentence each, for plan and data check; decodes no image.

        Raises:
            InputError: something is wrong that training would find only later.
        """
        return ()

    def metadata(self, sample: Sample) -> Mapping[str, str | float]:
        """Return metadata of an image: scanner, site, view, size of the file.

        `harness data check --full` tests how well each entry predicts the labels. Leave out ids, and
        entries that state the finding itself (the number of lesions, a second name of a label). An
        empty text is a missing value.
        """
        return {}
