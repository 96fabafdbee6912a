"""Review by a person: moves, decisions, what follows from them, signing, addenda, withdrawal, and what was changed."""

from __future__ import annotations

import ast
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from itertools import product
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wetread.errors import InputError, ReviewError
from wetread.evidence import Ledger
from wetread.reports.form import FieldSpec, compose_fields
from wetread.reports.model import Communication, Report, ReportStatus
from wetread.reports.reading import parse_report, read_report
from wetread.reports.render import to_html, to_json, to_markdown
from wetread.reports.states import MOVES, SIGNED, check_first, check_move, check_successor
from wetread.reports.template import load_template
from wetread.review import (
    Accept,
    Add,
    Edit,
    Fill,
    Judge,
    Reject,
    Tell,
    append,
    blocking,
    conclude,
    diff_reports,
    withdraw,
)
from wetread.review.diff import words
from wetread.vocabulary import Assertion, Origin, Side

ADA, BO = "Ada Example", "Bo Other"
AT = datetime(2030, 5, 6, 9, 0, tzinfo=UTC)
ROOT = Path(__file__).parents[1]
STATUSES = get_args(ReportStatus)


def done(report: Report, *actions: Any, by: str = ADA, at: datetime = AT, **rest: Any) -> Report:
    """The next version, sealed and linked as every one must be."""
    before = report.model_dump_json()
    new = conclude(report, by=by, at=at, actions=actions, **rest)
    assert report.model_dump_json() == before
    assert (new.version, new.replaces) == (report.version + 1, report.sha256)
    assert parse_report(to_json(new)) == new
    check_successor(report, new)
    return new


def signed(report: Report, **rest: Any) -> Report:
    return done(report, outcome="sign", **rest)


def text_of(report: Report, id: str) -> str | None:
    return next((one.text for one in report.statements() if one.id == id), None)


def status_of(report: Report, system: str) -> str:
    return next(one.status for one in report.findings if one.system == system)


def refused(code: str, call: Callable[[], object]) -> str:
    with pytest.raises(ReviewError) as caught:
        call()
    assert caught.value.code == code
    return str(caught.value)


# --- states


def test_the_table_of_moves_has_every_status_of_fhir() -> None:
    assert set(MOVES) == set(STATUSES)


@pytest.mark.parametrize(("before", "after"), list(product(STATUSES, STATUSES)))
def test_a_move_is_allowed_by_the_table_or_refused(before: ReportStatus, after: ReportStatus) -> None:
    if after in MOVES[before]:
        check_move(before, after)
    else:
        assert before in refused("WET-REVIEW-MOVE", lambda: check_move(before, after))


def test_nothing_leads_back_from_signed_to_unsigned() -> None:
    reached = set(SIGNED)
    while reached != (more := reached | {after for before in reached for after in MOVES[before]}):
        reached = more
    assert reached == SIGNED | {"entered-in-error"}


def test_an_unsigned_report_that_says_it_is_final_is_refused(draft: Report) -> None:
    forged = draft.model_copy(update={"status": "final"}).sealed()
    refused("WET-REVIEW-UNSIGNED", lambda: check_first(forged))


def test_a_version_that_keeps_an_old_signature_is_not_signed_by_it(draft: Report) -> None:
    final = signed(draft)
    forged = final.model_copy(update={"version": 3, "replaces": final.sha256, "status": "amended"}).sealed()
    refused("WET-REVIEW-UNSIGNED", lambda: check_successor(final, forged))


def test_a_version_that_drops_a_signature_is_refused(draft: Report) -> None:
    final = signed(draft)
    withdrawn = withdraw(final, "entered-in-error", "Wrong patient.", by=ADA, at=AT)
    forged = withdrawn.model_copy(update={"review": None}).sealed()
    refused("WET-REVIEW-UNSIGNED", lambda: check_successor(final, forged))


# --- decisions on statements


def test_accepting_changes_no_words_and_is_on_record(draft: Report) -> None:
    new = done(draft, Accept(statement="S1"))
    assert new.statements() == draft.statements()
    assert new.review is not None and new.review.decisions[0].model_dump(include={"statement", "action", "by"}) == {
        "statement": "S1",
        "action": "accepted",
        "by": ADA,
    }
    assert new.status == "partial"


