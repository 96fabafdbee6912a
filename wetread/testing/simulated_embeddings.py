"""Simulated MedImageInsight: similar pictures and similar texts have similar vectors. What goes with what is chance.

A zero-shot question about a finding leans towards "absent", so that most findings are, as in most pictures.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from wetread.testing.simulated_picture import Picture
from wetread.tools.endpoints.medimageinsight import DIMENSIONS

SCALING_FACTOR = 4.516357

_GRID = 16
_NEGATIONS = frozenset({"no", "not", "without", "absent", "absence", "negative", "normal", "healthy", "clear", "free"})
_EMPTY_WORDS = frozenset(
    {"a", "an", "and", "any", "evidence", "for", "in", "is", "of", "on", "or", "the", "there", "with"}
)
_FRAME_WORDS = frozenset(
    {"x", "ray", "radiograph", "chest", "anteroposterior", "posteroanterior", "frontal", "lateral", "pa", "ap", "view"}
)
"""Words that say what picture it is, not what is on it: they count for less."""

Vector = npt.NDArray[np.float64]


def embed_picture(picture: Picture, seed: int) -> list[float]:
    """A unit vector of 1024 numbers: what all pictures share, and a coarse look at this one."""
    side = picture.small.shape[0] // _GRID
    coarse = picture.small.reshape(_GRID, side, _GRID, side).mean(axis=(1, 3), dtype=np.float64).ravel()
    spread = coarse.std()
    look = (coarse - coarse.mean()) / spread if spread > 1e-6 else np.zeros_like(coarse)
    vector = 0.45 * _signs("picture", seed) + 0.09 * _signs("nothing", seed)
    vector = vector + 0.85 * _unit(look @ _projection(seed)) if look.any() else vector
    return _rounded(vector)


def embed_text(text: str, seed: int) -> list[float]:
    """A unit vector of 1024 numbers: the sum of its words'; a word after a negation is another word."""
    vector = 0.3 * _signs("picture", seed)
    negated = False
    for word in re.findall(r"[^\W_]+", text.lower()):
        if word in _NEGATIONS:
            negated = True
            vector = vector + 0.6 * _signs("nothing", seed)
        elif word not in _EMPTY_WORDS:
            weight = 0.35 if word in _FRAME_WORDS else 1.0
            vector = vector + weight * _signs(f"word {'not ' if negated else ''}{word}", seed)
    return _rounded(vector)


@lru_cache(maxsize=4096)
def _signs(name: str, seed: int) -> Vector:
    """A unit vector whose direction follows from a name alone; two names are all but at right angles."""
    bits = hashlib.shake_256(f"{seed}/{name}".encode()).digest(DIMENSIONS // 8)
    signs: Vector = (np.unpackbits(np.frombuffer(bits, np.uint8)).astype(np.float64) * 2 - 1) / np.sqrt(DIMENSIONS)
    signs.flags.writeable = False
    return signs


@lru_cache(maxsize=4)
def _projection(seed: int) -> Vector:
    return np.stack([_signs(f"place {place}", seed) for place in range(_GRID * _GRID)])


def _unit(vector: Vector) -> Vector:
    unit: Vector = vector / np.linalg.norm(vector)
    return unit


def _rounded(vector: Vector) -> list[float]:
    numbers: list[float] = np.round(_unit(vector), 7).tolist()
    return numbers
