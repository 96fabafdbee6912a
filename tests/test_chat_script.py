"""Scripts for `wetread chat --script`: how they are read, and what is done when they are played."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from wetread.apps.chat.script import (
    STEPS,
    Answer,
    Interrupt,
    Press,
    Queue,
    Say,
    Speed,
    Wait,
    parse_script,
    play,
    read_script,
)
from wetread.apps.commands_cast import DEMO
from wetread.errors import InputError

SCRIPT = '''\
# a demo

@speed 30
Read this.
@queue And compare it with the prior.
  Is the effusion \\
  on the left new?
"""
Several lines,
  # not a comment

sent as one.
"""
@answer yes
@Interrupt
@interrupt after .5
@wait 2
@key PageUp
@key enter
/evidence E3
\\@home is text
\\# and so is this
C:\\\\
'''

STEPS_OF_IT = (
    Speed(line=3, characters_per_s=30),
    Say(line=4, text="Read this."),
    Queue(line=5, text="And compare it with the prior."),
    Say(line=6, text="Is the effusion\non the left new?"),
    Say(line=8, text="Several lines,\n  # not a comment\n\nsent as one."),
    Answer(line=14, text="yes"),
    Interrupt(line=15),
    Interrupt(line=16, after_s=0.5),
    Wait(line=17, seconds=2),
    Press(line=18, key="pageup"),
    Press(line=19, key="c-m"),
    Say(line=20, text="/evidence E3"),
    Say(line=21, text="@home is text"),
    Say(line=22, text="# and so is this"),
    Say(line=23, text="C:\\\\"),
)


def test_a_script_becomes_steps() -> None:
    steps = parse_script(SCRIPT)
    assert steps == STEPS_OF_IT
    assert parse_script(SCRIPT.replace("\n", "\r\n")) == steps
    assert STEPS.validate_json(STEPS.dump_json(steps)) == steps


def test_an_empty_script_has_no_steps() -> None:
    assert parse_script("") == parse_script("# nothing\n\n") == ()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a\n@wiat 3", "line 2: there is no directive '@wiat'. Did you mean '@wait'?"),
        ("@", "line 1: there is no directive '@'"),
        ("@wait", "line 1: @wait takes a number of seconds"),
        ("@wait soon", "@wait takes a number"),
        ("@wait -1", "@wait takes a number"),
        ("@wait 1e9", "@wait takes a number"),
        ("@wait 4000", "up to 3600"),
        ("@speed x", "@speed takes a number of characters a second"),
        ("a\n@interrupt 3", "line 2: @interrupt is written otherwise. Write @interrupt, or @interrupt after SECONDS."),
        ("@interrupt", "line 1: nothing runs yet at @interrupt"),
        ("@wait 1\n@queue x", "line 2: nothing runs yet at @queue"),
        ("a\n@queue", "line 2: @queue has no text"),
        ("@answer", "@answer has no text"),
        ("@key pgeup", "no key is called 'pgeup'. Did you mean 'pageup'?"),
        ("@key", "no key is called ''"),
        ("@key <any>", "no key is called '<any>'"),
        ('a\n"""\nb\n', "line 2: the block does not end"),
        ('"""\n\n"""', "line 1: the block is empty"),
        ("a \\", "line 1: the last line ends with a backslash"),
        ("a\nb\x1b[31m", "line 2: there is a control character"),
    ],
)
def test_mistakes_are_told_with_file_and_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "demo.txt"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_script(path)
    assert caught.value.code == "WET-INPUT-SCRIPT"
    assert str(caught.value).startswith("demo.txt, line ") and says in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"a\nGr\xfc\xdfe")
    for name, code in (("nowhere", "MISSING"), ("latin", "ENCODING"), (".", "UNREADABLE")):
        with pytest.raises(InputError) as caught:
            read_script(tmp_path / name)
        assert caught.value.code == f"WET-INPUT-{code}"


def test_the_shipped_demo_is_a_script() -> None:
    assert any(isinstance(step, Say) for step in read_script(DEMO))


class Chat:
    """A chat whose turns take three steps of the event loop, or until they are interrupted; `?` in a line asks."""

    def __init__(self, types: bool = True) -> None:
        self.said: list[str] = []
        self.types = types
        self.question = False
        self.busy = asyncio.Event()
        self.busy.set()
        self.turn: asyncio.Task[None] | None = None

    @property
    def asks(self) -> bool:
        return self.question

    async def settled(self) -> None:
        await self.busy.wait()

    def typed(self, text: str) -> None:
        self.said.append(f"{'answer' if self.question else 'busy' if not self.busy.is_set() else 'line'}: {text}")
        if self.question:
            self.question = False
        elif self.busy.is_set():
            self.busy.clear()
            self.turn = asyncio.create_task(self.take(text))

    async def take(self, text: str) -> None:
        try:
            for _ in range(600 if "long" in text else 3):
                await asyncio.sleep(0.001)
        except asyncio.CancelledError:
            self.said.append("stopped")
        self.question = "?" in text
        self.busy.set()

    def skip(self) -> None:
        self.said.append("skipped")
        self.question = False

    def interrupt(self) -> bool:
        assert self.turn is not None
        return self.turn.cancel()

    async def enter(self, text: str, speed: float | None) -> bool:
        if self.types:
            self.said.append(f"at {speed}")
            self.typed(text)
        return self.types

    async def press(self, key: str) -> None:
        self.said.append(f"key {key}")


async def played(script: str, **options: bool) -> list[str]:
    chat = Chat(**options)
    await asyncio.wait_for(play(parse_script(script), chat, chat), 20)
    assert chat.busy.is_set() and not chat.question
    return chat.said


async def test_lines_wait_for_the_turn_before_and_queued_ones_do_not() -> None:
    said = await played("@speed 5\none\n@queue two\nthree\n@speed 0\n@key f2\nfour")
    assert said == [
        "at 5.0", "line: one", "at 5.0", "busy: two", "at 5.0", "line: three", "key f2", "at None", "line: four",
    ]  # fmt: skip


async def test_without_a_keyboard_lines_are_handed_over() -> None:
    assert await played("one\ntwo", types=False) == ["line: one", "line: two"]


async def test_an_interrupt_stops_the_turn_before() -> None:
    assert await played("long\n@interrupt after 0.01\nnext", types=False) == ["line: long", "stopped", "line: next"]


async def test_questions_are_answered_where_they_are_asked_and_else_skipped() -> None:
    assert await played("which?\n@answer the left\n@answer nobody asks", types=False) == [
        "line: which?", "answer: the left",
    ]  # fmt: skip
    assert await played("which?\nnext\nand?", types=False) == [
        "line: which?", "skipped", "line: next", "line: and?", "skipped",
    ]  # fmt: skip
