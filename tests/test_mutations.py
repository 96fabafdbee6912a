"""The mutation proof's own proof: the corpus is clean, injectors plant real errors, and the table counts right."""

from __future__ import annotations

import re
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from types import ModuleType

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from wetread.errors import InputError
from wetread.testing.mutation_base import Injector, Mutation
from wetread.testing.mutation_proof import Fired, load_checker, main, prove, table, wilson
from wetread.testing.mutation_words import COMMUNICATED, DEVICES, FINDINGS, asserts, denies, one_side, sides
from wetread.testing.mutations import INJECTORS, REXERR, mutants, mutate
from wetread.testing.text_report import Edit, Order, Sentence, TextReport, read_reports

CORPUS = Path(__file__).parent / "data" / "clean_reports.jsonl"
REPORTS = list(read_reports(CORPUS))
BY_ID = {report.id: report for report in REPORTS}
ALL = list(INJECTORS.values())
WITHOUT_SPAN = {"con-2", "con-4", "crt-1", "sec-1", "sec-2"}
"""Classes that take text away, or whose error is no place in a text."""
SEVERAL_EDITS = {"lat-1", "lat-2", "lat-4", "con-1", "con-2", "con-4", "crt-1", "crt-1-added"}
"""Classes that write into more than one place."""

CHEST = """EXAMINATION: CHEST (PORTABLE AP)

INDICATION:  72-year-old man, known left pleural effusion.

COMPARISON: None.

FINDINGS:
There is a small left pleural effusion with adjacent atelectasis in the
Left lower lobe. The tip of the endotracheal tube is 4.5 cm above the carina (approx. T4). No
pneumothorax; heart normal.
Lungs: as above. IMPRESSION: 1. Small left pleural effusion.
2. No pneumothorax.
RECOMMENDATION
Ultrasound.
"""


@cache
def made_of(name: str) -> list[tuple[TextReport, Mutation]]:
    return list(mutants(REPORTS, INJECTORS[name]))


def field_of(mutation: Mutation) -> str:
    return "text" if mutation.report.text is not None else mutation.section


# Reading a text


def test_headings_cut_a_text_into_passages() -> None:
    report = TextReport(id="a", text=CHEST)
    assert [passage.section for passage in report.passages()] == [
        *("exam", "indication", "comparison", "findings", "impression", "recommendation")
    ]


def test_wrapped_lines_numbers_and_abbreviations_end_no_sentence() -> None:
    report = TextReport(id="a", text=CHEST)
    findings = [" ".join(sentence.text.split()) for sentence in report.sentences("findings")]
    assert findings == [
        "There is a small left pleural effusion with adjacent atelectasis in the Left lower lobe.",
        "The tip of the endotracheal tube is 4.5 cm above the carina (approx. T4).",
        "No pneumothorax;",
        "heart normal.",
        "Lungs: as above.",
    ]
    assert [sentence.text for sentence in report.sentences("impression")] == [
        "Small left pleural effusion.",
        "No pneumothorax.",
    ]


@pytest.mark.parametrize(
    ("heading", "section"),
    [
        ("FINDINGS:", "findings"),
        ("Findings -", "findings"),
        ("**Findings:**", "findings"),
        ("REPORT:", "findings"),
        ("IMPRESSION", "impression"),
        ("Conclusion:", "impression"),
        ("OPINION:", "impression"),
        ("Comment:", "impression"),
        ("Clinical details:", "indication"),
        ("REASON FOR EXAM:", "indication"),
        ("Clinical history:", "history"),
        ("Previous imaging:", "comparison"),
        ("CRITICAL RESULT:", "communication"),
        ("Advice:", "recommendation"),
    ],
)
def test_spellings_of_headings(heading: str, section: str) -> None:
    report = TextReport(id="a", text=f"Frontal chest film.\n{heading}\nAll is clear.")
    assert report.passage(section) is not None


@pytest.mark.parametrize("prose", ["On the history: nothing.", "The findings are as follows. it is a report of note."])
def test_prose_is_no_heading(prose: str) -> None:
    assert [passage.section for passage in TextReport(id="a", text=prose).passages()] == ["body"]


