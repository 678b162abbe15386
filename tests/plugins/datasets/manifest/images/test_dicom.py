"""DICOM: what a file asks to show, in every transfer syntax; references are pydicom's own functions."""

from __future__ import annotations

import io
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut, apply_windowing
from pydicom.uid import (
    MPEG2MPML,
    JPEG2000Lossless,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from harness_datasets.manifest.images.formats import decode, header
from tests.plugins.datasets.manifest.images.files import as_compressed, as_dicom, dicom_of

RNG = np.random.default_rng(7)
TWELVE = RNG.integers(0, 4096, (16, 24), np.uint16)
SMOOTH = (np.add.outer(np.arange(32), np.arange(32)) * 60).astype(np.uint16)


REAL = """
693_J2KI JPEG2000 JPGExtended MR_small_RLE MR_small_jp2klossless MR_small_jpeg_ls_lossless JPEGLSNearLossless_16
image_dfl liver_1frame J2K_pixelrep_mismatch ExplVR_BigEnd SC_rgb_jpeg_gdcm SC_rgb_jls_lossy_line SC_rgb_rle_16bit
examples_jpeg2k SC_ybr_full_422_uncompressed
""".split()


def stretched(stored, highest=4095):
    return np.round(stored * (65535 / highest)).astype(np.uint16)


def near(image, expected, tolerance=1):
    assert image.shape == expected.shape
    assert np.abs(image.astype(int) - np.asarray(expected).astype(int)).max() <= tolerance


@pytest.mark.parametrize("suffix", ["", ".dcm", ".IMG", ".0001"])
def test_a_file_is_known_by_its_preamble_not_by_its_ending(suffix):
    near(decode(as_dicom(TWELVE, 12), suffix), stretched(TWELVE))


def test_a_file_without_preamble_that_parses_is_read():
    dataset = dicom_of(TWELVE, 12)
    file = io.BytesIO()
    del dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate
    pydicom.dcmwrite(file, Dataset(dataset), implicit_vr=True, little_endian=True)
    assert file.getvalue()[128:132] != b"DICM"
    near(decode(file.getvalue(), ".dcm"), stretched(TWELVE))


@pytest.mark.parametrize(
    ("syntax", "stream", "tolerance"),
    [
        (JPEGLosslessSV1, lambda image: imagecodecs.ljpeg_encode(image, bitspersample=12), 0),
        (JPEGLossless, lambda image: imagecodecs.ljpeg_encode(image, bitspersample=12), 0),
        (JPEGLSLossless, lambda image: imagecodecs.jpegls_encode(image, level=0), 0),
        (JPEGLSNearLossless, lambda image: imagecodecs.jpegls_encode(image, level=2), 2),
        (JPEG2000Lossless, lambda image: imagecodecs.jpeg2k_encode(image, level=0, codecformat="j2k"), 0),
        (JPEGExtended12Bit, lambda image: imagecodecs.jpeg8_encode(image, level=98, bitspersample=12), 20),
    ],
    ids=["lossless SV1", "lossless P14", "JPEG-LS", "JPEG-LS near", "JPEG 2000", "12-bit JPEG"],
)
def test_compressed_values_are_those_of_the_plain_file(syntax, stream, tolerance):
    content = as_compressed(stream(SMOOTH), syntax, stored=SMOOTH, bits=12)
    assert header(content, ".dcm").bits == 16
    near(decode(content, ".dcm"), stretched(SMOOTH), 1 + 17 * tolerance)


def test_rle_and_signed_values_of_every_lossless_syntax():
    signed = (TWELVE.astype(np.int16) - 2048).copy()
    plain = decode(as_dicom(signed, 12), ".dcm")
    dataset = dicom_of(signed, 12)
    dataset.compress(RLELossless)
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    np.testing.assert_array_equal(decode(file.getvalue(), ".dcm"), plain)
    near(plain, stretched(signed.astype(int) + 2048))


def test_a_syntax_that_training_could_not_read_is_refused_by_the_header():
    content = as_compressed(b"\0" * 64, MPEG2MPML, stored=TWELVE, bits=12)
    with pytest.raises(ValueError, match="transfer syntax MPEG2 .* is not read"):
        header(content, ".dcm")


def test_real_files_of_every_syntax_show_what_pydicom_shows():
    folder = Path(str(get_testdata_file("CT_small.dcm"))).parent
    for name in REAL:
        content = (folder / f"{name}.dcm").read_bytes()
        image, facts = decode(content, ""), header(content, "")
        assert (*image.shape[:2], image.dtype.itemsize * 8) == (facts.height, facts.width, facts.bits), name
        assert (image.ndim == 3) == (facts.channels == 3) and image.min() < image.max(), name
    plain = decode((folder / "MR_small.dcm").read_bytes(), "")
    for name in ("MR_small_RLE", "MR_small_jp2klossless", "MR_small_jpeg_ls_lossless", "MR_small_bigendian"):
        np.testing.assert_array_equal(decode((folder / f"{name}.dcm").read_bytes(), ""), plain)


def test_a_palette_is_applied():
    path = str(get_testdata_file("examples_palette.dcm"))
    dataset = pydicom.dcmread(path)
    image = decode(Path(path).read_bytes(), ".dcm")
    np.testing.assert_array_equal(image, apply_color_lut(dataset.pixel_array, dataset))


def test_bits_above_the_high_bit_are_no_part_of_a_value():
    overlaid = TWELVE | np.uint16(0b0101 << 12)
    near(decode(as_dicom(overlaid, 12), ".dcm"), stretched(TWELVE))
    high = (TWELVE << 4) | np.uint16(0b1001)
    near(decode(as_dicom(high, 12, HighBit=15), ".dcm"), stretched(TWELVE))
    signed = TWELVE.astype(np.int16) - 2048
    near(decode(as_dicom((signed & 0x0FFF) | 0x3000, 12), ".dcm"), stretched(signed.astype(int) + 2048))
    near(decode(as_dicom(signed << 4, 12, HighBit=15), ".dcm"), stretched(signed.astype(int) + 2048))


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize("rescale", [(1, 0), (2, -1024), (-1, 500)])
def test_a_window_is_applied_after_the_rescale_as_pydicom_does(function, rescale):
    fields = {"RescaleSlope": rescale[0], "RescaleIntercept": rescale[1], "VOILUTFunction": function}
    fields |= {"WindowCenter": 700, "WindowWidth": 900}
    dataset = dicom_of(TWELVE, 12, **fields)
    units = apply_modality_lut(TWELVE, dataset)
    plain = dicom_of(TWELVE, 12, WindowCenter=700, WindowWidth=900, VOILUTFunction=function)
    expected = apply_windowing(units, plain) / 4095  # the output range of a file without rescale
    near(decode(as_dicom(TWELVE, 12, **fields), ".dcm"), np.round(expected * 65535), 2)


def test_of_several_windows_the_first_is_taken_and_they_can_be_ignored():
    one = as_dicom(TWELVE, 12, WindowCenter=1000, WindowWidth=400)
    several = as_dicom(TWELVE, 12, WindowCenter=[1000, 3000], WindowWidth=[400, 50])
    np.testing.assert_array_equal(decode(several, ".dcm"), decode(one, ".dcm"))
    assert len(np.unique(decode(one, ".dcm"))) < 400
    near(decode(several, ".dcm", window="ignore"), stretched(TWELVE))
    with pytest.raises(ValueError, match="window has the width 0"):
        decode(as_dicom(TWELVE, 12, WindowCenter=1, WindowWidth=0), ".dcm")


def table(entries, bits, first=0):
    item = Dataset()
    item.LUTDescriptor = [len(entries), first, bits]
    item.LUTData = [int(entry) for entry in entries]
    item["LUTDescriptor"].VR = item["LUTData"].VR = "US"
    return item


def test_a_voi_table_goes_before_a_window_and_after_the_modality_table():
    voi = table(np.arange(1024)[::-1] * 16, 14)
    fields = {"VOILUTSequence": [voi], "WindowCenter": 10, "WindowWidth": 10}
    stored = TWELVE >> 2
    expected = apply_voi_lut(stored, dicom_of(stored, 10, **fields)) / (2**14 - 1)
    near(decode(as_dicom(stored, 10, **fields), ".dcm"), np.round(expected * 65535))
    modality = table(np.minimum(np.arange(1024) * 2, 1023), 16)
    modality.ModalityLUTType = "US"
    both = {"ModalityLUTSequence": [modality], "VOILUTSequence": [voi]}
    expected = voi.LUTData[0] - 16 * np.minimum(stored.astype(int) * 2, 1023)
    near(decode(as_dicom(stored, 10, **both), ".dcm"), np.round(expected / (2**14 - 1) * 65535))


@pytest.mark.parametrize(
    ("photometric", "shape", "inverted"),
    [
        ("MONOCHROME2", "IDENTITY", False),
        ("MONOCHROME2", "INVERSE", True),
        ("MONOCHROME1", "INVERSE", True),
        ("MONOCHROME1", "IDENTITY", True),
    ],
)
def test_an_image_is_inverted_once(photometric, shape, inverted):
    image = decode(as_dicom(TWELVE, 12, photometric, PresentationLUTShape=shape), ".dcm")
    near(image, 65535 - stretched(TWELVE) if inverted else stretched(TWELVE))


def test_a_presentation_table_is_applied_last():
    item = table([0, 0, 255, 255], 8)
    image = decode(as_dicom(TWELVE, 12, PresentationLUTSequence=[item]), ".dcm")
    np.testing.assert_array_equal(image, np.where(np.round(TWELVE / 4095 * 3) >= 2, 65535, 0))


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_black(photometric):
    stored = TWELVE.copy()
    stored[:, :5], stored[:, 5:7] = 4000, 4010
    image = decode(as_dicom(stored, 12, photometric, PixelPaddingValue=4000, PixelPaddingRangeLimit=4020), ".dcm")
    assert (image[:, :7] == 0).all() and (image[:, 7:] > 0).any()
    signed = np.where(stored == 4000, -2000, 5).astype(np.int16)
    image = decode(as_dicom(signed, 16, photometric, PixelPaddingValue=-2000), ".dcm")
    assert (image[:, :5] == 0).all() and (image[:, 5:] > 0).all()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("DICOMDIR", "DICOMDIR, the index of other files"),
        ("reportsi.dcm", "no image: it is of the class Basic Text SR Storage"),
        ("rtstruct.dcm", "no image: it is of the class RT Structure Set Storage"),
        ("rtdose.dcm", "15 frames"),
        ("examples_ybr_color.dcm", "30 frames .Ultrasound Multi-frame"),
        ("SC_rgb_rle_32bit.dcm", "up to 16 bits a sample"),
    ],
)
def test_what_is_no_single_image_is_named_by_the_header(name, reason):
    path = get_testdata_file(name)
    content = Path(str(path)).read_bytes()
    for read in (header, decode):
        with pytest.raises(ValueError, match=reason):
            read(content, ".dcm")


def test_a_tomosynthesis_is_refused_with_its_number_of_slices():
    dataset = dicom_of(TWELVE, 12, NumberOfFrames=60)
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.13.1.3"
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    with pytest.raises(ValueError, match="60 frames .Breast Tomosynthesis Image Storage"):
        header(file.getvalue(), ".dcm")


def test_an_object_without_pixels_is_told_by_the_header():
    dataset = dicom_of(TWELVE, 12)
    del dataset.PixelData
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    with pytest.raises(ValueError, match="no pixel data"):
        header(file.getvalue(), ".dcm")
