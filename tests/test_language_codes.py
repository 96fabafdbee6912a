"""The table of codes: check digits, meanings as DICOM's tables give them, keys that exist."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.sr._concepts_dict import concepts

from wetread.reports.language import lexicon
from wetread.reports.language.codes import Code, code_of, codes, loinc_valid, snomed_valid
from wetread.vocabulary import Assertion, Side

ROWS = [(kind, key, code) for kind, entries in codes().items() for key, code in entries.items()]


def meanings(scheme: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for entries in concepts[scheme].values():
        for value, (meaning, _) in entries.items():
            found.setdefault(value, set()).add(meaning)
    return found


BUNDLED = {scheme: meanings(scheme) for scheme in ("SCT", "DCM", "LN")}


@pytest.mark.parametrize(("kind", "key", "code"), ROWS, ids=[f"{kind}-{key}" for kind, key, _ in ROWS])
def test_each_code_means_what_dicom_says(kind: str, key: str, code: Code) -> None:
    assert code.meaning in BUNDLED[code.scheme][code.value]
    if code.scheme == "SCT":
        assert snomed_valid(code.value)
    elif code.scheme == "LN":
        assert loinc_valid(code.value)


def test_keys_are_known() -> None:
    table = codes()
    assert set(table["findings"]) <= set(lexicon().findings)
    assert set(table["anatomies"]) <= set(lexicon().anatomies)
    assert set(table["sides"]) == set(Side)
    assert set(table["assertions"]) < set(Assertion)


def test_a_code_is_given_once_in_its_kind() -> None:
    for entries in codes().values():
        values = [(code.scheme, code.value) for code in entries.values()]
        assert len(set(values)) == len(values)


def test_what_has_no_verified_code_has_none() -> None:
    assert code_of("findings", "cardiomegaly") is None
    assert code_of("findings", "no such finding") is None
    assert code_of("sections", "findings") == Code(scheme="LN", value="59776-5", meaning="Findings")


@given(st.sampled_from(sorted(BUNDLED["SCT"])), st.integers(0, 17), st.integers(1, 9))
def test_a_wrong_digit_fails_verhoeff(code: str, place: int, shift: int) -> None:
    place %= len(code)
    wrong = code[:place] + str((int(code[place]) + shift) % 10) + code[place + 1 :]
    assert snomed_valid(code)
    assert not snomed_valid(wrong)


@given(st.sampled_from(sorted(code.value for _, _, code in ROWS if code.scheme == "LN")), st.integers(1, 9))
def test_a_wrong_check_digit_fails_loinc(code: str, shift: int) -> None:
    assert not loinc_valid(f"{code[:-1]}{(int(code[-1]) + shift) % 10}")


@pytest.mark.parametrize("text", ["", "abc", "12345", "18748-", "18748-44", "-4", "0123456"])
def test_what_is_no_code(text: str) -> None:
    assert not snomed_valid(text)
    assert not loinc_valid(text)
