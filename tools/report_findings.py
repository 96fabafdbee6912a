"""`report_findings`: what CXRReportGen writes about a frontal chest radiograph, and where it sees it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from wetread.errors import ToolError
from wetread.evidence import Box, ModelVersion, Observation, Region
from wetread.imaging.geometry import Frame
from wetread.imaging.payload import Payload
from wetread.imaging.prepare import Preparation
from wetread.reports.language import claims, system_of
from wetread.reports.model import Claim
from wetread.study import Study, StudyImage
from wetread.tools.arguments import describe, find_image
from wetread.tools.base import Arguments, Outcome, Reading, Tool
from wetread.tools.endpoints import cxrreportgen
from wetread.tools.endpoints.cxrreportgen import GroundedSentence
from wetread.tools.images import choose_image, require_frontal, side_at
from wetread.values import sha256_hex
from wetread.vocabulary import Assertion, Side

CROP_WARNING_FROM = 0.05
"""From this fraction of the image lost to the model's crop, the reader is told."""

_PAIRED = frozenset({"lungs", "pleura", "bones", "soft_tissues"})
"""Systems whose findings lie on a side, so that a box gives one that the text does not name."""

_COMPARISON_WORDS = re.compile(
    r"\b(?:compar(?:ed|ison)|interval(?:ly)?|since the (?:prior|previous|last)|unchanged"
    r"|again (?:seen|noted|demonstrated)"
    r"|(?:prior|previous|earlier|last) (?:study|exam\w*|radiographs?|films?|images?|chest|ct|x-?rays?|reports?))\b",
    re.IGNORECASE,
)


class ReportFindingsArguments(Arguments):
    """Which frontal image; without one, the study's first."""

    image: str | None = None


class ComparedFindingsArguments(ReportFindingsArguments):
    """Which prior frontal image it is compared with, beside; without one, the study's first."""

    prior: str | None = None


class ReportFindings(Tool[ReportFindingsArguments]):
    """Sentences with boxes from CXRReportGen, given everything of the study that it takes."""

    name = "report_findings"
    card = (
        "CXRReportGen: findings in sentences with boxes, from the current frontal chest radiograph (PA, AP, frontal); "
        "lateral, prior and order are sent along. No impression; may invent a prior. Sees the centre square only."
    )
    arguments = ReportFindingsArguments
    endpoint = "cxrreportgen"
    deadline_s = None

    def resolve(self, arguments: ReportFindingsArguments, reading: Reading) -> ReportFindingsArguments:
        return ReportFindingsArguments(image=choose_image(reading.study, arguments.image))

    def precheck(self, arguments: ReportFindingsArguments, reading: Reading) -> None:
        image = reading.study.image(arguments.image or "")
        assert image is not None
        require_frontal(reading.study, image, self.name, current=True)

    def prior(self, arguments: ReportFindingsArguments, study: Study) -> StudyImage | None:
        """The earlier image that is sent along."""
        return study.frontal("prior")

    async def run(self, arguments: ReportFindingsArguments, reading: Reading) -> Outcome:
        study = reading.study
        image = study.image(arguments.image or "")
        assert image is not None
        lateral, prior = study.lateral(), self.prior(arguments, study)
        sent = [one for one in (image, lateral, prior) if one is not None]
        loaded = await asyncio.gather(*(reading.images.payload(one.handle, Preparation.FULL) for one in sent))
        payloads = {one.handle: payload for one, payload in zip(sent, loaded, strict=True)}
        texts = _texts(study, prior)
        request = cxrreportgen.encode(
            payloads[image.handle],
            lateral=payloads[lateral.handle] if lateral else None,
            prior=payloads[prior.handle] if prior else None,
            **texts,
        )
        reply = await reading.endpoints.score(request)
        found = cxrreportgen.decode(reply)
        sentences = [_Sentence.read(sentence, image, payloads[image.handle]) for sentence in found.sentences]
        warnings = [*found.warnings, *_crop_warning(image), *_prior_warnings(study, sentences)]
        observed = [one.observations() for one in sentences]
        rows = [_row(n, one, said) for n, (one, said) in enumerate(zip(sentences, observed, strict=True), 1)]
        abnormal = sum(any(claim.assertion is Assertion.PRESENT for claim in one.claims) for one in sentences)
        return Outcome(
            for_model={"findings": rows},
            summary=f"{len(sentences)} sentences, {abnormal} of something present, "
            f"{sum(bool(one.regions) for one in sentences)} with boxes",
            model=ModelVersion(name=reply.model_name, version=reply.model_version),
            origin=reply.origin,
            inputs={
                **{handle: payload.pixel_sha256 for handle, payload in payloads.items()},
                **{name: sha256_hex(text.encode()) for name, text in texts.items() if text},
            },
            latency_ms=reply.latency_ms,
            warnings=tuple(warnings),
            observations=tuple(observation for said in observed for observation in said),
            value={
                "image": image.handle,
                "sentences": [
                    {
                        "text": one.text,
                        "boxes": [list(_corners(region.box)) for region in one.regions if region.box is not None],
                    }
                    for one in sentences
                ],
            },
        )


