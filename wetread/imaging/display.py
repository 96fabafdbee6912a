"""Stored values to displayed ones: modality LUT, VOI LUT, presentation LUT, in that order (DICOM PS3.4 N.2).

Everything up to 16 bits goes through one table that is indexed by the stored value, so the steps cost the same for
any image.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wetread.errors import InputError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]
Pixels = NDArray[Any]

PERCENTILES = (0.5, 99.5)
"""What is shown as black and as white where an image says nothing of its own."""


def display(array: Pixels, dataset: Dataset, frame: int) -> Bytes:
    """Pixels as displayed.

    Args:
        array: Stored values of one frame: (rows, columns) of any integer or float type, or (rows, columns, 3) RGB.
        dataset: The frame's header.
        frame: Number of the frame, from 0, for what enhanced objects say frame by frame.

    Returns:
        (rows, columns) uint8; 0 is black. MONOCHROME1 and Presentation LUT Shape INVERSE are inverted, once.

    Raises:
        InputError: `WET-INPUT-RESCALE`, `WET-INPUT-LUT`, `WET-INPUT-PIXELS`.
    """
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.ndim == 3:
        return luminance(array, int(dataset.get("BitsStored") or 8))
    if dataset.get("PhotometricInterpretation") == "PALETTE COLOR":
        return _palette(array, dataset)
    inverted = (
        dataset.get("PhotometricInterpretation") == "MONOCHROME1" or dataset.get("PresentationLUTShape") == "INVERSE"
    )
    modality = modality_lut(dataset, frame)
    voi = _voi(dataset, frame)
    if array.dtype.kind == "f" or array.dtype.itemsize > 2:
        values = modality(array.astype(np.float64))
        if not np.isfinite(values).all():
            raise InputError(
                "WET-INPUT-PIXELS",
                "The image has pixel values that are not numbers (NaN or infinite).",
                "Export it again from its source.",
            )
        shown = (voi or percentile_window(values))(values)
        return _invert(shown) if inverted else shown
    codes, unsigned = _codes(array.dtype)
    values = modality(codes.astype(np.float64))
    if voi is None:
        counts = np.bincount(array.view(unsigned).ravel(), minlength=codes.size)
        padding = _padding(dataset, codes)
        if padding is not None and counts.sum() > counts[padding]:
            counts[padding] = 0
        voi = percentile_window(values, counts)
    table = voi(values)
    if inverted:
        table = _invert(table)
    return np.take(table, array.view(unsigned))


def stretch(array: Pixels) -> Bytes:
    """Values without any header to displayed ones: 8 bits as they are, all else between the 0.5 and 99.5 percentiles.

    Raises:
        InputError: `WET-INPUT-PIXELS` where values are not numbers.
    """
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind == "f" or array.dtype.itemsize > 2:
        if not np.isfinite(array).all():
            raise InputError(
                "WET-INPUT-PIXELS",
                "The image has pixel values that are not numbers (NaN or infinite).",
                "Export it again from its source.",
            )
        values = array.astype(np.float64)
        return percentile_window(values)(values)
    codes, unsigned = _codes(array.dtype)
    counts = np.bincount(array.view(unsigned).ravel(), minlength=codes.size)
    values = codes.astype(np.float64)
    return np.take(percentile_window(values, counts)(values), array.view(unsigned))


def luminance(rgb: Pixels, bits: int) -> Bytes:
    """(rows, columns, 3) RGB of `bits` bits to (rows, columns) gray: Y of ITU-R BT.601."""
    from PIL import Image

    if rgb.dtype != np.uint8 or bits != 8:
        top = float(2 ** min(max(bits, 1), rgb.dtype.itemsize * 8) - 1)
        rgb = np.clip(np.rint(rgb.astype(np.float64) * (255.0 / top)), 0, 255).astype(np.uint8)
    return np.asarray(Image.fromarray(np.ascontiguousarray(rgb)).convert("L"))


def percentile_window(values: Floats, counts: NDArray[np.intp] | None = None) -> Callable[[Floats], Bytes]:
    """The window between two percentiles; the whole range where they coincide; all black for a constant image.

    Args:
        values: The image's values, or the distinct values that `counts` counts.
        counts: How often each of `values` occurs.
    """
    if counts is None:
        low, high = (float(v) for v in np.percentile(values, PERCENTILES))
        least, most = float(values.min()), float(values.max())
    else:
        order = np.argsort(values, kind="stable")
        order = order[counts[order] > 0]
        cumulated = np.cumsum(counts[order])
        low, high = (float(values[order[np.searchsorted(cumulated, p / 100 * cumulated[-1])]]) for p in PERCENTILES)
        least, most = float(values[order[0]]), float(values[order[-1]])
    if high <= low:
        low, high = least, most
    if high <= low:
        return lambda x: np.zeros(x.shape, np.uint8)
    return lambda x: _to_bytes((x - low) / (high - low))


def _codes(dtype: np.dtype[Any]) -> tuple[Pixels, np.dtype[Any]]:
    """All stored values in the order of their unsigned bit patterns, and the type that makes an index of a pixel."""
    unsigned = np.dtype(f"u{dtype.itemsize}")
    return np.arange(2 ** (8 * dtype.itemsize), dtype=unsigned).view(dtype.newbyteorder("=")), unsigned


def _to_bytes(fraction: Floats) -> Bytes:
    return np.rint(np.clip(fraction, 0.0, 1.0) * 255.0).astype(np.uint8)


def _invert(array: Bytes) -> Bytes:
    return np.subtract(255, array, dtype=np.uint8)


def _groups(dataset: Dataset, frame: int, macro: str) -> Dataset:
    """Where an enhanced object keeps a macro of that frame; the data set itself for all others."""
    places = [*dataset.get("PerFrameFunctionalGroupsSequence", [])[frame : frame + 1]]
    places += dataset.get("SharedFunctionalGroupsSequence", [])
    for place in places:
        items = place.get(macro)
        if items:
            item: Dataset = items[0]
            return item
    return dataset


def _numbers(dataset: Dataset, keyword: str) -> list[float]:
    value = dataset.get(keyword)
    if value is None or value == "":
        return []
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        value = [value]
    return [float(v) for v in value]


def modality_lut(dataset: Dataset, frame: int) -> Callable[[Floats], Floats]:
    """The modality LUT (PS3.3 C.11.1): a table, or slope and intercept.

    Raises:
        InputError: `WET-INPUT-RESCALE`, `WET-INPUT-LUT`.
    """
    sequence = dataset.get("ModalityLUTSequence")
    if sequence:
        table, _ = _lut(sequence[0], dataset, signed_first=dataset.get("PixelRepresentation") == 1)
        return table
    place = _groups(dataset, frame, "PixelValueTransformationSequence")
    try:
        slope = (_numbers(place, "RescaleSlope") or [1.0])[0]
        intercept = (_numbers(place, "RescaleIntercept") or [0.0])[0]
    except (TypeError, ValueError):
        slope = math.nan
        intercept = math.nan
    finite = math.isfinite(slope) and math.isfinite(intercept)
    if not finite or not 1e-12 < abs(slope) < 1e12 or abs(intercept) > 1e15:
        raise InputError(
            "WET-INPUT-RESCALE",
            "The image's Rescale Slope or Rescale Intercept is not a usable number.",
            "Correct the header, or export the image again from its source.",
        )
    return lambda x: x * slope + intercept


def _voi(dataset: Dataset, frame: int) -> Callable[[Floats], Bytes] | None:
    """PS3.3 C.11.2: a table before a window; the first of several. None where there is none that can be used."""
    sequence = dataset.get("VOILUTSequence")
    if sequence:
        # The first input value is signed where the modality LUT's output is.
        signed = dataset.get("PixelRepresentation") == 1 or (_numbers(dataset, "RescaleIntercept") or [0.0])[0] < 0
        table, top = _lut(sequence[0], dataset, signed_first=signed)
        return lambda x: _to_bytes(table(x) / top)
    place = _groups(dataset, frame, "FrameVOILUTSequence")
    window = usable_window(place)
    if window is None:
        return None
    centre, width = window
    match str(place.get("VOILUTFunction") or "LINEAR").upper():
        case "SIGMOID":
            # exp overflows to infinity far below the window, which is the right limit: 0.
            return lambda x: _to_bytes(1.0 / (1.0 + np.exp(np.clip(-4.0 * (x - centre) / width, -700.0, 700.0))))
        case "LINEAR_EXACT":
            return lambda x: _to_bytes((x - centre) / width + 0.5)
        case _:
            if width <= 1.0:
                return lambda x: np.where(x > centre - 0.5, 255, 0).astype(np.uint8)
            return lambda x: _to_bytes((x - (centre - 0.5)) / (width - 1.0) + 0.5)


def usable_window(dataset: Dataset) -> tuple[float, float] | None:
    """Centre and width of a header's first window; None unless both are finite and the width is positive."""
    try:
        centres, widths = _numbers(dataset, "WindowCenter"), _numbers(dataset, "WindowWidth")
    except (TypeError, ValueError):
        return None
    if not centres or not widths or not math.isfinite(centres[0]) or not math.isfinite(widths[0]) or widths[0] <= 0:
        return None
    return centres[0], widths[0]


