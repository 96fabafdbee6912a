"""Chest radiographs that show nobody: drawn from a seed, findings where they are asked for, and the truth about them.

A phantom looks enough like a film for pipelines, geometry and displays to be tried on; it says nothing about a model's
accuracy. Frontal pictures are seen from the front, the patient's right on the picture's left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from wetread.evidence import Box
from wetread.imaging.masks import horizontal_extent, widest_row
from wetread.testing.dicom import Compression, write_dicom
from wetread.testing.phantom_anatomy import frontal, lateral
from wetread.testing.phantom_drawing import Floats, enlarged
from wetread.testing.phantom_findings import Finding, FindingKind, PatientSide

__all__ = ["Finding", "FindingKind", "PatientSide", "Phantom", "PhantomView", "PlacedFinding", "chest_phantom"]

PhantomView = Literal["frontal", "lateral"]

_ON_LATERAL = ("effusion", "nodule", "mass", "consolidation")


@dataclass(frozen=True, slots=True)
class PlacedFinding:
    """A finding as it lies in the picture: its mask ((rows, columns) uint8, 0 and 255) and the mask's bounding box."""

    finding: Finding
    mask: NDArray[np.uint8]
    box: Box


@dataclass(frozen=True, slots=True)
class Phantom:
    """A picture and the truth about it.

    Attributes:
        pixels: (rows, columns) uint8; 0 is black.
        structures: Masks, (rows, columns) uint8, 0 and 255: right lung, left lung, heart; on a lateral lungs, heart.
        findings: In the order asked for.
        view: As asked for.
        patient_right_on: Side of the picture; `unknown` on a lateral one.
    """

    pixels: NDArray[np.uint8]
    structures: dict[str, NDArray[np.uint8]]
    findings: tuple[PlacedFinding, ...]
    view: PhantomView
    patient_right_on: Literal["left", "right", "unknown"]

    @property
    def cardiothoracic_ratio(self) -> float:
        """Width of the heart over the greatest inner width of the chest, from the masks; frontal only.

        Raises:
            ValueError: a lateral picture.
        """
        if self.view != "frontal":
            raise ValueError("a cardiothoracic ratio is measured on a frontal picture")
        heart = horizontal_extent(self.structures["heart"])
        chest = widest_row(np.maximum(self.structures["right lung"], self.structures["left lung"]))
        if heart is None or chest is None:
            raise ValueError("the phantom is too small to measure")
        return (heart[1] - heart[0]) / (chest[2] - chest[1])

    def write_png(self, path: Path) -> Path:
        """Write the picture without any header; a path ending in .jpg or .tiff makes it one of those."""
        from PIL import Image

        Image.fromarray(self.pixels).save(path)
        return path

    def write_dicom(
        self,
        path: Path,
        *,
        modality: str = "DX",
        view: str | None = None,
        bits: int = 12,
        photometric: Literal["MONOCHROME1", "MONOCHROME2", "RGB"] = "MONOCHROME2",
        compression: Compression = "none",
        study_date: date | None = date(2026, 3, 2),
        elements: Mapping[str, Any] | None = None,
        preamble: bytes = bytes(128),
    ) -> Path:
        """Write the picture as DICOM, with orientation, view and window, and no identifiers but those in `elements`.

        Args:
            view: View Position; PA or LL where not given.
            bits: Bits Stored, 8 to 16; gray values are spread over them, inverted for MONOCHROME1, so that the picture
                looks the same in any form.
            modality, photometric, compression, study_date, elements, preamble: As `wetread.testing.dicom.write_dicom`.

        Returns:
            `path`.

        Raises:
            ValueError: bits out of range, or not known to the compression.
        """
        if not 8 <= bits <= 16:
            raise ValueError("a phantom is stored in 8 to 16 bits")
        top = 2**bits - 1
        values = self.pixels if bits == 8 else np.rint(self.pixels * (top / 255)).astype(np.uint16)
        if photometric == "RGB":
            values = np.repeat(values[..., None], 3, axis=2)
        elif photometric == "MONOCHROME1":
            values = (top - values).astype(values.dtype)
        across = {"left": "L", "right": "R", "unknown": "P"}[self.patient_right_on]
        known = {
            "BodyPartExamined": "CHEST",
            "PatientOrientation": [across, "F"],
            "WindowCenter": 2 ** (bits - 1),
            "WindowWidth": 2**bits,
        }
        return write_dicom(
            path,
            values,
            modality=modality,
            view=view or ("PA" if self.view == "frontal" else "LL"),
            bits=bits,
            photometric=photometric,
            compression=compression,
            study_date=study_date,
            elements={**known, **(elements or {})},
            preamble=preamble,
        )


