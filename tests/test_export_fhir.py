"""FHIR exports: what the Bundle says of a report, that it is valid by two validators, and that mistakes are found."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wetread import DISCLAIMER
from wetread.errors import ExportError
from wetread.reports.export import FORMATS, Identity, export, write_files
from wetread.reports.export.fhir import to_bundle
from wetread.reports.export.fhir_check import FULL_VALUES, MORE, validate
from wetread.reports.language.codes import loinc_valid
from wetread.reports.model import Claim, Report, ReportField, Statement
from wetread.reports.reading import parse_report
from wetread.reports.reviewed import Addendum, Decision, Review, Signature
from wetread.review import Add, conclude
from wetread.scenarios.scenario import BUILT_IN
from wetread.values import canonical_json, sha256_hex
from wetread.vocabulary import Assertion, Change, Side

pytest.importorskip("fhir.resources", reason="the extra fhir is not installed")

SCENARIOS = sorted(path.parent.parent.name for path in BUILT_IN.glob("*/expected/report.json"))
VALIDATOR = Path(__file__).parent / "fhir_validator"
NOW = datetime(2026, 1, 16, 8, 30, tzinfo=UTC)

Data = dict[str, Any]


@cache
def drafted(name: str = "rg1-protocol") -> Report:
    """The draft that a scenario expects."""
    return Report.model_validate_json((BUILT_IN / name / "expected" / "report.json").read_bytes()).sealed()


def bundle_of(report: Report, **identity: str) -> Data:
    (file,) = export(report, "fhir", identity=Identity(**identity))
    found: Data = json.loads(file.data)
    return found


def resources(bundle: Data, kind: str) -> list[Data]:
    return [e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == kind]


def only(bundle: Data, kind: str) -> Data:
    (found,) = resources(bundle, kind)
    return found


def observation(bundle: Data, text: str, code: str) -> Data:
    """The Observation of a finding, by its name and a piece of its statement."""
    (found,) = [
        one
        for one in resources(bundle, "Observation")
        if one["code"]["text"] == code and any(text in note["text"] for note in one["note"])
    ]
    return found


def parts(value: Any) -> Iterator[Data]:
    """Every object within a value, itself included."""
    if isinstance(value, dict):
        yield value
        for part in value.values():
            yield from parts(part)
    elif isinstance(value, list):
        for part in value:
            yield from parts(part)


def signed(report: Report, status: str = "final", **review: Any) -> Report:
    signature = Signature(by="Dr. Ada Reader", at=NOW, status=status, version=2)
    return report.model_copy(
        update={
            "status": status,
            "version": 2,
            "replaces": report.sha256,
            "disclosure": "AI-assisted; reviewed and signed.",
            "review": Review(signatures=(signature,), **review),
        }
    ).sealed()


# --- what stands in the Bundle


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_scenario_becomes_a_valid_bundle_with_all_parts(name: str) -> None:
    report = drafted(name)
    bundle = bundle_of(report)
    assert validate(bundle) == ()
    kinds = Counter(entry["resource"]["resourceType"] for entry in bundle["entry"])
    for kind in ("Patient", "ImagingStudy", "DiagnosticReport", "Composition"):
        assert kinds[kind] == 1
    claims = sum(len(s.claims) for system in report.findings for s in system.statements)
    not_assessed = sum(system.status == "not_assessed" for system in report.findings)
    assert kinds["Observation"] >= claims + not_assessed > 0
    models = {(e.model.name, e.model.version, e.origin) for e in report.evidence if cited(report, e.id)}
    assert kinds["Device"] == len(models) + 2  # wetread itself, and who drafted
    assert kinds["Provenance"] == 1 + sum(cited(report, evidence.id) for evidence in report.evidence)


def cited(report: Report, evidence: str) -> bool:
    statements = [s for system in report.findings for s in system.statements]
    filled = [one for one in report.fields if one.value is not None and one.known]
    return any(evidence in one.evidence for one in [*statements, *filled])


def test_a_draft_that_nobody_read_is_partial_and_names_nobody() -> None:
    bundle = bundle_of(drafted())
    found = only(bundle, "DiagnosticReport")
    assert found["status"] == "partial"
    assert {one["status"] for one in resources(bundle, "Observation")} == {"preliminary"}
    assert only(bundle, "Composition")["status"] == "preliminary"
    assert not {"performer", "resultsInterpreter"} & found.keys()
    assert "attester" not in only(bundle, "Composition")


@pytest.mark.parametrize(
    ("status", "observations", "composition"),
    [
        ("final", "final", "final"),
        ("amended", "amended", "amended"),
        ("corrected", "corrected", "amended"),
        ("appended", "amended", "amended"),
    ],
)
def test_a_signed_report_names_who_signed_and_what_it_replaces(
    status: str, observations: str, composition: str
) -> None:
    draft = drafted()
    bundle = bundle_of(signed(draft, status))
    found = only(bundle, "DiagnosticReport")
    assert found["status"] == status
    assert found["resultsInterpreter"] == [{"display": "Dr. Ada Reader"}]
    assert {one["status"] for one in resources(bundle, "Observation")} == {observations}
    document = only(bundle, "Composition")
    assert document["status"] == composition
    assert document["attester"][0]["party"] == {"display": "Dr. Ada Reader"}
    (before,) = document["relatesTo"]
    assert before["code"] == ("appends" if status == "appended" else "replaces")
    assert before["targetIdentifier"] == only(bundle_of(draft), "Composition")["identifier"]
    agents = [agent for one in resources(bundle, "Provenance") for agent in one["agent"]]
    assert {"display": "Dr. Ada Reader"} in [agent["who"] for agent in agents]


def saying(*claims: Claim, evidence: tuple[str, ...] = ("E2",)) -> Report:
    """The draft, its lungs saying just this."""
    draft = drafted()
    statement = Statement(id="S90", section="findings", system="lungs", text="Said.", evidence=evidence, claims=claims)
    systems = tuple(
        system.model_copy(update={"statements": (statement,)}) if system.system == "lungs" else system
        for system in draft.findings
    )
    return draft.model_copy(update={"findings": systems}).sealed()


def test_findings_are_coded_with_side_site_certainty_and_source() -> None:
    nodule = Claim(finding="nodule", anatomy="upper_lobe", side=Side.RIGHT, change=Change.NEW, qualifiers=("small",))
    claims = (
        nodule,
        Claim(finding="pneumothorax", assertion=Assertion.ABSENT),
        Claim(finding="pulmonary_edema", assertion=Assertion.UNCERTAIN, side=Side.BILATERAL),
        Claim(finding="scoliosis", assertion=Assertion.HISTORICAL),
    )
    bundle = bundle_of(saying(*claims))
    seen = observation(bundle, "Said.", "Lung nodule")
    assert seen["code"]["coding"] == [{"system": "http://snomed.info/sct", "code": "27925004", "display": "Nodule"}]
    assert seen["valueCodeableConcept"]["coding"][0]["code"] == "52101004"
    assert seen["bodySite"]["coding"][0]["code"] == "45653009"
    assert seen["bodySite"]["text"] == "right upper lobe"
    assert side(seen) == "24028007"
    told = {part["code"]["text"]: part for part in seen["component"]}
    assert told["Change against the comparison study"]["valueCodeableConcept"] == {"text": "new"}
    assert told["Qualifiers"]["valueString"] == "small"
    assert asserted(bundle, "Pneumothorax") == ("absent", "272519000")
    assert asserted(bundle, "Pulmonary edema") == ("uncertain", "373068000")
    assert asserted(bundle, "Scoliosis") == ("historical", None)
    assert "coding" not in observation(bundle, "Said.", "Scoliosis")["code"], "no code that is not verified"
    study = next(e["fullUrl"] for e in bundle["entry"] if e["resource"]["resourceType"] == "ImagingStudy")
    for one in resources(bundle, "Observation"):
        assert {"reference": study, "type": "ImagingStudy"} in one["derivedFrom"]
    device = next(e["resource"] for e in bundle["entry"] if e["fullUrl"] == seen["device"]["reference"])
    model = next(e.model for e in drafted().evidence if e.id == "E2")
    assert device["deviceName"][0]["name"] == model.name


def asserted(bundle: Data, code: str) -> tuple[str, str | None]:
    value = observation(bundle, "Said.", code)["valueCodeableConcept"]
    return value["text"], value.get("coding", [{}])[0].get("code")


def side(found: Data) -> str:
    (value,) = [c["valueCodeableConcept"] for c in found["component"] if c["code"]["text"] == "Laterality"]
    code: str = value["coding"][0]["code"]
    return code


@pytest.mark.parametrize(("assertion", "coded"), [(Assertion.PRESENT, True), (Assertion.ABSENT, False)])
def test_a_tools_probability_is_kept(assertion: Assertion, coded: bool) -> None:
    classified = next(e for e in drafted().evidence if e.tool == "classify")
    claim = Claim(finding="pneumothorax", assertion=assertion)
    bundle = bundle_of(saying(claim, evidence=(classified.id,)))
    found = observation(bundle, "Said.", "Pneumothorax")
    (told,) = [c for c in found["component"] if "Probability" in c["code"]["text"]]
    (given,) = [o.probability for o in classified.observations if o.finding == "pneumothorax"]
    assert given is not None
    assert told["valueQuantity"]["value"] == pytest.approx(given * 100)
    assert told["valueQuantity"]["code"] == "%"
    # DCM 111012 is the certainty of a finding: not of its absence
    assert ("coding" in told["code"]) == coded


def test_a_measurement_has_its_ucum_unit_and_what_measured_it() -> None:
    bundle = bundle_of(drafted())
    ratio = observation(bundle, "Cardiothoracic ratio", "Cardiothoracic ratio")
    assert ratio["valueQuantity"] == {"value": 0.47, "system": "http://unitsofmeasure.org", "code": "1"}
    device = next(e["resource"] for e in bundle["entry"] if e["fullUrl"] == ratio["device"]["reference"])
    assert device["deviceName"][0]["name"] == "wetread measure"


def test_what_is_not_assessed_has_no_value_and_a_reason() -> None:
    report = drafted()
    bundle = bundle_of(report)
    silent = [system for system in report.findings if system.status == "not_assessed"]
    assert silent
    for system in silent:
        found = observation(bundle, "not assessed", system.title)
        assert found["dataAbsentReason"]["coding"][0]["code"] == "not-performed"
        assert found["dataAbsentReason"]["text"] == system.reason
        assert not any(key.startswith("value") for key in found)


def test_filled_form_fields_become_observations_of_their_type() -> None:
    fields = (
        ReportField(
            name="size", title="Size", type="number", unit="mm", value="12.5", source="agent", evidence=("E2",)
        ),
        ReportField(name="seen", title="Seen on", type="date", value="2026-01-15", source="person"),
        ReportField(name="kind", title="Kind", type="menu", choices=("solid", "part-solid"), value="solid"),
        ReportField(name="empty", title="Empty", type="text"),
    )
    bundle = bundle_of(drafted().model_copy(update={"fields": fields}).sealed())
    size = observation(bundle, "Size", "Size")
    assert size["valueQuantity"] == {"value": 12.5, "unit": "mm", "system": "http://unitsofmeasure.org", "code": "mm"}
    by_hand = observation(bundle, "Seen on", "Seen on")
    assert by_hand["valueDateTime"] == "2026-01-15"
    assert "AIAST" not in json.dumps(by_hand.get("meta", {}))
    assert observation(bundle, "Kind", "Kind")["valueString"] == "solid"
    assert not [one for one in resources(bundle, "Observation") if one["code"]["text"] == "Empty"]


def test_sections_carry_their_loinc_codes_and_lead_to_the_observations() -> None:
    bundle = bundle_of(signed(drafted(), "appended", addenda=(Addendum(text="Compared later.", by="Dr. B", at=NOW),)))
    sections = only(bundle, "Composition")["section"]
    codes = {s["title"]: s["code"].get("coding", [{}])[0].get("code") for s in sections}
    assert codes["Indication"] == "18785-6"
    assert codes["Findings"] == "59776-5"
    assert codes["Impression"] == "19005-8"
    assert codes["Recommendation"] == "18783-1"
    assert codes["Addendum"] == "55107-7"
    entries = [e["reference"] for part in parts(sections) for e in part.get("entry", [])]
    made = [e["fullUrl"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Observation"]
    assert sorted(entries) == sorted(made)


def test_the_page_is_attached_whole() -> None:
    (form,) = only(bundle_of(drafted()), "DiagnosticReport")["presentedForm"]
    page = base64.b64decode(form["data"])
    assert form["contentType"] == "text/html"
    assert form["size"] == len(page)
    assert form["hash"] == base64.b64encode(hashlib.sha1(page).digest()).decode()
    assert DISCLAIMER in page.decode()


# --- disclosure, labels, identifiers


@pytest.mark.parametrize("name", SCENARIOS)
def test_everything_says_that_it_is_no_medical_device_and_who_asserted_it(name: str) -> None:
    report = drafted(name)
    bundle = bundle_of(report)
    for entry in bundle["entry"]:
        resource = entry["resource"]
        assert DISCLAIMER in resource["text"]["div"]
        if resource["resourceType"] in ("Observation", "DiagnosticReport", "Composition", "Provenance"):
            assert report.disclosure in resource["text"]["div"]
            assert "AIAST" in [label["code"] for label in resource["meta"]["security"]]
            made_up = {"simulated", "authored"} & set(report.modes)
            assert ("HTEST" in [label["code"] for label in resource["meta"]["security"]]) == bool(made_up)
    conclusion = only(bundle, "DiagnosticReport")["conclusion"]
    assert report.disclosure in conclusion
    assert DISCLAIMER in conclusion


def test_a_statement_that_a_reader_added_is_not_labelled_as_asserted_by_an_ai() -> None:
    said = saying(Claim(finding="nodule"), evidence=())
    decided = (Decision(statement="S90", action="added", by="Dr. Ada Reader", at=NOW),)
    for report, expected in ((said, True), (signed(said, decisions=decided), False)):
        found = observation(bundle_of(report), "Said.", "Lung nodule")
        labels = [label["code"] for label in found["meta"]["security"]]
        assert ("AIAST" in labels) == expected


def test_what_a_reader_wrote_comes_from_a_person_and_from_no_device() -> None:
    added = Add(text="There is a granuloma in the left upper lobe.", place="lungs")
    report = conclude(drafted(), by="Dr. Ada Reader", at=NOW, actions=[added])
    bundle = bundle_of(report)
    devices = {json.dumps(device["deviceName"]) for device in resources(bundle, "Device")}
    assert not [name for name in devices if "reader" in name.lower()]
    authors = [
        agent["who"].get("display")
        for provenance in resources(bundle, "Provenance")
        for agent in provenance["agent"]
        if "display" in agent["who"]
    ]
    assert "Dr. Ada Reader" in authors


def test_without_a_given_identity_no_identifier_but_of_the_export_itself() -> None:
    report = drafted()
    bundle = bundle_of(report)
    patient = only(bundle, "Patient")
    assert patient["gender"] == "female"
    assert not {"name", "birthDate", "telecom", "address"} & patient.keys()
    for entry in bundle["entry"]:
        ids = entry["resource"].get("identifier", [])
        for identifier in ids if isinstance(ids, list) else [ids]:
            assert identifier == {"system": "urn:ietf:rfc:3986", "value": entry["fullUrl"]}


def test_a_given_identity_is_used_as_it_is() -> None:
    bundle = bundle_of(drafted(), patient="Patient/abc-1", accession="A77", study_uid="1.2.840.5")
    assert not resources(bundle, "Patient")
    for kind in ("ImagingStudy", "DiagnosticReport", "Composition", "Observation"):
        assert {one["subject"]["reference"] for one in resources(bundle, kind)} == {"Patient/abc-1"}
    (entry,) = [e for e in bundle["entry"] if e["resource"]["resourceType"] == "ImagingStudy"]
    assert entry["request"]["ifNoneExist"] == "identifier=urn:dicom:uid|urn:oid:1.2.840.5"
    assert "A77" in [identifier["value"] for identifier in entry["resource"]["identifier"]]


@pytest.mark.parametrize("patient", ["Banana/1", "Patient/", "Patient/1|2", "Patient/a b", "javascript:Patient/1"])
def test_a_patient_that_is_no_reference_is_refused(patient: str) -> None:
    with pytest.raises(ValueError, match="patient"):
        Identity(patient=patient)


# --- the same again, and other versions


def test_the_same_report_gives_the_same_bytes_and_another_patient_other_resources() -> None:
    report = drafted()
    assert export(report, "fhir")[0].data == export(report, "fhir")[0].data
    one, other = (bundle_of(report, patient=f"Patient/{id}") for id in ("1", "2"))
    shared = {e["fullUrl"] for e in one["entry"]} & {e["fullUrl"] for e in other["entry"]}
    kinds = {e["resource"]["resourceType"] for e in one["entry"] if e["fullUrl"] in shared}
    assert kinds == {"Device"}


def test_versions_share_patient_images_and_devices_and_nothing_else() -> None:
    draft = drafted()
    one, other = bundle_of(draft), bundle_of(signed(draft))
    shared = {e["fullUrl"] for e in one["entry"]} & {e["fullUrl"] for e in other["entry"]}
    kinds = {e["resource"]["resourceType"] for e in one["entry"] if e["fullUrl"] in shared}
    assert kinds == {"Device", "Patient", "ImagingStudy"}


def test_dates_of_the_images_are_when_it_was_seen() -> None:
    report = drafted()
    images = tuple(image.model_copy(update={"acquired": date(2026, 1, 14)}) for image in report.images)
    bundle = bundle_of(report.model_copy(update={"images": images}).sealed())
    assert only(bundle, "ImagingStudy")["started"] == "2026-01-14"
    assert only(bundle, "DiagnosticReport")["effectiveDateTime"] == "2026-01-14"


# --- codes


@pytest.mark.parametrize("name", SCENARIOS)
def test_no_code_that_the_standards_tables_do_not_have(name: str) -> None:
    from pydicom.sr._concepts_dict import concepts

    tables = {"http://snomed.info/sct": "SCT", "http://dicom.nema.org/resources/ontology/DCM": "DCM"}
    meanings: dict[tuple[str, str], set[str]] = {}
    for system, scheme in tables.items():
        for entries in concepts[scheme].values():
            for code, (meaning, _) in entries.items():
                meanings.setdefault((system, code), set()).add(meaning)
    codings = [part for part in parts(bundle_of(drafted(name))) if {"system", "code"} <= part.keys()]
    assert codings
    for coding in codings:
        if coding["system"] in tables:
            assert coding.get("display") is None or coding["display"] in meanings[coding["system"], coding["code"]]
        elif coding["system"] == "http://loinc.org":
            assert loinc_valid(coding["code"])


def test_the_status_values_complete_those_in_the_metadata() -> None:
    from fhir.resources.R4B import get_fhir_model_class

    for (kind, field), values in FULL_VALUES.items():
        extra: Any = get_fhir_model_class(kind).model_fields[field].json_schema_extra
        assert MORE in extra["enum_values"]
        assert set(extra["enum_values"]) - {MORE} < values


# --- mistakes are found


def first(bundle: Data, kind: str) -> Data:
    return resources(bundle, kind)[0]


MISTAKES: dict[str, tuple[Callable[[Data], object], str]] = {
    "status": (lambda b: first(b, "DiagnosticReport").update(status="BAD"), "status: not one of"),
    "observation status": (lambda b: first(b, "Observation").update(status="partial"), "status: not one of"),
    "composition status": (lambda b: first(b, "Composition").update(status="partial"), "status: not one of"),
    "gender": (lambda b: first(b, "Patient").update(gender="f"), "gender: not one of"),
    "method": (lambda b: b["entry"][0]["request"].update(method="FETCH"), "method: not one of"),
    "device name type": (lambda b: first(b, "Device")["deviceName"][0].update(type="x"), "type: not one of"),
    "unknown type": (
        lambda b: first(b, "DiagnosticReport").update(subject={"reference": "Banana/1"}),
        "subject: refers to Banana",
    ),
    "no reference": (
        lambda b: first(b, "DiagnosticReport").update(subject={"reference": "nonsense"}),
        "subject: not a reference",
    ),
    "wrong type": (
        lambda b: first(b, "DiagnosticReport").update(imagingStudy=[{"reference": "Patient/1"}]),
        "imagingStudy[0]: refers to Patient",
    ),
    "device as performer": (
        lambda b: first(b, "DiagnosticReport").update(performer=[{"reference": "Device/1"}]),
        "performer[0]: refers to Device",
    ),
    "dangling": (
        lambda b: first(b, "Observation").update(device={"reference": "urn:uuid:0"}),
        "device: refers to what is not in the Bundle",
    ),
    "type that lies": (
        lambda b: first(b, "Observation")["subject"].update(type="Group"),
        "subject: says Group and refers to Patient",
    ),
    "empty reference": (lambda b: first(b, "Observation").update(device={"type": "Device"}), "refers to nothing"),
    "snomed digit": (
        lambda b: first(b, "Observation").update(
            code={"coding": [{"system": "http://snomed.info/sct", "code": "36118007"}]}
        ),
        "check digit of the SNOMED CT code",
    ),
    "loinc digit": (
        lambda b: first(b, "Composition").update(type={"coding": [{"system": "http://loinc.org", "code": "18748-5"}]}),
        "check digit of the LOINC code",
    ),
    "code without system": (
        lambda b: first(b, "Observation").update(code={"coding": [{"code": "1"}]}),
        "a code without its system",
    ),
    "script": (
        lambda b: first(b, "Observation")["text"].update(
            div='<div xmlns="http://www.w3.org/1999/xhtml">a<script>b</script></div>'
        ),
        "not plain text",
    ),
    "handler": (
        lambda b: first(b, "Observation")["text"].update(
            div='<div xmlns="http://www.w3.org/1999/xhtml"><p onclick="a">b</p></div>'
        ),
        "not plain text",
    ),
    "not xml": (lambda b: first(b, "Observation")["text"].update(div="<div>a<br></div>"), "not well-formed"),
    "empty narrative": (
        lambda b: first(b, "Observation")["text"].update(div='<div xmlns="http://www.w3.org/1999/xhtml"> </div>'),
        "with some text",
    ),
    "no condition": (lambda b: b["entry"][3]["request"].pop("ifNoneExist"), "ifNoneExist: missing"),
    "put": (lambda b: b["entry"][3]["request"].update(method="PUT"), "request: not the creation"),
    "twice": (lambda b: b["entry"].append(copy.deepcopy(b["entry"][0])), "fullUrl: the same"),
    "no request": (lambda b: b["entry"][2].pop("request"), "needs fullUrl, resource and request"),
    "batch": (lambda b: b.update(type="batch"), "not a transaction"),
    "missing": (lambda b: first(b, "Observation").pop("code"), "code"),
    "unknown field": (lambda b: first(b, "Patient").update(shoeSize=44), "shoeSize"),
    "type of value": (lambda b: first(b, "Composition").update(date="yesterday"), "date"),
    "value not known here": (
        lambda b: b["entry"].append(
            {
                "fullUrl": "urn:uuid:1",
                "resource": {"resourceType": "Task", "status": "draft", "intent": "order"},
                "request": {"method": "POST", "url": "Task", "ifNoneExist": "identifier=1"},
            }
        ),
        "not known",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_found_and_its_place_named(mistake: str) -> None:
    change, said = MISTAKES[mistake]
    bundle = copy.deepcopy(bundle_of(drafted()))
    change(bundle)
    found = validate(bundle)
    assert any(said in line for line in found), found


def test_a_mistake_does_not_repeat_what_the_bundle_holds() -> None:
    bundle = copy.deepcopy(bundle_of(drafted()))
    first(bundle, "DiagnosticReport").update(status="Jane Doe", subject={"reference": "Person:Jane Doe"})
    first(bundle, "Composition").update(date="Jane Doe 1970")
    assert validate(bundle)
    assert not [line for line in validate(bundle) if "Jane" in line]


# --- any text


texts = st.text(min_size=1, max_size=60).filter(lambda text: bool(text.strip()))


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(said=texts, reason=texts, exam=texts, name=texts)
def test_any_text_gives_a_valid_bundle(said: str, reason: str, exam: str, name: str) -> None:
    draft = drafted()
    systems = []
    for system in draft.findings:
        statements = tuple(s.model_copy(update={"text": said}) for s in system.statements)
        systems.append(system.model_copy(update={"statements": statements, "reason": reason, "title": exam}))
    sections = tuple(section.model_copy(update={"text": exam}) for section in draft.sections)
    impression = tuple(s.model_copy(update={"text": said}) for s in draft.impression)
    report = draft.model_copy(
        update={"findings": tuple(systems), "sections": sections, "impression": impression, "language_model": name}
    )
    assert validate(to_bundle(report, b"<html></html>")) == ()


# --- the second validator


@pytest.fixture(scope="module")
def second_validator(tmp_path_factory: pytest.TempPathFactory) -> Callable[[list[Data]], list[Data]]:
    """npm's `fhir`, installed from the lock file into a temporary folder."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("node and npm are needed for the second FHIR validator")
    folder = tmp_path_factory.mktemp("fhir_validator")
    shutil.copytree(VALIDATOR, folder, dirs_exist_ok=True)
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    installed = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    if installed.returncode:
        pytest.skip(f"npm ci failed ({installed.returncode}): the second FHIR validator is not there")

    def run(bundles: list[Data]) -> list[Data]:
        text = json.dumps(bundles)
        done = subprocess.run(
            [node, "validate.js"], cwd=folder, input=text, capture_output=True, text=True, timeout=300, check=True
        )
        found: list[Data] = json.loads(done.stdout)
        return found

    return run


