"""What a study's author may not expect of how the files of a table are read; from headers, nothing is decoded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness import Task
from harness_datasets.manifest.images.facts import Header

NEARLY_ALL = 0.95


def notes(images: Sequence[Header], task: Task, bits: int) -> Iterator[str]:
    """Yield remarks on the images of a table, one sentence each.

    Args:
        images: the header of each image.
        task: their channels and size.
        bits: depth in which all are read, 8 or 16.
    """
    yield from _turned_size(images, task.image_size)
    colour = sum(image.channels == 3 for image in images)
    if task.channels == 1 and colour:
        yield (
            f"{_share(colour, images)} stored in colour and read as grey (luminance), because channels is 1; "
            "set channels = 3 if the channels differ"
        )
    for count, what in (
        (sum(image.alpha for image in images), "an alpha channel, which is dropped"),
        (sum(image.binary for image in images), "one bit a pixel and are read as black and white"),
        (sum(image.orientation != 1 for image in images), "an EXIF orientation and are turned upright, masks alike"),
    ):
        if count:
            yield f"{count} of {len(images)} images have {what}"
    deep = sum(image.bits == 16 for image in images)
    if 0 < deep < len(images):
        yield f"{deep} of {len(images)} images have 16 bits and the others 8; all are read in {bits} bits"


def _turned_size(images: Sequence[Header], size: tuple[int, int]) -> Iterator[str]:
    """Yield a remark if height and width of the task are exchanged for nearly all images."""
    if size[0] == size[1]:
        return
    high = size[0] > size[1]
    other = sum((image.height < image.width) if high else (image.height > image.width) for image in images)
    if other >= NEARLY_ALL * len(images):
        shape, found = ("higher than wide", "wider than high") if high else ("wider than high", "higher than wide")
        yield (
            f"image_size = [{size[0]}, {size[1]}] (height, width) is {shape}, but {_share(other, images)} {found}; "
            f"did you mean [{size[1]}, {size[0]}]?"
        )


def _share(count: int, images: Sequence[Header]) -> str:
    return f"{count} of {len(images)} images are"
