"""DICOM Grayscale Softcopy Presentation State (PS3.3 A.33.1): the boxes that statements point at, with their words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import highdicom
import numpy as np
from highdicom import pr

from wetread.errors import ExportError
from wetread.imaging.display import usable_window
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
    mark,
    numbered,
    series_description,
    series_uid,
    uid,
    unique,
)
from wetread.reports.export.dicom_source import SourceImage, Sources, sources_of
from wetread.reports.model import Report
from wetread.reports.plain import shown
from wetread.reports.view import Mark, marks

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

LAYER = "AI_FINDINGS"
DISCLOSURE_LAYER = "AI_DISCLOSURE"


def export(report: Report, source: Source) -> tuple[ExportedFile, ...]:
    """`boxes-gsps.dcm`, numbered where there are several."""
    return numbered("boxes-gsps", presentation_states(report, sources_of(report, source)))


def presentation_states(report: Report, sources: Sources) -> list[Dataset]:
    """The boxes of the report as graphic annotations, each with the ids and words of the statements that point at it.

    The disclosure stands on each image as text. Pixel coordinates begin at the top left corner of the top left pixel
    (PS3.3 C.10.5.1.2), as the report's do. The presentation inverts MONOCHROME1 (C.11.6.1.2).

    Args:
        report: The report.
        sources: Headers of its images.

    Returns:
        One object for each series, since one can refer to several images only where they are shown alike.

    Raises:
        ExportError: `WET-EXPORT-NOTHING`, the report has no boxes; `WET-EXPORT-HEADER`.
    """
    boxes = [one for one in marks(report) if one.box is not None and one.image in sources.images]
    if not boxes:
        raise ExportError(
            "WET-EXPORT-NOTHING", "The report has no boxes, so there is nothing to draw.", "Leave dicom-gsps out."
        )
    alike: dict[tuple[str, ...], list[SourceImage]] = {}
    for image in sources.images.values():
        if any(one.image == image.handle for one in boxes):
            alike.setdefault(_shown_alike(image), []).append(image)
    return [_state(report, images, boxes, number) for number, images in enumerate(alike.values(), start=1)]


def _shown_alike(image: SourceImage) -> tuple[str, ...]:
    header = image.header
    return (
        image.study_uid,
        image.series_uid,
        *(str(header.get(keyword)) for keyword in ("RescaleSlope", "RescaleIntercept", "RescaleType")),
        str(_inverted(image)),
    )


def _inverted(image: SourceImage) -> bool:
    return bool(image.header.get("PhotometricInterpretation") == "MONOCHROME1")


def _state(report: Report, images: list[SourceImage], boxes: list[Mark], number: int) -> Dataset:
    source = images[0]
    if any(image.header.get("SamplesPerPixel") != 1 for image in images):
        raise ExportError(
            "WET-EXPORT-HEADER",
            f"{source.handle} is in colour: a grayscale presentation state cannot refer to it.",
            "Leave dicom-gsps out.",
        )
    layers = (
        pr.GraphicLayer(layer_name=LAYER, order=1, description="What statements of the report point at"),
        pr.GraphicLayer(layer_name=DISCLOSURE_LAYER, order=2, description="What these annotations are"),
    )
    shape = highdicom.PresentationLUTShapeValues
    headers = list({image.instance_uid: _windowed(image.header) for image in images}.values())
    with building("dicom-gsps", [image.handle for image in images]):
        made = pr.GrayscaleSoftcopyPresentationState(
            referenced_images=headers,
            series_instance_uid=series_uid("gsps", report.sha256, source),
            series_number=SERIES["gsps"],
            sop_instance_uid=instance_uid("gsps", report.sha256, source, *_shown_alike(source)),
            instance_number=number,
            content_label=content_label(report),
            content_description=content_description(report),
            concept_name=codes.REPORT.code(),
            graphic_layers=layers,
            graphic_annotations=list(_annotations(report, images, boxes, layers)),
            presentation_lut_transformation=highdicom.PresentationLUTTransformation(
                presentation_lut_shape=shape.INVERSE if _inverted(source) else shape.IDENTITY
            ),
            series_description=series_description(report, "Boxes"),
            specific_character_set="ISO_IR 192",
            **equipment(),
        )
    if source.header.get("BodyPartExamined"):
        made.BodyPartExamined = source.header.BodyPartExamined
    else:
        made.Laterality = ""  # General Series (PS3.3 C.7.3.1): not known whether a paired part was examined
    return finish(made, report, source)


def _windowed(header: Dataset) -> Dataset:
    """The header without a window that no viewer could use."""
    if usable_window(header) is None:
        for keyword in ("WindowCenter", "WindowWidth"):
            if keyword in header:
                delattr(header, keyword)
    return header


def _annotations(
    report: Report, images: list[SourceImage], boxes: list[Mark], layers: tuple[Any, Any]
) -> Iterable[pr.GraphicAnnotation]:
    words = {one.id: one.text for one in report.statements()}
    findings = {one.id for system in report.findings for one in system.statements}
    for image in images:
        frame: dict[str, Any] = {} if image.frame is None else {"referenced_frame_number": image.frame}
        drawn = [_drawn(report, one, image, words, findings) for one in boxes if one.image == image.handle]
        yield pr.GraphicAnnotation(
            referenced_images=[image.header],
            graphic_layer=layers[0],
            graphic_objects=[graphic for graphic, _ in drawn],
            text_objects=[text for _, text in drawn],
            **frame,
        )
        yield pr.GraphicAnnotation(
            referenced_images=[image.header],
            graphic_layer=layers[1],
            text_objects=[
                pr.TextObject(
                    text_value=shown(" ".join(filter(None, [mark(report), report.disclosure])))[:1024],
                    units=pr.AnnotationUnitsValues.DISPLAY,
                    bounding_box=(0.02, 0.93, 0.98, 0.99),
                    text_justification=pr.TextJustificationValues.LEFT,
                )
            ],
            **frame,
        )


def _drawn(
    report: Report, one: Mark, image: SourceImage, words: dict[str, str], findings: set[str]
) -> tuple[pr.GraphicObject, pr.TextObject]:
    assert one.box is not None
    rows, columns = float(image.header.Rows), float(image.header.Columns)
    left, right = (min(max(0.0, x), columns) for x in (one.box.x_min, one.box.x_max))
    top, bottom = (min(max(0.0, y), rows) for y in (one.box.y_min, one.box.y_max))
    tracking: dict[str, Any] = {
        "tracking_id": one.id,
        "tracking_uid": uid("mark", report.sha256, image.instance_uid, one.id),
    }
    said = [f"{id}: {words[id]}" for id in one.statements if id in findings] or [one.label]
    told = " ".join(filter(None, [*said, f"[{', '.join(unique(one.evidence))}]" if one.evidence else ""]))
    graphic = pr.GraphicObject(
        graphic_type=pr.GraphicTypeValues.POLYLINE,
        graphic_data=np.array([(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]),
        units=pr.AnnotationUnitsValues.PIXEL,
        **tracking,
    )
    text = pr.TextObject(
        text_value=shown(told)[:1024] or one.id,
        units=pr.AnnotationUnitsValues.PIXEL,
        anchor_point=(right, top),
        anchor_point_visible=False,
        **tracking,
    )
    return graphic, text