def test_an_edit_is_parsed_anew_and_stands_on_what_the_reader_saw(draft: Report) -> None:
    new = done(draft, Edit(statement="S1", text="No nodule is seen."))
    (statement,) = [one for one in new.statements() if one.id == "S1"]
    assert statement.claims[0].finding == "nodule" and statement.claims[0].assertion is Assertion.ABSENT
    reader = new.evidence[-1]
    # the model said the opposite: it is no longer behind the words
    assert statement.evidence == (reader.id,)
    assert reader.origin is Origin.PERSON and ADA in reader.summary
    assert reader.observations[0].text == "No nodule is seen."
    assert new.review is not None and new.review.author("S1") == ADA
    assert new.review.decisions[0].before == text_of(draft, "S1")
    assert status_of(new, "lungs") == "normal"


def test_an_edit_that_the_model_agrees_with_keeps_its_evidence_and_region(draft: Report) -> None:
    new = done(draft, Edit(statement="S1", text="There is a small nodule in the right upper lung zone."))
    (statement,) = [one for one in new.statements() if one.id == "S1"]
    assert statement.evidence == ("E1", "E4")
    assert statement.regions == next(one.regions for one in draft.statements() if one.id == "S1")


def test_an_edit_that_contradicts_the_rest_is_found_by_the_checks(draft: Report) -> None:
    new = done(draft, Edit(statement="S1", text="There is a nodule in the left upper lung zone."))
    assert {"LAT-1"} <= {issue.code for issue in new.issues}
    assert blocking(new)


def test_an_edit_may_take_a_measured_number_by_its_slot(draft: Report) -> None:
    new = done(draft, Edit(statement="S4", text="Cardiothoracic ratio {E2.cardiothoracic_ratio}, normal."))
    assert text_of(new, "S4") == "Cardiothoracic ratio 0.47, normal."
    assert not [issue for issue in new.issues if issue.code == "NUM-1"]


def test_a_number_that_a_person_writes_is_theirs_and_not_made_up(draft: Report) -> None:
    new = done(draft, Edit(statement="S1", text="There is an 8 mm nodule in the right upper lung zone."))
    assert not [issue for issue in new.issues if issue.code in ("NUM-1", "GRD-1")]


@pytest.mark.parametrize("text", ["", "  ", "-", "Ratio {E9.cardiothoracic_ratio}.", "Ratio {E2.nothing}."])
def test_an_edit_of_nothing_or_of_what_was_not_measured_is_refused(draft: Report, text: str) -> None:
    refused("WET-REVIEW-TEXT", lambda: conclude(draft, by=ADA, at=AT, actions=[Edit(statement="S4", text=text)]))


def test_the_same_words_again_are_an_acceptance(draft: Report) -> None:
    new = done(draft, Edit(statement="S3", text="The heart is not enlarged."))
    assert new.review is not None and new.review.decisions[0].action == "accepted"
    assert new.evidence == draft.evidence


def test_a_rejected_statement_goes_its_words_stay_on_record_and_other_ids_stay(draft: Report) -> None:
    new = done(draft, Reject(statement="S2", reason="Supine."))
    assert [one.id for one in new.statements()] == ["S1", "S3", "S4", "S5"]
    assert new.review is not None
    assert (new.review.decisions[0].before, new.review.decisions[0].reason) == (text_of(draft, "S2"), "Supine.")


def test_a_system_whose_statements_are_all_rejected_is_not_normal(draft: Report) -> None:
    assert status_of(draft, "pleura") == "normal"
    new = done(draft, Reject(statement="S2", reason="Supine."))
    (pleura,) = [one for one in new.findings if one.system == "pleura"]
    assert (pleura.status, pleura.reason, pleura.reason_from) == ("not_assessed", "Supine.", "person")


