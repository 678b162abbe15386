"""Files to arrays: PNG, JPEG, TIFF and DICOM, 8 or 16 bits. No patient field ever leaves this file."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image

Fit = Literal["stretch", "pad"]
DICOM = (".dcm", ".dicom")
TIFF = (".tif", ".tiff")


def header(content: bytes, suffix: str) -> tuple[int, int, int]:
    """Return height, width and bits (8 or 16) of an image, without decoding it.

    Raises:
        Exception: of whatever kind its decoder raises on a damaged file.
    """
    if suffix.lower() in DICOM:
        dataset = _dicom(content, pixels=False)
        return int(dataset.Rows), int(dataset.Columns), 8 if _is_colour(dataset) else 16
    if suffix.lower() in TIFF:
        import tifffile

        with tifffile.TiffFile(io.BytesIO(content)) as file:
            page: Any = file.pages[0]
            return int(page.imagelength), int(page.imagewidth), 16 if page.bitspersample > 8 else 8
    with _opened(content) as image:
        return image.height, image.width, 16 if image.mode.startswith("I") else 8


def decode(content: bytes, suffix: str) -> np.ndarray:
    """Return the pixels, uint8 or uint16, "h w" or "h w 3".

    DICOM: the modality table or rescale is applied, MONOCHROME1 is inverted, and the range that the
    stored bits can express is stretched over 16 bits; colour is brought to RGB.

    Raises:
        Exception: of whatever kind its decoder raises on a damaged file.
    """
    if suffix.lower() in DICOM:
        return _decode_dicom(content)
    if suffix.lower() in TIFF:
        return _decode_tiff(content)
    with _opened(content) as image:
        image.load()
        if image.mode.startswith("I"):
            deep: np.ndarray = np.clip(np.asarray(image), 0, 65535).astype(np.uint16)
            return deep
        if image.mode == "1":
            return np.asarray(image).astype(np.uint8) * np.uint8(255)
        grey = image.mode in ("L", "LA")
        return np.asarray(image.convert("L" if grey else "RGB"))


def _opened(content: bytes) -> Image:
    import PIL.Image

    try:
        return PIL.Image.open(io.BytesIO(content))
    except PIL.UnidentifiedImageError:  # Pillow's message names a buffer, unknown to the user
        raise ValueError(f"no image that is known begins with {content[:8]!r}" if content else "is empty") from None


def bring_to(image: np.ndarray, image_size: tuple[int, int], channels: int, fit: Fit) -> np.ndarray:
    """Resize an image to `image_size` with 1 ("h w") or 3 channels ("h w 3"), antialiased; dtype and range stay.

    Args:
        image: "h w" or "h w 3", uint8 or uint16.
        image_size: height and width in pixels.
        channels: colour becomes luminance, grey is repeated.
        fit: stretch to the size, or keep the aspect and pad right and below with 0.
    """
    if image.ndim == 3 and channels == 1:
        image = np.round(image @ np.array([0.299, 0.587, 0.114], np.float32)).astype(image.dtype)
    layers = image[:, :, None] if image.ndim == 2 else image
    drawn = [_resized(layers[:, :, number].astype(np.float32), image_size, fit) for number in range(layers.shape[2])]
    found = np.clip(np.round(np.stack(drawn, 2)), 0, np.iinfo(image.dtype).max).astype(image.dtype)
    return found[:, :, 0] if channels == 1 else np.broadcast_to(found, (*image_size, 3)).copy()


def bring_mask_to(mask: np.ndarray, image_size: tuple[int, int], fit: Fit) -> np.ndarray:
    """Resize a mask by nearest neighbour to uint8 of 0 and 1; any value but 0 counts as inside."""
    inside = (mask if mask.ndim == 2 else mask.max(2)) > 0
    return (_resized(inside.astype(np.float32), image_size, fit, nearest=True) > 0.5).astype(np.uint8)


def bring_layers_to(mask: np.ndarray, image_size: tuple[int, int], fit: Fit) -> np.ndarray:
    """Resize a layer map by nearest neighbour, and map its grey values to those of the code.

    Raises:
        ValueError: the file has colours or 16 bits.
    """
    from harness.metrics.functional import decode_layers

    if mask.ndim == 3 and (mask == mask[:, :, :1]).all():
        mask = mask[:, :, 0]
    if mask.ndim != 2 or mask.dtype != np.uint8:
        raise ValueError(f"a layer map has grey values of 8 bits, but this one is {mask.dtype} of shape {mask.shape}.")
    return decode_layers(_resized(mask.astype(np.float32), image_size, fit, nearest=True).astype(np.uint8))


def _resized(layer: np.ndarray, image_size: tuple[int, int], fit: Fit, nearest: bool = False) -> np.ndarray:
    from PIL import Image

    height, width = image_size
    inner = image_size
    if fit == "pad":
        scale = min(height / layer.shape[0], width / layer.shape[1])
        inner = max(1, round(layer.shape[0] * scale)), max(1, round(layer.shape[1] * scale))
    if layer.shape != inner:
        # Pillow widens its filter when it shrinks, which is what keeps fine detail from aliasing.
        how = Image.Resampling.NEAREST if nearest else Image.Resampling.BILINEAR
        layer = np.asarray(Image.fromarray(layer).resize((inner[1], inner[0]), how))
    return np.pad(layer, ((0, height - inner[0]), (0, width - inner[1])))


def _decode_tiff(content: bytes) -> np.ndarray:
    import tifffile

    with tifffile.TiffFile(io.BytesIO(content)) as file:
        page: Any = file.pages[0]
        image = np.asarray(page.asarray())
        white_is_zero = page.photometric == tifffile.PHOTOMETRIC.MINISWHITE
    if image.dtype == bool:
        image = image.astype(np.uint8) * np.uint8(255)
    if image.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"8 or 16 bits without sign expected, but got {image.dtype}")
    if not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] >= 3)):
        raise ValueError(f"grey or RGB expected, but got an array of shape {image.shape}")
    return np.iinfo(image.dtype).max - image if white_is_zero else image[..., :3] if image.ndim == 3 else image


def _decode_dicom(content: bytes) -> np.ndarray:
    from pydicom.pixels import apply_modality_lut, pixel_array

    dataset = _dicom(content, pixels=True)
    if int(dataset.get("NumberOfFrames") or 1) > 1:
        raise ValueError(f"one image expected, but got {dataset.NumberOfFrames} frames")
    if _is_colour(dataset):
        colour: np.ndarray = pixel_array(dataset)
        if colour.dtype != np.uint8 or colour.ndim != 3:
            raise ValueError(f"8-bit RGB expected, but got {dataset.PhotometricInterpretation} {colour.dtype}")
        return colour
    stored = dataset.pixel_array
    bits, signed = int(dataset.BitsStored), int(dataset.PixelRepresentation)
    ends = np.array([-(1 << (bits - 1)), (1 << (bits - 1)) - 1] if signed else [0, (1 << bits) - 1], stored.dtype)
    low, high = np.sort(apply_modality_lut(ends, dataset).astype(float))
    share = (apply_modality_lut(stored, dataset).astype(np.float32) - low) / max(high - low, 1e-12)
    image: np.ndarray = np.round(np.clip(share, 0, 1) * 65535).astype(np.uint16)
    return 65535 - image if dataset.PhotometricInterpretation == "MONOCHROME1" else image


def _dicom(content: bytes, pixels: bool) -> Any:
    import pydicom

    return pydicom.dcmread(io.BytesIO(content), stop_before_pixels=not pixels)


def _is_colour(dataset: Any) -> bool:
    return int(dataset.get("SamplesPerPixel") or 1) > 1
