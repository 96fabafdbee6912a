"""Simulated CXRReportGen: sentences picked by the picture's hash from a small grammar. They mean nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from wetread.tools.endpoints.cxrreportgen import BINS

_T = TypeVar("_T")

Boxes = list[tuple[float, float, float, float]]
Sentence = tuple[str, Boxes | None]
"""Text and boxes, as `findings_row` takes them."""


@dataclass(frozen=True)
class _Finding:
    """An abnormal sentence and where such things lie, in hundredths of the square; the patient's right is left."""

    text: str
    boxes: tuple[tuple[int, int, int, int], ...] = ()


@dataclass(frozen=True)
class _Part:
    """One thing that a report speaks of: what is usual, and what else there may be, of `odds` in a hundred."""

    usual: tuple[str, ...]
    findings: tuple[_Finding, ...]
    odds: int


_PARTS = (
    _Part(
        ("The heart size is normal.", "The cardiac silhouette is within normal limits."),
        (
            _Finding("The heart is mildly enlarged.", ((34, 50, 72, 78),)),
            _Finding("There is moderate cardiomegaly.", ((31, 48, 75, 79),)),
        ),
        25,
    ),
    _Part(
        ("The mediastinal contours are unremarkable.", "The mediastinum is not widened."),
        (
            _Finding("The aorta is tortuous.", ((42, 24, 62, 60),)),
            _Finding("There are calcifications of the aortic knob.", ((54, 28, 63, 36),)),
        ),
        20,
    ),
    _Part(
        ("The lungs are clear.", "There is no focal consolidation."),
        (
            _Finding("There is a patchy opacity in the right lower lung.", ((17, 54, 38, 74),)),
            _Finding("There is linear atelectasis at the left base.", ((62, 64, 84, 74),)),
            _Finding("There is a nodule in the left upper lobe.", ((68, 28, 75, 35),)),
            _Finding("There are hazy opacities at both bases.", ((16, 58, 38, 76), (62, 58, 85, 76))),
        ),
        35,
    ),
    _Part(
        ("There is no pleural effusion or pneumothorax.", "No pleural effusion. No pneumothorax."),
        (
            _Finding("There is a small right pleural effusion.", ((12, 66, 32, 82),)),
            _Finding("There is a small left pleural effusion.", ((68, 66, 88, 82),)),
            _Finding("There is a small right apical pneumothorax.", ((20, 10, 42, 22),)),
        ),
        25,
    ),
    _Part(
        ("No acute osseous abnormality is seen.", "The visualized bones are intact."),
        (
            _Finding("There are degenerative changes of the thoracic spine.", ((45, 20, 55, 88),)),
            _Finding("There is a healed fracture of a left rib.", ((76, 40, 86, 48),)),
        ),
        20,
    ),
    _Part(
        (),
        (
            _Finding("A left subclavian catheter ends in the superior vena cava.", ((36, 14, 78, 44),)),
            _Finding("Sternotomy wires are present.", ((46, 24, 54, 70),)),
        ),
        20,
    ),
)
_CHANGES = ("unchanged from the prior study", "increased from the prior study", "decreased from the prior study")
_LATERAL = "The lateral view shows no further abnormality."


def write_findings(picture_sha256: str, seed: int, *, lateral: bool = False, prior: bool = False) -> list[Sentence]:
    """The findings of a picture: always the same for the same picture, seed and inputs.

    Args:
        lateral: A lateral image was sent.
        prior: A prior image or report was sent; only then the sentences speak of one.
    """
    dice = _Dice(f"{seed}/{picture_sha256}")
    sentences: list[Sentence] = []
    for part in _PARTS:
        if dice.roll(100) >= part.odds:
            if part.usual:
                sentences.append((dice.pick(part.usual), None))
            continue
        finding = dice.pick(part.findings)
        change = dice.pick(_CHANGES)
        text = f"{finding.text.rstrip('.')}, {change}." if prior else finding.text
        sentences.append((text, [dice.box(box) for box in finding.boxes]))
    if lateral:
        sentences.append((_LATERAL, None))
    return sentences


class _Dice:
    """Numbers that look random and follow from a text alone, on every machine and version."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._rolls = 0

    def roll(self, sides: int) -> int:
        self._rolls += 1
        digest = hashlib.sha256(f"{self._text}#{self._rolls}".encode()).digest()
        return int.from_bytes(digest[:8], "big") % sides

    def pick(self, choices: Sequence[_T]) -> _T:
        return choices[self.roll(len(choices))]

    def box(self, box: tuple[int, int, int, int]) -> tuple[float, float, float, float]:
        """The box moved by up to two bins, on the middles of bins."""
        right, down = self.roll(5) - 2, self.roll(5) - 2
        x_min, y_min, x_max, y_max = (
            (min(max(edge + move, 0), BINS - 1) + 0.5) / BINS
            for edge, move in zip(box, (right, down, right, down), strict=True)
        )
        return x_min, y_min, x_max, y_max
