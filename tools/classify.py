"""`classify`: how probable each of a list of findings is, by MedImageInsight's zero-shot comparison with texts."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import JsonValue

from wetread.errors import ToolError
from wetread.evidence import Observation
from wetread.reports.language import lexicon
from wetread.reports.template import ReportTemplate
from wetread.study import StudyImage
from wetread.tools.arguments import Words, nearest, shown
from wetread.tools.base import Arguments, Outcome, Reading, Tool
from wetread.tools.embeddings import embed_image, embed_texts, embed_texts_as
from wetread.tools.endpoints.medimageinsight import zero_shot_probabilities
from wetread.tools.images import choose_image, require_chest_radiograph
from wetread.tools.shared import both
from wetread.values import canonical_json, sha256_hex
from wetread.vocabulary import Assertion, View

PRESENT_FROM = 0.7
"""From this probability a finding is said to be present."""

ABSENT_TO = 0.3
"""Up to this probability a finding is said to be absent; between the two it is uncertain."""

MAX_FINDINGS = 40

_VIEW_WORDS = {View.AP: "anteroposterior", View.PA: "posteroanterior", View.LATERAL: "lateral"}


class ClassifyArguments(Arguments):
    """Which image, which findings; without any, those of the template."""

    image: str | None = None
    findings: Words = ()


@dataclass(frozen=True, slots=True)
class Question:
    """One finding with the words of its present and its absent prompt."""

    finding: str
    present: str
    absent: str


class Classify(Tool[ClassifyArguments]):
    """Zero-shot classification: one pair of prompts, present and absent, for each finding."""

    name = "classify"
    card = (
        "MedImageInsight zero-shot: probability of each finding (default: the template's list), chest radiographs. "
        f"Uncalibrated: present from {PRESENT_FROM}, absent to {ABSENT_TO}, else uncertain. No location, no side."
    )
    arguments = ClassifyArguments
    endpoint = "medimageinsight"
    deadline_s = None

    def resolve(self, arguments: ClassifyArguments, reading: Reading) -> ClassifyArguments:
        questions = choose_questions(reading.template, arguments.findings)
        return ClassifyArguments(
            image=choose_image(reading.study, arguments.image),
            findings=tuple(question.finding for question in questions),
        )

    def precheck(self, arguments: ClassifyArguments, reading: Reading) -> None:
        image = reading.study.image(arguments.image or "")
        assert image is not None
        require_chest_radiograph(image, self.name)
        if not arguments.findings:
            raise ToolError("WET-TOOL-FINDINGS", "The template names no findings to classify; name some.")

    async def run(self, arguments: ClassifyArguments, reading: Reading) -> Outcome:
        import numpy as np

        image = reading.study.image(arguments.image or "")
        assert image is not None
        questions = choose_questions(reading.template, arguments.findings)
        texts = [text for question in questions for text in prompts(question, image)]
        embedding, vectors = await both(embed_image(reading, image.handle), embed_texts(reading, texts))
        if vectors.model != embedding.model:
            vectors = await embed_texts_as(reading, texts, embedding.model)
        pairs = np.reshape(vectors.vectors, (len(questions), 2, -1))
        probabilities = zero_shot_probabilities(embedding.vector, pairs, embedding.scaling_factor)[:, 0].tolist()
        rows: list[JsonValue] = [
            {"finding": question.finding, "probability": round(probability, 2), "says": says(probability).value}
            for question, probability in zip(questions, probabilities, strict=True)
        ]
        observations = tuple(
            _observation(question, probability) for question, probability in zip(questions, probabilities, strict=True)
        )
        present = [one.finding for one in observations if one.assertion is Assertion.PRESENT and one.finding]
        return Outcome(
            for_model={"findings": rows},
            summary=f"{len(rows)} findings classified; present: {', '.join(present) or 'none'}",
            model=embedding.model,
            origin=embedding.origin,
            inputs={image.handle: embedding.pixel_sha256, "prompts": sha256_hex(canonical_json(texts))},
            latency_ms=max(embedding.latency_ms, vectors.latency_ms),
            warnings=(*embedding.warnings, *vectors.warnings),
            observations=observations,
            value={
                "findings": [
                    {"finding": question.finding, "probability": round(probability, 4)}
                    for question, probability in zip(questions, probabilities, strict=True)
                ],
                "present_from": PRESENT_FROM,
                "absent_to": ABSENT_TO,
            },
        )


def choose_questions(template: ReportTemplate, findings: tuple[str, ...]) -> list[Question]:
    """What to ask: the template's own words for a finding, else the lexicon's name of it.

    Raises:
        ToolError: `WET-TOOL-FINDINGS` for a finding that neither knows, or for too many.
    """
    own = {entry.finding: Question(entry.finding, entry.present, entry.absent) for entry in template.classify}
    if not findings:
        return list(own.values())
    if len(findings) > MAX_FINDINGS:
        raise ToolError("WET-TOOL-FINDINGS", f"{len(findings)} findings are too many at once; at most {MAX_FINDINGS}.")
    questions = {}
    for name in findings:
        key = "_".join(name.lower().replace("-", " ").replace("_", " ").split())
        known = own.get(key) or _from_lexicon(key)
        if known is None:
            hint = nearest(key, [*own, *lexicon().findings]) or f"Such as: {', '.join(list(own)[:8])}."
            raise ToolError("WET-TOOL-FINDINGS", f"The finding {shown(name)} is not known.", hint)
        questions[known.finding] = known
    return list(questions.values())


def prompts(question: Question, image: StudyImage) -> tuple[str, str]:
    """The present and the absent prompt: modality, anatomy, view where it is known, condition."""
    words = ["x-ray", "chest", _VIEW_WORDS.get(image.view, "")]
    start = " ".join(word for word in words if word)
    return f"{start} {question.present}", f"{start} {question.absent}"


def says(probability: float) -> Assertion:
    """What a probability comes to."""
    if probability >= PRESENT_FROM:
        return Assertion.PRESENT
    return Assertion.ABSENT if probability <= ABSENT_TO else Assertion.UNCERTAIN


def _from_lexicon(key: str) -> Question | None:
    finding = lexicon().findings.get(key)
    if finding is None:
        return None
    name = finding.name
    return Question(key, name[:1].upper() + name[1:], f"No {name[:1].lower() + name[1:]}")


def _observation(question: Question, probability: float) -> Observation:
    finding = lexicon().findings.get(question.finding)
    assertion = says(probability)
    return Observation(
        text=f"{question.present}: {assertion.value}, probability {probability:.2f}.",
        finding=question.finding,
        system=finding.system if finding is not None else None,
        assertion=assertion,
        probability=round(probability, 4),
    )
