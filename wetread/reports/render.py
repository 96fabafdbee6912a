"""Renderings of a report, and the files of one report in a folder.

`to_html` and `to_markdown` follow the template of the report, `to_terminal` gives a rich renderable, `write_report`
leaves `report.html`, `report.md`, `report.json` and an overlay picture for each image that something points at.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from wetread.artifacts import ArtifactStore
from wetread.errors import InputError
from wetread.reports.model import Report, ReportImage
from wetread.reports.outline import outlines
from wetread.reports.render_html import MAX_PICTURE, to_html
from wetread.reports.render_markdown import to_markdown
from wetread.reports.render_terminal import to_terminal
from wetread.reports.view import TINTS, Mark, layer_tints, marks

if TYPE_CHECKING:
    from wetread.imaging import overlay
    from wetread.imaging.bank import ImageBank

__all__ = ["to_html", "to_json", "to_markdown", "to_terminal", "write_report"]

OVERLAY_SUFFIX = "-overlay.jpg"


def to_json(report: Report) -> bytes:
    """The report as indented JSON, as docs/schemas/report-1.json describes it, with a line end."""
    return orjson.dumps(report.model_dump(mode="json"), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def write_report(
    report: Report, *, artifacts: ArtifactStore, bank: ImageBank, folder: Path, workspace: Path | None = None
) -> list[Path]:
    """Write a report's files into a folder, which is made if it is not there.

    Everything is made before anything is written, and each file appears whole or not at all. Files of the same names
    are replaced, overlays of an earlier report are removed, nothing else is touched. Blocks; call it in a thread from
    asynchronous code.

    Args:
        report: The report.
        artifacts: Where its masks are.
        bank: Where its images are; one that cannot be decoded is shown as missing.
        folder: Where to write.
        workspace: Folder whose templates take precedence.

    Returns:
        The paths written: html, md, json, then overlays in the order of the images.

    Raises:
        InputError: WET-INPUT-OUT, the folder cannot be written.
    """
    pictures, overlays = _pictures(report, artifacts, bank)
    figures = {handle: f"{handle}{OVERLAY_SUFFIX}" for handle in overlays}
    contents: dict[str, bytes] = {
        "report.html": to_html(report, pictures, workspace=workspace).encode(),
        "report.md": to_markdown(report, figures=figures, workspace=workspace).encode(),
        "report.json": to_json(report),
        **{figures[handle]: data for handle, data in overlays.items()},
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        paths = _write_all(folder, contents)
        for path in folder.glob(f"image_*{OVERLAY_SUFFIX}"):
            if path.name not in contents:
                path.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(
            "WET-INPUT-OUT", f"{folder} cannot be written ({error.strerror}).", "Name another folder."
        ) from None
    return paths


def _pictures(report: Report, artifacts: ArtifactStore, bank: ImageBank) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Pictures for the page by handle, and overlays by image handle."""
    from wetread.imaging import overlay

    drawn = marks(report)
    pictures: dict[str, bytes] = {}
    for mark in drawn:
        data = artifacts.get(mark.mask) if mark.mask is not None else None
        if mark.mask is not None and data is not None:
            pictures[mark.mask] = data
    overlays: dict[str, bytes] = {}
    findings = {statement.id for system in report.findings for statement in system.statements}
    for image in report.images:
        with contextlib.suppress(InputError):
            pixels = bank.pixels_now(image.handle)
            pictures[image.handle] = overlay.picture(pixels, max_side=MAX_PICTURE, quality=90)
            shown = _overlay_marks([mark for mark in drawn if mark.image == image.handle], image, pictures, findings)
            if shown:
                overlays[image.handle] = overlay.overlay(pixels, shown)
    return pictures, overlays


def _overlay_marks(
    drawn: Sequence[Mark], image: ReportImage, pictures: Mapping[str, bytes], findings: Set[str]
) -> list[overlay.Mark]:
    from wetread.imaging import overlay

    found = []
    tints = layer_tints(drawn)
    for mark in drawn:
        colour = TINTS[tints[mark.layer]]
        if mark.mask is not None and mark.mask in pictures:
            outline = outlines(pictures[mark.mask], image.rows, image.columns)
            found.append(overlay.Mark(label=mark.label, outline=outline, colour=colour))
        elif mark.box is not None:
            named = " ".join(id for id in mark.statements if id in findings)
            found.append(overlay.Mark(label=named, box=mark.box, colour=colour))
    return found


def _write_all(folder: Path, contents: Mapping[str, bytes]) -> list[Path]:
    token = secrets.token_hex(6)
    temporary = {name: folder / f".{name}.{token}.part" for name in contents}
    try:
        for name, data in contents.items():
            with temporary[name].open("xb") as file:
                file.write(data)
        for name, path in temporary.items():
            os.replace(path, folder / name)
    finally:
        for path in temporary.values():
            path.unlink(missing_ok=True)
    return [folder / name for name in contents]
