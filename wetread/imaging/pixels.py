"""The pixels of one image as a reader would see them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wetread.errors import InputError
from wetread.imaging.display import display
from wetread.imaging.pictures import check_size, read_picture
from wetread.imaging.quiet import quiet
from wetread.study import StudyImage

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset
    from pydicom.uid import UID


def read_pixels(image: StudyImage) -> NDArray[np.uint8]:
    """Decode one image (one frame) as displayed.

    For DICOM: modality LUT, VOI LUT or window, presentation LUT (PS3.4 N.2); percentiles 0.5 to 99.5 where the header
    has no window; colour becomes luminance. Other frames of the file are not decoded.

    Returns:
        (rows, columns) uint8, 0 black.

    Raises:
        InputError: `WET-INPUT-DECODE` for a damaged or unsupported file, and the codes of `display` and `pictures`.
    """
    source = image.source
    try:
        pixels = (
            read_picture(source.path, source.frame)
            if source.kind == "picture"
            else read_dicom_frame(source.path, source.frame)
        )
    except InputError as error:
        raise InputError(error.code, f"{image.handle}: {error.message}", error.hint) from error
    if pixels.shape != (image.rows, image.columns):
        raise InputError(
            "WET-INPUT-CHANGED",
            f"{image.handle}: the file has another size than when the study was read.",
            "Read the study again.",
        )
    return pixels


def read_dicom_frame(path: Path, frame: int) -> NDArray[np.uint8]:
    """One frame of a DICOM file as displayed: (rows, columns) uint8.

    Raises:
        InputError: as `read_pixels`.
    """
    try:
        with quiet("pydicom"):
            dataset = read_header(path)
            check_size(int(dataset.Rows), int(dataset.Columns))
            return display(_decode(path, dataset, frame), dataset, frame)
    except InputError:
        raise
    except Exception as error:  # decoders raise whatever they like on damaged streams
        raise InputError(
            "WET-INPUT-DECODE",
            "The pixel data are damaged or cannot be decoded.",
            "Export the image again from its source, uncompressed if possible.",
        ) from error


def read_header(path: Path) -> FileDataset:
    """A DICOM file's elements before its pixel data; files without preamble are read too.

    Raises:
        Exception: pydicom's, for what is not DICOM.
    """
    from pydicom import dcmread

    return dcmread(path, stop_before_pixels=True, force=True)


def transfer_syntax(dataset: FileDataset) -> UID:
    """The file's transfer syntax; for a file without meta information, the one it was found to be written in."""
    from pydicom import uid

    meta = getattr(dataset, "file_meta", None)
    named = meta.get("TransferSyntaxUID") if meta is not None else None
    if named:
        return uid.UID(named)
    implicit, little = dataset.original_encoding
    if implicit:
        return uid.ImplicitVRLittleEndian
    return uid.ExplicitVRLittleEndian if little else uid.ExplicitVRBigEndian


def _decode(path: Path, dataset: FileDataset, frame: int) -> NDArray[Any]:
    from pydicom import dcmread, uid
    from pydicom.pixels.utils import pixel_array

    from wetread.imaging import codecs

    syntax = transfer_syntax(dataset)
    plugin = ""
    if codecs.is_available(syntax):
        codecs.register()
        plugin = codecs.PLUGIN
    # Reading from the path takes in this frame alone; a deflated data set has to be inflated as a whole.
    source = dcmread(path, force=True) if syntax == uid.DeflatedExplicitVRLittleEndian else str(path)
    return pixel_array(source, index=frame, decoding_plugin=plugin, transfer_syntax_uid=syntax)
