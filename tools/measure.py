"""`measure`: the numbers a report may hold. Code takes them from masks and boxes; text refers to them by slots.

Lengths and areas need a spacing at the patient. ImagerPixelSpacing is one at the detector, magnified by a factor that
nobody knows (DICOM PS3.3 10.7.1.3): with it, as without any, they are not measurable.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, JsonValue

from wetread.errors import EndpointError, ToolError
from wetread.evidence import Box, Evidence, ModelVersion, Reason
from wetread.study import StudyImage
from wetread.tools.arguments import Words, as_list
from wetread.tools.base import Arguments, Outcome, Reading, Tool, current_call
from wetread.tools.images import choose_image, require_chest_radiograph
from wetread.tools.quantities import (
    NotTaken,
    Taken,
    area,
    box_diameter,
    cardiothoracic_ratio,
    mask_diameter,
    why_no_lengths,
)
from wetread.tools.report_findings import ReportFindings, ReportFindingsArguments
from wetread.tools.segment import Segment, SegmentArguments, asked_for
from wetread.tools.structures import DEFAULT, StructureMask, structure_names
from wetread.tools.toolbox import answered, perform
from wetread.vocabulary import Assertion, Origin

Quantity = Literal["cardiothoracic_ratio", "areas", "diameters"]

MAX_BOXES = 20
"""Boxes of findings that are measured at once."""

_TURNS_OF_THE_LOOP = 3
_FOR_RATIO = ("heart", "left lung", "right lung")


class MeasureArguments(Arguments):
    """What to measure on which image. Diameters are of the structures named, else of the findings' boxes."""

    image: str | None = None
    quantities: Annotated[tuple[Quantity, ...], BeforeValidator(as_list), Field(min_length=1)] = (
        "cardiothoracic_ratio",
    )
    structures: Words = ()


class Measure(Tool[MeasureArguments]):
    """Measures on masks, waiting for those that are being made and asking for those that nobody asked for."""

    name = "measure"
    card = (
        "Code measures on masks and boxes, frontal chest radiographs: cardiothoracic ratio, areas, diameters (of "
        "structures, else of findings' boxes). mm only with calibrated spacing. Gives slots. Waits for segment."
    )
    arguments = MeasureArguments
    deadline_s = None

    def resolve(self, arguments: MeasureArguments, reading: Reading) -> MeasureArguments:
        return MeasureArguments(
            image=choose_image(reading.study, arguments.image),
            quantities=tuple(dict.fromkeys(arguments.quantities)),
            structures=structure_names(arguments.structures) if arguments.structures else (),
        )

    def precheck(self, arguments: MeasureArguments, reading: Reading) -> None:
        image = reading.study.image(arguments.image or "")
        assert image is not None
        require_chest_radiograph(image, self.name)
        if not image.is_frontal and (arguments.structures or "diameters" not in arguments.quantities):
            raise ToolError(
                "WET-TOOL-VIEW",
                f"{image.handle} is no frontal view ({image.view.value}); there is nothing to measure on it.",
                abstained=True,
            )

    async def run(self, arguments: MeasureArguments, reading: Reading) -> Outcome:
        image = reading.study.image(arguments.image or "")
        assert image is not None
        # Calls of the same round begin in one turn of the loop: what they ask for is waited for, not asked for again.
        for _ in range(_TURNS_OF_THE_LOOP):
            await asyncio.sleep(0)
        masks, uses = await _masks(reading, image, _needed(arguments))
        results: list[Taken | NotTaken] = []
        if "cardiothoracic_ratio" in arguments.quantities:
            results.append(cardiothoracic_ratio(image, *(masks[name] for name in _FOR_RATIO)))
        if "areas" in arguments.quantities:
            results += [one for name in arguments.structures or DEFAULT for one in area(image, masks[name])]
        if "diameters" in arguments.quantities and arguments.structures:
            results += [mask_diameter(image, masks[name]) for name in arguments.structures]
        elif "diameters" in arguments.quantities:
            found, evidence = await _box_diameters(reading, image)
            results += found
            uses = [*uses, evidence.id] if evidence else uses
        return _outcome(results, uses)


def _needed(arguments: MeasureArguments) -> tuple[str, ...]:
    needed: set[str] = set()
    if "cardiothoracic_ratio" in arguments.quantities:
        needed.update(_FOR_RATIO)
    if "areas" in arguments.quantities:
        needed.update(arguments.structures or DEFAULT)
    if "diameters" in arguments.quantities:
        needed.update(arguments.structures)
    return structure_names(tuple(needed)) if needed else ()


