"""YAML files: safe reading, and mistakes with file, line and nearest right key."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from wetread.errors import ConfigError, InputError
from wetread.values import Value
from wetread.yamlfile import load_yaml, nearest, parse_yaml, read_yaml


class Leg(Value):
    joint: str
    length: int = 1


class Beast(Value):
    name: str
    legs: tuple[Leg, ...] = ()
    homes: dict[str, Leg | None] = {}


def test_reads_a_model_and_keeps_lines() -> None:
    file = parse_yaml("name: crab\nlegs:\n  - {joint: hip}\n  - joint: knee\n    length: 3\n", "beast.yaml")
    assert file.parse(Beast) == Beast(name="crab", legs=(Leg(joint="hip"), Leg(joint="knee", length=3)))
    assert file.line("legs", 1, "length") == 5
    assert file.line("legs", 1, "nowhere") == 4
    assert file.line("nowhere") == 1


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("name: crab\nlegz: []\n", 2, "unknown key 'legz'. Did you mean 'legs'?"),
        ("name: crab\nlegs:\n  - joint: hip\n    lenght: 2\n", 4, "'lenght' in legs[1]. Did you mean 'length'?"),
        ("name: crab\nhomes:\n  sea:\n    joint: x\n    jiont: y\n", 5, "Did you mean 'joint'?"),
        ("legs: []\n", 1, "key 'name' is missing"),
        ("name: crab\nlegs:\n  - length: 2\n", 3, "key 'joint' is missing in legs[1]"),
        ("name: crab\nlegs:\n  - joint: a\n    length: secret\n", 4, "legs[1].length: input should be a valid integer"),
        ("- a\n- b\n", 1, "mapping"),
        ("", 1, "mapping"),
        ("name: a\nname: b\n", 2, "'name' stands here twice"),
        ("name: [a\n", 2, "expected"),
        ("name: *nobody\n", 1, "undefined alias"),
        ("name: !!python/object/apply:os.getcwd []\n", 1, "tags"),
        ("name: !!binary aGk=\n", 1, "tags"),
        ("name: crab\n<<: {legs: []}\n", 2, "unknown key '<<'"),
        ("name: !own x\n", 1, "tags"),
        ("name: 2024-13-45\n", 1, "quotes"),
        ("? [a, b]\n: c\n", 1, "plain word"),
        ("name: a\n---\nname: b\n", 2, "document"),
        ("name: crab\nzzz: 1\nlegz: 2\n", 2, "1 more"),
    ],
)
def test_mistakes_are_told_with_file_and_line(text: str, line: int, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_yaml(text, "beast.yaml").parse(Beast)
    assert caught.value.code == "WET-CONFIG-YAML"
    assert "secret" not in caught.value.line()
    assert said in caught.value.line()
    assert f"beast.yaml, line {line}: " in caught.value.line()


def test_keys_are_taken_as_written() -> None:
    assert parse_yaml("on: 1\nno: yes\n3: x\n", "f").data == {"on": 1, "no": True, "3": "x"}


@pytest.mark.parametrize(
    "text",
    [
        "[" * 300_000,
        "{a: " * 20_000,
        "- " * 20_000,
        "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"{n}: &{n} [{','.join([f'*{p}'] * 10)}]\n" for p, n in zip("abcdefg", "bcdefgh", strict=True)),
        "a: &a [*a]\n",
        "\x00\x01",
    ],
)
def test_bombs_are_refused(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_yaml(text, "bomb.yaml", InputError)
    assert caught.value.code == "WET-INPUT-YAML"


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.yaml does not exist") as caught:
        load_yaml(tmp_path / "gone.yaml", InputError)
    assert caught.value.code == "WET-INPUT-FILE"
    with pytest.raises(ConfigError, match="cannot be read"):
        load_yaml(tmp_path)
    latin = tmp_path / "latin.yaml"
    latin.write_bytes(b"name: a\nother: M\xfcller\n")
    with pytest.raises(ConfigError, match=r"study, line 2: the text is not UTF-8"):
        load_yaml(latin, name="study")
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * 4_000_001)
    with pytest.raises(ConfigError, match="larger than"):
        load_yaml(large)
    marked = tmp_path / "marked.yaml"
    marked.write_bytes(b"\xef\xbb\xbfname: crab\n")
    assert read_yaml(marked, Beast).name == "crab"


def test_nearest() -> None:
    assert nearest("lung", ["lungs", "heart"]) == "Did you mean 'lungs'?"
    assert nearest("qqq", ["a", "b"]) == "Known: a, b."
    assert nearest("qqq", []) == ""


_PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(categories=["L", "Nd"]), max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(min_codepoint=97, max_codepoint=122), min_size=1), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(_PLAIN)
def test_agrees_with_the_safe_loader(value: object) -> None:
    text = yaml.safe_dump(value, allow_unicode=True)
    assert parse_yaml(text, "f").data == yaml.safe_load(text)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse_yaml(text, "f")
    except ConfigError as error:
        assert error.code == "WET-CONFIG-YAML"
