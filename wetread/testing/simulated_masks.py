"""Simulated MedImageParse: lungs and heart where the picture has dark and bright fields; the real one's bad habits too.

What it does not know comes back as a near-empty or a spurious mask, never as a refusal.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product

import numpy as np
import numpy.typing as npt

from wetread.testing.simulated_picture import SMALL, Picture
from wetread.tools.endpoints.medimageparse import SIDE

Field = npt.NDArray[np.float64]
"""float32 [256, 256]."""


@dataclass(frozen=True)
class _Ellipse:
    """In fractions of the picture's content; the patient's right lies left."""

    x: float
    y: float
    width: float
    height: float


_SHAPES = {
    "right lung": _Ellipse(0.30, 0.43, 0.155, 0.29),
    "left lung": _Ellipse(0.70, 0.43, 0.145, 0.29),
    "heart": _Ellipse(0.54, 0.62, 0.17, 0.135),
}
_FOCAL = re.compile(r"opacit|consolidat|infiltrat|pneumonia|infection|covid|mass|nodule|tumou?r|lesion|metasta")
_CLASSES = (
    (re.compile(r"lung$|lungs$"), "lung"),
    (re.compile(r"heart|cardiac|ventric|atri"), "heart anatomies"),
    (re.compile(r"mass|nodule|tumou?r|metasta|cancer"), "tumor"),
    (re.compile(r"pneumonia|infection|covid|infiltrat"), "infection"),
    (re.compile(r"effusion|edema|oedema|fluid"), "fluid disturbance"),
    (re.compile(r"opacit|consolidat|lesion"), "other lesion"),
    (re.compile(r"pneumothorax|fracture|atelecta"), "other abnormality"),
    (re.compile(r"aorta|vein|vena|artery|vessel"), "vessel"),
    (re.compile(r"liver"), "liver"),
    (re.compile(r"kidney"), "kidney"),
    (re.compile(r"pancreas"), "pancreas"),
    (re.compile(r"brain|cortex|hippocamp"), "brain anatomies"),
    (re.compile(r"eye|retina|optic"), "eye anatomies"),
    (re.compile(r"spleen|stomach|trachea|spine|rib|clavicle|diaphragm|mediastin"), "other organ"),
)
_FIT = 64
_MOVES = (-0.06, -0.03, 0.0, 0.03, 0.06)
_SCALES = (0.85, 1.0, 1.15)
_HEART_WIDTHS = (0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3)
_HEART_HEIGHTS = (0.9, 1.15)
_HEART_MOVES = (-0.03, 0.0, 0.03)
_CONTRAST = 0.04
"""Difference in brightness, 0 to 1, between lungs and their surroundings, below which no chest is seen."""


def class_of(prompt: str) -> str:
    """The class name that the model gives a prompt."""
    words = prompt.lower().strip()
    return next((name for pattern, name in _CLASSES if pattern.search(words)), "other")


def draw_masks(picture: Picture, prompts: tuple[str, ...], seed: int) -> npt.NDArray[np.uint8]:
    """Probabilities, uint8 [prompts, 1024, 1024], in the picture's own frame."""
    from PIL import Image

    chest = _fit(picture)
    masks = np.empty((len(prompts), SIDE, SIDE), np.uint8)
    for number, prompt in enumerate(prompts):
        field = _draw(picture, chest, " ".join(prompt.lower().split()), seed)
        small = Image.fromarray(np.rint(np.clip(field, 0, 1) * 255).astype(np.uint8))
        masks[number] = np.asarray(small.resize((SIDE, SIDE), Image.Resampling.BILINEAR))
    return masks


@dataclass(frozen=True)
class _Chest:
    """How the shapes must be moved and stretched to lie on this picture, and the heart that it then shows."""

    x: float
    y: float
    width: float
    height: float
    heart: _Ellipse = _SHAPES["heart"]

    def shape(self, name: str) -> _Ellipse:
        return self.heart if name == "heart" else _SHAPES[name]


def _draw(picture: Picture, chest: _Chest | None, prompt: str, seed: int) -> Field:
    if chest is not None:
        if prompt in _SHAPES:
            return _structure(picture, chest, prompt)
        if prompt in ("lung", "lungs", "both lungs"):
            return np.maximum(_structure(picture, chest, "right lung"), _structure(picture, chest, "left lung"))
        if _FOCAL.search(prompt):
            return _bright_spots(picture, chest)
    return _nothing(picture, prompt, seed)


def _structure(picture: Picture, chest: _Chest, name: str) -> Field:
    """An ellipse with a soft edge, pulled towards what is as dark, or as bright, as its middle."""
    radius = _radius(picture, chest, chest.shape(name))
    inside, around = radius < 0.8, (radius > 1.1) & (radius < 1.5)
    if not inside.any() or not around.any():
        return np.zeros_like(picture.small)
    middle = (picture.small[inside].mean() + picture.small[around].mean()) / 2
    towards = (picture.small - middle) / max(float(picture.small[inside | around].std()), 1e-3)
    pull = 0.8 * np.clip(towards if name == "heart" else -towards, -1.5, 1.5)
    field = _sigmoid(9 * (1 - radius) + pull)
    if name != "heart":
        field = field * (1 - _sigmoid(9 * (1 - _radius(picture, chest, chest.heart))))
    return field


