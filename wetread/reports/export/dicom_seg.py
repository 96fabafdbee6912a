"""DICOM Segmentation (PS3.3 A.51): the masks of the report's evidence, one object for each image that they lie on."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import highdicom
import numpy as np
from highdicom import seg
from numpy.typing import NDArray

from wetread.errors import ExportError
from wetread.evidence import Evidence
from wetread.reports.export import ExportedFile, Source
from wetread.reports.export import dicom_codes as codes
from wetread.reports.export.dicom_object import (
    SERIES,
    building,
    content_description,
    content_label,
    equipment,
    finish,
    instance_uid,
    numbered,
    series_description,
    series_uid,
    uid,
)
from wetread.reports.export.dicom_source import SourceImage, Sources, sources_of
from wetread.reports.model import Report
from wetread.reports.plain import shown
from wetread.reports.view import TINTS, Mark, marks
from wetread.vocabulary import Side

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

Masks = Callable[[str], bytes | None]
"""The PNG of a mask by its handle."""

SEGMENTED = 128
"""From this value of 255 a pixel belongs to a mask."""


def export(report: Report, source: Source) -> tuple[ExportedFile, ...]:
    """`masks-seg.dcm`, numbered where there are several."""
    sources = sources_of(report, source)
    masks: Masks = source.artifacts.get if source.artifacts is not None else lambda handle: None
    return numbered("masks-seg", segmentations(report, sources, masks))


def segmentations(report: Report, sources: Sources, masks: Masks) -> list[Dataset]:
    """Every mask of the report as a binary segment, in the pixels of its source image.

    Segments are AUTOMATIC, with the name, version and origin of the model that made each.

    Args:
        report: The report.
        sources: Headers of its images.
        masks: Where the masks are.

    Returns:
        One object for each instance that a mask lies on, in the order of the images.

    Raises:
        ExportError: `WET-EXPORT-NOTHING`, the report has no mask; `WET-EXPORT-MASK`, one is not at hand or does not fit
            its image; `WET-EXPORT-HEADER`.
    """
    drawn = [mark for mark in marks(report) if mark.mask is not None and mark.image in sources.images]
    if not drawn:
        raise ExportError(
            "WET-EXPORT-NOTHING", "The report has no masks, so there is nothing to segment.", "Leave dicom-seg out."
        )
    of: dict[str, list[Mark]] = {}
    for mark in drawn:
        of.setdefault(sources.images[mark.image].instance_uid, []).append(mark)
    return [
        _segmentation(report, sources, instance, masks, number) for number, instance in enumerate(of.values(), start=1)
    ]


def _segmentation(report: Report, sources: Sources, drawn: list[Mark], masks: Masks, number: int) -> Dataset:
    source = sources.images[drawn[0].image]
    header = source.header
    frames = int(header.get("NumberOfFrames") or 1)
    pixels = np.zeros((frames, int(header.Rows), int(header.Columns), len(drawn)), dtype=np.uint8)
    for segment, mark in enumerate(drawn):
        image = sources.images[mark.image]
        pixels[(image.frame or 1) - 1, ..., segment] = _mask(mark, image, masks)
    described = [_described(report, mark, place) for place, mark in enumerate(drawn, start=1)]
    with building("dicom-seg", [mark.image for mark in drawn]):
        made = seg.Segmentation(
            source_images=[header],
            pixel_array=pixels if frames > 1 else pixels[:1],
            segmentation_type=seg.SegmentationTypeValues.BINARY,
            segment_descriptions=described,
            series_instance_uid=series_uid("seg", report.sha256, source),
            series_number=SERIES["seg"],
            sop_instance_uid=instance_uid("seg", report.sha256, source, source.instance_uid),
            instance_number=number,
            content_label=content_label(report),
            content_description=content_description(report),
            series_description=series_description(report, "Masks"),
            specific_character_set="ISO_IR 192",
            **equipment(),
        )
    _set_sides(made, drawn)
    dimensions = uid("dimensions", report.sha256, source.instance_uid)
    for item in (*made.DimensionOrganizationSequence, *made.DimensionIndexSequence):
        item.DimensionOrganizationUID = dimensions
    if "FrameOfReferenceUID" not in made:
        # General Image: where no position in the patient says which way the rows run (PS3.3 C.7.6.1.1.1)
        made.PatientOrientation = header.get("PatientOrientation") or ""
    made._db_con.close()  # highdicom's index of the frames, in memory: it leaves it open
    return finish(made, report, source)


def _mask(mark: Mark, image: SourceImage, masks: Masks) -> NDArray[np.bool_]:
    from PIL import Image, UnidentifiedImageError

    assert mark.mask is not None
    data = masks(mark.mask)
    if data is None:
        raise ExportError(
            "WET-EXPORT-MASK",
            f"The mask of {shown(mark.label) or 'a region'} ({mark.mask}) is not at hand.",
            "Keep the report in a store when it is drafted (--store), and export it from there.",
        )
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
            array = np.asarray(picture.convert("L"))
    except (UnidentifiedImageError, OSError, ValueError):
        array = np.zeros((0, 0), dtype=np.uint8)
    if array.shape != (int(image.header.Rows), int(image.header.Columns)):
        raise ExportError(
            "WET-EXPORT-MASK", f"The mask {mark.mask} does not cover {image.handle}.", "Draft the report again."
        )
    return array >= SEGMENTED


def _described(report: Report, mark: Mark, number: int) -> seg.SegmentDescription:
    category, kind, _ = _property(mark)
    owners = [one for one in report.evidence if one.id in mark.evidence]
    return seg.SegmentDescription(
        segment_number=number,
        segment_label=(shown(mark.label) or f"region {number}")[:64],
        segmented_property_category=category.code(),
        segmented_property_type=kind.code(),
        algorithm_type=seg.SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=_algorithm(owners),
        tracking_uid=uid("segment", report.sha256, mark.image, mark.mask or ""),
        tracking_id=f"{mark.mask}"[:64],
        display_color=highdicom.color.CIELabColor.from_string(TINTS[(number - 1) % len(TINTS)]),
    )


def _property(mark: Mark) -> tuple[codes.Concept, codes.Concept, Side | None]:
    return codes.segment_codes(shown(mark.label).lower(), mark.side)


def _algorithm(owners: list[Evidence]) -> Any:
    """The model that made the mask: the evidence that holds it as a region, not what was computed from it."""
    makers = [one for one in owners if one.regions] or owners
    name = "; ".join(dict.fromkeys(f"{one.tool}: {one.model.name}" for one in makers)) or "unknown"
    version = "; ".join(dict.fromkeys(f"{one.model.version} ({one.origin})" for one in makers)) or "unknown"
    return highdicom.AlgorithmIdentificationSequence(
        name=shown(name)[:64], family=codes.AI.code(), version=shown(version)[:64], source="wetread"
    )


def _set_sides(made: Any, drawn: list[Mark]) -> None:
    """The patient's side as the modifier of a segment's type, where the name of the structure says it (CID 244)."""
    from highdicom.sr import CodedConcept

    for item, mark in zip(made.SegmentSequence, drawn, strict=True):
        side = codes.side_code(_property(mark)[2])
        if side is not None:
            item.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence = [
                CodedConcept.from_code(side.code())
            ]
