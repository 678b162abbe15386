"""What a data set is to the harness. Free of torch: the plan needs its digest, the cache its images or features."""

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

    You must write: `task`, `digest`, `split`, `read`. You may write: `prepare`, `read_mask`,
    `mask_files`, `metadata`, `read_coords`. `split` returns samples without masks; masks are asked for one sample at a
    time, and only by a stage that may see them.
    """

    task: Task

    @property
    @abstractmethod
    def digest(self) -> str:
        """Changes whenever an image, a label, a mask or the preprocessing does; cheap to compute."""

    @abstractmethod
    def split(self, name: Split) -> Sequence[Sample]:
        """The samples of one split; `tune_loc` is empty where the data name none."""

    @abstractmethod
    def read(self, sample: Sample) -> np.ndarray | Sequence[np.ndarray | None]:
        """What `task.sample` says.

        "image": the decoded image, uint8 or uint16, "h w" or "h w c", at `task.image_size`.
        "bag": its images, "n h w" or "n h w c"; n is at least 1 and may differ from sample to sample.
        "views": a list of images, one a name of `task.views`, None where that view is missing; one is there at least.
        "features": float32 "n d", finite, d being `task.features`; n is at least 1.

        Raises:
            InputError: the image is missing, unreadable or truncated; names file and row.
        """

    def prepare(self) -> None:  # noqa: B027 - optional
        """Makes what can be made once (unpacks, downloads, checks); twice is the same as once."""

    def read_mask(self, sample: Sample) -> np.ndarray | None:
        """The outlines as uint8 "k h w" of 0 and 1 at `task.image_size`, or None where there are none.

        Of `mask_kind` "layers" the values are grey levels, those of `harness.contract.masks.LAYERS`.
        """
        return None

    def mask_files(self) -> Iterable[Path]:
        """The files that hold masks: opening one during search is stopped."""
        return ()

    def read_coords(self, sample: Sample) -> np.ndarray | None:
        """Where the instances of a bag or feature table lie, float32 "n 2" (x, y); None where nobody knows.

        All samples of a data set have them, or none.
        """
        return None

    def metadata(self, sample: Sample) -> Mapping[str, str | float]:
        """What is known of an image beside its pixels: scanner, site, view, size of the file.

        `harness data check --full` asks whether the labels can be told from each entry. Leave out
        ids, and whatever states the finding itself (the number of lesions, a second name of a
        label). An empty text is a missing value.
        """
        return {}
