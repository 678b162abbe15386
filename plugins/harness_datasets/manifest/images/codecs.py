"""A plugin of pydicom that decodes compressed frames with imagecodecs: what pydicom alone reads only through GPL."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from pydicom import uid

DECODER_DEPENDENCIES = dict.fromkeys(
    (
        uid.JPEGExtended12Bit,
        uid.JPEGLossless,
        uid.JPEGLosslessSV1,
        uid.JPEGLSLossless,
        uid.JPEGLSNearLossless,
        uid.JPEG2000Lossless,
        uid.JPEG2000,
    ),
    ("numpy", "imagecodecs>=2024.6"),
)
_LABEL = "imagecodecs"
_lock = threading.Lock()


def register() -> None:
    """Add the plugin to pydicom's decoders, once; it is asked where pydicom's own plugins fail."""
    from pydicom.pixels import get_decoder

    with _lock:
        for syntax in DECODER_DEPENDENCIES:
            decoder = get_decoder(syntax)
            if _LABEL not in decoder.available_plugins:
                decoder.add_plugin(_LABEL, (__name__, "decode_frame"))


def is_available(syntax: str) -> bool:
    """Return True if this plugin decodes the transfer syntax."""
    return syntax in DECODER_DEPENDENCIES


def decode_frame(source: bytes, runner: Any) -> bytes:
    """Return the samples of one frame, by pixel, and tell pydicom how they are stored.

    Args:
        source: the code stream.
        runner: pydicom's `DecodeRunner`.
    """
    import imagecodecs

    syntax = runner.transfer_syntax
    if syntax in (uid.JPEGLSLossless, uid.JPEGLSNearLossless):
        frame = imagecodecs.jpegls_decode(source)
    elif syntax in (uid.JPEG2000Lossless, uid.JPEG2000):
        frame = imagecodecs.jpeg2k_decode(source)
        if runner.samples_per_pixel > 1:
            runner.set_option("photometric_interpretation", "RGB")
    else:
        frame = imagecodecs.jpeg8_decode(source)
    if (frame.shape[0], frame.shape[1]) != (runner.rows, runner.columns):
        raise ValueError(f"its frame is {frame.shape[0]} x {frame.shape[1]}")
    runner.set_option("planar_configuration", 0)
    runner.set_option("bits_allocated", 8 * frame.dtype.itemsize)
    return np.ascontiguousarray(frame).tobytes()
