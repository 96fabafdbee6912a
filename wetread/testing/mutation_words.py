"""The injectors' own words: findings, devices, sides, and a cautious reading of what a sentence says.

Kept apart from `wetread.reports.language` on purpose: an injector that shared the lexicon of the checks would measure
the checks with their own ruler. A sentence counts as asserting (or denying) a finding only where nothing in it could be
read otherwise; all others are left alone.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from wetread.testing.text_report import Sentence, TextReport


class Finding(NamedTuple):
    """A finding that injectors add, deny, move or lose."""

    name: str
    term: re.Pattern[str]
    """Its names in prose."""
    near: re.Pattern[str]
    """Words that make an added statement of it no clear error: near synonyms, causes, what it is part of."""
    added: tuple[str, ...]
    """Sentences that assert it."""
    denied: tuple[str, ...]
    """Sentences that deny it."""
    system: str
    major: bool = True
    """Whether an impression that passes over it is wrong."""
    sided: bool = True
    """Whether a reader needs its side."""


class Device(NamedTuple):
    """A kind of device."""

    name: str
    term: re.Pattern[str]
    added: tuple[str, ...]
    swaps: tuple[str, ...]
    """Names of other kinds that stand in the same sentence frame."""


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE)


def _finding(
    name: str,
    term: str,
    near: str,
    added: tuple[str, ...],
    denied: tuple[str, ...],
    system: str,
    *,
    major: bool = True,
    sided: bool = True,
) -> Finding:
    return Finding(name, _words(term), _words(f"{term}|{near}"), added, denied, system, major, sided)


FINDINGS = (
    _finding(
        "pleural effusion",
        r"(?<!pericardial )(?:pleural )?effusions?",
        r"pleural fluid|blunt\w*|fluid|costophrenic|hydro\w*|ha?emothorax|pleural thickening|meniscus|pleurodesis",
        (
            "Small left pleural effusion.",
            "There is a moderate right pleural effusion.",
            "Moderate left pleural effusion.",
        ),
        ("No pleural effusion.", "There is no pleural effusion.", "No pleural effusion is seen."),
        "pleura",
    ),
    _finding(
        "pneumothorax",
        r"pneumothora(?:x|ces)|ptx",
        r"hydropneumothorax|pleural air|pneumomediastinum|bulla\w*",
        (
            "Small right apical pneumothorax.",
            "There is a moderate left pneumothorax.",
            "Small left apical pneumothorax.",
        ),
        ("No pneumothorax.", "There is no pneumothorax.", "No pneumothorax is seen."),
        "pleura",
    ),
    _finding(
        "consolidation",
        r"consolidations?",
        r"pneumonia|air ?space|opacit\w*|opacification|infiltrat\w*|infecti\w*|shadow\w*|collapse|atelecta\w*"
        r"|aspiration|density|densities",
        (
            "Right lower lobe consolidation.",
            "There is consolidation in the left lower lobe.",
            "Dense right upper lobe consolidation.",
        ),
        ("No consolidation.", "There is no consolidation.", "No consolidation is seen in either lung."),
        "lungs",
    ),
    _finding(
        "atelectasis",
        r"atelecta(?:sis|tic change)",
        r"collapse|volume loss|opacit\w*|opacification|consolidat\w*|scarring|atelectatic|band|linear"
        r"|low lung volumes",
        ("Left basal atelectasis.", "There is right lower lobe atelectasis.", "Linear atelectasis at the right base."),
        ("No atelectasis.", "There is no atelectasis."),
        "lungs",
        major=False,
    ),
    _finding(
        "pulmonary edema",
        r"(?:pulmonary|interstitial|alveolar|perihilar) o?edema",
        r"o?edema|congestion|heart failure|chf|failure|kerley|septal|interstitial|vascular|fluid overload"
        r"|cephali[sz]ation|diversion|opacit\w*",
        ("Moderate pulmonary edema.", "There is interstitial pulmonary edema.", "Mild pulmonary edema."),
        ("No pulmonary edema.", "There is no pulmonary edema."),
        "lungs",
        sided=False,
    ),
    _finding(
        "cardiomegaly",
        r"cardiomegaly|enlarged heart|cardiac enlargement|heart (?:is|remains|appears) (?:\w+ )?enlarged",
        r"enlarge\w*|prominent|borderline|upper limits?|cardiothoracic|silhouette|heart|cardiac",
        ("Moderate cardiomegaly.", "There is marked cardiomegaly.", "Cardiomegaly."),
        ("No cardiomegaly.", "The heart is not enlarged.", "There is no cardiomegaly."),
        "heart",
        sided=False,
    ),
    _finding(
        "nodule",
        r"(?:lung |pulmonary )?nodules?",
        r"nodular|mass(?:es)?|metasta\w*|granuloma\w*|lesions?|opacit\w*|density|densities|malignan\w*|cancer"
        r"|carcinoma|tumou?r|calcifi\w*",
        (
            "Nodule in the right upper lobe.",
            "There is a pulmonary nodule in the left mid zone.",
            "Left lower lobe nodule.",
        ),
        ("No pulmonary nodule.", "There is no lung nodule."),
        "lungs",
    ),
    _finding(
        "mass",
        r"(?:lung |pulmonary |hilar |mediastinal )?mass(?:es)?",
        r"nodul\w*|metasta\w*|lesions?|opacit\w*|malignan\w*|cancer|carcinoma|tumou?r|lymphoma|adenopathy"
        r"|lymphadenopathy|hil(?:um|ar)",
        ("Right upper lobe mass.", "There is a mass in the left lower lobe.", "Left hilar mass."),
        ("No pulmonary mass.", "There is no lung mass."),
        "lungs",
    ),
    _finding(
        "rib fracture",
        r"rib fractures?|fractures? of the (?:\w+ )*ribs?|fractured ribs?",
        r"fractur\w*|ribs?|bony|bones|osseous|skelet\w*|trauma|deformity|cortical",
        (
            "Acute fracture of the right sixth rib.",
            "There is a displaced left seventh rib fracture.",
            "Fractures of the left fifth and sixth ribs.",
        ),
        ("No rib fracture.", "There is no rib fracture."),
        "bones",
    ),
    _finding(
        "hiatus hernia",
        r"hiat(?:us|al) hernia",
        r"hernia\w*|retrocardiac|gastric|stomach|intrathoracic",
        ("Large hiatus hernia.", "There is a moderate hiatal hernia."),
        ("No hiatal hernia.",),
        "mediastinum",
        major=False,
        sided=False,
    ),
    _finding(
        "pneumoperitoneum",
        r"pneumoperitoneum|(?:free|subdiaphragmatic) (?:intraperitoneal |peritoneal |subdiaphragmatic )?(?:air|gas)",
        r"air under|gas under|free air|free gas",
        ("Pneumoperitoneum.", "Free air beneath the right hemidiaphragm, in keeping with pneumoperitoneum."),
        ("No pneumoperitoneum.",),
        "abdomen",
        sided=False,
    ),
    _finding(
        "pneumomediastinum",
        r"pneumomediastinum|mediastinal (?:air|gas|emphysema)",
        r"surgical emphysema|subcutaneous emphysema",
        ("Pneumomediastinum.", "There is pneumomediastinum outlining the left heart border."),
        ("No pneumomediastinum.",),
        "mediastinum",
        sided=False,
    ),
)

DEVICES = (
    Device(
        "endotracheal tube",
        _words(r"endotracheal tube|et tube|ett"),
        ("Endotracheal tube in situ.", "An endotracheal tube is in place with its tip 5 cm above the carina."),
        ("tracheostomy tube", "nasogastric tube"),
    ),
    Device(
        "tracheostomy tube",
        _words(r"tracheostomy(?: tube)?|trach(?:eal)? tube"),
        ("Tracheostomy tube in satisfactory position.",),
        ("endotracheal tube",),
    ),
    Device(
        "nasogastric tube",
        _words(
            r"(?:naso|oro)-?gastric(?: \(ng\))? tube|(?:ng|og) tube|ngt|ogt|enteric tube|feeding tube"
            r"|nasoenteric tube|dobb?hoff(?: tube)?"
        ),
        ("Nasogastric tube with its tip in the stomach.", "An enteric tube is in place, its tip in the stomach."),
        ("endotracheal tube", "chest drain"),
    ),
    Device(
        "PICC",
        _words(r"picc(?: line)?|peripherally inserted central (?:venous )?(?:catheter|line)"),
        (
            "Right PICC with its tip in the superior vena cava.",
            "A left PICC line is in place, its tip in the lower SVC.",
        ),
        ("chest drain", "Port-A-Cath"),
    ),
    Device(
        "central venous catheter",
        _words(
            r"central (?:venous )?(?:catheter|line)|cvc|(?:internal )?jugular (?:\w+ )?(?:catheter|line)"
            r"|ijv? (?:\w+ )?(?:catheter|line|cvc)"
            r"|subclavian (?:\w+ )?(?:catheter|line)|vascath|dialysis (?:catheter|line)|hickman(?: line| catheter)?"
        ),
        ("Right internal jugular central venous catheter in place.",),
        ("chest drain", "PICC"),
    ),
    Device(
        "port",
        _words(r"port-?a-?cath|(?:chest (?:wall )?|infusion )port|portacath|medi-?port"),
        ("Right chest port in place.", "A left Port-A-Cath is in place."),
        ("pacemaker", "PICC"),
    ),
    Device(
        "chest drain",
        _words(r"(?:intercostal|chest|pleural|pigtail|thoracostomy) (?:drain|tube|catheter)s?|pigtail|icd drain"),
        ("Right chest drain in place.", "A left chest tube is in place."),
        ("PICC", "central venous catheter"),
    ),
    Device(
        "pacemaker",
        _words(
            r"pacemaker|pacing (?:device|system|wires?|leads?)|ppm|icd|(?:cardioverter[- ])?defibrillator|aicd"
            r"|cardiac device|pacer"
        ),
        ("Left chest wall dual-chamber pacemaker.", "A left-sided pacemaker is in place."),
        ("Port-A-Cath", "loop recorder"),
    ),
    Device(
        "intra-aortic balloon pump",
        _words(r"(?:intra-?aortic )?balloon pump|iabp"),
        ("Intra-aortic balloon pump in place.",),
        ("pulmonary artery catheter",),
    ),
    Device(
        "pulmonary artery catheter",
        _words(r"swan-?ganz(?: catheter)?|pulmonary artery catheter|pa catheter"),
        ("Swan-Ganz catheter with its tip in the right pulmonary artery.",),
        ("intra-aortic balloon pump",),
    ),
    Device(
        "prosthetic valve",
        _words(
            r"(?:prosthetic|mechanical|bioprosthetic|replacement|replaced) (?:\w+ )?valve"
            r"|valve (?:prosthesis|replacement)|tavi|tavr"
        ),
        ("Prosthetic aortic valve.",),
        ("loop recorder",),
    ),
)

CRITICAL = _words(
    r"(?:hydro|ha?emo)?pneumothora(?:x|ces)|ptx|pneumoperitoneum|pneumomediastinum"
    r"|free (?:intraperitoneal |peritoneal |subdiaphragmatic )?(?:air|gas)|tension|malposition\w*|misplaced"
    r"|(?:main|mainstem|main stem|lobe) bronch(?:us|i)|mediastinal widening|widen\w* mediastin\w*|massive"
)
"""Words of the critical findings of the default list."""

COMMUNICATED = _words(
    r"communicat\w+|discuss\w*|telephon\w*|phon\w*|notif\w+|inform\w*|relay\w*|convey\w*|paged?|bleep\w*|alert\w*"
    r"|called|verbally|verbal|told|reported to|rang|spoke\w*|acknowledg\w*|hand(?:ed)? over|read[- ]?back|contact\w*"
)
"""Words of a sentence that tells of a communication."""

_DOUBT = _words(
    # denied
    r"no|not|non|without|negative|absent|absence|free(?! (?:air|gas|intra|peri|sub))|clear|clearing|cleared|resol\w+"
    r"|den(?:y|ies|ied)|exclu\w+|rule[sd]?|cannot|can't|neither|nor|never|less|longer|normal|unremarkable|rather"
    # doubted
    r"|unlikely|possib\w+|may|might|could|would|should|likely|probab\w+|suspect\w*|suspicio\w+|question\w*|equivocal"
    r"|versus|vs|or|if|differential|suggest\w*|compatible|consistent|represent\w*|appearance|potential\w*|concern\w*"
    r"|mimic\w*|simulat\w*|artefact\w*|artifact\w*|perhaps|query|uncertain|indeterminate|apparent\w*|presum\w*"
    # of another time, or still to come
    r"|histor\w+|previous\w*|prior|known|remov\w*|since|former\w*|status post|s/p|post|old|healed|after|before|earlier"
    r"|stability|drained|evacuat\w*|treated|evaluat\w+|consider\w*|recommend\w*|follow\w*|look\w*|exam\w*|repeat"
    r"|advi[sc]e\w*|please|assess\w*|risk|watch\w*|beware|monitor\w*"
    # said of something else
    r"|other|otherwise|except|apart|but|attribut\w*|due|trace of"
)
_QUESTION = re.compile(r"[?]")
_DENIAL = re.compile(
    r"^(?:there (?:is|are|was) )?(?:also )?"
    r"(?:no(?: (?:evidence of|sign of|signs of|radiographic evidence of))?|negative for|without)\s+"
    r"(?:(?:focal|pleural|lobar|air ?space|lung|pulmonary|visible|identifiable|discernible) )*(?P<list>.+?)"
    r"(?:\s+(?:is|are|was|were|has been|have been)"
    r" (?:seen|identified|demonstrated|present|detected|visible|noted|shown|evident))?\s*[.;]?$",
    re.IGNORECASE | re.DOTALL,
)
_QUALIFIED = _words(
    r"but|except|other|apart|change[sd]?|increas\w*|decreas\w*|new|definite\w*|convincing|large|significant\w*"
    r"|siz\w+able|interval|further|additional|residual|acute|gross|obvious|substantial|right|left|longer|recurr\w*"
    r"|sided|bilateral|upper|lower|apical|basal|tension|suspicious|moderate|measur\w*|worrisome|discrete|displaced"
    r"|frank|overt|evolving|dense|complicat\w*|procedur\w*|more|greater|underlying|associated|loculated"
)

SIDE = re.compile(r"\b(?P<side>left|right)(?=(?:-sided)?\b)", re.IGNORECASE)
_SIDE_NAMES = re.compile(
    r"(?:right|left)[- ](?:heart|atri\w+|ventric\w+|cardiac|to|sided heart|sided cardiac|sided aort\w+|arch"
    r"|aort\w+)|to-(?:left|right)"
    r"|\ball right|(?:left|right) (?:and|or|/|to) (?:left|right)|(?:left|right)(?:ward)? (?:greater|less|more|larger)"
    r"|(?:>|than) ?(?:the )?(?:left|right)|middle lobe|lingula|\brml\b|\b[rl]\s?[><]|\b(?:rul|rll|lul|lll|rij|lij)\b",
    re.IGNORECASE,
)
BOTH = _words(
    r"bilateral\w*|both|biapical|bibasilar|bibasal|bases|lungs|apices|ribs|hemidiaphragms"
    r"|contralateral|opposite|ipsilateral"
)
CHANGE = _words(
    r"new(?:ly)?|unchanged|increas\w+|decreas\w+|stable|resolv\w+|interval|worsen\w*|improv\w*|progress\w*|enlarging"
    r"|persist\w*|again|re-?demonstrat\w+|previous\w*|prior|compared|comparison|earlier|since|change[sd]?|larger"
    r"|smaller|regress\w*|clearing|cleared|remains?|reduced|reduction|resolution|no longer|last"
)
"""Words of change, and words that speak of an earlier study."""
SEVERITY = {
    "small": "large",
    "large": "small",
    "mild": "severe",
    "mildly": "severely",
    "severe": "mild",
    "minimal": "extensive",
    "extensive": "minimal",
    "tiny": "large",
    "slight": "marked",
    "marked": "slight",
    "trace": "large",
    "moderate": "trivial",
    "subtle": "gross",
}
SEVERITY_WORD = _words("|".join(SEVERITY))


def asserts(sentence: Sentence, term: re.Pattern[str]) -> bool:
    """Whether a sentence plainly says that the thing is there."""
    return bool(term.search(sentence.text) and not _DOUBT.search(sentence.text) and not _QUESTION.search(sentence.text))


def denies(sentence: Sentence, term: re.Pattern[str]) -> bool:
    """Whether a sentence plainly says, of the thing as a whole, that it is not there."""
    match = _DENIAL.match(sentence.text)
    return bool(match and term.search(match["list"]) and not _QUALIFIED.search(sentence.text))


def silent(report: TextReport, term: re.Pattern[str], *, denial_counts_as_silence: bool = True) -> bool:
    """Whether nothing in findings and impression (and a text without headings) speaks of the thing, denials apart."""
    for sentence in report.sentences():
        if sentence.section in ("indication", "history", "technique", "comparison", "exam"):
            continue
        if term.search(sentence.text) and not (denial_counts_as_silence and _is_denial(sentence)):
            return False
    return True


def _is_denial(sentence: Sentence) -> bool:
    return bool(_DENIAL.match(sentence.text) and not _QUALIFIED.search(sentence.text))


def sides(text: str) -> set[str]:
    """The patient's sides a text names; empty where a side word may mean something else or both sides are meant."""
    if _SIDE_NAMES.search(text) or BOTH.search(text):
        return set()
    return {match["side"].lower() for match in SIDE.finditer(text)}


def one_side(text: str) -> str | None:
    """The one side a text names, or None."""
    named = sides(text)
    return named.pop() if len(named) == 1 else None


def swap_side(text: str) -> str:
    """The text with left and right exchanged, in their own spelling."""

    def other(match: re.Match[str]) -> str:
        return like("left" if match["side"].lower() == "right" else "right", match["side"])

    return SIDE.sub(other, text)


def like(new: str, old: str) -> str:
    """A word in the case of the one that it replaces."""
    if old.isupper() and len(old) > 1:
        return new.upper()
    return new[:1].upper() + new[1:] if old[:1].isupper() else new
