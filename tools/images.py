"""What tools ask of an image before they work on it, and on which side of the patient a place on it lies."""

from __future__ import annotations

from collections.abc import Callable

from wetread.errors import ToolError
from wetread.study import Study, StudyImage
from wetread.tools.arguments import find_image
from wetread.vocabulary import RADIOGRAPH, Modality, Side

MIDLINE_BAND = 0.02
"""A place whose centre lies within this fraction of the picture's width from its middle is given as midline."""


def choose_image(study: Study, handle: str | None) -> str:
    """The handle to work on: the one given, else the current frontal radiograph, else the first current image.

    Raises:
        ToolError: `WET-TOOL-HANDLE` for a handle that the study does not have.
    """
    if handle is not None:
        return find_image(study, handle).handle
    frontal = study.frontal()
    if frontal is not None:
        return frontal.handle
    return next(iter(study.current), study.images[0]).handle


def is_radiograph(image: StudyImage) -> bool:
    """Whether it is a projection radiograph: by its modality, or, where that is not known, because it has a view."""
    return image.is_radiograph or (image.modality == Modality.UNKNOWN and image.is_frontal)


def require_chest_radiograph(image: StudyImage, tool: str) -> None:
    """Abstain on anything but a radiograph of the chest; a body part that is not given is taken for the chest.

    Raises:
        ToolError: `WET-TOOL-MODALITY` or `WET-TOOL-BODY-PART`, abstained.
    """
    if not is_radiograph(image):
        raise ToolError(
            "WET-TOOL-MODALITY",
            f"{image.handle} has modality {image.modality}; {tool} is for radiographs"
            f" ({', '.join(sorted(RADIOGRAPH))}).",
            abstained=True,
        )
    if image.body_part is not None and not any(word in image.body_part.upper() for word in ("CHEST", "THORAX", "LUNG")):
        raise ToolError(
            "WET-TOOL-BODY-PART",
            f"{image.handle} does not show the chest; {tool} is for chest radiographs.",
            abstained=True,
        )


def require_frontal(study: Study, image: StudyImage, tool: str, *, current: bool = False) -> None:
    """Abstain on anything but a frontal chest radiograph, with `current` one of the current study.

    Where the study has one and another image was named, the call is refused instead: it can be asked rightly.

    Raises:
        ToolError: `WET-TOOL-VIEW`, `WET-TOOL-PRIOR`, or as `require_chest_radiograph`.
    """
    _or_ask_rightly(study, image, lambda: require_chest_radiograph(image, tool))
    if not image.is_frontal:
        what = "is not known" if image.view.value == "unknown" else f"is {image.view.value}"
        error = ToolError(
            "WET-TOOL-VIEW",
            f"The view of {image.handle} {what}; {tool} is for frontal views (PA, AP, frontal).",
            "A view that is not known is not guessed: the person who asks can state it.",
            abstained=True,
        )
        _or_ask_rightly(study, image, lambda: _raise(error))
    if current and image.role == "prior":
        frontal = study.frontal()
        raise ToolError(
            "WET-TOOL-PRIOR",
            f"{image.handle} is of an earlier study; {tool} reads the current one.",
            f"Ask for {frontal.handle}." if frontal else "",
            abstained=frontal is None,
        )


def side_at(image: StudyImage, x: float) -> Side | None:
    """The patient's side of a column of pixels; None where the view or the orientation does not allow one.

    On a frontal view with the patient's right on the left of the picture, what lies left of the middle is right.

    Args:
        image: The image.
        x: In its pixels, from its left edge.
    """
    if not image.is_frontal or image.patient_right_on == "unknown":
        return None
    offset = x / image.columns - 0.5
    if abs(offset) <= MIDLINE_BAND:
        return Side.MIDLINE
    return Side.RIGHT if (offset < 0) == (image.patient_right_on == "left") else Side.LEFT


def _or_ask_rightly(study: Study, image: StudyImage, check: Callable[[], None]) -> None:
    try:
        check()
    except ToolError as error:
        frontal = study.frontal()
        if frontal is None or frontal.handle == image.handle:
            raise
        raise ToolError(error.code, error.message, f"Ask for {frontal.handle}.") from None


def _raise(error: ToolError) -> None:
    raise error
