"""DICOM and picture files for tests: any bits, orientation, photometric interpretation and transfer syntax.

Headers carry no identifiers unless some are given; UIDs are made from the pixels and the arguments, so that the same
call writes the same file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Compression = Literal[
    "none",
    "implicit",
    "big endian",
    "deflated",
    "rle",
    "jpeg",
    "jpeg extended",
    "jpeg lossless",
    "jpeg-ls",
    "jpeg-ls lossy",
    "jpeg 2000",
    "jpeg 2000 lossy",
    "htj2k",
]
_SYNTAXES: dict[Compression, str] = {
    "none": "ExplicitVRLittleEndian",
    "implicit": "ImplicitVRLittleEndian",
    "big endian": "ExplicitVRBigEndian",
    "deflated": "DeflatedExplicitVRLittleEndian",
    "rle": "RLELossless",
    "jpeg": "JPEGBaseline8Bit",
    "jpeg extended": "JPEGExtended12Bit",
    "jpeg lossless": "JPEGLosslessSV1",
    "jpeg-ls": "JPEGLSLossless",
    "jpeg-ls lossy": "JPEGLSNearLossless",
    "jpeg 2000": "JPEG2000Lossless",
    "jpeg 2000 lossy": "JPEG2000",
    "htj2k": "HTJ2KLossless",
}
COMPRESSIONS: tuple[Compression, ...] = tuple(_SYNTAXES)
LOSSY: tuple[Compression, ...] = ("jpeg", "jpeg extended", "jpeg-ls lossy", "jpeg 2000 lossy")


def write_dicom(
    path: Path,
    stored: NDArray[Any],
    *,
    modality: str = "DX",
    view: str | None = None,
    bits: int = 12,
    photometric: Literal["MONOCHROME1", "MONOCHROME2", "RGB"] = "MONOCHROME2",
    compression: Compression = "none",
    preamble: bytes = bytes(128),
    study_date: date | None = date(2026, 3, 2),
    elements: Mapping[str, Any] | None = None,
) -> Path:
    """Write one DICOM file.

    Args:
        path: Where to.
        stored: (rows, columns), (rows, columns, 3) or (frames, rows, columns); integers of 8 or 16 bits, signed or not.
        modality: CR, DX, CT, ...
        view: View Position, where there is one.
        bits: Bits Stored.
        photometric: Photometric Interpretation; the values are written as they are.
        compression: Transfer syntax.
        preamble: The 128 bytes before the prefix; empty for a file without preamble, prefix and meta information.
        study_date: None for none.
        elements: More header elements by keyword, or others' values; None leaves one out.

    Returns:
        `path`.

    Raises:
        ValueError: values that do not fit the bits, or a combination that the transfer syntax does not know.
    """
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import UID

    colour = photometric == "RGB"
    frames = stored if stored.ndim == 3 + colour else stored[None]
    dataset = Dataset()
    dataset.SOPClassUID = _sop_class(modality)
    seed = hashlib.sha256(stored.tobytes() + repr((modality, view, bits, photometric, study_date, elements)).encode())
    dataset.SOPInstanceUID = _uid(seed.digest() + b"instance")
    dataset.StudyInstanceUID = _uid(seed.digest() + b"study")
    dataset.SeriesInstanceUID = _uid(seed.digest() + b"series")
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.Modality = modality
    if study_date is not None:
        dataset.StudyDate = study_date.strftime("%Y%m%d")
    if view is not None:
        dataset.ViewPosition = view
    dataset.SamplesPerPixel = 3 if colour else 1
    dataset.PhotometricInterpretation = photometric
    if colour:
        dataset.PlanarConfiguration = 0
    if len(frames) > 1:
        dataset.NumberOfFrames = len(frames)
    dataset.Rows, dataset.Columns = frames.shape[1:3]
    dataset.BitsAllocated = stored.dtype.itemsize * 8
    dataset.BitsStored, dataset.HighBit = bits, bits - 1
    dataset.PixelRepresentation = int(stored.dtype.kind == "i")
    for keyword, value in (elements or {}).items():
        if value is None:
            if keyword in dataset:
                delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    syntax = _uid_of(_SYNTAXES[compression])
    _set_pixels(dataset, frames, compression, bits)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = UID(str(dataset.get("SOPInstanceUID") or _uid(b"none")))
    meta.TransferSyntaxUID = UID(syntax)
    if preamble:
        dataset.file_meta = meta
        dataset.preamble = preamble
        dataset.save_as(path, enforce_file_format=True)
    else:
        dataset.save_as(path, implicit_vr=compression == "implicit", little_endian=compression != "big endian")
    return path


def _sop_class(modality: str) -> str:
    names = {
        "CR": "ComputedRadiographyImageStorage",
        "DX": "DigitalXRayImageStorageForPresentation",
        "CT": "CTImageStorage",
        "MR": "MRImageStorage",
        "US": "UltrasoundImageStorage",
    }
    return _uid_of(names.get(modality, "SecondaryCaptureImageStorage"))


def _uid_of(name: str) -> str:
    from pydicom import uid

    return str(getattr(uid, name))


def _uid(seed: bytes) -> str:
    # Root for UIDs made of a number of one's own: PS3.5 B.2.
    return f"2.25.{int.from_bytes(hashlib.sha256(seed).digest()[:15], 'big')}"


def _set_pixels(dataset: Any, frames: NDArray[Any], compression: Compression, bits: int) -> None:
    from pydicom.encaps import encapsulate

    if compression in ("none", "implicit", "big endian", "deflated"):
        data = frames.astype(frames.dtype.newbyteorder(">" if compression == "big endian" else "<")).tobytes()
        dataset.PixelData = data + b"\0" * (len(data) % 2)
        dataset["PixelData"].VR = "OB" if frames.dtype.itemsize == 1 else "OW"
        return
    dataset.PixelData = encapsulate([_encoded(frame, compression, bits) for frame in frames])
    dataset["PixelData"].VR = "OB"
    if compression in LOSSY:
        dataset.LossyImageCompression = "01"
        dataset.LossyImageCompressionRatio = round(frames.nbytes / max(1, len(dataset.PixelData)), 1)


def _encoded(frame: NDArray[Any], compression: Compression, bits: int) -> bytes:
    import imagecodecs

    if compression == "rle":
        return _run_lengths(frame, bits)
    if frame.dtype.kind == "i" and compression in ("jpeg", "jpeg extended", "jpeg lossless"):
        raise ValueError("JPEG has no signed values")
    if compression == "jpeg" and frame.dtype != np.uint8:
        raise ValueError("JPEG baseline has 8 bits")
    match compression:
        case "jpeg":
            colour = "RGB" if frame.ndim == 3 else None
            data = imagecodecs.jpeg8_encode(frame, level=92, colorspace=colour, outcolorspace=colour)
        case "jpeg extended":
            data = imagecodecs.jpeg8_encode(frame, level=95, bitspersample=12 if frame.dtype.itemsize > 1 else 8)
        case "jpeg lossless":
            data = imagecodecs.jpeg8_encode(frame, lossless=True, bitspersample=bits, predictor=1)
        case "jpeg-ls":
            data = imagecodecs.jpegls_encode(frame.view(f"u{frame.dtype.itemsize}"))
        case "jpeg-ls lossy":
            data = imagecodecs.jpegls_encode(frame.view(f"u{frame.dtype.itemsize}"), level=2)
        case "htj2k":
            data = imagecodecs.htj2k_encode(frame)
        case _:
            lossy = compression.endswith("lossy")
            data = imagecodecs.jpeg2k_encode(
                frame,
                level=45 if lossy else 0,
                codecformat="J2K",
                bitspersample=bits,
                reversible=not lossy,
            )
    return bytes(data)


def _run_lengths(frame: NDArray[Any], bits: int) -> bytes:
    from pydicom.pixels.encoders.base import get_encoder
    from pydicom.uid import RLELossless

    colour = frame.ndim == 3
    encoded: bytes = get_encoder(RLELossless).encode(
        frame,
        rows=frame.shape[0],
        columns=frame.shape[1],
        number_of_frames=1,
        samples_per_pixel=3 if colour else 1,
        photometric_interpretation="RGB" if colour else "MONOCHROME2",
        planar_configuration=0,
        bits_allocated=frame.dtype.itemsize * 8,
        bits_stored=bits,
        pixel_representation=int(frame.dtype.kind == "i"),
        encoding_plugin="pydicom",
    )
    return encoded
