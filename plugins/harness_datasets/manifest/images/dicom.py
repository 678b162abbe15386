"""DICOM: one image a file. Values are those that the file asks to show; no patient field ever leaves this module."""

from __future__ import annotations

import io
from typing import Any, Literal

import numpy as np

from harness_datasets.manifest.images.facts import Header, check_size
from harness_datasets.manifest.images.shown import shown

Window = Literal["apply", "ignore"]
_COLOURS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT", "YBR_PARTIAL_420", "PALETTE COLOR")
_GREYS = ("MONOCHROME1", "MONOCHROME2")
_PIXEL_TAGS = (b"\xe0\x7f\x10\x00", b"\x7f\xe0\x00\x10")  # (7FE0,0010) in both byte orders
_DIRECTORY = "1.2.840.10008.1.3.10"


def is_dicom(content: bytes, suffix: str) -> bool:
    """Return True for a file with DICM at byte 128, or one without preamble that begins with a data element."""
    if content[128:132] == b"DICM":
        return True
    known = suffix.lower() in ("", ".dcm", ".dicom", ".ima")
    return known and content[:4] in (b"\x08\0\x00\0", b"\x08\0\x05\0", b"\x08\0\x08\0", b"\x08\0\x16\0", b"\x02\0\0\0")


def header(content: bytes) -> Header:
    """Return the facts of a DICOM image.

    Raises:
        ValueError: it is no single image, or its transfer syntax is not read.
    """
    dataset = _dicom(content, pixels=False)
    if not any(tag in content for tag in _PIXEL_TAGS) and not dataset.file_meta.TransferSyntaxUID.is_deflated:
        raise ValueError("holds no pixel data of integers")
    deep = _is_grey(dataset) or _sample_bits(dataset) > 8
    return Header(
        int(dataset.Rows),
        int(dataset.Columns),
        bits=16 if deep else 8,
        channels=1 if _is_grey(dataset) else 3,
        binary=int(dataset.BitsAllocated) == 1,
    )


def decode(content: bytes, window: Window = "apply") -> np.ndarray:
    """Return the pixels that the file asks to show, uint8 or uint16, "h w" or "h w 3".

    Of grey, the modality table or rescale, the window or VOI table and the presentation table are applied in this
    order, and their range is stretched over 16 bits. Padding is 0. Palettes are applied, colour is brought to RGB.

    Args:
        content: of the file.
        window: "ignore" leaves window and VOI table out: the range that the stored bits can express is stretched.
    """
    dataset = _dicom(content, pixels=True)
    if _is_grey(dataset):
        return shown(_stored(dataset), dataset, window == "apply")
    return _colour(dataset)


def drawing(content: bytes) -> tuple[np.ndarray, bool]:
    """Return the values of a mask after the modality step, "h w" or "h w 3", and True if high values are dark."""
    from pydicom.pixels import apply_modality_lut

    dataset = _dicom(content, pixels=True)
    if not _is_grey(dataset):
        return _colour(dataset), False
    values = np.round(apply_modality_lut(_stored(dataset), dataset)).astype(np.int64)
    return values, dataset.PhotometricInterpretation == "MONOCHROME1"


def is_lossy(content: bytes) -> bool:
    """Return True if the compression may change values."""
    from pydicom.uid import JPEG2000, JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless

    syntax = _dicom(content, pixels=False).file_meta.get("TransferSyntaxUID")
    return syntax in (JPEGBaseline8Bit, JPEGExtended12Bit, JPEG2000, JPEGLSNearLossless)


def _dicom(content: bytes, pixels: bool) -> Any:
    """Read a file and check that it is one image that is decoded.

    Raises:
        ValueError: it is not.
    """
    import pydicom

    dataset = pydicom.dcmread(io.BytesIO(content), stop_before_pixels=not pixels, force=True)
    if reason := _refused(dataset):
        raise ValueError(reason)
    check_size(int(dataset.Rows), int(dataset.Columns))
    if not dataset.file_meta.get("TransferSyntaxUID"):  # a file without preamble: what it was read as
        from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

        implicit, _ = dataset.original_encoding
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    return dataset