@given(
    st.text(st.sampled_from("FINDINGS: IMPRESSION\nNo effusion. 1) 2. a;\t-•"), max_size=300) | st.text(max_size=200)
)
def test_places_are_true_for_any_text(text: str) -> None:
    report = TextReport(id="a", text=text)
    last = 0
    for passage in report.passages():
        assert text[passage.start : passage.end] == passage.text
        assert passage.start >= last
        last = passage.end
    for sentence in report.sentences():
        assert text[sentence.start : sentence.end] == sentence.text
        assert sentence.text.strip() == sentence.text != ""


def test_edits_are_made_at_their_places() -> None:
    report = TextReport(id="a", sections={"findings": "left lung, left base", "impression": "left"})
    edited = report.edited(
        [Edit("findings", 0, 4, "right"), Edit("findings", 11, 15, "right"), Edit("impression", 0, 4, "")]
    )
    assert edited.sections == {"findings": "right lung, right base", "impression": ""}
    assert report.sections == {"findings": "left lung, left base", "impression": "left"}


def test_a_report_is_text_or_sections() -> None:
    for wrong in ({}, {"text": "a", "sections": {"findings": "b"}}):
        with pytest.raises(ValidationError):
            TextReport.model_validate({"id": "a", **wrong})


@pytest.mark.parametrize("line", ["{", "[]", '{"id": "a"}', '{"id": "a", "text": "b", "sex": "F"}'])
def test_a_bad_line_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text('{"id": "a", "text": "b"}\n\n' + line)
    with pytest.raises(InputError, match=r"Line 3 of r\.jsonl") as caught:
        list(read_reports(path))
    assert caught.value.code == "WET-INPUT-REPORTS"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"r\.jsonl cannot be read"):
        list(read_reports(tmp_path / "r.jsonl"))


# The cautious reading that injectors rest on


def sentence(text: str) -> Sentence:
    return Sentence("findings", "text", 0, len(text), text)


EFFUSION = next(finding for finding in FINDINGS if finding.name == "pleural effusion").term


@pytest.mark.parametrize(
    ("text", "asserted", "denied"),
    [
        ("Small left pleural effusion.", True, False),
        ("Left effusion, increased.", True, False),
        ("No pleural effusion.", False, True),
        ("There is no focal consolidation, pleural effusion or pneumothorax.", False, True),
        ("No pleural effusion is seen.", False, True),
        ("No large pleural effusion.", False, False),
        ("No change in the left pleural effusion.", False, False),
        ("No pneumothorax, but a small effusion.", False, False),
        ("Pleural effusion cannot be excluded.", False, False),
        ("The effusion has resolved.", False, False),
        ("Small pericardial effusion.", False, False),
        ("Pleural effusion?", False, False),
    ],
)
def test_what_a_sentence_plainly_says(text: str, asserted: bool, denied: bool) -> None:
    assert (asserts(sentence(text), EFFUSION), denies(sentence(text), EFFUSION)) == (asserted, denied)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Small LEFT effusion", {"left"}),
        ("Left-sided effusion", {"left"}),
        ("The right heart border is sharp", set()),
        ("Left-to-right shunt", set()),
        ("Right greater than left", set()),
        ("Right middle lobe", set()),
        ("Both lungs, more on the left", set()),
        ("Left effusion, right base clear", {"left", "right"}),
    ],
)
def test_sides_that_are_sides(text: str, named: set[str]) -> None:
    assert sides(text) == named


# The corpus


def test_the_corpus_is_large_and_varied() -> None:
    assert len(REPORTS) >= 220
    assert len(BY_ID) == len(REPORTS)
    assert len({str(report.fields()) for report in REPORTS}) == len(REPORTS)
    whole = sum(report.text is not None for report in REPORTS)
    assert 0.4 <= whole / len(REPORTS) <= 0.6
    styles = Counter(report.style for report in REPORTS)
    assert len(styles) >= 12
    assert styles["tricky"] >= 20
    assert sum(bool(report.has_prior) for report in REPORTS) >= 80


