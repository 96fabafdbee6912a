"""Codes for DICOM exports: one reviewed table from the lexicon's keys, never from a model.

Every code stands with its meaning in the concept dictionary of pydicom, made from the tables of PS3.16; the tests
compare each. A finding without a code there has a private one: scheme `99WETREAD`, the lexicon's key as value (PS3.3
8.2: private schemes begin with 99). A place that the dictionary does not know exactly is coded as the organ around it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from wetread.vocabulary import Assertion, Change, Side

if TYPE_CHECKING:
    from pydicom.sr.coding import Code

PRIVATE = "99WETREAD"
MAX_VALUE = 16
"""Characters of a Code Value (VR SH)."""


class Concept(NamedTuple):
    """A code as it is written: value, coding scheme, meaning."""

    value: str
    scheme: str
    meaning: str

    def code(self) -> Code:
        from pydicom.sr.coding import Code

        return Code(self.value, self.scheme, self.meaning)


def _sct(value: str, meaning: str) -> Concept:
    return Concept(value, "SCT", meaning)


def _dcm(value: str, meaning: str) -> Concept:
    return Concept(value, "DCM", meaning)


FINDINGS = {
    "pneumothorax": _sct("36118008", "Pneumothorax"),
    "pleural_effusion": _sct("60046008", "Pleural effusion"),
    "pulmonary_edema": _sct("19242006", "Pulmonary edema"),
    "heart_failure": _sct("84114007", "Heart failure"),
    "kerley_lines": _dcm("112114", "Septal line(s)"),
    "opacity": _dcm("112001", "Opacity"),
    "ground_glass_opacity": _dcm("112120", "Ground glass opacity"),
    "nodule": _sct("27925004", "Nodule"),
    "mass": _sct("4147007", "Mass"),
    "metastases": _sct("128462008", "Metastasis"),
    "air_fluid_level": _dcm("112104", "Air-fluid level"),
    "pulmonary_embolism": _sct("59282003", "Pulmonary embolism"),
    "foreign_body": _sct("19227008", "Foreign body"),
    "lucency": _dcm("112084", "Lucency"),
    "cardiomegaly": _sct("287272002", "Cardiomegaly"),
    "pericardial_effusion": _sct("373945007", "Pericardial effusion"),
    "pneumomediastinum": _sct("16838000", "Pneumomediastinum"),
    "lymphadenopathy": _sct("30746006", "Lymphadenopathy"),
    "aortic_aneurysm": _sct("67362008", "Aortic aneurysm"),
    "aortic_dissection": _sct("308546005", "Aortic dissection"),
    "dextrocardia": _sct("27637000", "Dextrocardia"),
    "hepatomegaly": _sct("80515008", "Hepatomegaly"),
    "endotracheal_tube": _sct("26412008", "Endotracheal tube"),
    "central_venous_catheter": _sct("52124006", "Central venous catheter"),
    "port": _dcm("112172", "Portacath"),
    "swan_ganz_catheter": _sct("397755005", "Swann-Ganz catheter"),
    "chest_tube": _dcm("112173", "Chest tube"),
    "pacemaker": _dcm("111171", "Pacemaker"),
    "icd": _sct("72506001", "Implantable defibrillator"),
    "intra_aortic_balloon_pump": _sct("129113006", "Intra-aortic balloon pump"),
    "stent": _sct("65818007", "Stent"),
    "abnormality": _sct("263654008", "Abnormal"),
    "normal": _sct("17621005", "Normal"),
}

_LUNG = _sct("39607008", "Lung")
_AORTA = _sct("15825003", "Aorta")
SITES = {
    "lung": _LUNG,
    "upper_lobe": _LUNG,  # the lexicon's lobes include zones
    "middle_lobe": _sct("72481006", "Middle lobe of right lung"),
    "lower_lobe": _LUNG,
    "lingula": _LUNG,
    "mid_zone": _LUNG,
    "lung_apex": _sct("86598002", "Apex of Lung"),
    "lung_base": _LUNG,
    "bronchus": _sct("955009", "Bronchus"),
    "pleura": _sct("3120008", "Pleura"),
    "fissure": _sct("278983006", "Fissure of lung"),
    "hemidiaphragm": _sct("5798000", "Diaphragm"),
    "heart": _sct("80891009", "Heart"),
    "left_atrium": _sct("82471001", "Left atrium"),
    "right_atrium": _sct("73829009", "Right atrium"),
    "left_ventricle": _sct("87878005", "Left ventricle"),
    "right_ventricle": _sct("53085002", "Right ventricle"),
    "pericardium": _sct("76848001", "Pericardium"),
    "mediastinum": _sct("72410000", "Mediastinum"),
    "hilum": _sct("46750007", "Hilum of lung"),
    "lymph_node": _sct("59441001", "Lymph node"),
    "pulmonary_artery": _sct("81040000", "Pulmonary artery"),
    "aorta": _AORTA,
    "azygos_vein": _sct("72107004", "Azygos vein"),
    "svc": _sct("48345005", "Superior vena cava"),
    "trachea": _sct("44567001", "Trachea"),
    "carina": _sct("28700002", "Carina"),
    "esophagus": _sct("32849002", "Esophagus"),
    "thyroid": _sct("69748006", "Thyroid"),
    "rib": _sct("113197003", "Rib"),
    "clavicle": _sct("51299004", "Clavicle"),
    "spine": _sct("421060004", "Spine"),
    "sternum": _sct("56873002", "Sternum"),
    "scapula": _sct("79601000", "Scapula"),
    "shoulder": _sct("16982005", "Shoulder"),
    "humerus": _sct("85050009", "Humerus"),
    "breast": _sct("76752008", "Breast"),
    "axilla": _sct("91470000", "Axilla"),
    "neck": _sct("45048000", "Neck"),
    "stomach": _sct("69695003", "Stomach"),
    "liver": _sct("10200004", "Liver"),
    "spleen": _sct("78961009", "Spleen"),
}

SIDES = {
    Side.RIGHT: _sct("24028007", "Right"),
    Side.LEFT: _sct("7771000", "Left"),
    Side.BILATERAL: _sct("51440002", "Bilateral"),
}
"""Laterality, CID 244; the midline is none."""

PRESENCE = _dcm("121052", "Presence of property")
ASSERTIONS = {
    Assertion.PRESENT: _sct("52101004", "Present"),
    Assertion.ABSENT: _sct("272519000", "Absent"),
    Assertion.UNCERTAIN: _sct("373068000", "Undetermined"),
}
"""Values of `PRESENCE`, CID 240. What is only history has none: it is no finding of this study."""

CHANGE = Concept("change", PRIVATE, "Change since the comparison study")

ANATOMY = _sct("91723000", "Anatomical Structure")
ABNORMAL_STRUCTURE = _sct("49755003", "Morphologically Abnormal Structure")
SEGMENTS: dict[str, tuple[Concept, Concept, Side | None]] = {
    "left lung": (ANATOMY, _LUNG, Side.LEFT),
    "right lung": (ANATOMY, _LUNG, Side.RIGHT),
    "heart": (ANATOMY, SITES["heart"], None),
    "lung opacity": (ABNORMAL_STRUCTURE, FINDINGS["opacity"], None),
}
"""Segmented Property Category (CID 7150), type and the patient's side, by the name of the structure."""

