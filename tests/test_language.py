"""The lexicon, normality, places, measurements and qualifiers of claims; words, numbers and sentences."""

from __future__ import annotations

import itertools
import re
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wetread.reports.language import (
    NORMAL,
    OTHERWISE,
    claims,
    lexicon,
    measurements,
    parse_report,
    sentences,
    system_of,
)  # fmt: skip
from wetread.reports.language.lexicon import expand, read_data
from wetread.reports.language.marks import FINDING, marks
from wetread.reports.language.words import normal_form, tokens
from wetread.reports.model import Claim
from wetread.vocabulary import Assertion, Change, Side

SYSTEMS = {
    "lines_and_tubes", "lungs", "pleura", "heart", "mediastinum_and_hila", "bones", "soft_tissues", "upper_abdomen",
}  # fmt: skip


def one(text: str) -> Claim:
    (claim,) = claims(text)
    return claim


def test_the_lexicon_is_large_and_whole() -> None:
    known = lexicon()
    assert len(known.findings) >= 110
    assert len(known.anatomies) >= 40
    assert {finding.system for finding in known.findings.values()} - {None} == SYSTEMS
    assert {site.system for site in known.anatomies.values()} == SYSTEMS - {"lines_and_tubes"}
    for finding in known.findings.values():
        assert finding.broader is None or finding.broader in known.findings
        assert finding.terms or finding.key == NORMAL
        assert 0 <= finding.urgency <= 100
    assert all(finding.urgency >= 80 for finding in known.findings.values() if finding.critical)


@pytest.mark.parametrize("key", sorted(lexicon().findings))
def test_a_finding_is_known_by_its_name(key: str) -> None:
    finding = lexicon().findings[key]
    if finding.kind == "normal":
        return
    for name in (finding.name, finding.plural):
        said = [claim.finding for claim in claims(f"There is {name}.")]
        assert key in said, (name, said)


def test_no_term_is_claimed_by_two_findings() -> None:
    seen: dict[tuple[str, ...], str] = {}
    for finding in lexicon().findings.values():
        for words, _ in (pair for term in finding.terms for pair in expand(term)):
            assert seen.setdefault(words, finding.key) == finding.key, words


def test_every_term_is_found_as_its_finding() -> None:
    for finding in lexicon().findings.values():
        for words, _ in (pair for term in finding.terms for pair in expand(term)):
            found = marks(tokens(" ".join(words)))
            assert [mark.value for mark in found if mark.kind == FINDING] == [finding.key], words


@pytest.mark.parametrize(
    ("term", "phrases"),
    [
        ("a/b c", {"a c", "b c"}),
        ("(a b/c) d", {"a b d", "c d", "d"}),
        ("[a b/c] d", {"a b d", "c d"}),
        ("[near/near complete] (interval) clearing", {
            "near clearing", "near complete clearing", "near interval clearing", "near complete interval clearing"}),
        ("lobe :left", {"lobe"}),
    ],
)  # fmt: skip
def test_the_notation_of_terms(term: str, phrases: set[str]) -> None:
    assert {" ".join(words) for words, _ in expand(term)} == phrases


@pytest.mark.parametrize("name", ["cues.json", "changes.json", "states.json"])
def test_every_cue_is_found_whole(name: str) -> None:
    """A slash between several words without brackets would make phrases that nobody writes and lose those meant."""
    data = read_data(name)
    for kind, terms in (data["words"] if name == "states.json" else data).items():
        for words, _ in (pair for term in terms for pair in expand(term)):
            found = marks(tokens(" ".join(words)))
            assert len(found) == 1, (kind, words)
            doubled = [word for word, follow in itertools.pairwise(words) if word == follow]
            assert not doubled, (kind, words)