@pytest.mark.parametrize("report", REPORTS, ids=BY_ID)
def test_a_clean_report_is_clean(report: TextReport) -> None:
    text = " ".join(report.fields().values())
    assert not re.search(r"\[|_{2,}|XXXX|\*\*|cannot (?:be )?(?:exclude|rule)", text, re.IGNORECASE)
    for section in ("findings", "impression"):
        said = Counter(re.sub(r"\W+", " ", one.text.lower()).strip() for one in report.sentences(section))
        assert max(said.values(), default=1) == 1
    findings, impression = report.sentences("findings"), report.sentences("impression")
    for finding in FINDINGS:
        told = any(asserts(one, finding.term) for one in findings)
        if told and findings and impression:
            assert not any(denies(one, finding.term) for one in impression)
            if finding.major:
                assert any(finding.near.search(one.text) for one in impression), finding.name
        if told:
            assert not any(denies(one, finding.term) for one in findings), finding.name
    named = {finding.name: _sides_of(findings, finding.term) for finding in FINDINGS}
    for finding in FINDINGS:
        concluded = _sides_of(impression, finding.term)
        assert concluded <= named[finding.name] or not concluded or not named[finding.name], finding.name


def _sides_of(found: list[Sentence], term: re.Pattern[str]) -> set[str]:
    told = [one_side(one.text) for one in found if asserts(one, term)]
    return {side for side in told if side}


# The injectors


def test_every_class_of_rexerr_has_an_injector() -> None:
    assert {injector.rexerr for injector in ALL} - {None} == set(REXERR)


@pytest.mark.parametrize("injector", ALL, ids=INJECTORS)
def test_a_class_has_enough_mutants(injector: Injector) -> None:
    assert len(made_of(injector.name)) >= 30


@pytest.mark.parametrize("injector", ALL, ids=INJECTORS)
def test_the_same_seed_makes_the_same_mutants(injector: Injector) -> None:
    few = REPORTS[:60]
    assert list(mutants(few, injector, seed=3)) == list(mutants(few, injector, seed=3))


@pytest.mark.parametrize("injector", ALL, ids=INJECTORS)
def test_a_mutant_differs_at_its_place_alone(injector: Injector) -> None:
    for report, mutation in made_of(injector.name):
        assert mutation.report != report
        assert mutation.report.id == report.id
        clean, dirty = report.fields(), mutation.report.fields()
        if injector.name == "sec-2":
            assert dirty.keys() - clean.keys() == {mutation.section}
            continue
        field = field_of(mutation)
        if field not in dirty:
            assert injector.name in {"sec-1", "crt-1"}
            continue
        assert 0 <= mutation.start <= mutation.end <= len(dirty[field])
        assert (mutation.start == mutation.end) <= (injector.name in WITHOUT_SPAN)
        if injector.name in SEVERAL_EDITS:
            continue
        assert {name for name in clean if clean[name] != dirty[name]} == {field}
        behind = len(dirty[field]) - mutation.end
        assert dirty[field][mutation.end :] == clean[field][len(clean[field]) - behind :]
        # An inserted sentence brings its gap, number or bullet with it.
        before = dirty[field][: mutation.start]
        assert clean[field].startswith(before) or clean[field].startswith(
            re.sub(r"[.\s]*(?:[(]?\d+[.)]|-)?\s*$", "", before)
        )


def test_seeds_differ() -> None:
    injector = INJECTORS["typo"]
    made = [mutate(REPORTS[0], injector, seed=seed) for seed in range(8)]
    assert len({str(one.report.fields()) for one in made if one}) > 4


def test_more_mutants_of_a_report_are_all_different() -> None:
    made = list(mutants(REPORTS[:5], INJECTORS["homophone"], per_report=6))
    assert len({(report.id, str(one.report.fields())) for report, one in made}) == len(made) > 10


def test_nothing_to_plant_gives_nothing() -> None:
    report = TextReport(id="a", text="Normal.")
    planted = {injector.name for injector in ALL if mutate(report, injector)}
    assert planted.isdisjoint(
        {"location", "lat-1", "lat-2", "lat-4", "con-1", "con-4", "crt-1", "crt-2", "sec-1", "measurement"}
    )


