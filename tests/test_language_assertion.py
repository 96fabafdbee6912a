"""What sentences assert: labelled sets, each written before it was measured, read finding by finding."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

from wetread.reports.language import NORMAL, claims, lexicon
from wetread.vocabulary import Assertion, Change, Side

DATA = Path(__file__).parent / "data" / "assertion_sentences.txt"


class Label(NamedTuple):
    finding: str
    assertion: str
    side: str | None
    change: str | None


class Labelled(NamedTuple):
    sentence: str
    labels: tuple[Label, ...]


def read(path: Path = DATA) -> dict[str, list[Labelled]]:
    """The labelled sentences by set."""
    sets: dict[str, list[Labelled]] = {}
    current: list[Labelled] = []
    for line in path.read_text("utf-8").splitlines():
        if line.startswith("["):
            current = sets.setdefault(line.strip("[] "), [])
        elif line.strip() and not line.startswith("#"):
            sentence, _, labels = line.rpartition("=>")
            current.append(
                Labelled(sentence.strip(), tuple(_label(part) for part in labels.split(";") if part.strip()))
            )
    return sets


def _label(text: str) -> Label:
    finding, assertion, *more = text.split()
    sides = [word for word in more if word in set(Side)]
    changes = [word for word in more if word in set(Change)]
    assert len(sides) + len(changes) == len(more), text
    return Label(finding, Assertion(assertion).value, next(iter(sides), None), next(iter(changes), None))


class Result(NamedTuple):
    confusion: Counter[tuple[str, str]]
    sides: Counter[bool]
    changes: Counter[bool]
    wrong: list[str]


def measure(sentences: list[Labelled]) -> Result:
    """Compare claims with labels: a label without a claim is `missed`, a claim without a label `invented`."""
    confusion: Counter[tuple[str, str]] = Counter()
    sides: Counter[bool] = Counter()
    changes: Counter[bool] = Counter()
    wrong = []
    for sentence, labels in sentences:
        rest = [claim for claim in claims(sentence) if claim.finding not in (None, NORMAL)]
        for label in labels:
            same = [claim for claim in rest if claim.finding == label.finding]
            exact = [claim for claim in same if claim.assertion == label.assertion and claim.side == label.side]
            if not same:
                confusion[label.assertion, "missed"] += 1
                wrong.append(f"{sentence}\n    missed {label}")
                continue
            claim = (exact or same)[0]
            rest.remove(claim)
            confusion[label.assertion, claim.assertion.value] += 1
            sides[claim.side == label.side] += 1
            changes[claim.change == label.change] += 1
            if (claim.assertion, claim.side, claim.change) != label[1:]:
                wrong.append(f"{sentence}\n    {label}\n    {claim.assertion} {claim.side} {claim.change}")
        said = {(label.finding, label.assertion) for label in labels}
        for claim in rest:
            if (claim.finding, claim.assertion) in said:
                continue
            confusion["invented", claim.assertion.value] += 1
            wrong.append(f"{sentence}\n    invented {claim.finding} {claim.assertion}")
    return Result(confusion, sides, changes, wrong)


def table(confusion: Counter[tuple[str, str]]) -> str:
    """The confusion as a table: rows are labels, columns what was read."""
    rows = [*(a.value for a in Assertion), "invented"]
    columns = [*(a.value for a in Assertion), "missed"]
    lines = ["label \\ read ".ljust(14) + "".join(column.rjust(11) for column in columns)]
    lines += [row.ljust(14) + "".join(str(confusion[row, column]).rjust(11) for column in columns) for row in rows]
    return "\n".join(lines)


def share(right: int, total: int) -> float:
    return right / total if total else 1.0


@pytest.mark.parametrize("name", sorted(read()))
def test_labelled_sentences(name: str) -> None:
    result = measure(read()[name])
    right = sum(count for (label, said), count in result.confusion.items() if label == said)
    total = sum(result.confusion.values())
    report = f"{name}: {right} of {total} assertions\n{table(result.confusion)}\n"
    report += f"sides {dict(result.sides)}, changes {dict(result.changes)}\n" + "\n".join(result.wrong)
    assert share(right, total) >= 0.97, report
    assert share(result.sides[True], result.sides.total()) >= 0.97, report
    assert share(result.changes[True], result.changes.total()) >= 0.97, report


def test_sets_are_large_and_name_known_findings() -> None:
    sets = read()
    sentences = [labelled for group in sets.values() for labelled in group]
    assert len(sentences) >= 390
    assert len({labelled.sentence for labelled in sentences}) == len(sentences)
    known = set(lexicon().findings)
    assert {label.finding for labelled in sentences for label in labelled.labels} <= known
    assert all(name.startswith("held out") and len(group) >= 70 for name, group in sets.items())