class ComparedFindings(ReportFindings):
    """`report_findings` where somebody can say which of several priors is meant. Takes the place of the other."""

    card = f"{ReportFindings.card} prior: which prior frontal, if asked."
    arguments = ComparedFindingsArguments

    def resolve(self, arguments: ReportFindingsArguments, reading: Reading) -> ReportFindingsArguments:
        image = choose_image(reading.study, arguments.image)
        wanted = arguments.prior if isinstance(arguments, ComparedFindingsArguments) else None
        chosen = find_image(reading.study, wanted) if wanted is not None else None
        if chosen is not None and not (chosen.role == "prior" and chosen.is_frontal):
            there = f"There are: {describe(reading.study)}."
            raise ToolError("WET-TOOL-HANDLE", f"{chosen.handle} is no prior frontal image.", there)
        # the study's first one goes without saying: evidence and repeated calls are the same with it and without
        first = reading.study.frontal("prior")
        if chosen is None or (first is not None and chosen.handle == first.handle):
            return ComparedFindingsArguments(image=image)
        return ComparedFindingsArguments(image=image, prior=chosen.handle)

    def prior(self, arguments: ReportFindingsArguments, study: Study) -> StudyImage | None:
        chosen = arguments.prior if isinstance(arguments, ComparedFindingsArguments) else None
        return study.frontal("prior") if chosen is None else study.image(chosen)


@dataclass(frozen=True, slots=True)
class _Sentence:
    """A sentence with what it claims and where."""

    text: str
    claims: tuple[Claim, ...]
    regions: tuple[Region, ...]

    @classmethod
    def read(cls, sentence: GroundedSentence, image: StudyImage, payload: Payload) -> _Sentence:
        regions = tuple(
            _region(box.on_picture(payload.rows, payload.columns), image, payload.frame) for box in sentence.boxes
        )
        return cls(sentence.text, tuple(claims(sentence.text)), regions)

    def observations(self) -> list[Observation]:
        """One for each claim; one without a finding where the sentence has none that is known."""
        if not self.claims:
            return [Observation(text=self.text, regions=self.regions)]
        return [
            Observation(
                text=self.text,
                finding=claim.finding,
                system=system_of(claim),
                assertion=claim.assertion,
                side=claim.side or self._side_seen(claim),
                anatomy=claim.anatomy,
                change=claim.change,
                regions=self._regions_of(claim),
            )
            for claim in self.claims
        ]

    def _side_seen(self, claim: Claim) -> Side | None:
        """The side of the boxes, for what has sides: a heart that lies left of the middle is no left heart."""
        return _side_of(self._regions_of(claim)) if system_of(claim) in _PAIRED else None

    def _regions_of(self, claim: Claim) -> tuple[Region, ...]:
        """Those of the sentence's boxes that can be of the claim: none for an absence beside a presence."""
        if claim.assertion is Assertion.ABSENT and any(one.assertion is not Assertion.ABSENT for one in self.claims):
            return ()
        if claim.side in (Side.LEFT, Side.RIGHT) and len({one.side for one in self.claims}) > 1:
            own = tuple(region for region in self.regions if region.side in (claim.side, None))
            return own or self.regions
        return self.regions


def _region(box: Box, image: StudyImage, frame: Frame) -> Region:
    inside = frame.clip(frame.to_image(box))
    return Region(image=image.handle, box=inside, side=side_at(image, (inside.x_min + inside.x_max) / 2))


def _side_of(regions: Sequence[Region]) -> Side | None:
    """The side that all regions have, bilateral where both are among them."""
    sides = {region.side for region in regions}
    if not sides or None in sides:
        return None
    if {Side.LEFT, Side.RIGHT} <= sides:
        return Side.BILATERAL
    return sides.pop() if len(sides) == 1 else None


def _row(number: int, sentence: _Sentence, observations: Sequence[Observation]) -> JsonValue:
    """A sentence as an agent reads it; further claims of the same sentence stand under `also`."""
    row: dict[str, JsonValue] = {"n": number, "text": sentence.text, **_said(observations[0])}
    row["box"] = bool(sentence.regions)
    if len(observations) > 1:
        row["also"] = [_said(observation) for observation in observations[1:]]
    return row


def _said(observation: Observation) -> dict[str, JsonValue]:
    return {
        "system": observation.system,
        "finding": observation.finding,
        "assertion": observation.assertion.value,
        "side": observation.side.value if observation.side else None,
    }


def _texts(study: Study, prior: StudyImage | None) -> dict[str, str | None]:
    """What the order and the priors say, as the model takes it. A comparison is named by its age, not by its date."""
    compared: str | None = None
    if prior is not None:
        compared = f"Chest radiograph{_ago(prior.days_before)}."
    elif study.prior_report is not None:
        compared = f"Prior report{_ago(study.prior_report.days_before)}."
    return {
        "indication": study.indication,
        "technique": study.technique,
        "comparison": compared,
        "prior_report": study.prior_report.text if study.prior_report else None,
    }


def _ago(days: int | None) -> str:
    return "" if days is None else f", {days} day{'' if days == 1 else 's'} earlier"


def _crop_warning(image: StudyImage) -> list[str]:
    frame = Preparation.CENTRE_CROP.frame(image.rows, image.columns)
    if frame.lost <= CROP_WARNING_FROM:
        return []
    edges = "left and right" if image.columns > image.rows else "upper and lower"
    return [
        f"the model sees the centre square only: {frame.lost:.0%} of the image, at its {edges} edges, cannot be boxed"
    ]


def _prior_warnings(study: Study, sentences: Sequence[_Sentence]) -> list[str]:
    if study.has_comparison:
        return []
    return [
        f"sentence {number} mentions a comparison, no prior was sent"
        for number, one in enumerate(sentences, 1)
        if any(claim.change is not None for claim in one.claims) or _COMPARISON_WORDS.search(one.text)
    ]


def _corners(box: Box) -> tuple[float, float, float, float]:
    return (box.x_min, box.y_min, box.x_max, box.y_max)