@pytest.mark.parametrize(
    ("text", "finding", "assertion"),
    [
        ("Pulmonary vascularity is not increased.", "vascular_congestion", Assertion.ABSENT),
        ("The heart is not significantly enlarged.", "cardiomegaly", Assertion.ABSENT),
        ("Heart size is borderline.", "cardiomegaly", Assertion.UNCERTAIN),
        ("No acute or active cardiac, pulmonary or pleural disease.", "acute_process", Assertion.ABSENT),
        ("Mild XXXX pulmonary ___ edema.", "pulmonary_edema", Assertion.PRESENT),
        ("Calcified right lower lobe nodule.", "granuloma", Assertion.PRESENT),
    ],
)
def test_what_a_sentence_says(text: str, finding: str, assertion: Assertion) -> None:
    claim = one(text)
    assert (claim.finding, claim.assertion) == (finding, assertion)


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ("Small left effusion. It is unchanged.", [None, Change.UNCHANGED]),
        ("Nodule in the right apex. This has increased since 2019.", [None, Change.INCREASED]),
        ("Nodule in the right apex and effusion. It is new.", [None, None]),
        ("No effusion. This is unchanged.", [None]),
        ("Left effusion. This has resolved.", [None]),
        ("Left effusion. It abuts the heart, unchanged.", [None, Change.UNCHANGED]),
    ],
)
def test_a_pronoun_stands_for_the_only_finding_before(text: str, changes: list[Change | None]) -> None:
    found = claims(text)
    assert [claim.change for claim in found] == changes
    for claim in found:
        assert 0 <= claim.start < claim.end <= len(text)


def test_broader_findings() -> None:
    known = lexicon()
    assert known.broader("tension_pneumothorax") == ("tension_pneumothorax", "pneumothorax")
    assert known.related("pneumonia", "opacity") and known.related("opacity", "pneumonia")
    assert not known.related("pneumonia", "atelectasis")
    assert known.broader("nothing") == ("nothing",)


@pytest.mark.parametrize(
    ("text", "anatomies"),
    [
        ("The heart size is normal.", ["heart"]),
        ("Cardiomediastinal silhouette is within normal limits", ["cardiomediastinal_silhouette", "mediastinum"]),
        ("The lungs are clear.", ["lung"]),
        ("Heart, mediastinum and bones are unremarkable.", ["heart", "mediastinum", "bones"]),
        ("Normal heart size and mediastinum.", ["heart", "mediastinum"]),
        ("Lungs: Clear.", ["lung"]),
        ("The heart is normal. The pleural spaces are clear.", ["heart", "pleura"]),
        ("The heart is not normal.", []),
    ],
)
def test_normality_is_a_claim(text: str, anatomies: list[str]) -> None:
    found = claims(text)
    assert [claim.anatomy for claim in found] == anatomies
    assert all(claim.finding == NORMAL and claim.assertion is Assertion.PRESENT for claim in found)


def test_normality_that_holds_only_for_the_rest() -> None:
    assert one("The lungs are otherwise clear.").qualifiers == (OTHERWISE,)
    assert one("The remainder of the lungs is clear.").qualifiers == (OTHERWISE,)
    assert one("The lungs are clear.").qualifiers == ()


def test_systems() -> None:
    assert system_of("pneumothorax") == "pleura"
    assert system_of(one("The lungs are clear.")) == "lungs"
    assert system_of(one("No acute osseous abnormality.")) == "bones"
    assert system_of(one("The cardiac silhouette is unchanged.")) == "heart"
    assert system_of(None) is None
    assert system_of("no such finding") is None


@pytest.mark.parametrize(
    ("text", "finding", "anatomy"),
    [
        ("Fracture of the left sixth rib.", "rib_fracture", "rib"),
        ("Fracture of the right clavicle.", "clavicle_fracture", "clavicle"),
        ("There is a mass in the anterior mediastinum.", "mediastinal_mass", "mediastinum"),
        ("Hazy opacity in the right lower lobe.", "opacity", "lower_lobe"),
        ("Trachea deviated to the left.", "tracheal_deviation", "trachea"),
    ],
)
def test_a_site_makes_a_finding_finer(text: str, finding: str, anatomy: str) -> None:
    claim = one(text)
    assert (claim.finding, claim.anatomy) == (finding, anatomy)


def test_one_phrase_with_two_fractures() -> None:
    found = claims("Fractures of the left clavicle and right ribs.")
    assert [(claim.finding, claim.side) for claim in found] == [
        ("clavicle_fracture", Side.LEFT),
        ("rib_fracture", Side.RIGHT),
    ]


