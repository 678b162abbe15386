"""TIFF: Pillow reads up to 8 bits a sample, tifffile 9 to 16 and newer compressions; its meaning is decided here."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from harness_datasets.manifest.images.facts import Header, check_size, turned

if TYPE_CHECKING:
    from tifffile import TiffPage

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_GREY, _COLOUR = ("MINISWHITE", "MINISBLACK"), ("RGB", "PALETTE", "SEPARATED", "YCBCR")
_REDUCED, _MASK = 1, 4  # bits of NewSubfileType
_ALPHA = (1, 2)  # kinds of ExtraSamples
_OF_PILLOW = (1, 2, 3, 4, 5, 7, 8, 32773, 32946, 34925, 50000)  # none, CCITT, LZW, JPEG, deflate, …, LZMA, Zstandard
_LOSSY = ("JPEG", "OJPEG", "WEBP", "JPEGXL", "JPEG2000", "APERIO_JP2000_RGB", "APERIO_JP2000_YCBC")


def header(content: bytes) -> Header:
    """Return the facts of a TIFF file.

    Raises:
        ValueError: it is not one grey or colour image of up to 16 bits, or its compression is not read.
    """
    page = _page(content)
    check_size(page.imagelength, page.imagewidth)
    orientation = _orientation(page)
    height, width = page.imagelength, page.imagewidth
    height, width = (width, height) if orientation >= 5 else (height, width)
    return Header(
        int(height),
        int(width),
        bits=16 if _bits(page) > 8 else 8,
        channels=3 if _meaning(page) in _COLOUR and not _grey_palette(page) else 1,
        alpha=bool(page.extrasamples),
        binary=_bits(page) == 1,
        orientation=orientation,
    )


def decode(content: bytes) -> np.ndarray:
    """Return the pixels, uint8 or uint16, "h w" or "h w 3"; 9 to 15 bits are stretched over 16."""
    page = _page(content)
    if _is_for_pillow(page):
        return _by_pillow(content, grey=_meaning(page) in _GREY or _grey_palette(page))
    stored, bits = _stored(page), _bits(page)
    image = stored if bits in (8, 16) else np.round(stored * (65535 / (2**bits - 1))).astype(np.uint16)
    image = np.iinfo(image.dtype).max - image if _meaning(page) == "MINISWHITE" else image
    return turned(image, _orientation(page))


def drawing(content: bytes, indexed: bool) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the values of a mask file, "h w" or "h w 3", and its alpha channel; see `pictures.drawing`."""
    import PIL.Image

    page = _page(content)
    if not _is_for_pillow(page):
        return turned(_stored(page), _orientation(page)), None
    with PIL.Image.open(io.BytesIO(content)) as image:
        image.load()
        alpha = np.asarray(image.convert("RGBA"))[..., 3] if page.extrasamples else None
        if image.mode == "1" or (image.mode == "P" and indexed):
            return np.asarray(image).astype(np.uint8), alpha
    return decode(content), alpha


def is_lossy(content: bytes) -> bool:
    """Return True if the compression changes values."""
    return _name(_page(content).compression) in _LOSSY


def _page(content: bytes) -> TiffPage:
    """Return the one page of a file that is an image of itself, not a thumbnail or a mask of another.

    Raises:
        ValueError: there are several, or what it holds is not read.
    """
    import tifffile

    with tifffile.TiffFile(io.BytesIO(content)) as file:
        pages: list[Any] = [page for page in file.pages if not page.subfiletype & (_REDUCED | _MASK)]
        count = max(len(pages), int((file.imagej_metadata or {}).get("images", 1)))
        if count != 1:
            raise ValueError(f"one image expected, but got {count} pages: write each into a file of its own")
        page: TiffPage = pages[0]
        if reason := _refused(page):
            raise ValueError(reason)
        return page


def _refused(page: TiffPage) -> str:
    """Return why a page is not read, or ""."""
    meaning, samples = _meaning(page), page.samplesperpixel - len(page.extrasamples)
    formats = page.tags.valueof("SampleFormat", 1)
    formats = {formats} if isinstance(formats, int) else set(formats)
    if formats - {1, 4} or _bits(page) > 16:
        kind = {2: "signed integers", 3: "floats"}.get(min(formats - {1, 4}, default=1), "integers")
        return f"8 or 16 bits without sign expected, but got {kind} of {_bits(page)} bits"
    if page.imagedepth > 1:
        return f"one image expected, but got {page.imagedepth} slices"
    if meaning not in (*_GREY, *_COLOUR) or (not _is_for_pillow(page) and meaning not in (*_GREY, "RGB")):
        return f"grey or RGB expected, but got the photometric interpretation {meaning} of {_bits(page)} bits"
    extra = [int(kind) for kind in page.extrasamples]
    beside = len(extra) > 1 or (meaning in _GREY and any(kind not in _ALPHA for kind in extra))
    if beside or samples != {"RGB": 3, "YCBCR": 3, "SEPARATED": 4}.get(meaning, 1):
        found = f"{page.samplesperpixel} channels of the photometric interpretation {meaning}"
        return f"grey or RGB expected, but got {found}"
    if not _compression_is_read(page):
        return f"its compression {_name(page.compression)} is not read: save it with LZW, deflate or none"
    return ""


def _is_for_pillow(page: TiffPage) -> bool:
    return _bits(page) <= 8 and int(page.compression) in _OF_PILLOW


def _compression_is_read(page: TiffPage) -> bool:
    import tifffile

    if _is_for_pillow(page):
        return True
    try:
        return _bits(page) >= 8 and callable(tifffile.TIFF.DECOMPRESSORS[page.compression])
    except KeyError:
        return False


def _by_pillow(content: bytes, grey: bool) -> np.ndarray:
    import PIL.Image

    with PIL.Image.open(io.BytesIO(content)) as image:
        image.load()  # applies the orientation
        if image.mode == "1":
            return np.asarray(image).astype(np.uint8) * np.uint8(255)
        return np.asarray(image.convert("L" if grey else "RGB"))


def _stored(page: TiffPage) -> np.ndarray:
    """Return the samples of more than 8 bits, "h w" or "h w 3", without alpha."""
    image = np.asarray(page.asarray())
    if image.ndim == 3 and page.planarconfig == 2:
        image = np.moveaxis(image, 0, 2)
    samples = page.samplesperpixel - len(page.extrasamples)
    return image if image.ndim == 2 else image[..., 0] if samples == 1 else image[..., :3]


def _bits(page: TiffPage) -> int:
    bits = page.bitspersample
    return int(bits if isinstance(bits, int) else max(bits))


def _meaning(page: TiffPage) -> str:
    return _name(page.photometric)


def _grey_palette(page: TiffPage) -> bool:
    colours = page.colormap
    return colours is not None and bool((colours == colours[:1]).all())


def _orientation(page: TiffPage) -> int:
    found = int(page.tags.valueof("Orientation", 1))
    return found if 1 <= found <= 8 else 1


def _name(value: Any) -> str:
    return str(getattr(value, "name", value))