def chest_phantom(
    rows: int = 1024,
    columns: int | None = None,
    *,
    view: PhantomView = "frontal",
    seed: int = 0,
    cardiothoracic_ratio: float = 0.45,
    findings: Sequence[Finding] = (),
    patient_right_on: Literal["left", "right"] = "left",
) -> Phantom:
    """Draw one radiograph. The same arguments give the same picture.

    Args:
        rows, columns: Size in pixels, at least 64; square by default. The chest fills the central square.
        view: Frontal or lateral (patient facing left).
        seed: Which patient: shape, vessels, noise.
        cardiothoracic_ratio: 0.3 to 0.75; above 0.5 the heart counts as enlarged.
        findings: What to place; on a lateral picture effusion, nodule, mass or consolidation.
        patient_right_on: `right` gives a mirrored frontal picture.

    Raises:
        ValueError: arguments out of range.
    """
    columns = columns or rows
    if min(rows, columns) < 64:
        raise ValueError("a phantom has at least 64 x 64 pixels")
    if not 0.3 <= cardiothoracic_ratio <= 0.75:
        raise ValueError("the cardiothoracic ratio lies between 0.3 and 0.75")
    rng = np.random.default_rng(seed)
    if view == "frontal":
        film, outlines, placed = frontal(rng, cardiothoracic_ratio, findings)
    else:
        refused = [finding.kind for finding in findings if finding.kind not in _ON_LATERAL]
        if refused:
            raise ValueError(f"not drawn on a lateral picture: {', '.join(refused)}")
        film, outlines, placed = lateral(rng, findings)
    pixels = _developed(film, rows, columns, rng)
    structures = {name: _mask(mask, rows, columns) for name, mask in outlines.items()}
    shapes = [_mask(mask, rows, columns) for mask in placed]
    if view == "frontal" and patient_right_on == "right":
        pixels = np.ascontiguousarray(pixels[:, ::-1])
        structures = {name: np.ascontiguousarray(mask[:, ::-1]) for name, mask in structures.items()}
        shapes = [np.ascontiguousarray(mask[:, ::-1]) for mask in shapes]
    return Phantom(
        pixels=pixels,
        structures=structures,
        findings=tuple(
            PlacedFinding(finding, mask, _bounding_box(mask)) for finding, mask in zip(findings, shapes, strict=True)
        ),
        view=view,
        patient_right_on=patient_right_on if view == "frontal" else "unknown",
    )


def _bounding_box(mask: NDArray[np.uint8]) -> Box:
    ys, xs = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if ys.size == 0:
        raise ValueError("a finding came out empty: give it a larger size, or the picture more pixels")
    return Box(x_min=float(xs[0]), y_min=float(ys[0]), x_max=float(xs[-1] + 1), y_max=float(ys[-1] + 1))


def _mask(shape: Floats, rows: int, columns: int) -> NDArray[np.uint8]:
    return np.where(enlarged(shape, rows, columns) >= 0.5, 255, 0).astype(np.uint8)


def _developed(film: Floats, rows: int, columns: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Attenuation to gray values at the asked size, with noise that is stronger where less light came through."""
    side = min(rows, columns)
    gray = enlarged(np.clip((film - 0.02) / 0.95, 0, 1), rows, columns).astype(np.float64)
    np.clip(gray, 0, 1, out=gray)
    gray **= 1.15  # in float64: single precision's powers are not the same on all processors
    noise = rng.standard_normal((rows, columns), dtype=np.float32)
    gray *= 243.0
    gray += 6.0 + noise * (1.6 if side > 256 else 0.8)
    return np.clip(gray, 0, 255).astype(np.uint8)
