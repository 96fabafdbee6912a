"""From a DICOM file to the three payloads, over its unavoidable parts done once by the fastest libraries found.

The floor decodes (imagecodecs), resizes twice (Pillow), and deflates each picture once as a PNG's data (isal, rows
filtered by Up), on arrays that are already there: no header read, no window, no checksum, no base64.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import imagecodecs
import numpy as np
import pydicom
from isal import isal_zlib
from PIL import Image
from pydicom.encaps import generate_frames
from pydicom.uid import ExplicitVRLittleEndian

from benchmarks.table import Row
from wetread.imaging.bank import ImageBank
from wetread.imaging.prepare import Preparation
from wetread.study_reading import read_study

RG1 = Path(__file__).parents[1] / "scenarios" / "studies" / "rg1" / "rg1.dcm"
PREPARATIONS = (Preparation.FULL, Preparation.PAD_1024, Preparation.SQUARE_512)
ROUNDS = 9


def best(*works: Callable[[], object]) -> list[float]:
    """Best wall time in seconds of each, taken in turns so that a noisy moment hits all alike."""
    times = [float("inf")] * len(works)
    for _ in range(ROUNDS):
        for n, work in enumerate(works):
            began = time.perf_counter()
            work()
            times[n] = min(times[n], time.perf_counter() - began)
    return times


def deflated(array: np.ndarray) -> bytes:
    rows, columns = array.shape
    filtered = np.empty((rows, columns + 1), np.uint8)
    filtered[:, 0] = 2
    filtered[0, 1:] = array[0]
    np.subtract(array[1:], array[:-1], out=filtered[1:, 1:])
    return isal_zlib.compress(filtered, 1)


def payloads(path: Path) -> None:
    study = read_study([path])
    bank = ImageBank(study)
    for preparation in PREPARATIONS:
        bank.payload_now("image_1", preparation)


def payloads_in_session(path: Path) -> None:
    """As a session does it: the three side by side in threads."""
    bank = ImageBank(read_study([path]))

    async def all_three() -> None:
        await asyncio.gather(*(bank.payload("image_1", preparation) for preparation in PREPARATIONS))

    asyncio.run(all_three())


def measure() -> list[Row]:
    rows = []
    with TemporaryDirectory() as folder:
        plain = Path(folder) / "plain.dcm"
        dataset = pydicom.dcmread(RG1)
        coded = next(generate_frames(dataset.PixelData, number_of_frames=1))
        dataset.decompress()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.save_as(plain, enforce_file_format=True)
        raw = dataset.PixelData
        shape = (dataset.Rows, dataset.Columns)
        gray = ImageBank(read_study([RG1])).pixels_now("image_1")

        def rest() -> None:
            picture = Image.fromarray(gray)
            scale = 1024 / max(shape)
            small = np.asarray(
                picture.resize((round(shape[1] * scale), round(shape[0] * scale)), Image.Resampling.BILINEAR)
            )
            padded = np.zeros((1024, 1024), np.uint8)
            padded[: small.shape[0], : small.shape[1]] = small
            square = np.asarray(picture.resize((512, 512), Image.Resampling.BILINEAR))
            for array in (gray, padded, square):
                deflated(array)

        table = np.zeros(65536, np.uint8)

        def floor_j2k() -> None:
            imagecodecs.jpeg2k_decode(coded)
            rest()

        def floor_plain() -> None:
            table[np.frombuffer(raw, "<u2").reshape(shape)]
            rest()

        for name, path, floor in (("JPEG 2000", RG1, floor_j2k), ("uncompressed", plain, floor_plain)):
            alone, threaded, least = best(
                lambda path=path: payloads(path), lambda path=path: payloads_in_session(path), floor
            )
            note = f"{alone * 1000:.0f} ms over {least * 1000:.0f} ms"
            rows.append(
                Row(f"DICOM to three payloads, {name}, one thread, over the floor", alone / least, "times", 1.3, note)
            )
            rows.append(Row(f"DICOM to three payloads, {name}, as in a session", threaded * 1000, "ms"))
    return rows