@pytest.mark.parametrize("name", ["location", "device-side", "lat-1"])
def test_a_side_swap_leaves_the_two_sections_on_different_sides(name: str) -> None:
    terms = {entry.name: entry.term for entry in (*FINDINGS, *DEVICES)}
    for _, mutation in made_of(name):
        thing = re.search(r"side of the (.+) exchanged", mutation.note)
        assert thing
        one = _sides_of(mutation.report.sentences("findings"), terms[thing[1]])
        other = _sides_of(mutation.report.sentences("impression"), terms[thing[1]])
        assert one and other and one != other


def test_the_order_keeps_its_side_when_the_report_changes_it() -> None:
    for report, mutation in made_of("lat-2"):
        assert mutation.report.order == report.order
        asked, told = report.passage("indication"), mutation.report.passage("indication")
        assert (asked and asked.text) == (told and told.text)


@pytest.mark.parametrize("name", ["false-negation", "con-1"])
def test_a_denied_finding_is_asserted_in_the_other_section(name: str) -> None:
    terms = {finding.name: finding.term for finding in FINDINGS}
    for _, mutation in made_of(name):
        term = terms[mutation.note.split(" denied")[0]]
        here, there = ("impression", "findings") if name == "false-negation" else ("findings", "impression")
        field = mutation.report.fields()[field_of(mutation)]
        assert re.search(r"\b(?:no|not)\b", field[mutation.start : mutation.end], re.IGNORECASE)
        assert mutation.section == here
        assert any(asserts(one, term) for one in mutation.report.sentences(there))


def test_what_is_lost_from_a_section_is_nowhere_in_it() -> None:
    terms = {finding.name: finding for finding in FINDINGS}
    for name, section, words in (("con-2", "findings", " taken out"), ("con-4", "impression", " lost from")):
        for _, mutation in made_of(name):
            finding = terms[mutation.note.split(words)[0]]
            other = "impression" if section == "findings" else "findings"
            assert not any(finding.term.search(one.text) for one in mutation.report.sentences(section))
            assert any(asserts(one, finding.term) for one in mutation.report.sentences(other))


def test_an_added_finding_or_device_is_only_in_the_impression() -> None:
    terms = {entry.name: entry.term for entry in (*FINDINGS, *DEVICES)}
    for name in ("add-device", "false-prediction"):
        for _, mutation in made_of(name):
            term = terms[mutation.note.split(" added")[0]]
            assert any(asserts(one, term) for one in mutation.report.sentences("impression"))
            assert not any(asserts(one, term) for one in mutation.report.sentences("findings"))


def test_the_side_is_nowhere_when_it_is_taken_out() -> None:
    terms = {finding.name: finding.term for finding in FINDINGS}
    for _, mutation in made_of("lat-4"):
        thing = re.search(r"side of the (.+) taken out", mutation.note)
        assert thing
        for one in mutation.report.sentences("findings", "impression", "body"):
            if asserts(one, terms[thing[1]]):
                assert not re.search(r"\b(?:left|right)\b", one.text, re.IGNORECASE)


@pytest.mark.parametrize("name", ["measurement", "num-1", "num-2"])
def test_the_number_of_the_impression_is_not_in_the_findings(name: str) -> None:
    for _, mutation in made_of(name):
        lengths = {
            section: {
                (float(number), unit.lower())
                for one in mutation.report.sentences(section)
                for number, unit in re.findall(r"(\d+(?:\.\d+)?)[ -]?(mm|cm)\b", one.text, re.IGNORECASE)
            }
            for section in ("findings", "impression")
        }
        assert lengths["impression"] - lengths["findings"]


def test_no_word_of_change_had_a_study_to_rest_on() -> None:
    for report, _ in made_of("pri-1"):
        assert report.has_prior is False
    for report, mutation in made_of("pri-1-comparison"):
        assert report.has_prior
        assert mutation.report.has_prior is False
        assert mutation.report.order.prior_dates == ()


