"""The mutation proof: how many planted errors the checks catch, and how often they cry over a clean report.

    python -m wetread.testing.mutation_proof tests/data/clean_reports.jsonl

A mutant counts as caught when a code that claims its class fires more often than in the clean report that it was made
from. Exit code 1 when a claimed class is caught in less than 98 of 100, or when more than one clean report in a hundred
has an issue of severity `error`; 2 when the corpus or the checker cannot be used.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from math import sqrt
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from wetread.errors import InputError
from wetread.testing.mutation_base import Injector
from wetread.testing.mutations import INJECTORS, mutants
from wetread.testing.text_report import TextReport, read_reports
from wetread.values import Value

CHECKER = "wetread.reports:check"
"""The checker of this project, as `module:function`."""

CLAIMED_RATE = 0.98
FALSE_ALARMS = 0.01
FEW = 30
"""Under this many mutants a class proves little; the table says so."""

_Z = 1.959963984540054
_SHOWN_MISSES = 25


class Fired(NamedTuple):
    """One issue, as far as the proof looks at it."""

    code: str
    severity: str


Checker = Callable[[TextReport], Iterable[Fired]]


class Share(Value):
    """A share of `n` with its Wilson interval at 95 %."""

    n: int
    hits: int
    rate: float
    low: float
    high: float


class ClassResult(Value):
    """What became of the mutants of one class."""

    name: str
    rexerr: str | None
    claims: tuple[str, ...]
    left_out: bool
    """Whether every check that claims the class was left out of this run."""
    caught: Share
    """Caught by a code that claims the class."""
    noticed: int
    """Mutants that raised any issue which the clean report did not."""
    fired: dict[str, int]
    """New codes, with the number of mutants that raised them."""
    missed: tuple[str, ...]
    """Ids of reports whose mutant was missed, the first of them."""

    @property
    def counts(self) -> bool:
        """Whether the class is claimed by a check that ran."""
        return bool(self.claims) and not self.left_out


class CleanResult(Value):
    """What the checks said of the clean reports."""

    alarms: Share
    """Reports with an issue of severity `error`."""
    errors: dict[str, int]
    """Codes of severity `error`, with the number of reports that raised them."""
    others: dict[str, int]
    """Codes of other severities, likewise."""
    reports: tuple[str, ...]
    """Reports with an error, as `id: CODE CODE`."""


class Proof(Value):
    """The whole outcome."""

    seed: int
    per_report: int
    clean: CleanResult
    classes: tuple[ClassResult, ...]

    def failures(self) -> list[str]:
        """What keeps the proof from holding, as sentences; empty where it holds."""
        found = [
            f"{one.name}: {one.caught.hits} of {one.caught.n} caught, {CLAIMED_RATE:.0%} wanted."
            for one in self.classes
            if one.counts and one.caught.n and one.caught.rate < CLAIMED_RATE
        ]
        if self.clean.alarms.rate > FALSE_ALARMS:
            alarms = self.clean.alarms
            found.append(f"{alarms.hits} of {alarms.n} clean reports have an error, at most {FALSE_ALARMS:.0%} wanted.")
        return found


def wilson(hits: int, n: int) -> Share:
    """A share with its Wilson score interval (Wilson 1927) at 95 %; of nothing: 0, between 0 and 1."""
    if n == 0:
        return Share(n=0, hits=0, rate=0.0, low=0.0, high=1.0)
    rate, square = hits / n, _Z * _Z
    middle = (rate + square / (2 * n)) / (1 + square / n)
    half = _Z * sqrt(rate * (1 - rate) / n + square / (4 * n * n)) / (1 + square / n)
    return Share(n=n, hits=hits, rate=rate, low=max(0.0, middle - half), high=min(1.0, middle + half))


def prove(
    reports: Sequence[TextReport],
    checker: Checker,
    *,
    injectors: Iterable[Injector] = tuple(INJECTORS.values()),
    left_out: Collection[str] = (),
    seed: int = 0,
    per_report: int = 1,
) -> Proof:
    """Run a checker over clean reports and over all mutants of them.

    Args:
        reports: Clean reports.
        checker: Gives the issues of a report. Called once for each report and each mutant.
        injectors: Classes to plant.
        left_out: Codes of checks that the checker does not run on texts; classes that only they claim do not count.
        seed: Of the mutants.
        per_report: Mutants of a class to try for in each report.
    """
    before = {report.id: [Fired(*fired) for fired in checker(report)] for report in reports}
    if len(before) < len(reports):
        raise InputError("WET-INPUT-REPORTS", "Two reports share an id.", "Give every report an id of its own.")
    classes = [
        _try_class(injector, reports, checker, before, left_out, seed=seed, per_report=per_report)
        for injector in injectors
    ]
    return Proof(seed=seed, per_report=per_report, clean=_clean(before), classes=tuple(classes))


def _clean(before: Mapping[str, Sequence[Fired]]) -> CleanResult:
    errors: Counter[str] = Counter()
    others: Counter[str] = Counter()
    alarmed: list[str] = []
    for report, issues in before.items():
        codes = sorted({issue.code for issue in issues if issue.severity == "error"})
        errors.update(codes)
        others.update({issue.code for issue in issues if issue.severity != "error"})
        if codes:
            alarmed.append(f"{report}: {' '.join(codes)}")
    return CleanResult(
        alarms=wilson(len(alarmed), len(before)),
        errors=dict(errors.most_common()),
        others=dict(others.most_common()),
        reports=tuple(alarmed),
    )


def _try_class(
    injector: Injector,
    reports: Sequence[TextReport],
    checker: Checker,
    before: Mapping[str, Sequence[Fired]],
    left_out: Collection[str],
    *,
    seed: int,
    per_report: int,
) -> ClassResult:
    made = caught = noticed = 0
    codes: Counter[str] = Counter()
    missed: list[str] = []
    for report, mutation in mutants(reports, injector, seed=seed, per_report=per_report):
        made += 1
        had = Counter(issue.code for issue in before[report.id])
        new = Counter(Fired(*fired).code for fired in checker(mutation.report)) - had
        codes.update(new.keys())
        noticed += bool(new)
        if injector.claims & new.keys():
            caught += 1
        elif injector.claims:
            missed.append(report.id)
    return ClassResult(
        name=injector.name,
        rexerr=injector.rexerr,
        claims=tuple(sorted(injector.claims)),
        left_out=bool(injector.claims) and injector.claims <= set(left_out),
        caught=wilson(caught, made),
        noticed=noticed,
        fired=dict(codes.most_common()),
        missed=tuple(missed[:_SHOWN_MISSES]),
    )


def load_checker(name: str) -> Checker:
    """A checker by `module:function`. The function is given one object of the JSONL form, as
    `{"id", "text" or "sections", "order", "has_prior"}`, and gives issues with a `code` and a `severity`.

    Raises:
        InputError: `WET-INPUT-CHECKER` when there is no such function.
    """
    module, _, attribute = name.partition(":")
    try:
        function = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError("WET-INPUT-CHECKER", f"There is no checker {name}.", "Name one as module:function.") from error

    def check(report: TextReport) -> list[Fired]:
        return [_fired(issue) for issue in function(report.as_json())]

    return check


def _fired(issue: Any) -> Fired:
    if isinstance(issue, Mapping):
        return Fired(str(issue["code"]), str(issue["severity"]))
    return Fired(str(issue.code), str(issue.severity))


def table(proof: Proof, *, misses: bool = False) -> str:
    """The outcome as text for a terminal."""
    clean = proof.clean
    lines = [
        f"Clean reports: {clean.alarms.n}; with an error: {_share(clean.alarms)}",
        *(f"  {one}" for one in clean.reports),
        f"  errors by code: {_codes(clean.errors)}",
        f"  other issues by code: {_codes(clean.others)}",
        "",
        f"{'class':<22}{'ReXErr':<26}{'n':>5}{'caught':>8}{'rate':>8}  {'95 %':<14}{'claimed by':<15}fired",
    ]
    for one in proof.classes:
        claimed = " ".join(one.claims) if one.counts else "left out" if one.left_out else "not claimed"
        caught = one.caught
        figures = (
            f"{caught.hits:>8}{caught.rate:>8.1%}  {caught.low:.3f}-{caught.high:.3f}   " if one.claims else " " * 32
        )
        few = f"  (only {caught.n} mutants)" if caught.n < FEW else ""
        rexerr = one.rexerr or ""
        lines.append(f"{one.name:<22}{rexerr:<26}{caught.n:>5}{figures}{claimed:<15}{_codes(one.fired)}{few}")
        if misses and one.missed and one.counts:
            lines.append(f"    missed in {', '.join(one.missed)}")
    failures = proof.failures()
    lines += ["", *(failures or ["Every claimed class holds, and so do the clean reports."])]
    return "\n".join(lines)


def _share(share: Share) -> str:
    return f"{share.hits} ({share.rate:.1%}, 95 % {share.low:.3f}-{share.high:.3f})"


def _codes(codes: Mapping[str, int]) -> str:
    return " ".join(f"{code}:{count}" for code, count in codes.items()) or "none"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m wetread.testing.mutation_proof", description="The mutation proof.")
    parser.add_argument("corpus", type=Path, help="JSONL file of clean reports")
    parser.add_argument("--checker", default=CHECKER, help="module:function (default: %(default)s)")
    parser.add_argument("--class", dest="classes", action="append", metavar="NAME", help="only this class; repeatable")
    parser.add_argument("--left-out", default="", metavar="CODES", help="codes of checks that do not run, by commas")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--per-report", type=int, default=1, metavar="N", help="mutants of a class in each report")
    parser.add_argument("--misses", action="store_true", help="name the reports in which a class was missed")
    parser.add_argument("--json", action="store_true", help="write the outcome as JSON")
    options = parser.parse_args(arguments)
    try:
        if unknown := set(options.classes or ()) - INJECTORS.keys():
            raise InputError(
                "WET-INPUT-CLASS", f"There is no class {sorted(unknown)[0]}.", f"Known: {', '.join(INJECTORS)}."
            )
        proof = prove(
            list(read_reports(options.corpus)),
            load_checker(options.checker),
            injectors=[INJECTORS[name] for name in options.classes or INJECTORS],
            left_out=[code for code in options.left_out.split(",") if code],
            seed=options.seed,
            per_report=options.per_report,
        )
    except InputError as error:
        sys.stderr.write(f"{error.line()}\n")
        return 2
    if options.json:
        outcome = {**proof.model_dump(mode="json"), "failures": proof.failures()}
        sys.stdout.write(orjson.dumps(outcome, option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        sys.stdout.write(table(proof, misses=options.misses) + "\n")
    return 1 if proof.failures() else 0


if __name__ == "__main__":
    sys.exit(main())