def test_a_statement_is_added_by_key_or_title_with_an_id_of_its_own(draft: Report) -> None:
    new = done(
        draft,
        Reject(statement="S5"),
        Add(place="Soft tissues", text="The soft tissues are normal."),
        Add(place="impression", text="Right upper lung nodule."),
        Add(place="recommendation", text="CT of the chest."),
    )
    assert [(one.id, one.section, one.system) for one in new.statements()][4:] == [
        ("S6", "findings", "soft_tissues"),
        ("S7", "impression", None),
        ("S8", "recommendation", None),
    ]
    assert status_of(new, "soft_tissues") == "normal"
    # an id that was given is not given again
    after = done(done(new, Reject(statement="S8")), Add(place="recommendation", text="CT in three months."))
    assert after.recommendations[0].id == "S9"


def test_a_persons_words_outweigh_the_drafts_reason_for_not_assessing(draft: Report) -> None:
    assert status_of(draft, "bones") == "not_assessed"
    assert status_of(done(draft, Add(place="bones", text="The bones are normal.")), "bones") == "normal"


@pytest.mark.parametrize(
    ("action", "code"),
    [
        (Accept(statement="S99"), "WET-REVIEW-STATEMENT"),
        (Edit(statement="s1", text="x"), "WET-REVIEW-STATEMENT"),
        (Add(place="elbow", text="Normal."), "WET-REVIEW-PLACE"),
        (Judge(evidence="E9", verdict="accept"), "WET-REVIEW-EVIDENCE"),
        (Fill(field="nowhere", value="1"), "WET-REVIEW-FIELD"),
        (Tell(finding="pneumothorax", record=Communication(to="X")), "WET-REVIEW-CRITICAL"),
    ],
)
def test_what_is_not_there_is_named(draft: Report, action: Any, code: str) -> None:
    template = load_template(draft.template)
    refused(code, lambda: conclude(draft, by=ADA, at=AT, actions=[action], template=template))


def test_two_things_about_one_statement_are_refused(draft: Report) -> None:
    both = [Accept(statement="S1"), Reject(statement="S1")]
    refused("WET-REVIEW-TWICE", lambda: conclude(draft, by=ADA, at=AT, actions=both))


def test_nothing_to_do_makes_no_version(draft: Report) -> None:
    refused("WET-REVIEW-NOTHING", lambda: conclude(draft, by=ADA, at=AT))


# --- verdicts


def test_a_verdict_is_kept_with_who_gave_it(draft: Report) -> None:
    new = done(draft, Judge(evidence="E3", verdict="reject", note="Out of its range."))
    assert new.review is not None
    verdict = new.review.verdict("E3")
    assert verdict is not None and (verdict.verdict, verdict.by, verdict.stated) == ("reject", ADA, True)


@pytest.mark.parametrize(
    ("actions", "verdict"),
    [
        ([Accept(statement=id) for id in ("S1", "S2", "S3", "S5")], "accept"),
        ([Reject(statement=id) for id in ("S1", "S2", "S3", "S5")], "reject"),
        ([Reject(statement="S1"), *(Accept(statement=id) for id in ("S2", "S3", "S5"))], "amend"),
        ([Accept(statement="S1")], None),
    ],
)
def test_a_verdict_follows_from_what_was_done_with_all_statements(
    draft: Report, actions: list[Any], verdict: str | None
) -> None:
    new = done(draft, *actions)
    assert new.review is not None
    found = new.review.verdict("E1")
    assert (found.verdict if found else None) == verdict
    assert found is None or not found.stated


def test_signing_accepts_what_still_stands(draft: Report) -> None:
    final = signed(draft)
    assert final.review is not None
    found = final.review.verdict("E1")
    assert found is not None and found.verdict == "accept" and not found.stated
    # code that measured and models that nothing was taken from are not judged by it
    assert final.review.verdict("E2") is None and final.review.verdict("E3") is None


def test_a_statement_on_rejected_evidence_alone_blocks(draft: Report) -> None:
    judged = Judge(evidence="E1", verdict="reject")
    message = refused("WET-REVIEW-BLOCKED", lambda: _sign(draft, judged))
    assert "REJECTED at S1" in message


def _sign(report: Report, *actions: Any, **rest: Any) -> Report:
    return conclude(report, by=ADA, at=AT, actions=actions, outcome="sign", **rest)


# --- signing


