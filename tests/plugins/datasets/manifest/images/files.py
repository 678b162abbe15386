"""Writes small image files of every format for the tests of the readers."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import tifffile
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

ORIENTATION = 0x0112


def as_file(image, kind, orientation=None, **options):
    """The file that Pillow writes of an array or image; `orientation` goes into its EXIF data."""
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    if orientation is not None:
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        options["exif"] = exif
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def as_tiff(image, **options):
    file = io.BytesIO()
    tifffile.imwrite(file, image, **options)
    return file.getvalue()


def as_png16(image, colour_type):
    """A PNG of 16 bits a channel, which Pillow cannot write: grey (0), RGB (2), grey + alpha (4) or RGBA (6)."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = image.reshape(len(image), -1).astype(">u2")
    size = struct.pack(">IIBBBBB", image.shape[1], image.shape[0], 16, colour_type, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def dicom_of(stored, bits, photometric="MONOCHROME2", **fields):
    """A DICOM data set without private or random content but its identifiers."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1.2"
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = "Doe^Jane", "secret-7", "19500101"
    dataset.Rows, dataset.Columns = stored.shape[:2]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, photometric
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8 * stored.dtype.itemsize, bits, bits - 1
    dataset.PixelRepresentation = int(stored.dtype.kind == "i")
    for name, value in fields.items():
        setattr(dataset, name, value)
    dataset.PixelData = stored.tobytes()
    dataset["PixelData"].VR = "OB" if stored.dtype.itemsize == 1 else "OW"
    return dataset


def as_dicom(stored, bits, photometric="MONOCHROME2", **fields):
    file = io.BytesIO()
    dicom_of(stored, bits, photometric, **fields).save_as(file, enforce_file_format=True)
    return file.getvalue()


def as_compressed(code_stream, syntax, **facts):
    """A DICOM file around one compressed frame."""
    from pydicom.encaps import encapsulate

    dataset = dicom_of(**facts)
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.PixelData = encapsulate([code_stream])
    dataset["PixelData"].is_undefined_length = True
    dataset["PixelData"].VR = "OB"
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def bits_of(image):
    return 8 * np.asarray(image).dtype.itemsize