@pytest.mark.slow
def test_a_second_validator_agrees(second_validator: Callable[[list[Data]], list[Data]]) -> None:
    good = [bundle_of(drafted(name)) for name in SCENARIOS] + [bundle_of(signed(drafted()), patient="Patient/1")]
    for outcome in second_validator(good):
        assert outcome == {"valid": True, "messages": []}
    bad = []
    for mistake in ("status", "observation status", "gender", "missing", "unknown field"):
        bundle = copy.deepcopy(good[0])
        MISTAKES[mistake][0](bundle)
        bad.append(bundle)
    assert [outcome["valid"] for outcome in second_validator(bad)] == [False] * len(bad)


# --- the registry


def test_the_json_export_is_the_report_itself() -> None:
    (file,) = export(drafted(), "json")
    assert parse_report(file.data) == drafted()


def test_a_report_from_an_earlier_wetread_keeps_its_hash() -> None:
    old = drafted().model_dump(mode="json", exclude={"sha256", "review", "critical"})
    old["sha256"] = sha256_hex(canonical_json(old))
    report = parse_report(json.dumps(old).encode())
    (file,) = export(report, "json")
    assert json.loads(file.data) == old


def test_a_report_changed_in_memory_is_not_written_as_json() -> None:
    changed = drafted().model_copy(update={"template": "other"})
    with pytest.raises(ExportError, match="SHA-256") as error:
        export(changed, "json")
    assert error.value.code == "WET-EXPORT-HASH"