def _bright_spots(picture: Picture, chest: _Chest) -> Field:
    lungs = np.maximum(_structure(picture, chest, "right lung"), _structure(picture, chest, "left lung"))
    inside = lungs > 0.5
    if not inside.any():
        return np.zeros_like(picture.small)
    typical = np.median(picture.small[inside])
    spread = np.median(np.abs(picture.small[inside] - typical)) * 1.4826 + 0.02
    core: Field = np.minimum(*(_radius(picture, chest, _SHAPES[name]) for name in ("right lung", "left lung")))
    bright = (picture.small - typical) / spread - 2.2
    return lungs * _sigmoid(15 * (0.8 - core)) * _sigmoid(2.5 * bright)


def _nothing(picture: Picture, prompt: str, seed: int) -> Field:
    """What the model makes of something that is not there: next to nothing, or a few blobs somewhere."""
    digest = hashlib.sha256(f"{seed}/{picture.sha256}/{prompt}".encode()).digest()
    spurious = digest[0] % 2 == 0
    y, x = np.mgrid[0:SMALL, 0:SMALL]
    field = np.zeros((SMALL, SMALL))
    for blob in range(1 + digest[1] % 3 if spurious else 1):
        centre_x, centre_y, size, peak = digest[4 * blob + 4 : 4 * blob + 8]
        reach = 3 + size % 12 if spurious else 1 + size % 2
        height = (0.5 + peak / 1024) if spurious else (0.4 + peak / 1280)
        distance = np.hypot(x - 40 - centre_x * 0.7, y - 40 - centre_y * 0.7) / reach
        field = np.maximum(field, height * np.exp(-((distance / 1.2) ** 2)))
    return field


def _radius(picture: Picture, chest: _Chest, shape: _Ellipse) -> Field:
    """Distance of each pixel of the small picture from the middle of a shape: 1 on its edge."""
    left, top, right, bottom = picture.content
    y, x = _grid(SMALL)
    inner_x, inner_y = (x - left) / (right - left), (y - top) / (bottom - top)
    return _distance(inner_x, inner_y, chest, shape)


def _distance(x: Field, y: Field, chest: _Chest, shape: _Ellipse) -> Field:
    middle_x = 0.5 + (shape.x - 0.5) * chest.width + chest.x
    middle_y = 0.5 + (shape.y - 0.5) * chest.height + chest.y
    across, down = (x - middle_x) / (shape.width * chest.width), (y - middle_y) / (shape.height * chest.height)
    distance: Field = np.hypot(across, down)
    return distance


def _fit(picture: Picture) -> _Chest | None:
    """The place and size at which lungs are darkest against their surroundings; None where nothing looks like lungs."""
    from PIL import Image

    left, top, right, bottom = (edge * SMALL for edge in picture.content)
    whole = Image.fromarray(picture.small.astype(np.float32))
    small = whole.resize((_FIT, _FIT), Image.Resampling.BOX, box=(left, top, right, bottom))
    content = np.asarray(small, np.float64)
    chests, weights = _templates()
    contrast = weights @ content.ravel()
    best = int(contrast.argmax())
    if contrast[best] < _CONTRAST:
        return None
    return replace(chests[best], heart=_fit_heart(content, chests[best]))


def _fit_heart(content: Field, chest: _Chest) -> _Ellipse:
    """The heart whose left and right borders are sharpest: bright just inside, dark just outside."""
    usual = _SHAPES["heart"]
    y, x = _grid(_FIT)
    best, sharpest = usual, -1.0
    for wider, taller, right, down in product(_HEART_WIDTHS, _HEART_HEIGHTS, _HEART_MOVES, _HEART_MOVES):
        heart = _Ellipse(usual.x + right, usual.y + down, usual.width * wider, usual.height * taller)
        radius = _distance(x, y, chest, heart)
        sideways = np.abs(x - (0.5 + (heart.x - 0.5) * chest.width + chest.x)) > 0.6 * heart.width * chest.width
        inside, outside = (radius > 0.75) & (radius < 1) & sideways, (radius > 1) & (radius < 1.25) & sideways
        sharpness = float(content[inside].mean() - content[outside].mean()) if inside.any() and outside.any() else -1.0
        if sharpness > sharpest:
            best, sharpest = heart, sharpness
    return best


def _grid(side: int) -> tuple[Field, Field]:
    """y and x of the middles of pixels of a square, 0 to 1."""
    y, x = (np.mgrid[0:side, 0:side] + 0.5) / side
    return y, x


@lru_cache(maxsize=1)
def _templates() -> tuple[list[_Chest], Field]:
    """All places and sizes tried, and for each the weights that give brightness around the lungs minus inside them."""
    y, x = _grid(_FIT)
    chests = [
        _Chest(move_x, move_y, width, height)
        for move_x in _MOVES
        for move_y in _MOVES
        for width in _SCALES
        for height in _SCALES
    ]
    weights = np.empty((len(chests), _FIT * _FIT))
    for number, chest in enumerate(chests):
        radius = np.minimum(*(_distance(x, y, chest, _SHAPES[name]) for name in ("right lung", "left lung")))
        inside = (radius < 0.9).astype(np.float64)
        around = ((radius > 1.05) & (radius < 1.35)).astype(np.float64)
        weights[number] = (around / around.sum() - inside / inside.sum()).ravel()
    return chests, weights


def _sigmoid(value: Field) -> Field:
    return 1 / (1 + np.exp(-value))
