"""Stored values of a grey DICOM image to what it shows: modality, then VOI, then presentation.

Source: DICOM PS3.3 C.11.1 (modality), C.11.2 (VOI), C.11.6 (presentation); PS3.4 N.2 for their order.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray


def shown(stored: Array, dataset: Any, window: bool) -> Array:
    """Return the image as uint16 "h w", 0 black.

    Args:
        stored: integers, "h w".
        dataset: its attributes.
        window: apply the VOI table or the first window.
    """
    from pydicom.pixels import apply_modality_lut

    values = np.asarray(apply_modality_lut(stored, dataset))
    share = _voi(values, dataset) if window else None
    if share is None:
        low, high = _range(stored, dataset)
        share = (values.astype(np.float64) - low) / max(high - low, 1e-12)
    image = np.round(_presented(np.clip(share, 0, 1), dataset) * 65535).astype(np.uint16)
    padding = _padding(stored, dataset)
    return image if padding is None else np.where(padding, np.uint16(0), image)


def _range(stored: Array, dataset: Any) -> tuple[float, float]:
    """Return the lowest and highest value that the stored bits can express, after the modality step."""
    from pydicom.pixels import apply_modality_lut

    if dataset.get("ModalityLUTSequence"):
        return 0.0, float(2 ** _entry_bits(dataset.ModalityLUTSequence[0]) - 1)
    bits, signed = int(dataset.BitsStored), int(dataset.PixelRepresentation)
    ends = [-(1 << (bits - 1)), (1 << (bits - 1)) - 1] if signed else [0, (1 << bits) - 1]
    low, high = np.sort(apply_modality_lut(np.array(ends, stored.dtype), dataset).astype(float))
    return float(low), float(high)


def _voi(values: Array, dataset: Any) -> Array | None:
    """Return the result of the first VOI table or else the first window, in [0, 1]; None if there is neither."""
    if dataset.get("VOILUTSequence"):
        from pydicom.pixels import apply_voi

        table = apply_voi(np.round(values).astype(np.int64), dataset, index=0)
        return np.asarray(table / (2 ** _entry_bits(dataset.VOILUTSequence[0]) - 1), np.float64)
    centre, width = _first(dataset.get("WindowCenter")), _first(dataset.get("WindowWidth"))
    if centre is None or width is None:
        return None
    return windowed(np.asarray(values, np.float64), centre, width, str(dataset.get("VOILUTFunction") or "LINEAR"))


def windowed(values: Array, centre: float, width: float, function: str) -> Array:
    """Return values in [0, 1] by a window.

    Raises:
        ValueError: the width is too small, or the function unknown.

    Source: DICOM PS3.3 C.11.2.1.2 and C.11.2.1.3.
    """
    if width < 1 if function == "LINEAR" else width <= 0:
        raise ValueError(f"its window has the width {width:g}")
    if function == "LINEAR":
        if width == 1:
            return (values > centre - 0.5).astype(np.float64)
        return np.clip((values - (centre - 0.5)) / (width - 1) + 0.5, 0, 1)
    if function == "LINEAR_EXACT":
        return np.clip((values - centre) / width + 0.5, 0, 1)
    if function == "SIGMOID":
        return 1 / (1 + np.exp(-4 * (values - centre) / width))
    raise ValueError(f"its VOI LUT function is {function!r}; LINEAR, LINEAR_EXACT and SIGMOID are known")


def _presented(share: Array, dataset: Any) -> Array:
    """Return presentation values in [0, 1].

    MONOCHROME1 and the shape INVERSE state the same inversion: an image with both is inverted once.
    """
    if dataset.get("PresentationLUTSequence"):
        item = dataset.PresentationLUTSequence[0]
        table = np.asarray(item.LUTData, np.float64) / (2 ** _entry_bits(item) - 1)
        return np.asarray(table[np.round(share * (len(table) - 1)).astype(np.intp)])
    inverse = dataset.PhotometricInterpretation == "MONOCHROME1" or dataset.get("PresentationLUTShape") == "INVERSE"
    return 1 - share if inverse else share


def _padding(stored: Array, dataset: Any) -> Array | None:
    """Return the pixels that pad the image, or None."""
    value = dataset.get("PixelPaddingValue")
    if value is None:
        return None
    other = dataset.get("PixelPaddingRangeLimit")
    low, high = sorted((int(value), int(value if other is None else other)))
    found: Array = (stored >= low) & (stored <= high)
    return found


def _entry_bits(item: Any) -> int:
    return int(item.LUTDescriptor[2])


def _first(value: Any) -> float | None:
    """Return the first of several values; None if there is none."""
    if value is None or value == "":
        return None
    return float(value[0] if hasattr(value, "__len__") and not isinstance(value, str) else value)
