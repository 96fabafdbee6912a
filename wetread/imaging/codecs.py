"""Compressed DICOM frames decoded by imagecodecs, as a plugin of pydicom's decoders (pydicom guide "Decoder plugins").

One permissively licensed library covers JPEG baseline, extended (8 and 12 bits) and lossless, JPEG-LS, JPEG 2000,
HTJ2K and RLE.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
from pydicom import uid

if TYPE_CHECKING:
    from pydicom.pixels.decoders.base import DecodeRunner

PLUGIN = "imagecodecs"
DECODER_DEPENDENCIES = dict.fromkeys(
    (
        uid.JPEGBaseline8Bit,
        uid.JPEGExtended12Bit,
        uid.JPEGLossless,
        uid.JPEGLosslessSV1,
        uid.JPEGLSLossless,
        uid.JPEGLSNearLossless,
        uid.JPEG2000Lossless,
        uid.JPEG2000,
        uid.HTJ2KLossless,
        uid.HTJ2KLosslessRPCL,
        uid.HTJ2K,
        uid.RLELossless,
    ),
    ("imagecodecs>=2025.3.30",),
)
_JPEG_2000 = (
    uid.JPEG2000Lossless,
    uid.JPEG2000,
    uid.HTJ2KLossless,
    uid.HTJ2KLosslessRPCL,
    uid.HTJ2K,
)
_lock = threading.Lock()
_registered = False


def is_available(syntax: str) -> bool:
    """Whether this plugin decodes a transfer syntax (asked by pydicom)."""
    return syntax in DECODER_DEPENDENCIES


def register() -> None:
    """Make the plugin known to pydicom, once in a process; it is then chosen by `decoding_plugin=PLUGIN`."""
    global _registered
    from pydicom.pixels.decoders.base import get_decoder

    with _lock:
        if not _registered:
            for syntax in DECODER_DEPENDENCIES:
                decoder = get_decoder(syntax)
                if PLUGIN not in decoder.available_plugins:
                    decoder.add_plugin(PLUGIN, (__name__, "decode_frame"))
            _registered = True


def decode_frame(source: bytes, runner: DecodeRunner) -> bytes:
    """One encoded frame to its bytes, samples interleaved; tells the runner what came out.

    Raises:
        ValueError: the frame's size or number of samples is not what the header says.
        Exception: imagecodecs' own, for a corrupt stream.
    """
    array = _decode(source, runner)
    samples = array.shape[2] if array.ndim == 3 else 1
    if array.shape[:2] != (runner.rows, runner.columns) or samples != runner.samples_per_pixel:
        raise ValueError(
            f"decoded {array.shape}, expected {runner.rows} x {runner.columns} x {runner.samples_per_pixel}"
        )
    runner.set_option("bits_allocated", array.dtype.itemsize * 8)
    if samples > 1:
        runner.set_option("planar_configuration", 0)
    return array.tobytes()


def _decode(source: bytes, runner: DecodeRunner) -> np.ndarray[Any, np.dtype[Any]]:
    import imagecodecs

    syntax = runner.transfer_syntax
    colour = runner.samples_per_pixel == 3
    array: np.ndarray[Any, np.dtype[Any]]
    if syntax in _JPEG_2000:
        array = imagecodecs.jpeg2k_decode(source, numthreads=min(4, os.cpu_count() or 1))
        if colour and runner.photometric_interpretation in ("YBR_ICT", "YBR_RCT"):
            runner.set_option("photometric_interpretation", "RGB")
    elif syntax in (uid.JPEGLSLossless, uid.JPEGLSNearLossless):
        array = imagecodecs.jpegls_decode(source)
    elif syntax in (uid.JPEGLossless, uid.JPEGLosslessSV1):
        array = np.ascontiguousarray(imagecodecs.jpegsof3_decode(source))
    elif syntax == uid.RLELossless:
        dtype = np.dtype(f"<u{runner.bits_allocated // 8}")
        planes = np.frombuffer(imagecodecs.dicomrle_decode(source, dtype), dtype)
        planes = planes[: runner.samples_per_pixel * runner.rows * runner.columns]
        planes = planes.reshape(runner.samples_per_pixel, runner.rows, runner.columns)
        array = np.ascontiguousarray(planes.transpose(1, 2, 0)) if colour else planes[0]
    elif colour:
        # The header, not a guess from the stream's markers, says whether the three components are luminance and
        # chrominance.
        ybr = runner.photometric_interpretation.startswith("YBR")
        array = imagecodecs.jpeg8_decode(source, colorspace="YCBCR" if ybr else "RGB", outcolorspace="RGB")
        runner.set_option("photometric_interpretation", "RGB")
    else:
        array = imagecodecs.jpeg8_decode(source)
    return array