async def _masks(
    reading: Reading, image: StudyImage, names: tuple[str, ...]
) -> tuple[dict[str, StructureMask], list[str]]:
    """A mask, or the reason why there is none, for each structure; and the evidence they are of."""
    missing = tuple(name for name in names if asked_for(reading, image.handle, name) is None)
    uses: list[str] = []
    why = ""
    if missing:
        call = current_call()
        wanted = SegmentArguments(image=image.handle, structures=missing)
        answer = await perform(Segment(), wanted, reading, agent=call.agent, call_id=f"{call.id}.1")
        if answer.evidence is not None:
            uses.append(answer.evidence.id)
            why = answer.evidence.reason.message if answer.evidence.reason else ""
    masks: dict[str, StructureMask] = {}
    for name in names:
        asked = asked_for(reading, image.handle, name)
        if asked is None:
            masks[name] = StructureMask(name, "", reason=why.rstrip(".") or "it was not segmented")
            continue
        uses.append(asked.evidence)
        try:
            masks[name] = (await asked.shared.result()).masks[name]
        except EndpointError as error:
            masks[name] = StructureMask(name, asked.evidence, reason=error.message.rstrip("."))
    return masks, list(dict.fromkeys(uses))


async def _box_diameters(reading: Reading, image: StudyImage) -> tuple[list[Taken | NotTaken], Evidence | None]:
    """The diameters of what `report_findings` found on the image, and that evidence."""
    answer = await answered(reading, ReportFindings(), ReportFindingsArguments(image=image.handle))
    evidence = answer.evidence if answer is not None else None
    boxes = list(_boxes(evidence, image)) if evidence is not None else []
    if not boxes:
        return [NotTaken("diameters", "no finding with a box is known for this image")], evidence
    why = why_no_lengths(image.spacing)
    if why:
        return [NotTaken("diameters", why)], evidence
    counts: dict[str, int] = {}
    results: list[Taken | NotTaken] = []
    for finding, box, where in boxes[:MAX_BOXES]:
        counts[finding] = counts.get(finding, 0) + 1
        results.append(box_diameter(image, f"{finding}_{counts[finding]}_diameter", box, where))
    return results, evidence


def _boxes(evidence: Evidence, image: StudyImage) -> Iterable[tuple[str, Box, str]]:
    seen: set[Box] = set()
    for observation in evidence.observations:
        if observation.assertion not in (Assertion.PRESENT, Assertion.UNCERTAIN):
            continue
        for region in observation.regions:
            if region.image == image.handle and region.box is not None and region.box not in seen:
                seen.add(region.box)
                place = f", {region.side.value}" if region.side else ""
                yield observation.finding or "finding", region.box, f"the box of '{observation.text[:60]}'{place}"


def _outcome(results: Sequence[Taken | NotTaken], uses: Sequence[str]) -> Outcome:
    call = current_call()
    taken = [one for one in results if isinstance(one, Taken)]
    not_taken = [one for one in results if isinstance(one, NotTaken)]
    said: list[JsonValue] = []
    for one in taken:
        name = one.measurement.name
        row: dict[str, JsonValue] = {
            "slot": f"{{{call.evidence}.{name}}}",
            "name": name,
            "text": one.measurement.text,
        }
        said.append({**row, "note": one.note} if one.note else row)
    missing: list[JsonValue] = [{"name": one.name, "reason": one.reason} for one in not_taken]
    reason = None
    if not taken:
        why = "; ".join(f"{one.name.replace('_', ' ')}: {one.reason}" for one in not_taken[:3])
        reason = Reason(code="WET-TOOL-NOT-MEASURABLE", message=f"Not measurable. {why[:1].upper()}{why[1:]}.")
    summary = ", ".join(f"{one.measurement.name.replace('_', ' ')} {one.measurement.text}" for one in taken[:4])
    return Outcome(
        for_model={"measurements": said, "not_measurable": missing},
        summary=reason.message if reason else summary,
        model=ModelVersion(name="wetread measure", version="1"),
        origin=Origin.CODE,
        status="abstained" if reason else "ok",
        reason=reason,
        uses=tuple(uses),
        warnings=tuple(dict.fromkeys(f"{one.measurement.name}: {one.note}" for one in taken if _is_caution(one))),
        measurements=tuple(one.measurement for one in taken),
        value={"not_measurable": missing},
    )


def _is_caution(one: Taken) -> bool:
    return one.measurement.name == "cardiothoracic_ratio" and bool(one.note)
