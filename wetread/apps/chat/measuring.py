"""From words a person types to what `measure` takes."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pydantic import JsonValue

from wetread.apps.chat.ids import as_id
from wetread.errors import InputError
from wetread.yamlfile import nearest

_QUANTITIES = {
    "ctr": "cardiothoracic_ratio",
    "cardiothoracic ratio": "cardiothoracic_ratio",
    "cardiothoracic_ratio": "cardiothoracic_ratio",
    "ratio": "cardiothoracic_ratio",
    "area": "areas",
    "areas": "areas",
    "diameter": "diameters",
    "diameters": "diameters",
    "size": "diameters",
}
_STRUCTURES = {
    "heart": ("heart",),
    "left lung": ("left lung",),
    "right lung": ("right lung",),
    "lungs": ("left lung", "right lung"),
    "lung opacity": ("lung opacity",),
    "opacity": ("lung opacity",),
}
_FILLERS = frozenset({"the", "of", "on", "and", "a", "in"})

WORDS = {
    "ctr": "cardiothoracic ratio",
    "areas": "of structures; mm² where the spacing is calibrated",
    "diameters": "of structures, else of findings' boxes",
    **dict.fromkeys(("heart", "left lung", "right lung", "lungs", "lung opacity"), "structure"),
}
"""What may be typed, for completion."""


def arguments_of(words: str) -> dict[str, JsonValue]:
    """The arguments of `measure` that words ask for; nothing for no words.

    A structure without a quantity is measured in area and diameter, the heart in the cardiothoracic ratio too.

    Raises:
        InputError: `WET-INPUT-OPTION`, a word that means nothing here.
    """
    quantities: dict[str, None] = {}
    structures: dict[str, None] = {}
    image: str | None = None
    for phrase in _phrases(words):
        if (id := as_id(phrase)) is not None and id.startswith("image_"):
            image = id
        elif phrase in _QUANTITIES:
            quantities[_QUANTITIES[phrase]] = None
        elif phrase in _STRUCTURES:
            structures.update(dict.fromkeys(_STRUCTURES[phrase]))
        else:
            known = [*WORDS, "image_1"]
            hint = nearest(phrase, known) or f"What can be measured: {', '.join(WORDS)}."
            raise InputError("WET-INPUT-OPTION", f"“{phrase[:40]}” cannot be measured.", hint)
    if structures and not quantities:
        ratio = ["cardiothoracic_ratio"] if "heart" in structures else []
        quantities = dict.fromkeys([*ratio, "areas", "diameters"])
    arguments: dict[str, JsonValue] = {}
    if quantities:
        arguments["quantities"] = list(quantities)
    if structures:
        arguments["structures"] = list(structures)
    if image is not None:
        arguments["image"] = image
    return arguments


def _phrases(words: str) -> Iterable[str]:
    """Known phrases of two words before those of one; fillers are left out."""
    tokens = [token for token in re.split(r"[\s,;.?!]+", words.lower()) if token]
    at = 0
    while at < len(tokens):
        pair = " ".join(tokens[at : at + 2])
        if pair in _QUANTITIES or pair in _STRUCTURES or (as_id(pair) is not None and at + 1 < len(tokens)):
            yield pair
            at += 2
            continue
        if tokens[at] not in _FILLERS:
            yield tokens[at]
        at += 1