def _refused(dataset: Any) -> str:
    """Return why a DICOM object is not read, or ""."""
    kind = dataset.get("SOPClassUID") or dataset.file_meta.get("MediaStorageSOPClassUID")
    name = getattr(kind, "name", None) or "DICOM object"
    if kind == _DIRECTORY or "DirectoryRecordSequence" in dataset:
        return "is a DICOMDIR, the index of other files: name those"
    if dataset.get("Rows") is None or dataset.get("Columns") is None or dataset.get("BitsAllocated") is None:
        return f"holds no image: it is of the class {name}"
    if (frames := int(dataset.get("NumberOfFrames") or 1)) > 1:
        return f"one image expected, but got {frames} frames ({name}): write each into a file of its own"
    meaning = str(dataset.get("PhotometricInterpretation", ""))
    if meaning not in (*_GREYS, *_COLOURS):
        return f"the photometric interpretation {meaning!r} is not read"
    if int(dataset.BitsAllocated) > 32 or (meaning in _COLOURS and _sample_bits(dataset) > 16):
        return f"up to 16 bits a sample expected, but got {dataset.BitsAllocated} of {meaning}"
    return _undecodable(dataset)


def _undecodable(dataset: Any) -> str:
    from pydicom.pixels import get_decoder

    from harness_datasets.manifest.images.codecs import register

    register()
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    if not syntax or not syntax.is_compressed or syntax.is_deflated:
        return ""
    try:
        readable = get_decoder(syntax).is_available
    except NotImplementedError:
        readable = False
    return "" if readable else f"the transfer syntax {syntax.name} is not read"


def _is_grey(dataset: Any) -> bool:
    return dataset.PhotometricInterpretation in _GREYS


def _sample_bits(dataset: Any) -> int:
    """Return the bits of a sample of colour; those of a palette's entries, not of its indices."""
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        return int(dataset.RedPaletteColorLookupTableDescriptor[2])
    return int(dataset.BitsAllocated)


def _colour(dataset: Any) -> np.ndarray:
    """Return RGB of 8 or 16 bits, "h w 3"."""
    from pydicom.pixels import apply_color_lut, pixel_array

    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        return np.asarray(apply_color_lut(_stored(dataset), dataset))[..., :3]
    colour: np.ndarray = pixel_array(dataset)
    if colour.ndim != 3 or colour.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"RGB of 8 or 16 bits expected, but got {colour.dtype} of shape {colour.shape}")
    highest, bits = np.iinfo(colour.dtype).max, int(dataset.BitsStored)
    full = bits == 8 * colour.dtype.itemsize
    return colour if full else np.round(colour * (highest / (2**bits - 1))).clip(0, highest).astype(colour.dtype)


def _stored(dataset: Any) -> np.ndarray:
    """Return the stored values, "h w": the bits up to `HighBit`, without overlays in the others."""
    from pydicom.pixels import pixel_array

    bits, high = int(dataset.BitsStored), int(dataset.get("HighBit", dataset.BitsStored - 1))
    stored: np.ndarray = pixel_array(dataset, correct_unused_bits=high == bits - 1)
    if stored.ndim != 2:
        raise ValueError(f"one grey image expected, but got an array of shape {stored.shape}")
    syntax = dataset.file_meta.TransferSyntaxUID
    if high == bits - 1 or bits == 1 or (syntax.is_encapsulated and "RLE" not in syntax.name):
        return stored  # pydicom leaves out the bits above; a codec holds values of `bits` bits itself
    kept, sign = (stored.astype(np.int64) >> max(0, high + 1 - bits)) & ((1 << bits) - 1), 1 << (bits - 1)
    return ((kept ^ sign) - sign if int(dataset.PixelRepresentation) else kept).astype(stored.dtype)