def test_a_signature_makes_it_final_and_changes_the_disclosure(draft: Report) -> None:
    final = signed(draft)
    assert final.status == "final" and final.review is not None and final.review.signature is not None
    assert final.review.signature.model_dump() == {"by": ADA, "at": AT, "status": "final", "version": 2}
    assert "not reviewed" in draft.disclosure
    assert final.disclosure == "Drafted with AI assistance. Reviewed and signed by Ada Example, 2030-05-06 09:00 UTC."


@pytest.mark.parametrize(
    "name", ["", " ", "123", "...", "protocol", "Wetread", "some-chat-model", "Some model", "classify", "x" * 121]
)
def test_only_a_person_signs(draft: Report, name: str) -> None:
    refused("WET-REVIEW-NAME", lambda: conclude(draft, by=name, at=AT, outcome="sign"))
    refused("WET-REVIEW-NAME", lambda: conclude(draft, by=name, at=AT, actions=[Accept(statement="S1")]))


def test_an_unresolved_error_blocks_and_an_override_is_on_record(draft: Report) -> None:
    wrong = Edit(statement="S1", text="There is a nodule in the left upper lung zone.")
    message = refused("WET-REVIEW-BLOCKED", lambda: _sign(draft, wrong))
    assert "LAT-1" in message
    refused("WET-REVIEW-BLOCKED", lambda: _sign(draft, wrong, override="  "))
    final = signed(done(draft, wrong), override="Seen on the lateral.")
    assert final.review is not None
    assert {one.code for one in final.review.overrides} == {
        issue.code for issue in final.issues if issue.severity == "error"
    }
    assert {(one.by, one.reason) for one in final.review.overrides} == {(ADA, "Seen on the lateral.")}
    assert not blocking(final)


def test_there_must_be_something_to_override(draft: Report) -> None:
    refused("WET-REVIEW-NOTHING", lambda: _sign(draft, override="Because."))
    refused(
        "WET-REVIEW-NOTHING",
        lambda: conclude(draft, by=ADA, at=AT, actions=[Accept(statement="S1")], override="Because."),
    )


def test_an_incomplete_draft_is_signed_only_over_it(draft: Report) -> None:
    cut = draft.model_copy(update={"incomplete": "The budget was reached."}).sealed()
    assert "INCOMPLETE" in refused("WET-REVIEW-BLOCKED", lambda: _sign(cut))
    final = signed(cut, override="Read the images myself.")
    assert final.review is not None and final.review.overrides[0].message == "The budget was reached."


def test_a_critical_result_must_have_been_told_and_no_override_helps(critical_draft: Report) -> None:
    assert critical_draft.critical
    message = refused("WET-REVIEW-CRITICAL", lambda: _sign(critical_draft, override="In a hurry."))
    assert "to, by, at, how" in message
    part = done(critical_draft, Tell(finding="pneumothorax", side=Side.RIGHT, record=Communication(to="Dr. C", by=ADA)))
    assert "at, how" in refused("WET-REVIEW-CRITICAL", lambda: _sign(part, override="In a hurry."))
    told = done(part, Tell(finding="pneumothorax", record=Communication(at=AT, how="telephone")))
    record = told.critical[0].communication
    assert (record.to, record.by, record.at, record.how) == ("Dr. C", ADA, AT, "telephone")
    final = signed(told, override="The rest is known.") if blocking(told) else signed(told)
    assert final.status == "final"


def test_a_critical_result_that_a_person_adds_must_be_told_too(draft: Report) -> None:
    assert not draft.critical
    new = done(draft, Edit(statement="S2", text="There is a right pneumothorax."))
    assert [one.finding for one in new.critical] == ["pneumothorax"]
    assert any(section.name == "critical_results" for section in new.sections)
    refused("WET-REVIEW-CRITICAL", lambda: _sign(new, override="Known."))


def test_a_critical_result_that_is_rejected_is_gone_with_its_section(critical_draft: Report) -> None:
    about = [
        one.id for one in critical_draft.statements() if any(claim.finding == "pneumothorax" for claim in one.claims)
    ]
    new = done(critical_draft, *(Reject(statement=id) for id in about))
    assert not new.critical and all(section.name != "critical_results" for section in new.sections)