def test_qualifiers_narrow_a_denial() -> None:
    effusion, pneumothorax = claims("No large effusion or pneumothorax.")
    assert effusion.qualifiers == pneumothorax.qualifiers == ("large",)
    assert one("No new consolidation.").qualifiers == ("new",)
    assert one("No new consolidation.").change is Change.NEW
    assert one("The effusion is small.").qualifiers == ("small",)
    consolidation, effusion = claims("No focal consolidation, large effusion.")
    assert consolidation.qualifiers == ("focal",)


def test_offsets_lead_into_the_text() -> None:
    text = "1. The heart is enlarged.\n2. Small left pleural effusion, 2 cm deep."
    found = claims(text)
    assert [text[claim.start : claim.end] for claim in found] == ["heart is enlarged", "pleural effusion"]


@pytest.mark.parametrize(
    ("text", "values", "unit"),
    [
        ("4 cm", (4.0,), "cm"),
        ("4.5cm", (4.5,), "cm"),
        ("2 x 3 mm", (2.0, 3.0), "mm"),
        ("2x3 mm", (2.0, 3.0), "mm"),
        ("1.2 by 3 by 4 cm", (1.2, 3.0, 4.0), "cm"),
        ("12 mm x 9 mm", (12.0, 9.0), "mm"),
        ("2-3 cm", (2.0, 3.0), "cm"),
        ("3 to 4 millimetres", (3.0, 4.0), "mm"),
        ("55 %", (55.0,), "%"),
        ("1,5 centimeters", (1.5,), "cm"),
    ],
)
def test_measurements(text: str, values: tuple[float, ...], unit: str) -> None:
    (found,) = measurements(f"It measures {text} today.")
    assert (found.values, found.unit) == (values, unit)
    assert f"It measures {text} today."[found.start : found.end] == text


@pytest.mark.parametrize("text", ["T8", "3 days", "2. Normal.", "4-6", "L1-L2", "12/03/2021", "cm", "1.2.3 cm³"])
def test_what_is_no_measurement(text: str) -> None:
    assert measurements(text) == ()


def test_measurements_belong_to_findings() -> None:
    nodule = one("Stable 6 mm left upper lobe nodule, previously 5 mm.")
    assert [(m.values, m.earlier) for m in nodule.measurements] == [((6.0,), False), ((5.0,), True)]
    tube, nodule = claims("ETT tip 4 cm above the carina; 8 mm nodule in the lingula.")
    assert tube.measurements[0].values == (4.0,)
    assert nodule.measurements[0].values == (8.0,)


@pytest.mark.parametrize(
    ("words", "form"),
    [
        ("Effusions", "effusion"),
        ("oedema", "edema"),
        ("haemothorax", "hemothorax"),
        ("opacities", "opacity"),
        ("metastases", "metastasis"),
        ("pneumothoraces", "pneumothorax"),
        ("bullae", "bulla"),
        ("apices", "apex"),
        ("tumours", "tumor"),
        ("masses", "mass"),
        ("patient's", "patient"),
        ("is", "is"),
        ("atelectasis", "atelectasis"),
    ],
)
def test_one_form_of_a_word(words: str, form: str) -> None:
    assert normal_form(words) == form


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("No effusion. No edema.", ["No effusion.", "No edema."]),
        ("Seen by Dr. Doe vs. others. Fine.", ["Seen by Dr. Doe vs. others.", "Fine."]),
        ("A 1.5 cm nodule. Next", ["A 1.5 cm nodule.", "Next"]),
        ("1. One\n2. Two", ["One", "Two"]),
        ("- small effusion\n- no edema", ["small effusion", "no edema"]),
        ("HEART NORMAL\nLUNGS CLEAR", ["HEART NORMAL", "LUNGS CLEAR"]),
        ("the lungs are\nclear. Fine", ["the lungs are\nclear.", "Fine"]),
        ("? pneumonia", ["? pneumonia"]),
        ("Cough ? pneumonia", ["Cough ? pneumonia"]),
        ("Pneumonia? No.", ["Pneumonia?", "No."]),
        ("First\n\nsecond", ["First", "second"]),
        ("clear.No effusion", ["clear.", "No effusion"]),
        ("...", []),
        ("", []),
    ],
)
def test_sentences(text: str, cut: list[str]) -> None:
    assert [sentence for _, _, sentence in sentences(text)] == cut


