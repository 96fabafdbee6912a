"""`segment`: outlines of structures on a frontal chest radiograph, by MedImageParse."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from pydantic import JsonValue

from wetread.evidence import Evidence, ModelVersion, Reason, Region
from wetread.imaging.prepare import Preparation
from wetread.study import StudyImage
from wetread.tools.arguments import Words
from wetread.tools.base import Arguments, Outcome, Reading, Tool, current_call
from wetread.tools.endpoints import medimageparse
from wetread.tools.images import choose_image, require_frontal
from wetread.tools.shared import Shared
from wetread.tools.structures import STRUCTURES, StructureMask, read_masks, recalled_masks, structure_names
from wetread.vocabulary import Origin


class SegmentArguments(Arguments):
    """Which image, which structures; without any, both lungs and the heart."""

    image: str | None = None
    structures: Words = ()


@dataclass(frozen=True, slots=True)
class Masks:
    """The masks of one request, and what made them."""

    masks: dict[str, StructureMask]
    model: ModelVersion
    origin: Origin
    pixel_sha256: str
    latency_ms: float
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for masks, in flight or answered, and the evidence it belongs to."""

    evidence: str
    shared: Shared[Masks]


class Segment(Tool[SegmentArguments]):
    """Segmentation by the names of structures. Each structure of an image is asked for once a reading."""

    name = "segment"
    card = (
        f"MedImageParse: masks of {', '.join(STRUCTURES)} (default: lungs and heart) on a frontal chest radiograph. "
        "A mask is no proof of a finding. Abstains per structure where the mask is implausible."
    )
    arguments = SegmentArguments
    endpoint = "medimageparse"
    deadline_s = None

    def resolve(self, arguments: SegmentArguments, reading: Reading) -> SegmentArguments:
        return SegmentArguments(
            image=choose_image(reading.study, arguments.image), structures=structure_names(arguments.structures)
        )

    def precheck(self, arguments: SegmentArguments, reading: Reading) -> None:
        image = reading.study.image(arguments.image or "")
        assert image is not None
        require_frontal(reading.study, image, self.name)

    def recall(self, evidence: Evidence, reading: Reading) -> bool:
        image, masks = str(evidence.value.get("image")), recalled_masks(evidence, reading.artifacts)
        if masks is None:
            return False
        answer = Masks(
            masks={mask.name: mask for mask in masks},
            model=evidence.model,
            origin=evidence.origin,
            pixel_sha256=evidence.inputs.get(image, ""),
            latency_ms=evidence.latency_ms,
            warnings=(),
        )
        asked = Asked(evidence.id, Shared.of(answer))
        for name in answer.masks:
            reading.shared.setdefault(("mask", image, name), asked)
        return True

    async def run(self, arguments: SegmentArguments, reading: Reading) -> Outcome:
        image = reading.study.image(arguments.image or "")
        evidence = current_call().evidence
        assert image is not None and evidence is not None
        new = tuple(name for name in arguments.structures if asked_for(reading, image.handle, name) is None)
        if new:
            asked = Asked(evidence, Shared(_ask(reading, image, new, evidence)))
            for name in new:
                reading.shared["mask", image.handle, name] = asked
        requests = {id(asked): asked for name in arguments.structures if (asked := _asked(reading, image, name))}
        answers = await _all(list(requests.values()))
        masks = {name: mask for answer in answers for name, mask in answer.masks.items()}
        return _outcome(reading, image, [masks[name] for name in arguments.structures], answers, evidence)


def asked_for(reading: Reading, handle: str, structure: str) -> Asked | None:
    """The request for a structure of an image, in flight or answered; None where there is none that is any use."""
    asked: Asked | None = reading.shared.get(("mask", handle, structure))
    return None if asked is None or asked.shared.spoiled else asked


def _asked(reading: Reading, image: StudyImage, name: str) -> Asked:
    asked: Asked = reading.shared["mask", image.handle, name]
    return asked


async def _all(requests: list[Asked]) -> list[Masks]:
    """The answers to all requests. Each is waited for, also beside one that fails: none is left without a caller."""
    answers = await asyncio.gather(*(asked.shared.result() for asked in requests), return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return [answer for answer in answers if not isinstance(answer, BaseException)]


async def _ask(reading: Reading, image: StudyImage, names: tuple[str, ...], evidence: str) -> Masks:
    payload = await reading.images.payload(image.handle, Preparation.PAD_1024)
    request = medimageparse.encode(payload, [STRUCTURES[name].prompt for name in names])
    reply = await reading.endpoints.score(request)

    def read() -> tuple[list[StructureMask], tuple[str, ...]]:
        decoded = medimageparse.decode(reply, request)
        return read_masks(decoded.probabilities, names, payload.frame, image, evidence), decoded.warnings

    # Megabytes of base64 to arrays to pictures: some 30 ms for which other studies should not wait.
    masks, warnings = await asyncio.to_thread(read)
    return Masks(
        masks={mask.name: mask for mask in masks},
        model=ModelVersion(name=reply.model_name, version=reply.model_version),
        origin=reply.origin,
        pixel_sha256=payload.pixel_sha256,
        latency_ms=reply.latency_ms,
        warnings=warnings,
    )


def _outcome(
    reading: Reading, image: StudyImage, masks: list[StructureMask], answers: list[Masks], evidence: str
) -> Outcome:
    pixels = image.rows * image.columns
    said: list[JsonValue] = []
    values: list[JsonValue] = []
    regions: list[Region] = []
    artifacts: list[str] = []
    for mask in masks:
        if mask.reason is not None:
            said.append({"name": mask.name, "status": "abstained", "reason": mask.reason})
            values.append({"name": mask.name, "status": "abstained", "reason": mask.reason})
            continue
        percent = 100 * mask.area / pixels
        artifact = reading.artifacts.put("mask", mask.png, "image/png", f"{mask.name} on {image.handle}")
        regions.append(mask.region(image, artifact.handle))
        artifacts.append(artifact.handle)
        side = mask.side.value if mask.side else None
        said.append({"name": mask.name, "status": "ok", "side": side, "area_percent": round(percent, 1)})
        values.append(
            {
                "name": mask.name,
                "status": "ok",
                "area_px": mask.area,
                "area_percent": round(percent, 3),
                "probability": mask.probability,
            }
        )
    missing = [mask for mask in masks if not mask.usable]
    reason = None
    if len(missing) == len(masks):
        why = "; ".join(f"{mask.name}: {mask.reason}" for mask in missing)
        reason = Reason(code="WET-TOOL-MASKS", message=f"No mask can be used. {why[:1].upper()}{why[1:]}.")
    found = ", ".join(mask.name for mask in masks if mask.usable)
    left_out = f"; not usable: {', '.join(mask.name for mask in missing)}" if missing else ""
    return Outcome(
        for_model={"structures": said},
        summary=reason.message if reason else f"{found}{left_out}",
        model=answers[0].model,
        origin=answers[0].origin,
        status="abstained" if reason else "ok",
        reason=reason,
        inputs={image.handle: answers[0].pixel_sha256},
        uses=tuple(dict.fromkeys(mask.evidence for mask in masks if mask.evidence != evidence)),
        latency_ms=max(answer.latency_ms for answer in answers),
        warnings=(*(w for answer in answers for w in answer.warnings), *(w for mask in masks for w in mask.warnings)),
        regions=tuple(regions),
        value={"image": image.handle, "structures": values},
        artifacts=tuple(artifacts),
    )