@pytest.mark.parametrize("name", ["md", "html"])
def test_renderings_carry_disclosure_and_disclaimer(name: str) -> None:
    (file,) = export(drafted(), name)
    text = file.data.decode()
    assert drafted().disclosure in text
    assert DISCLAIMER in text


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(ExportError) as error:
        export(drafted(), "telex")
    assert error.value.code == "WET-EXPORT-FORMAT"
    assert all(name in str(error.value) for name in FORMATS)


@pytest.mark.parametrize(("name", "module"), [("fhir", "fhir.resources.R4B.bundle"), ("hl7v2", "hl7apy.consts")])
def test_a_missing_extra_is_named(name: str, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ExportError) as error:
        export(drafted(), name)
    assert error.value.code == "WET-EXPORT-EXTRA"
    assert f"pip install 'wetread[{FORMATS[name].extra}]'" in str(error.value)


def test_files_are_written_whole_and_replace_older_ones(tmp_path: Path) -> None:
    (file,) = export(drafted(), "md")
    folder = tmp_path / "new" / "folder"
    (path,) = write_files([file], folder)
    write_files([file.model_copy(update={"data": b"second"})], folder)
    assert path.read_bytes() == b"second"
    assert [one.name for one in folder.iterdir()] == ["report.md"]


def test_a_folder_that_cannot_be_written_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    (file,) = export(drafted(), "md")
    blocked = tmp_path / "file"
    blocked.write_text("here")
    with pytest.raises(ExportError) as error:
        write_files([file], blocked)
    assert error.value.code == "WET-EXPORT-OUT"
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_one_name_that_cannot_be_taken_leaves_no_half_files(tmp_path: Path) -> None:
    (file,) = export(drafted(), "md")
    other = file.model_copy(update={"name": "taken"})
    (tmp_path / "taken").mkdir()
    with pytest.raises(ExportError):
        write_files([file, other], tmp_path)
    assert not [one.name for one in tmp_path.iterdir() if one.name.endswith(".part")]