def _lut(item: Dataset, dataset: Dataset, *, signed_first: bool) -> tuple[Callable[[Floats], Floats], float]:
    """A LUT sequence item (PS3.3 C.11.1.1): the function, and the largest output that its bits can say."""
    try:
        entries, first, bits = (int(v) for v in item.LUTDescriptor)
        data = item.LUTData
        # A descriptor of ambiguous VR is read by Pixel Representation; entries is unsigned and 0 means 65536 all the
        # same.
        entries = entries % 65536 or 65536
        first = (first + 32768) % 65536 - 32768 if signed_first else first % 65536
        if isinstance(data, bytes):
            order = "<" if dataset.original_encoding[1] is not False else ">"
            wide = bits > 8 or len(data) >= 2 * entries
            table = np.frombuffer(data, np.dtype(f"{order}u2") if wide else np.dtype("u1")).astype(np.float64)
        else:
            table = np.atleast_1d(np.asarray(data, dtype=np.float64)) % 65536
            if bits <= 8 and table.size < entries:  # two 8-bit entries in each 16-bit word, low byte first
                words = table.astype(np.uint16)
                table = np.stack((words & 255, words >> 8), axis=1).ravel().astype(np.float64)
    except (AttributeError, TypeError, ValueError) as error:
        raise _bad_lut() from error
    if table.size < entries or not 1 <= bits <= 16:
        raise _bad_lut()
    table = table[:entries]
    # Some writers give more bits in the data than the descriptor says.
    top = max(float(2**bits - 1), float(table.max())) if table.max() > 2**bits - 1 else float(2**bits - 1)
    return lambda x: table[np.clip(np.rint(x) - first, 0, entries - 1).astype(np.intp)], top


def _bad_lut() -> InputError:
    return InputError(
        "WET-INPUT-LUT",
        "The image has a look-up table that contradicts its own descriptor.",
        "Export it again from its source.",
    )


def _palette(array: Pixels, dataset: Dataset) -> Bytes:
    from pydicom.pixels.processing import apply_color_lut

    codes, unsigned = _codes(array.dtype)
    try:
        rgb = apply_color_lut(codes[None, :], dataset)
    except (AttributeError, KeyError, TypeError, ValueError, NotImplementedError, IndexError) as error:
        raise _bad_lut() from error
    table = luminance(rgb[..., :3], rgb.dtype.itemsize * 8)[0]
    return np.take(table, array.view(unsigned))


def _padding(dataset: Dataset, codes: Pixels) -> NDArray[np.intp] | None:
    """Indices of the padding values, which say nothing of the patient (PS3.3 C.7.5.1.1.2)."""
    try:
        ends = [float(dataset[key].value) for key in ("PixelPaddingValue", "PixelPaddingRangeLimit") if key in dataset]
    except (TypeError, ValueError):
        return None
    if "PixelPaddingValue" not in dataset or not ends:
        return None
    return np.flatnonzero((codes >= min(ends)) & (codes <= max(ends)))
