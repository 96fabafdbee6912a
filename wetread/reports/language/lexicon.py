"""The reviewed lexicon: findings, devices and anatomical sites of a chest radiograph, with the words for them.

The data stand in `findings.json` and `anatomy.json`. A term there is a phrase in plain words in which `a/b` means
either word, `[a b/c]` means either `a b` or `c`, `(a b/c)` the same or nothing, and a trailing `:left` gives a side.
Spelling, plurals and hyphens need no variants: both terms and texts are brought to one form (`words.normal_form`).
"""

from __future__ import annotations

import json
from functools import cache, cached_property
from importlib import resources
from itertools import chain, product
from typing import Any, Literal

from wetread.reports.language.words import normal_form
from wetread.values import Value
from wetread.vocabulary import Side

Kind = Literal["abnormality", "device", "normal_variant", "normal"]
NORMAL = "normal"
"""The finding of a claim that something is normal; `Claim.anatomy` says what."""


class Finding(Value):
    """A finding or device.

    Attributes:
        key: Its key in claims and observations.
        name: Display name, lower case but for names and abbreviations.
        plural: The plural of the name; the name itself where none is in use.
        system: The system of the report it belongs to; None for `normal`, whose anatomy says it.
        kind: Abnormality, device, normal variant or normal.
        urgency: 0 to 100, higher is more urgent; orders an impression.
        critical: Whether it must be communicated at once (ACR practice parameter on communication).
        broader: Key of the finding that this one is a kind of.
        terms: Its words, in the notation of this module.
    """

    key: str
    name: str
    plural: str
    system: str | None
    kind: Kind = "abnormality"
    urgency: int
    critical: bool = False
    broader: str | None = None
    terms: tuple[str, ...] = ()


class Anatomy(Value):
    """An anatomical site: key, display name, the system it belongs to, and its side where it has only one."""

    key: str
    name: str
    system: str
    side: Side | None = None
    terms: tuple[str, ...] = ()


class Lexicon(Value):
    """All findings and sites by key."""

    findings: dict[str, Finding]
    anatomies: dict[str, Anatomy]

    def broader(self, finding: str) -> tuple[str, ...]:
        """The finding itself and all that it is a kind of, nearest first; an unknown one gives itself alone."""
        return self._chains.get(finding) or (finding,)

    @cached_property
    def _chains(self) -> dict[str, tuple[str, ...]]:
        chains = {}
        for finding in self.findings:
            chain = [finding]
            while (entry := self.findings.get(chain[-1])) is not None and entry.broader is not None:
                chain.append(entry.broader)
            chains[finding] = tuple(chain)
        return chains

    def related(self, one: str, other: str) -> bool:
        """Whether two findings are the same or one is a kind of the other."""
        return one == other or other in self._kin.get(one, ())

    @cached_property
    def _kin(self) -> dict[str, set[str]]:
        kin: dict[str, set[str]] = {}
        for finding, kinds in self._chains.items():
            kin.setdefault(finding, set()).update(kinds)
            for broader in kinds:
                kin.setdefault(broader, set()).add(finding)
        return kin


@cache
def lexicon() -> Lexicon:
    """The lexicon, read once."""
    findings = {entry["key"]: Finding(**_named(entry)) for entry in read_data("findings.json")}
    anatomies = {}
    for entry in read_data("anatomy.json"):
        named = _named(entry)
        named.pop("plural")
        anatomies[entry["key"]] = Anatomy(**named)
    return Lexicon(findings=findings, anatomies=anatomies)


def read_data(name: str) -> Any:
    """A data file of this package."""
    return json.loads(resources.files(__package__).joinpath(name).read_text("utf-8"))


def _named(entry: dict[str, Any]) -> dict[str, Any]:
    name = entry.get("name") or entry["key"].replace("_", " ")
    return {**entry, "name": name, "plural": entry.get("plural") or plural(name)}


def plural(name: str) -> str:
    """The English plural of a finding's name: `pneumothorax` -> `pneumothoraces`; a plural or mass noun stays."""
    if name.endswith(("thorax",)):
        return name[:-1] + "ces"
    if name.endswith(("opacity", "cavity", "malignancy")):
        return name[:-1] + "ies"
    if name.endswith(
        (
            "fracture",
            "effusion",
            "nodule",
            "tube",
            "catheter",
            "line",
            "plaque",
            "lesion",
            "granuloma",
            "pacemaker",
            "valve",
            "consolidation",
            "hernia",
            "clip",
            "stent",
            "lead",
        )
    ):
        return name + "s"
    return name + "es" if name.endswith("mass") else name


_NOTATION = frozenset("(/:")


def expand(term: str) -> list[tuple[tuple[str, ...], Side | None]]:
    """All word sequences of a term in the lexicon's notation, in normal form, with the side it gives."""
    side: Side | None = None
    if not _NOTATION.intersection(term):
        return [(tuple(map(normal_form, term.split())), side)]
    if ":" in term:
        term, name = term.rsplit(":", 1)
        side = Side(name)
    parts: list[list[tuple[str, ...]]] = []
    for chunk in _chunks(term):
        optional = chunk.startswith("(")
        body = chunk.strip("()[]")
        alternatives = body.split("/") if body != "/" else ["/"]
        choices = [tuple(normal_form(word) for word in choice.split()) for choice in alternatives]
        parts.append([*choices, ()] if optional else choices)
    found = {tuple(chain.from_iterable(combination)) for combination in product(*parts)}
    return [(words, side) for words in sorted(found) if words]


def _chunks(term: str) -> list[str]:
    chunks: list[str] = []
    rest = term
    while rest:
        rest = rest.strip()
        if rest.startswith(("(", "[")):
            closing = ")" if rest[0] == "(" else "]"
            inside, _, rest = rest.partition(closing)
            chunks.append(inside + closing)
        else:
            word, _, rest = rest.partition(" ")
            chunks.append(word)
    return chunks
