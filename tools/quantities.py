"""What can be measured on masks and boxes, as pure functions: a number with how it was taken, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wetread.evidence import Box, Measurement
from wetread.study import Spacing, StudyImage
from wetread.tools.structures import StructureMask
from wetread.vocabulary import View

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CTR_METHOD = (
    "greatest horizontal width of the heart's mask over that of both lungs' masks together, "
    "whose outer edges stand for the inner rib margins"
)
CTR_PLAUSIBLE = (0.2, 0.95)
"""A ratio outside of this is a fault of the masks, not of a heart."""

EDGE_PX = 2
"""A mask this near to the picture's edge may be cut off by it."""

AP_NOTE = "AP view: the heart is magnified"
UNKNOWN_NOTE = "projection not known: the ratio is meant for an upright PA view"
CUT_NOTE = "the lungs reach the picture's edge: the chest may be cut off"


@dataclass(frozen=True, slots=True)
class Taken:
    """A measurement and what must be said beside it."""

    measurement: Measurement
    note: str = ""


@dataclass(frozen=True, slots=True)
class NotTaken:
    """What could not be measured, and why."""

    name: str
    reason: str


def cardiothoracic_ratio(
    image: StudyImage, heart: StructureMask, left: StructureMask, right: StructureMask
) -> Taken | NotTaken:
    """The cardiothoracic ratio (Danzer 1919): greatest width of the heart over greatest inner width of the chest.

    A ratio needs no spacing, but means what it means on an upright PA view only; on others the note says so.
    """
    name = "cardiothoracic_ratio"
    unusable = [mask for mask in (heart, left, right) if mask.box is None]
    if heart.box is None or left.box is None or right.box is None:
        return NotTaken(name, "; ".join(f"{mask.name}: {mask.reason}" for mask in unusable))
    chest = _around(left.box, right.box)
    ratio = (heart.box.x_max - heart.box.x_min) / (chest.x_max - chest.x_min)
    inside = chest.x_min <= heart.box.x_min and heart.box.x_max <= chest.x_max
    if not inside or not CTR_PLAUSIBLE[0] <= ratio <= CTR_PLAUSIBLE[1]:
        return NotTaken(name, "the masks of heart and lungs do not fit together")
    notes = []
    if image.view is View.AP:
        notes.append(AP_NOTE)
    elif image.view is not View.PA:
        notes.append(UNKNOWN_NOTE)
    if chest.x_min <= EDGE_PX or chest.x_max >= image.columns - EDGE_PX:
        notes.append(CUT_NOTE)
    measurement = Measurement(
        name=name, value=round(ratio, 4), unit="1", digits=2, image=image.handle, method=CTR_METHOD
    )
    return Taken(measurement, "; ".join(notes))


def area(image: StudyImage, mask: StructureMask) -> list[Taken | NotTaken]:
    """A structure's area in square centimetres where the spacing allows it, and in percent of the picture."""
    name = mask.name.replace(" ", "_")
    if not mask.usable:
        return [NotTaken(f"{name}_area", mask.reason or "no mask")]
    percent = Measurement(
        name=f"{name}_percent",
        value=round(100 * mask.area / (image.rows * image.columns), 3),
        unit="%",
        digits=1,
        image=image.handle,
        method="pixels of the mask over pixels of the picture",
    )
    why = why_no_lengths(image.spacing)
    if image.spacing is None or why:
        return [Taken(percent, "of the picture's area"), NotTaken(f"{name}_area", why)]
    square_cm = mask.area * image.spacing.row_mm * image.spacing.column_mm / 100
    measured = Measurement(
        name=f"{name}_area",
        value=round(square_cm, 2),
        unit="cm2",
        digits=1,
        image=image.handle,
        method="pixels of the mask times the pixel's area",
    )
    return [Taken(measured), Taken(percent, "of the picture's area")]


def mask_diameter(image: StudyImage, mask: StructureMask) -> Taken | NotTaken:
    """The longest diameter of a structure's largest piece, in millimetres."""
    name = f"{mask.name.replace(' ', '_')}_diameter"
    why = why_no_lengths(image.spacing) if mask.usable else mask.reason or "no mask"
    if image.spacing is None or why:
        return NotTaken(name, why)
    from wetread.imaging.masks import largest_component, read_mask_png

    present = largest_component(read_mask_png(mask.png)) > 0
    value = longest_diameter(present, image.spacing)
    method = "longest distance between two points of the outline of the mask's largest piece"
    return Taken(Measurement(name=name, value=round(value, 2), unit="mm", digits=0, image=image.handle, method=method))


def box_diameter(image: StudyImage, name: str, box: Box, where: str) -> Taken | NotTaken:
    """The larger edge of a finding's box, in millimetres: an upper bound on the finding's width or height.

    Args:
        image: The image.
        name: Of the measurement.
        box: In the image's pixels.
        where: Which box it is, for the note.
    """
    why = why_no_lengths(image.spacing)
    if image.spacing is None or why:
        return NotTaken(name, why)
    wide = (box.x_max - box.x_min) * image.spacing.column_mm
    high = (box.y_max - box.y_min) * image.spacing.row_mm
    measurement = Measurement(
        name=name,
        value=round(max(wide, high), 2),
        unit="mm",
        digits=0,
        image=image.handle,
        method="larger edge of the box, which the model gives to one hundredth of what it sees",
    )
    return Taken(measurement, f"larger edge of {where}")


def why_no_lengths(spacing: Spacing | None) -> str:
    """Why nothing can be given in millimetres; empty where it can."""
    if spacing is None:
        return "the image has no pixel spacing"
    if spacing.kind == "detector":
        return "the spacing is at the detector plane, magnified by an unknown factor"
    return ""


def longest_diameter(present: NDArray[np.bool_], spacing: Spacing) -> float:
    """The longest distance in mm between two points of a mask, pixels taken as areas; 0 for an empty one."""
    import numpy as np

    rows = np.flatnonzero(present.any(axis=1))
    if rows.size == 0:
        return 0.0
    first = present[rows].argmax(axis=1)
    last = present.shape[1] - present[rows][:, ::-1].argmax(axis=1)
    # The farthest two points are corners of the hull, and those are ends of rows.
    corners = {(int(x), int(y) + edge) for x, y in zip([*first, *last], [*rows, *rows], strict=True) for edge in (0, 1)}
    hull = _hull(sorted(corners))
    points = np.array(hull) * (spacing.column_mm, spacing.row_mm)
    apart = points[:, None] - points[None]
    return float(np.sqrt((apart**2).sum(axis=-1).max()))


def _hull(points: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Convex hull of sorted points (Andrew 1979)."""

    def half(ordered: list[tuple[int, int]]) -> list[tuple[int, int]]:
        chain: list[tuple[int, int]] = []
        for x, y in ordered:
            while len(chain) >= 2:
                (ax, ay), (bx, by) = chain[-2:]
                if (bx - ax) * (y - ay) - (by - ay) * (x - ax) > 0:
                    break
                chain.pop()
            chain.append((x, y))
        return chain[:-1]

    return half(points) + half(points[::-1])


def _around(one: Box, other: Box) -> Box:
    return Box(
        x_min=min(one.x_min, other.x_min),
        y_min=min(one.y_min, other.y_min),
        x_max=max(one.x_max, other.x_max),
        y_max=max(one.y_max, other.y_max),
    )