def test_wrapped_lines_go_on() -> None:
    text = (
        "The heart is at the upper limit of normal in its size and the right\n"
        "PICC is in place with its tip in the lower superior vena cava, as it\n"
        "was. No pneumothorax."
    )
    assert len(sentences(text)) == 2


PHRASES = [
    *("no", "effusion", "left", "right", "and", "or", ",", ".", ";", ":", "(", ")", "?", "is not seen", "small"),
    *("cannot be excluded", "stable", "new", "the heart", "enlarged", "in the lower lobe", "with", "but", "may"),
    *("2 cm", "x", "3", "-", "history of", "which", "neither", "nor", "pneumonia", "normal", "\n", "findings:"),
    *("IMPRESSION", "1.", "removed", "tip"),
]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=300), st.lists(st.sampled_from(PHRASES), max_size=60).map(" ".join)))
def test_any_text_gives_claims_inside_it(text: str) -> None:
    for claim in claims(text):
        assert 0 <= claim.start < claim.end <= len(text)
    last = 0
    for start, end, sentence in sentences(text):
        assert last <= start < end
        assert text[start:end] == sentence
        last = end
    for statement in parse_report(text).statements:
        assert text[statement.start : statement.end] == statement.text
        assert all(0 <= claim.start < claim.end <= len(statement.text) for claim in statement.claims)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(PHRASES), max_size=40).map(" ".join))
def test_letter_case_does_not_matter(text: str) -> None:
    def said(of: str) -> list[tuple[str | None, str, Side | None]]:
        return [(claim.finding, claim.assertion.value, claim.side) for claim in claims(of)]

    text = text.replace("\n", " ").replace(".", ",").replace("1,", "")
    assert said(text.upper()) == said(text.lower())


def calls(text: str) -> int:
    """How many functions a parse calls: a count that does not depend on the machine."""
    count = 0

    def profile(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(profile)
    try:
        parse_report(text)
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.slow
@pytest.mark.parametrize(
    "unit",
    ["(", "(effusion ", "no effusion, ", "effusion and ", "is not ", "1. ", "1.\n", "findings: ", "no\nedema ",
     "the ", "2 x ", "肺", "\x00\xff", "may be ", "left and right ", "heart, ", ". ", "- ", "?"],
)  # fmt: skip
def test_work_grows_with_the_text_and_no_faster(unit: str) -> None:
    few, many = calls(unit * 1500), calls(unit * 6000)
    assert many < 4.6 * few + 4000


def patterns() -> list[tuple[str, re.Pattern[str]]]:
    found = []
    for name, module in sorted(sys.modules.items()):
        if name.startswith("wetread.reports.language."):
            found += [(f"{name}.{key}", value) for key, value in vars(module).items() if isinstance(value, re.Pattern)]
    return found


def test_no_pattern_repeats_a_repeat() -> None:
    """A repeat without limit inside another is what makes a regular expression take exponential time."""
    parser = re._parser  # type: ignore[attr-defined]

    def inner(name: str, argument: tuple[object, ...]) -> list[object]:
        if name == "BRANCH":
            return list(argument[1])  # type: ignore[call-overload]
        return [argument[-1]] if name in ("SUBPATTERN", "ASSERT", "ASSERT_NOT", "MAX_REPEAT", "MIN_REPEAT") else []

    def unbounded(tree: object, inside: bool) -> bool:
        for operation, argument in tree:  # type: ignore[attr-defined]
            name = str(operation)
            endless = name in ("MAX_REPEAT", "MIN_REPEAT") and argument[1] is parser.MAXREPEAT
            if endless and inside:
                return True
            if any(unbounded(part, inside or endless) for part in inner(name, argument)):
                return True
        return False

    assert patterns()
    for name, pattern in patterns():
        assert not unbounded(parser.parse(pattern.pattern), False), name


@pytest.mark.parametrize(
    ("text", "anatomy"),
    [
        ("Right basilar atelectasis.", "lung_base"),
        ("Bibasal atelectasis.", "lung_base"),
        ("The largest mass lies behind the heart.", None),
        ("Opacity adjacent to the aorta in the left upper lobe.", "upper_lobe"),
        ("Mediastinal widening.", "mediastinum"),
    ],
)
def test_where_a_finding_lies(text: str, anatomy: str | None) -> None:
    assert one(text).anatomy == anatomy
