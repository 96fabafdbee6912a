"""Error injectors for report texts: deterministic by seed, independent of the checks that they measure.

    from wetread.testing.mutations import INJECTORS, mutate

    made = mutate(report, INJECTORS["lat-1"], seed=0)      # a Mutation, or None where the class cannot be planted

Twelve classes are ReXErr's (Rao et al., 2025), the others are the own classes of the checks in docs. Those that need an
evidence ledger, a picture or a calibration (GRD, LAT-3, NUM-4, UNC-2, AID-1) are tested beside the ledger, not here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from random import Random

from wetread.testing import mutations_checks, mutations_inputs, mutations_person, mutations_rexerr
from wetread.testing.mutation_base import REGISTRY, Injector, Mutation
from wetread.testing.text_report import TextReport

INJECTORS: dict[str, Injector] = dict(REGISTRY)
"""All injectors by the name of their class."""

MODULES = (mutations_rexerr, mutations_checks, mutations_inputs, mutations_person)

REXERR = (
    "Add Medical Device",
    "False Prediction",
    "False Negation",
    "Add Repetitions",
    "Add Contradictions",
    "Change Name of Device",
    "Change Position of Device",
    "Change Severity",
    "Change Location",
    "Change Measurement",
    "Change to Homophone",
    "Add Typo",
)
"""ReXErr's classes, in the order of its README."""


def mutate(report: TextReport, injector: Injector, *, seed: int = 0) -> Mutation | None:
    """Plant one error of a class.

    Args:
        report: A report, best a clean one.
        injector: The class of error, one of `INJECTORS`.
        seed: The same report, class and seed give the same mutation on every machine.

    Returns:
        The report with the error and its place, or None where the class cannot be planted in this report.
    """
    made = injector.apply(report, Random(f"{seed}/{injector.name}/{report.id}"))
    if made is None or made.report == report:
        return None
    return made


def mutants(
    reports: Iterable[TextReport], injector: Injector, *, seed: int = 0, per_report: int = 1
) -> Iterator[tuple[TextReport, Mutation]]:
    """All mutants of a class over a corpus: each report with what was made of it, equal ones once.

    Args:
        reports: The corpus.
        injector: The class of error.
        seed: First seed; the others follow it.
        per_report: How many to try for in each report.
    """
    for report in reports:
        seen: list[TextReport] = []
        for number in range(seed, seed + per_report):
            made = mutate(report, injector, seed=number)
            if made is not None and made.report not in seen:
                seen.append(made.report)
                yield report, made