def test_a_field_that_must_not_be_empty_blocks_until_it_is_filled(draft: Report) -> None:
    spec = FieldSpec(name="size", title="Size", type="number", unit="mm", required=True, unfilled="prohibit")
    template = load_template(draft.template).model_copy(update={"fields": (spec,)})
    fields = compose_fields(template.fields, {}, Ledger(), None)
    report = draft.model_copy(update={"fields": fields}).sealed()
    assert "Size" in refused("WET-REVIEW-FIELD", lambda: _sign(report, override="Not needed."))
    refused("WET-REVIEW-FIELD", lambda: _sign(report, Fill(field="size", value="large"), template=template))
    final = signed(done(report, Fill(field="size", value="8"), template=template))
    assert (final.fields[0].value, final.fields[0].source) == ("8", "person")


def test_a_preliminary_report_is_read_and_not_signed(draft: Report) -> None:
    new = done(draft, outcome="preliminary")
    assert new.status == "preliminary" and ADA in new.disclosure and "not signed" in new.disclosure
    assert new.review is not None and new.review.signature is None


def test_a_signed_report_changes_by_a_signature_alone(draft: Report) -> None:
    final = signed(draft)
    change = Edit(statement="S3", text="The heart is normal in size.")
    refused("WET-REVIEW-SIGNED", lambda: conclude(final, by=BO, at=AT, actions=[change]))
    refused("WET-REVIEW-SIGNED", lambda: conclude(final, by=BO, at=AT, actions=[change], outcome="preliminary"))
    refused("WET-REVIEW-NOTHING", lambda: conclude(final, by=BO, at=AT, outcome="sign"))
    amended = done(final, change, by=BO, outcome="sign")
    assert amended.status == "amended" and amended.review is not None
    assert [one.by for one in amended.review.signatures] == [ADA, BO]
    assert done(final, change, by=BO, outcome="correct").status == "corrected"
    refused("WET-REVIEW-MOVE", lambda: conclude(draft, by=BO, at=AT, actions=[change], outcome="correct"))


def test_times_are_kept_in_utc_and_need_a_zone(draft: Report) -> None:
    there = datetime(2030, 5, 6, 11, 0, tzinfo=timezone(timedelta(hours=2)))
    assert signed(draft, at=there) == signed(draft, at=AT)
    with pytest.raises(ValueError, match="zone"):
        conclude(draft, by=ADA, at=datetime(2030, 5, 6), outcome="sign")


# --- addenda, withdrawal


def test_an_addendum_rewrites_nothing(draft: Report) -> None:
    final = signed(draft)
    new = append(final, "CT was done.", by=BO, at=AT)
    check_successor(final, new)
    changed = {name for name in type(new).model_fields if getattr(new, name) != getattr(final, name)}
    assert changed <= {"version", "replaces", "status", "created", "disclosure", "review", "sha256"}
    assert new.status == "appended" and ADA in new.disclosure and BO in new.disclosure
    assert new.review is not None and new.review.addenda[0].text == "CT was done."


def test_only_what_is_signed_is_appended_to(draft: Report) -> None:
    refused("WET-REVIEW-MOVE", lambda: append(draft, "More.", by=BO, at=AT))
    refused("WET-REVIEW-TEXT", lambda: append(signed(draft), " ", by=BO, at=AT))


def test_a_draft_is_cancelled_and_a_signed_report_entered_in_error(draft: Report) -> None:
    cancelled = withdraw(draft, "cancelled", "Repeated.", by=ADA, at=AT)
    check_successor(draft, cancelled)
    assert cancelled.statements() == draft.statements() and "Not to be used" in cancelled.disclosure
    refused("WET-REVIEW-MOVE", lambda: withdraw(signed(draft), "cancelled", "Repeated.", by=ADA, at=AT))
    wrong = withdraw(signed(draft), "entered-in-error", "Wrong patient.", by=ADA, at=AT)
    refused("WET-REVIEW-MOVE", lambda: append(wrong, "More.", by=ADA, at=AT))
    refused("WET-REVIEW-MOVE", lambda: conclude(wrong, by=ADA, at=AT, actions=[Accept(statement="S1")], outcome="sign"))
    refused("WET-REVIEW-TEXT", lambda: withdraw(draft, "cancelled", "", by=ADA, at=AT))


# --- what a report says of its review