def test_a_foreign_date_is_not_among_the_inputs() -> None:
    for name in ("pri-2", "pri-3"):
        for report, mutation in made_of(name):
            text = mutation.report.fields()[field_of(mutation)][mutation.start : mutation.end]
            year = re.search(r"\b(?:20\d\d)\b", text)
            assert year
            dates = [str(day) for day in report.order.prior_dates or ()]
            if name == "pri-3":
                assert int(year[0]) >= 2090
            else:
                assert text not in " ".join(dates)


def test_a_communication_taken_away_leaves_no_word_of_it() -> None:
    for report, mutation in made_of("crt-1"):
        assert any(COMMUNICATED.search(one.text) for one in report.sentences())
        assert not any(COMMUNICATED.search(one.text) for one in mutation.report.sentences())


def test_a_cut_communication_names_no_hour() -> None:
    for _, mutation in made_of("crt-2"):
        told = [one.text for one in mutation.report.sentences() if COMMUNICATED.search(one.text)]
        assert told
        assert not re.search(r"\d{1,2}:\d{2}", " ".join(told))


def test_a_person_of_the_order_is_contradicted() -> None:
    for report, mutation in made_of("dem-1"):
        text = mutation.report.fields()[field_of(mutation)][mutation.start : mutation.end].lower()
        age = re.search(r"\b(\d+)[ -]years?", text)
        if age:
            assert int(age[1]) != report.order.age
        elif report.order.sex == "M":
            assert re.search(r"\b(?:woman|she)\b", text)
        else:
            assert re.search(r"\b(?:man|he)\b", text)


def test_injectors_work_on_reports_of_other_houses() -> None:
    report = TextReport(
        id="other",
        text="CHEST, TWO VIEWS.\n\nFINDINGS: Moderate right pleural effusion measuring 4 cm. No pneumothorax. "
        "Right PICC tip in the SVC.\n\nIMPRESSION: Moderate right pleural effusion measuring 4 cm. Right PICC.",
    )
    for name in (
        "location",
        "device-side",
        "measurement",
        "false-negation",
        "contradiction",
        "con-4",
        "num-2",
        "lat-4",
    ):
        assert mutate(report, INJECTORS[name]) is not None, name


PIECES = [one.text for report in REPORTS[::7] for one in report.sentences()]
HEADINGS = ["FINDINGS:", "IMPRESSION:", "Comparison: None.", "INDICATION:", "1.", "- ", "\n", "\n\n", "COMMUNICATION:"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(PIECES + HEADINGS * 4) | st.text(max_size=12), max_size=14), st.integers(0, 5))
def test_no_text_upsets_an_injector(pieces: list[str], seed: int) -> None:
    report = TextReport(id="a", text=" ".join(pieces), order=Order(sex="M", age=40))
    for injector in ALL:
        made = mutate(report, injector, seed=seed)
        if made is not None:
            assert made.report.text is not None
            assert 0 <= made.start <= made.end <= len(made.report.text)


# The table


def told_by_words(report: TextReport) -> list[Fired]:
    """A small checker: hedges and placeholders."""
    text = " ".join(report.fields().values())
    found = []
    if re.search(r"cannot|not excluded", text, re.IGNORECASE):
        found.append(Fired("UNC-1", "error"))
    if re.search(r"_{3}|XXXX|\[[^]]*\]|\{\w+\}|<insert>|\*{3}", text):
        found.append(Fired("SEC-3", "warning"))
    return found


def test_the_proof_counts_catches_misses_and_false_alarms() -> None:
    few = [BY_ID["british-015"], *REPORTS[:20]]
    proof = prove(few, told_by_words, injectors=[INJECTORS[name] for name in ("unc-1", "sec-3", "cod-1", "typo")])
    hedged, placeholder, coded, misspelt = proof.classes
    # The first report says "cannot be assessed": a false alarm of this checker, which then hides a mutant.
    assert proof.clean.reports == ("british-015: UNC-1",)
    assert proof.clean.errors == {"UNC-1": 1}
    assert (hedged.caught.hits, hedged.caught.n, hedged.missed) == (20, 21, ("british-015",))
    assert (placeholder.caught.hits, placeholder.fired) == (21, {"SEC-3": 21})
    assert coded.caught.hits == 0
    assert not misspelt.counts
    assert len(proof.failures()) == 3
    assert any("cod-1: 0 of 21" in failure for failure in proof.failures())
    assert any("1 of 21 clean reports" in failure for failure in proof.failures())