AI = _dcm("123110", "Artificial Intelligence")
"""Algorithm family, CID 7162."""
REPORT = Concept("18748-4", "LN", "Diagnostic Imaging Report")
MEASUREMENT_REPORT = _dcm("126000", "Imaging Measurement Report")
COMMENT = _dcm("121106", "Comment")

HEADINGS = {
    "18785-6": "Indications for Procedure",
    "11329-0": "History",
    "55111-9": "Current Procedure Descriptions",
    "18834-2": "Previous Findings",
    "59776-5": "Findings",
    "19005-8": "Impressions",
    "18783-1": "Recommendations",
    "73568-8": "Communication of Critical Results",
    "55107-7": "Addendum",
}
"""Section headings of CID 7001 (LOINC) with DICOM's meanings."""

ELEMENTS = {
    "59776-5": _dcm("121071", "Finding"),
    "19005-8": _dcm("121073", "Impression"),
    "18783-1": _dcm("121075", "Recommendation"),
    "18834-2": _dcm("121069", "Previous Finding"),
    "55111-9": _dcm("121065", "Procedure Description"),
    "11329-0": Concept("11329-0", "LN", "History"),
}
"""Names of the text items beneath a heading, CID 7002; beneath another heading an item is a `COMMENT`."""


def private(key: str, meaning: str) -> Concept:
    """A private code whose value tells keys apart within 16 characters."""
    from wetread.values import sha256_hex

    value = key if len(key) <= MAX_VALUE else f"{key[: MAX_VALUE - 7]}-{sha256_hex(key.encode())[:6]}"
    return Concept(value, PRIVATE, meaning[:64])


def finding_code(key: str) -> Concept:
    """The code of a finding of the lexicon."""
    return FINDINGS.get(key) or private(key, key.replace("_", " "))


def site_code(anatomy: str | None) -> Concept | None:
    """The code of a place, or of the organ around it; None where the table has neither."""
    return SITES.get(anatomy or "")


def change_code(change: Change) -> Concept:
    """The code of a change."""
    return private(change.value, change.value)


def measurement_code(name: str) -> Concept:
    """The private code of a measurement. Public ones for the heart's width over the chest's are of an area or a
    circumference."""
    return private(name, name.replace("_", " "))


def unit_code(unit: str) -> Concept:
    """A UCUM unit."""
    return Concept(unit, "UCUM", {"1": "no units", "%": "percent", "cm2": "square centimeter"}.get(unit, unit))