def test_every_rendering_shows_who_wrote_signed_and_rejected(draft: Report) -> None:
    final = signed(draft)
    edited = done(final, Edit(statement="S3", text="Normal heart size."), Reject(statement="S2"), by=BO, outcome="sign")
    new = append(edited, "CT was done.", by=BO, at=AT)
    for text in (to_markdown(new), to_html(new, {})):
        for said in (f"edited by {BO}", f"Signed as final by {ADA}", f"S2 was rejected by {BO}", "CT was done."):
            assert said in text


# --- differences


def test_a_difference_shows_words_and_who_changed_them(draft: Report) -> None:
    new = done(
        draft,
        Edit(statement="S3", text="The heart is mildly enlarged."),
        Reject(statement="S2"),
        Add(place="bones", text="The bones are normal."),
    )
    found = diff_reports(draft, new)
    statements = {one.where: one for one in found.differences if one.what == "statement"}
    assert {id: (one.change, one.by, one.place) for id, one in statements.items()} == {
        "S2": ("removed", ADA, "pleura"),
        "S3": ("edited", ADA, "heart"),
        "S6": ("added", ADA, "bones"),
    }
    assert [(run.op, run.text) for run in statements["S3"].runs] == [
        ("equal", "The heart is "),
        ("delete", "not"),
        ("insert", "mildly"),
        ("equal", " enlarged."),
    ]
    assert ("system", "bones") in {(one.what, one.where) for one in found.differences}


def test_a_report_does_not_differ_from_itself(draft: Report) -> None:
    assert diff_reports(draft, draft).differences == ()


@given(st.text(max_size=200), st.text(max_size=200))
def test_a_difference_holds_both_texts(first: str, second: str) -> None:
    runs = words(first, second)
    assert "".join(run.text for run in runs if run.op != "insert") == first
    assert "".join(run.text for run in runs if run.op != "delete") == second


@given(st.lists(st.sampled_from(["No ", "nodule ", "left ", "1.5 ", "cm "]), max_size=12))
def test_equal_texts_have_no_difference(parts: list[str]) -> None:
    assert all(run.op == "equal" for run in words("".join(parts), "".join(parts)))


# --- reading a report back


def test_a_report_changed_by_hand_is_refused(draft: Report, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(to_json(draft))
    assert read_report(tmp_path) == draft
    path.write_bytes(to_json(draft).replace(b"right upper", b"left upper"))
    with pytest.raises(InputError) as caught:
        read_report(path)
    assert caught.value.code == "WET-INPUT-HASH"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "WET-INPUT-REPORT"),
        (b"[]", "WET-INPUT-REPORT"),
        (b"\xff\xfe", "WET-INPUT-REPORT"),
        (b'{"schema_version": 1}', "WET-INPUT-REPORT"),
        (b'{"schema_version": "2"}', "WET-INPUT-SCHEMA"),
        (b'{"schema_version": "1", "sha256": "x"}', "WET-INPUT-HASH"),
    ],
)
def test_what_is_no_report_is_told_from_what_is_of_another_version(data: bytes, code: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_report(data)
    assert caught.value.code == code
    assert "\n" not in caught.value.line()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_report(tmp_path / "none.json")
    assert caught.value.code == "WET-INPUT-REPORT-FILE"


@given(st.binary(max_size=60), st.integers(0, 4000))
def test_no_byte_of_a_report_can_change_unseen(draft: Report, data: bytes, at: int) -> None:
    whole = to_json(draft)
    changed = whole[:at] + data + whole[at + len(data) :]
    try:
        assert parse_report(changed) == draft
    except InputError:
        assert changed != whole


# --- nothing that an agent can call signs


@pytest.mark.parametrize("folder", ["agents", "tools"])
def test_no_agent_and_no_tool_can_reach_review_or_store(folder: str) -> None:
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
            for name in [f"{module}.{name}" if module else name for name in names]:
                assert not name.startswith(("wetread.review", "wetread.store")), f"{path}: {name}"


def test_every_version_says_who_made_it(draft: Report) -> None:
    released = done(draft, outcome="preliminary", by=BO)
    final = signed(released)
    versions = [released, final, append(final, "More.", by=BO, at=AT)]
    assert [one.review.by for one in versions if one.review] == [BO, ADA, BO]
    assert draft.review is None