def test_a_class_whose_checks_are_left_out_does_not_count() -> None:
    proof = prove(REPORTS[:20], told_by_words, injectors=[INJECTORS["cod-1"]], left_out=["COD-1"])
    assert proof.failures() == []
    assert "left out" in table(proof)


def test_a_code_that_the_clean_report_has_too_is_no_catch() -> None:
    proof = prove(REPORTS[:10], lambda report: [Fired("UNC-1", "warning")], injectors=[INJECTORS["unc-1"]])
    assert proof.classes[0].caught.hits == 0
    assert proof.clean.alarms.hits == 0
    assert proof.clean.others == {"UNC-1": 10}


def test_two_reports_of_one_id_are_refused() -> None:
    with pytest.raises(InputError, match="share an id"):
        prove([REPORTS[0], REPORTS[0]], told_by_words, injectors=[])


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [(8, 10, 0.4902, 0.9433), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (1, 100, 0.0018, 0.0545), (0, 0, 0.0, 1.0)],
)
def test_wilson_intervals(hits: int, n: int, low: float, high: float) -> None:
    share = wilson(hits, n)
    assert (round(share.low, 4), round(share.high, 4)) == (low, high)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_a_wilson_interval_holds_its_rate(counts: tuple[int, int]) -> None:
    share = wilson(*counts)
    assert (
        0 <= share.low <= share.rate <= share.high <= 1 or abs(share.low - share.rate) < 1e-12 or share.rate in (0, 1)
    )


@pytest.fixture
def a_checker(monkeypatch: pytest.MonkeyPatch) -> str:
    """A module with a checker of the JSONL form."""
    module = ModuleType("a_checker_for_tests")

    def check(record: dict[str, object]) -> list[object]:
        issues = told_by_words(TextReport.model_validate(record))
        return [issues[0], *({"code": one.code, "severity": one.severity} for one in issues[1:])] if issues else []

    module.check = check  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return f"{module.__name__}:check"


def test_the_command_prints_json_and_fails_on_a_miss(a_checker: str, capsys: pytest.CaptureFixture[str]) -> None:
    asked = [str(CORPUS), "--checker", a_checker, "--json"]
    assert main([*asked, "--class", "sec-3"]) == 0
    outcome = orjson.loads(capsys.readouterr().out)
    assert outcome["failures"] == []
    assert outcome["classes"][0]["caught"]["rate"] == 1.0
    assert main([*asked, "--class", "cod-1"]) == 1
    assert orjson.loads(capsys.readouterr().out)["failures"] == [f"cod-1: 0 of {len(REPORTS)} caught, 98% wanted."]


def test_the_command_prints_a_table(a_checker: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(CORPUS), "--checker", a_checker, "--class", "cod-1", "--misses"]) == 1
    out = capsys.readouterr().out
    assert f"Clean reports: {len(REPORTS)}" in out
    assert "missed in narrative-001" in out
    assert max(len(line) for line in out.splitlines() if not line.startswith("    missed")) < 160


@pytest.mark.parametrize(
    "arguments",
    [["nowhere.jsonl"], [str(CORPUS), "--checker", "no.such:thing"], [str(CORPUS), "--class", "no-such-class"]],
    ids=["corpus", "checker", "class"],
)
def test_the_command_says_what_is_wrong_in_one_line(
    arguments: list[str], a_checker: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if "--checker" not in arguments:
        arguments = [*arguments, "--checker", a_checker]
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("WET-INPUT-")
    assert captured.err.count("\n") == 1


def test_a_checker_is_called_with_one_object_of_the_jsonl_form(a_checker: str) -> None:
    check = load_checker(a_checker)
    report = TextReport(id="a", sections={"findings": "Effusion cannot be excluded, ___ cm."})
    assert list(check(report)) == [Fired("UNC-1", "error"), Fired("SEC-3", "warning")]
