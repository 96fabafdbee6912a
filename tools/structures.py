"""The structures that can be asked for by name, and whether a mask that came back can be one of them.

MedImageParse answers every prompt with a mask and gives no word on whether it means anything, so that each mask is
judged here: by its size, its pieces, its certainty, and the side of the patient on which it lies.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from wetread.errors import ToolError
from wetread.evidence import Box, Region
from wetread.imaging.geometry import Frame
from wetread.study import StudyImage
from wetread.tools.arguments import nearest, shown
from wetread.tools.images import side_at
from wetread.vocabulary import Side

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PRESENT = 128
"""From this value of 255 a pixel belongs to a mask: probability 0.5."""

SAME_PLACE = 0.5
"""Two masks of different structures that share this part of their union show one thing, not two."""


@dataclass(frozen=True, slots=True)
class Structure:
    """A structure of a frontal chest radiograph.

    Attributes:
        name: How agents, regions and templates call it.
        prompt: What the model is asked for.
        smallest, largest: Plausible fractions of the picture's area.
        together: Least share of its area that lies in one piece.
        side: The patient's side on which its centre must lie; None for either.
        single: Whether it is one piece, so that smaller ones beside it are left out.
    """

    name: str
    prompt: str
    smallest: float
    largest: float
    together: float
    side: Side | None = None
    single: bool = True


# The bounds are wide on purpose: they tell a mask of something else, not a small heart or a collapsed lung.
STRUCTURES = {
    structure.name: structure
    for structure in (
        Structure("left lung", "left lung", 0.01, 0.45, 0.6, Side.LEFT),
        Structure("right lung", "right lung", 0.01, 0.45, 0.6, Side.RIGHT),
        Structure("heart", "heart", 0.01, 0.40, 0.6),
        Structure("lung opacity", "lung opacity", 0.0005, 0.40, 0.0, single=False),
    )
}
DEFAULT = ("left lung", "right lung", "heart")

_ALIASES = {
    "lung": ("left lung", "right lung"),
    "lungs": ("left lung", "right lung"),
    "both lungs": ("left lung", "right lung"),
    "lung left": ("left lung",),
    "lung right": ("right lung",),
    "cardiac silhouette": ("heart",),
    "heart silhouette": ("heart",),
    "cardiac shadow": ("heart",),
    "opacity": ("lung opacity",),
    "opacities": ("lung opacity",),
    "lung opacities": ("lung opacity",),
}


def structure_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """The structures meant by what a model wrote, each once, in the order of the table; the default ones for nothing.

    Raises:
        ToolError: `WET-TOOL-STRUCTURE` for a name that is not known, with those that are.
    """
    wanted: set[str] = set()
    for name in names or DEFAULT:
        key = " ".join(name.lower().replace("_", " ").replace("-", " ").split())
        if key in STRUCTURES:
            wanted.add(key)
        elif key in _ALIASES:
            wanted.update(_ALIASES[key])
        else:
            hint = f"There are: {', '.join(STRUCTURES)}. {nearest(key, list(STRUCTURES))}".strip()
            raise ToolError("WET-TOOL-STRUCTURE", f"The structure {shown(name)} cannot be segmented.", hint)
    return tuple(name for name in STRUCTURES if name in wanted)


@dataclass(frozen=True, slots=True)
class StructureMask:
    """One structure on one image, as far as there is a usable mask of it.

    Attributes:
        evidence: Id of the evidence under which the model was asked.
        reason: Why there is none; None where there is.
        png: The mask as a 1-bit PNG in the image's own pixels.
        area: Pixels of the image in it.
        box: Bounding box in the image.
        probability: Mean probability inside.
    """

    name: str
    evidence: str
    reason: str | None = None
    png: bytes = b""
    area: int = 0
    box: Box | None = None
    side: Side | None = None
    probability: float = 0.0
    warnings: tuple[str, ...] = ()

    @property
    def usable(self) -> bool:
        return self.reason is None

    def region(self, image: StudyImage, mask: str) -> Region:
        """The region with its mask's artifact handle."""
        return Region(image=image.handle, box=self.box, mask=mask, label=self.name, side=self.side)


def read_masks(
    probabilities: NDArray[np.uint8], names: tuple[str, ...], frame: Frame, image: StudyImage, evidence: str
) -> list[StructureMask]:
    """Judge the masks of one answer and bring the usable ones into the image's own pixels.

    The same answer for the same geometry is judged once a process: a replay gets the same arrays each time, and
    judging them would be most of its work.

    Args:
        probabilities: uint8 [structures, rows, columns], 0 to 255, in the frame of the picture sent.
        names: Their structures.
        frame: From that picture to the image.
        image: The image.
        evidence: Id of the evidence they belong to.
    """
    import numpy as np

    digest = hashlib.sha256(np.ascontiguousarray(probabilities).data).digest()
    key = (digest, names, frame, image.is_frontal, image.patient_right_on)
    with _LOCK:
        judged = _JUDGED.get(key)
        if judged is not None:
            _JUDGED.move_to_end(key)
    if judged is None:
        judged = _judge(probabilities, names, frame, image)
        with _LOCK:
            _JUDGED[key] = judged
            while len(_JUDGED) > MAX_JUDGED:
                _JUDGED.popitem(last=False)
    return [replace(mask, evidence=evidence) for mask in judged]


