"""The arguments of calls that a person asks for in words: what to measure, segment, classify."""

from __future__ import annotations

import re
from typing import Any

from wetread.agents.protocol_requests import Request
from wetread.errors import ToolError
from wetread.reports.language import NORMAL, claims, lexicon
from wetread.tools.structures import STRUCTURES, structure_names

_STRUCTURE = re.compile(
    r"\b(?:(left|right) lungs?|lungs? (left|right)|(?:both )?lungs?'?s?(?! opacit| nodule| mass)|heart'?s?|"
    r"cardiac (?:silhouette|shadow)|(?:lung )?opacit(?:y|ies))(?!\w)"
)
_ALL = re.compile(r"\b(?:everything|all(?: structures| of (?:it|them))?)\b")
_RATIO = re.compile(r"\b(?:ctr|ratio|cardio-?thoracic|heart'?s?|cardiac)\b")
_DIAMETER = re.compile(r"\bdiameters?\b|\bhow (?:big|large|wide|broad|long)\b|\bsizes?\b")
_FILLER = re.compile(
    r"\b(?:segment\w*|outline|contour|delineate|trace|masks?|contours?|segmentation|measur\w+|show|me|the|a|an|of|for|"
    r"on|in|and|or|please|image[ _]?\d+|its?|this|that|these|both|all|study|x-?ray|too|as|well|classif\w+|"
    r"probabilit\w+|how|likely|probable|is|are|what|zero|shot|with|findings?|structures?|everything|draw|make|give|it)\b"
)
_NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_MANY = re.compile(rf"\b({'|'.join(_NUMBERS)}|[1-9]|10) (?:\w+ )?(?:similar|comparable|cases|patients)\b")
_REMARKS = "I can measure the cardiothoracic ratio, areas of the lungs and the heart, and diameters of what was found."


def measure_call(request: Request, image: dict[str, Any]) -> tuple[dict[str, Any] | None, str]:
    """The arguments of `measure`, and what to say beside; None where what is asked for cannot be measured."""
    words = request.words
    structures, _ = _structures(words)
    named = [claim.finding for claim in claims(words) if claim.finding and claim.finding != NORMAL]
    if _ALL.search(words) and not structures:
        return {**image, "quantities": ["cardiothoracic_ratio", "areas", "diameters"]}, ""
    if re.search(r"\bareas?\b", words):
        chosen = {"structures": list(structures)} if structures else {}
        return {**image, "quantities": ["areas"], **chosen}, ""
    if "heart" not in structures and structures and not named:
        quantity = "diameters" if re.search(r"\bdiameters?\b", words) else "areas"
        return {**image, "quantities": [quantity], "structures": list(structures)}, ""
    if re.search(r"\bdiameters?\b", words) and structures:
        return {**image, "quantities": ["diameters"], "structures": list(structures)}, ""
    if "heart" in structures or _RATIO.search(words):
        return {**image, "quantities": ["cardiothoracic_ratio"]}, ""
    if named or _DIAMETER.search(words):
        return {**image, "quantities": ["diameters"]}, ""
    left = _left_over(words)
    if left:
        return None, f"I cannot measure that ({left}). {_REMARKS}"
    return {**image, "quantities": ["cardiothoracic_ratio"]}, ""


def segment_call(request: Request, image: dict[str, Any]) -> tuple[dict[str, Any] | None, str]:
    """The arguments of `segment`, and what to say of structures that there are not; None where there is none."""
    structures, rest = _structures(request.words)
    if _ALL.search(request.words) and not structures:
        structures = tuple(STRUCTURES)
    unknown = _left_over(_ALL.sub(" ", rest))
    there = f"There are: {', '.join(STRUCTURES)}."
    said = f"I cannot segment that ({unknown}). {there}" if unknown else ""
    if not structures and unknown:
        return None, said
    return {**image, "structures": list(structures or ("left lung", "right lung", "heart"))}, said


def classify_call(request: Request, image: dict[str, Any]) -> dict[str, Any]:
    """The arguments of `classify`: findings named, else the words themselves, which the tool may know better."""
    named = [claim.finding for claim in claims(request.words) if claim.finding and claim.finding != NORMAL]
    findings = [one for one in dict.fromkeys(named) if one in lexicon().findings]
    if not findings and (left := _left_over(request.words)):
        findings = [left]
    return {**image, "findings": findings} if findings else dict(image)


def similar_call(request: Request, image: dict[str, Any]) -> dict[str, Any]:
    """The arguments of `find_similar`, with how many cases if that is said."""
    found = _MANY.search(request.words)
    if found is None:
        return dict(image)
    return {**image, "k": int(found[1]) if found[1].isdecimal() else _NUMBERS.index(found[1]) + 1}


def _structures(words: str) -> tuple[tuple[str, ...], str]:
    """The structures named in words, and the words without them."""
    names: list[str] = []
    for found in _STRUCTURE.finditer(words):
        name = found[0].replace("'s", "").replace("'", "").removeprefix("both ")
        if found[1] or found[2]:
            name = f"{found[1] or found[2]} lung"
        elif name.startswith("lung") and "opac" not in name:
            name = "lungs"
        names.append("heart" if name.startswith("heart") else name)
    try:
        known = structure_names(tuple(names)) if names else ()
    except ToolError:
        known = ()
    return known, _STRUCTURE.sub(" ", words)


def _left_over(words: str) -> str:
    """What is left of words without structures and without the words of a request."""
    left = _FILLER.sub(" ", _STRUCTURE.sub(" ", words))
    return " ".join(re.findall(r"[a-z][a-z-]+", left))[:60]
