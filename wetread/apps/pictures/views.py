"""What is shown of a study: an image, what an evidence found on it, what a statement points at.

Each view is a picture of a given size with labels yet to be written, and a caption that says in words what is drawn,
since not everybody tells colours apart, and half blocks tell little else. What cannot be drawn says so in the caption.
Views decode and draw: call them in a thread.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from wetread.apps.pictures.panels import Panel, composed
from wetread.artifacts import ArtifactStore
from wetread.errors import InputError
from wetread.evidence import Box, Evidence, Ledger, Region
from wetread.imaging.bank import ImageBank
from wetread.imaging.overlay import Label, Mark
from wetread.reports.model import Report, Statement
from wetread.reports.outline import outlines
from wetread.reports.view import FINDINGS, TINTS, image_title, layer_tints, marks
from wetread.study import Study, StudyImage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TINT_WORDS = ("amber", "blue", "pink", "green", "yellow", "orange")
"""The colours of `wetread.reports.view.TINTS` in words."""

_MARGIN = 0.35  # around a crop, as a share of the region's longer side
_MOST = 2  # images side by side
_WHOLE = 0.5  # what fills so much of an image, in either direction, is shown well enough by the image


class Source(Protocol):
    """Where views find what they show; a `wetread.session.Session` is one."""

    @property
    def study(self) -> Study: ...
    @property
    def images(self) -> ImageBank: ...
    @property
    def artifacts(self) -> ArtifactStore: ...
    @property
    def ledger(self) -> Ledger: ...
    @property
    def report(self) -> Report | None: ...


@dataclass(frozen=True)
class View:
    """A picture for a painter, and what it shows in words.

    Attributes:
        caption: One line or a few, without line breaks at their ends.
        pixels: (rows, columns, 3) uint8; None where there is nothing to be shown, and the caption says why.
        labels: To be written on it, in its own pixels.
    """

    caption: str
    pixels: NDArray[np.uint8] | None = None
    labels: tuple[Label, ...] = ()


def view_of_image(source: Source, handle: str, *, size: tuple[int, int]) -> View:
    """An image with everything that the report shows on it; the image alone before there is a report.

    Args:
        source: The session.
        handle: Of any image of the study: current or prior, frontal or lateral.
        size: Width and height to draw in (`Painter.resolution`); none by none gives the caption alone.
    """
    image = source.study.image(handle)
    if image is None:
        return View(f"There is no {handle}. There are: {', '.join(one.handle for one in source.study.images)}.")
    report = source.report
    if report is None:
        return _drawn(source, [_Shown(image)], [], size)
    drawn = [mark for mark in marks(report) if mark.image == handle]
    tints = layer_tints(drawn)
    findings = [statement.id for system in report.findings for statement in system.statements]
    placed, legend = [], []
    for mark in drawn:
        region = Region(image=handle, box=mark.box, mask=mark.mask, label=mark.label)
        tint = tints[mark.layer]
        if mark.mask is not None:
            placed.append(_Placed(region, mark.label, tint))
            legend.append(f"{TINT_WORDS[tint]} outline: {mark.label or 'a structure'}")
        else:
            named = [id for id in mark.statements if id in findings]
            placed.append(_Placed(region, " ".join(named), tint))
    if any(mark.layer == FINDINGS for mark in drawn):
        boxed = {id for mark in drawn if mark.layer == FINDINGS for id in mark.statements}
        legend.insert(0, f"{TINT_WORDS[0]} boxes: {', '.join(id for id in findings if id in boxed) or 'findings'}")
    return _drawn(source, [_Shown(image, tuple(placed))], ["; ".join(legend) or "Nothing points at it."], size)


def view_of_evidence(source: Source, id: str, *, size: tuple[int, int]) -> View:
    """The image that an evidence is about, with its boxes and masks; of one that was computed from others, theirs.

    Args:
        source: The session.
        id: `E3`.
        size: As in `view_of_image`.
    """
    evidence = _evidence(source, id)
    if evidence is None:
        return View(f"There is no evidence {id}.")
    head = f"{evidence.id} · {evidence.tool}"
    found = _of_evidence(evidence)
    if not found and evidence.status != "ok":
        why = evidence.reason.message if evidence.reason is not None else evidence.summary
        return View(f"{head} {evidence.status}, and has no place on an image: {why}")
    if not found and evidence.uses:
        used = [one for one in (_evidence(source, other) for other in evidence.uses) if one is not None]
        found = [entry for one in used for entry in _of_evidence(one)]
        head += f": {evidence.summary or 'computed'}, computed from {', '.join(evidence.uses)}, shown here"
    if not found:
        return View(f"{head} has no place on an image: {evidence.summary or 'it gave no regions'}.")
    return _pointed(source, head, found, size)


def view_of_statement(source: Source, id: str, *, size: tuple[int, int]) -> View:
    """The image with the regions that a statement points at, and those regions enlarged beside it.

    Regions on two images, such as the current and the prior one, are shown on both, side by side.

    Args:
        source: The session.
        id: `S2`.
        size: As in `view_of_image`.
    """
    statement = _statement(source, id)
    if statement is None:
        return View(f"There is no statement {id}." if source.report is not None else "There is no report yet.")
    head = f"{statement.id} · {statement.text}"
    if not statement.regions:
        return View(f"{head} It points at no place on an image.")
    found = [(region, region.label) for region in dict.fromkeys(statement.regions)]
    return _pointed(source, head, found, size, enlarged=True)


@dataclass(frozen=True, slots=True)
class _Placed:
    """A region to be drawn, its label and the place of its colour in `TINTS`."""

    region: Region
    label: str
    tint: int


@dataclass(frozen=True, slots=True)
class _Shown:
    image: StudyImage
    placed: tuple[_Placed, ...] = ()
    part: Box | None = None
    """What of it; all where not given."""


def _of_evidence(evidence: Evidence) -> list[tuple[Region, str]]:
    """Its regions, each once, with what is said of each."""
    said = [(region, one.text) for one in evidence.observations for region in one.regions]
    return list(dict.fromkeys([*said, *((region, region.label) for region in evidence.regions)]))


def _pointed(
    source: Source, head: str, found: Sequence[tuple[Region, str]], size: tuple[int, int], *, enlarged: bool = False
) -> View:
    """Regions on their images, numbered by what is said of them where several things are."""
    texts = list(dict.fromkeys(text for _, text in found))
    legend, placed = [], []
    for number, text in enumerate(texts, start=1):
        tint = (number - 1) % len(TINTS)
        regions = [region for region, said in found if said == text]
        label = str(number) if len(texts) > 1 else ""
        drawn = _shapes(regions, TINT_WORDS[tint])
        legend.append(f"{label} ({drawn})" if label else drawn)
        if text:
            legend[-1] += f": {text.rstrip('.')}"
        placed += [_Placed(region, label, tint) for region in regions]
    handles = dict.fromkeys(region.image for region, _ in found)
    images = [image for image in map(source.study.image, handles) if image is not None]
    if not images:
        return View(f"{head}\nIts image is not among those of the study.")
    shown = [_Shown(image, tuple(one for one in placed if one.region.image == image.handle)) for image in images]
    if enlarged and len(shown) == 1 and (part := _part(shown[0])) is not None:
        shown.append(_Shown(shown[0].image, shown[0].placed, part))
    if more := shown[_MOST:]:
        legend.append(f"not shown: {', '.join(one.image.handle for one in more)}")
    return _drawn(source, shown[:_MOST], legend, size, head=head)


def _shapes(regions: Sequence[Region], colour: str) -> str:
    """`7 amber boxes`, `blue outline`."""
    masks = sum(region.mask is not None for region in regions)
    words = []
    for count, word, more in ((len(regions) - masks, "box", "boxes"), (masks, "outline", "outlines")):
        if count:
            words.append(f"{colour} {word}" if count == 1 else f"{count} {colour} {more}")
    return " and ".join(words)


def _drawn(
    source: Source, shown: Sequence[_Shown], legend: Iterable[str], size: tuple[int, int], *, head: str = ""
) -> View:
    missing = {
        one.label or one.mask
        for each in shown
        for one in (placed.region for placed in each.placed)
        if one.mask is not None and source.artifacts.get(one.mask) is None
    }
    lines = [head, _titles([one for one in shown if one.part is None]), *legend]
    if missing:
        lines.append(f"Not kept, hence not drawn: {', '.join(sorted(missing))}.")
    drawing = None
    if min(size) >= 1:
        panels = []
        for one in shown:
            try:
                pixels = source.images.pixels_now(one.image.handle)
            except InputError as error:
                return View("\n".join(filter(None, [*lines, error.line()])))
            panels.append(Panel(pixels, tuple(_marks(one, source.artifacts)), one.part))
        drawing = composed(panels, size)
        if drawing.stand != "alone":
            where = {"beside": ("left", "right"), "below": ("above", "below")}[drawing.stand]
            what = [one.image.handle if one.part is None else "the place enlarged" for one in shown]
            lines.insert(2, ", ".join(f"{place}: {name}" for place, name in zip(where, what, strict=True)))
    caption = "\n".join(filter(None, lines))
    return View(caption) if drawing is None else View(caption, drawing.pixels, drawing.labels)


def _titles(shown: Sequence[_Shown]) -> str:
    """`image_1 · DX PA · current, the patient's right on the left`."""
    titles = []
    for one in shown:
        side = one.image.patient_right_on
        right = "" if side == "unknown" else f", the patient's right on the {side}"
        titles.append(image_title(one.image) + right)
    return "; ".join(titles)


def _marks(shown: _Shown, artifacts: ArtifactStore) -> Iterable[Mark]:
    for one in shown.placed:
        region, colour = one.region, TINTS[one.tint]
        if region.mask is None:
            yield Mark(label=one.label, box=region.box, colour=colour)
        elif (png := artifacts.get(region.mask)) is not None:
            yield Mark(label=one.label, outline=outlines(png, shown.image.rows, shown.image.columns), colour=colour)


def _part(shown: _Shown) -> Box | None:
    """The part of the image with all that is pointed at, and some of what is around it; None if that is most of it."""
    boxes = [one.region.box for one in shown.placed if one.region.box is not None]
    if not boxes:
        return None
    columns, rows = shown.image.columns, shown.image.rows
    left, right = min(box.x_min for box in boxes), max(box.x_max for box in boxes)
    top, bottom = min(box.y_min for box in boxes), max(box.y_max for box in boxes)
    if right - left >= _WHOLE * columns or bottom - top >= _WHOLE * rows:
        return None
    side = max(right - left, bottom - top) * (1 + 2 * _MARGIN)
    wide, high = min(columns, max(2, round(side))), min(rows, max(2, round(side)))
    x = min(max(0, round((left + right - wide) / 2)), columns - wide)
    y = min(max(0, round((top + bottom - high) / 2)), rows - high)
    return Box(x_min=x, y_min=y, x_max=x + wide, y_max=y + high)


def _evidence(source: Source, id: str) -> Evidence | None:
    """Of the ledger, else of the report, whose session may not be this one."""
    found = source.ledger.get(id)
    if found is None and source.report is not None:
        found = next((one for one in source.report.evidence if one.id == id), None)
    return found


def _statement(source: Source, id: str) -> Statement | None:
    said = [] if source.report is None else source.report.statements()
    return next((one for one in said if one.id == id), None)
