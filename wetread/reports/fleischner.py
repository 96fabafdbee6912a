"""Follow-up of an incidental lung nodule on CT: the Fleischner Society's table of 2017, as a table.

MacMahon H et al., Guidelines for Management of Incidental Pulmonary Nodules Detected on CT Images, Radiology 2017;
284:228-243, doi:10.1148/radiol.2017161659. It is for adults of 35 years and over, and not for lung cancer screening,
known primary cancer or immunosuppression. Sizes are means of long and short axis, rounded to the millimetre.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal

MINIMUM_AGE = 35

INCIDENTAL = "incidental"

READS: Mapping[str, tuple[str, ...]] = {
    "nodule_size": (),
    "nodule_density": ("solid", "ground glass", "part solid"),
    "nodule_number": ("single", "multiple"),
    "nodule_risk": ("low", "high"),
    "nodule_context": (INCIDENTAL, "screening", "known cancer", "immunosuppressed"),
}
"""The fields that the table is read by, with the choices that they must have; without choices: a number in mm."""

_NONE = "No routine follow-up."
_OPTIONAL = "Optional CT at 12 months."
_SOLID: Mapping[tuple[str, str, str], str] = {
    ("single", "small", "low"): _NONE,
    ("single", "small", "high"): _OPTIONAL,
    ("single", "middle", "low"): "CT at 6-12 months, then consider CT at 18-24 months.",
    ("single", "middle", "high"): "CT at 6-12 months, then CT at 18-24 months.",
    ("single", "large", "low"): "Consider CT at 3 months, PET/CT or tissue sampling.",
    ("single", "large", "high"): "Consider CT at 3 months, PET/CT or tissue sampling.",
    ("multiple", "small", "low"): _NONE,
    ("multiple", "small", "high"): _OPTIONAL,
    ("multiple", "middle", "low"): "CT at 3-6 months, then consider CT at 18-24 months.",
    ("multiple", "middle", "high"): "CT at 3-6 months, then CT at 18-24 months.",
    ("multiple", "large", "low"): "CT at 3-6 months, then consider CT at 18-24 months.",
    ("multiple", "large", "high"): "CT at 3-6 months, then CT at 18-24 months.",
}
_SMALL_MULTIPLE = "CT at 3-6 months. If stable, consider CT at 2 and 4 years."
_LARGE_MULTIPLE = "CT at 3-6 months. Subsequent management by the most suspicious nodule."
_SUBSOLID: Mapping[tuple[str, str, bool], str] = {
    ("ground glass", "single", False): _NONE,
    ("ground glass", "single", True): "CT at 6-12 months to confirm persistence, then CT every 2 years until 5 years.",
    ("part solid", "single", False): _NONE,
    ("part solid", "single", True): (
        "CT at 3-6 months to confirm persistence. If unchanged and the solid component remains below 6 mm, "
        "annual CT for 5 years."
    ),
    ("ground glass", "multiple", False): _SMALL_MULTIPLE,
    ("part solid", "multiple", False): _SMALL_MULTIPLE,
    ("ground glass", "multiple", True): _LARGE_MULTIPLE,
    ("part solid", "multiple", True): _LARGE_MULTIPLE,
}


def recommendation(values: Mapping[str, str | None], age_years: int | None) -> tuple[str | None, str | None]:
    """The table's recommendation, or why there is none.

    Args:
        values: The fields of `READS` by name: a size in mm as text, else one of the choices; None where not filled.
        age_years: The patient's age.

    Returns:
        (recommendation, None) or (None, reason).
    """
    missing = [name.removeprefix("nodule_") for name in READS if values.get(name) is None]
    # of subsolid nodules the table does not ask for the risk
    if values.get("nodule_density") in ("ground glass", "part solid"):
        missing = [name for name in missing if name != "risk"]
    if age_years is None:
        missing.append("age")
    if missing:
        return None, f"The 2017 Fleischner table needs {', '.join(missing)}."
    assert age_years is not None
    context = values["nodule_context"]
    if age_years < MINIMUM_AGE:
        return None, f"The 2017 Fleischner table is not for patients younger than {MINIMUM_AGE} years."
    if context != INCIDENTAL:
        return None, f"The 2017 Fleischner table is for incidental nodules; the context is {context}."
    size = Decimal(values["nodule_size"] or "").quantize(Decimal(1), ROUND_HALF_UP)
    density, number = values["nodule_density"] or "", values["nodule_number"] or ""
    if density == "solid":
        group = "small" if size < 6 else "middle" if size <= 8 else "large"
        return _SOLID[number, group, values["nodule_risk"] or ""], None
    return _SUBSOLID[density, number, size >= 6], None