MAX_JUDGED = 32
"""Answers whose masks are kept judged, some 30 KiB each."""

_JUDGED: OrderedDict[Hashable, tuple[StructureMask, ...]] = OrderedDict()
_LOCK = threading.Lock()


def _judge(
    probabilities: NDArray[np.uint8], names: tuple[str, ...], frame: Frame, image: StudyImage
) -> tuple[StructureMask, ...]:
    overlapping = _overlapping(probabilities, names)
    return tuple(
        StructureMask(name, "", reason=f"its mask is the same place as that of the {overlapping[name]}")
        if name in overlapping
        else _read(mask, STRUCTURES[name], frame, image)
        for mask, name in zip(probabilities, names, strict=True)
    )


def _read(mask: NDArray[np.uint8], structure: Structure, frame: Frame, image: StudyImage) -> StructureMask:
    import numpy as np

    from wetread.imaging.masks import assess, largest_component
    from wetread.imaging.png import encode_mask

    content = frame.content
    quality = assess(
        mask,
        pixels=content.rows * content.columns,
        smallest=structure.smallest,
        largest=structure.largest,
        together=structure.together,
    )
    if quality.problems or quality.centroid is None:
        return StructureMask(structure.name, "", reason=f"its mask is {' and '.join(quality.problems)}")
    x, _ = frame.to_image(quality.centroid)
    side = side_at(image, x)
    if structure.side is not None and side is not None and side not in (structure.side, Side.MIDLINE):
        return StructureMask(structure.name, "", reason=f"its mask lies on the patient's {side.value}, which cannot be")
    warnings: tuple[str, ...] = ()
    if structure.single and quality.components > 1:
        mask = largest_component(mask)
        warnings = (f"{structure.name}: {quality.components - 1} smaller pieces of the mask were left out",)
    assert quality.box is not None
    present, (top, left) = _in_image(mask, quality.box, frame)
    rows, columns = np.flatnonzero(present.any(axis=1)), np.flatnonzero(present.any(axis=0))
    whole = np.zeros((frame.image_rows, frame.image_columns), np.bool_)
    whole[top : top + present.shape[0], left : left + present.shape[1]] = present
    return StructureMask(
        name=structure.name,
        evidence="",
        png=encode_mask(whole),
        area=int(np.count_nonzero(present)),
        box=Box(x_min=left + columns[0], y_min=top + rows[0], x_max=left + columns[-1] + 1, y_max=top + rows[-1] + 1),
        side=structure.side if side is not None and structure.side is not None else side,
        probability=round(quality.probability, 3),
        warnings=warnings,
    )


def _in_image(mask: NDArray[np.uint8], box: Box, frame: Frame) -> tuple[NDArray[np.bool_], tuple[int, int]]:
    """The part of `frame.to_image(mask) >= PRESENT` around a box of the mask, and its top left corner in the image.

    Most of a mask is empty: enlarging the part that is not takes a fraction of the time. Equal but for the last bit of
    the interpolation.
    """
    import numpy as np
    from PIL import Image

    source, content = frame.source, frame.content
    around = frame.to_image(Box(x_min=box.x_min - 1, y_min=box.y_min - 1, x_max=box.x_max + 1, y_max=box.y_max + 1))
    left, top = max(source.left, int(around.x_min)), max(source.top, int(around.y_min))
    right = min(source.left + source.columns, int(around.x_max) + 1)
    bottom = min(source.top + source.rows, int(around.y_max) + 1)
    # What is cut out reaches further than the interpolation does, a pixel or, where the image is smaller, its scale.
    across, down = content.columns / source.columns, content.rows / source.rows
    x, y = (left - source.left) * across, (top - source.top) * down
    x_end, y_end = (right - source.left) * across, (bottom - source.top) * down
    first_x, first_y = max(0, int(x - across) - 2), max(0, int(y - down) - 2)
    last_x, last_y = min(content.columns, int(x_end + across) + 3), min(content.rows, int(y_end + down) + 3)
    inner = mask[
        content.top + first_y : content.top + last_y,
        content.left + first_x : content.left + last_x,
    ]
    part = Image.fromarray(np.ascontiguousarray(inner)).resize(
        (right - left, bottom - top),
        Image.Resampling.BILINEAR,
        box=(x - first_x, y - first_y, x_end - first_x, y_end - first_y),
    )
    return np.asarray(part) >= PRESENT, (top, left)


def _overlapping(probabilities: NDArray[np.uint8], names: tuple[str, ...]) -> dict[str, str]:
    """Left and right lung where both masks show the same place: each with the name of the other."""
    import numpy as np

    if not {"left lung", "right lung"} <= set(names):
        return {}
    left, right = (probabilities[names.index(name)] >= PRESENT for name in ("left lung", "right lung"))
    shared, both = np.count_nonzero(left & right), np.count_nonzero(left | right)
    if shared == 0 or shared < SAME_PLACE * both:
        return {}
    return {"left lung": "right lung", "right lung": "left lung"}
