"""Names of what is not read: volumes, annotations and drawings, so that a message says what to do."""

from __future__ import annotations

import re

_MAGIC = (
    (b"\x1f\x8b", "a gzip file (NIfTI volumes end in .nii.gz): write each slice as PNG or TIFF"),
    (b"NRRD", "an NRRD volume: write each slice as PNG or TIFF"),
    (b"ObjectType", "the header of a MetaImage volume: write each slice as PNG or TIFF"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x89HDF", "an HDF5 file"),
    (b"MATLAB", "a MATLAB file"),
    (b"PK\x03\x04", "a ZIP archive: unpack it"),
    (b"%PDF", "a PDF document"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 file"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 code stream"),
    (b"\xff\x0a", "a JPEG XL file"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL file"),
)
_NIFTI = (b"n+1\0", b"ni1\0", b"n+2\0", b"ni2\0")


def named(content: bytes) -> str:
    """Return the name of a file that is no image of ours, "" if it may be one."""
    for magic, name in _MAGIC:
        if content.startswith(magic):
            return name
    if content[344:348] in _NIFTI or content[4:8] in _NIFTI:
        return "a NIfTI volume: write each slice as PNG or TIFF"
    start = content[:4096].lstrip()
    if start[:1] in (b"{", b"["):
        return annotation(content[:65536].decode("utf-8", "replace"))
    return "an XML file of annotations: draw its outlines into a mask image" if start[:5] == b"<?xml" else ""


def annotation(text: str) -> str:
    """Return the name of a text that describes a mask in words or numbers, "" if it is none.

    Args:
        text: the cell of a table, or the content of a file.
    """
    text = text.strip()
    if re.match(r"[{\[]", text):
        if '"counts"' in text or "'counts'" in text:
            return "a run-length code (RLE)" + _INSTEAD
        if '"annotations"' in text or '"segmentation"' in text:
            return "an annotation of COCO" + _INSTEAD
        if '"points"' in text or '"shapes"' in text or re.match(r"\[\s*[\[(\d]", text):
            return "a list of polygons" + _INSTEAD
        return "a JSON text" + _INSTEAD
    if re.match(r"(MULTI)?POLYGON\b", text):
        return "a polygon" + _INSTEAD
    return "a run-length code (RLE)" + _INSTEAD if re.fullmatch(r"\d+ \d+( \d+ \d+)*", text) else ""


_INSTEAD = ": draw it into a mask image"
