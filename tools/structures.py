"""The structures that can be asked for by name, and whether a mask that came back can be one of them.

MedImageParse answers every prompt with a mask and gives no word on whether it means anything, so that each mask is
judged here: by its size, its pieces, its certainty, and the side of the patient on which it lies.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wetread.artifacts import ArtifactStore
from wetread.errors import ToolError
from wetread.evidence import Box, Evidence, Region
from wetread.imaging.geometry import Frame
from wetread.study import StudyImage
from wetread.tools.arguments import nearest, shown
from wetread.tools.images import side_at
from wetread.vocabulary import Side

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from wetread.imaging.masks import MaskQuality
    from wetread.imaging.runs import Runs

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

    Args:
        probabilities: uint8 [structures, rows, columns], 0 to 255, in the frame of the picture sent.
        names: Their structures.
        frame: From that picture to the image.
        image: The image.
        evidence: Id of the evidence they belong to.
    """
    from wetread.imaging.masks import examine

    content = frame.content
    examined = {
        name: examine(
            mask,
            pixels=content.rows * content.columns,
            smallest=STRUCTURES[name].smallest,
            largest=STRUCTURES[name].largest,
            together=STRUCTURES[name].together,
        )
        for mask, name in zip(probabilities, names, strict=True)
    }
    overlapping = _overlapping(probabilities, names, {name: quality for name, (quality, _) in examined.items()})
    return [
        StructureMask(name, evidence, reason=f"its mask is the same place as that of the {overlapping[name]}")
        if name in overlapping
        else _read(mask, STRUCTURES[name], *examined[name], frame, image, evidence)
        for mask, name in zip(probabilities, names, strict=True)
    ]


def recalled_masks(evidence: Evidence, artifacts: ArtifactStore) -> list[StructureMask] | None:
    """The masks that `segment` made, from its evidence and artifacts; None where one of them is missing."""
    rows = evidence.value.get("structures")
    regions = {region.label: region for region in evidence.regions}
    masks = []
    for row in rows if isinstance(rows, list) else []:
        if not isinstance(row, dict) or str(row.get("name")) not in STRUCTURES:
            return None
        name = str(row["name"])
        if row.get("status") != "ok":
            masks.append(StructureMask(name, evidence.id, reason=str(row.get("reason"))))
            continue
        region = regions.get(name)
        png = artifacts.get(region.mask) if region is not None and region.mask is not None else None
        area, probability = row.get("area_px"), row.get("probability")
        if region is None or png is None or not isinstance(area, int) or not isinstance(probability, int | float):
            return None
        masks.append(
            StructureMask(
                name,
                evidence.id,
                png=png,
                area=area,
                box=region.box,
                side=region.side,
                probability=float(probability),
            )
        )
    return masks


def _read(
    mask: NDArray[np.uint8],
    structure: Structure,
    quality: MaskQuality,
    inside: Runs,
    frame: Frame,
    image: StudyImage,
    evidence: str,
) -> StructureMask:
    from wetread.imaging.masks import largest_component
    from wetread.imaging.png import encode_runs
    from wetread.imaging.runs import to_image

    if quality.problems or quality.centroid is None:
        return StructureMask(structure.name, evidence, reason=f"its mask is {' and '.join(quality.problems)}")
    x, _ = frame.to_image(quality.centroid)
    side = side_at(image, x)
    if structure.side is not None and side is not None and side not in (structure.side, Side.MIDLINE):
        why = f"its mask lies on the patient's {side.value}, which cannot be"
        return StructureMask(structure.name, evidence, reason=why)
    warnings: tuple[str, ...] = ()
    known: Runs | None = inside
    if structure.single and quality.components > 1:
        mask, known = largest_component(mask), None
        warnings = (f"{structure.name}: {quality.components - 1} smaller pieces of the mask were left out",)
    runs = to_image(mask, frame, quality.box, known)
    box = runs.box
    if box is None:
        return StructureMask(structure.name, evidence, reason="its mask is too small for a pixel of the image")
    return StructureMask(
        name=structure.name,
        evidence=evidence,
        png=encode_runs(runs),
        area=runs.area,
        box=box,
        side=structure.side if side is not None and structure.side is not None else side,
        probability=round(quality.probability, 3),
        warnings=warnings,
    )


def _overlapping(
    probabilities: NDArray[np.uint8], names: tuple[str, ...], qualities: dict[str, MaskQuality]
) -> dict[str, str]:
    """Left and right lung where both masks show the same place: each with the name of the other."""
    import numpy as np

    from wetread.imaging.runs import PRESENT

    left, right = (qualities.get(name) for name in ("left lung", "right lung"))
    if left is None or right is None or left.box is None or right.box is None:
        return {}
    rows = slice(int(max(left.box.y_min, right.box.y_min)), int(min(left.box.y_max, right.box.y_max)))
    columns = slice(int(max(left.box.x_min, right.box.x_min)), int(min(left.box.x_max, right.box.x_max)))
    one, other = (probabilities[names.index(name), rows, columns] for name in ("left lung", "right lung"))
    shared = np.count_nonzero(np.minimum(one, other) >= PRESENT)
    if shared == 0 or shared < SAME_PLACE * (left.area + right.area - shared):
        return {}
    return {"left lung": "right lung", "right lung": "left lung"}
