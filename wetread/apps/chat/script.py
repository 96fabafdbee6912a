'''Conversations written down, for demos and tests: what a person types, line by line, and what they do between.

    # a comment; blank lines count for nothing
    @speed 30
    Read this.
    @queue And compare it with the prior.
    Is the effusion \\
    on the left new?
    """
    Several lines,
    sent as one.
    """
    @answer yes
    Measure everything.
    @interrupt after 0.5
    @wait 2
    @key pageup

A line is typed and entered once the chat is idle. A backslash in front of `@`, `#` or a backslash makes it a character
like any other. `DIRECTIVES` says what each directive does.
'''

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal, Protocol

from pydantic import Field, TypeAdapter

from wetread.errors import InputError
from wetread.values import Value
from wetread.yamlfile import nearest

MAX_BYTES = 1_000_000
MAX_WAIT_S = 3600.0
DIRECTIVES = {
    "answer": "@answer TEXT: the answer to the question that the turn before asked; nothing where it asked none",
    "interrupt": "@interrupt [after SECONDS]: Ctrl-C while the turn of the line before runs",
    "key": "@key NAME: a key, by prompt_toolkit's name: f2, pageup, c-l",
    "queue": "@queue TEXT: typed at once, while the turn of the line before runs",
    "speed": "@speed CHARACTERS: so many characters a second are typed from here on; 0 for all at once",
    "wait": "@wait SECONDS: once the chat is idle, time to read",
}


class _Step(Value):
    line: int = Field(ge=1)
    """Where it stands in the file."""


class Say(_Step):
    """A message or command, typed and entered once the chat is idle."""

    do: Literal["say"] = "say"
    text: str


class Queue(_Step):
    """A message typed while the turn before runs."""

    do: Literal["queue"] = "queue"
    text: str


class Answer(_Step):
    """The answer to an open question, if there is one."""

    do: Literal["answer"] = "answer"
    text: str


class Interrupt(_Step):
    """Ctrl-C, so many seconds after the line before was entered."""

    do: Literal["interrupt"] = "interrupt"
    after_s: float = 0.0


class Wait(_Step):
    """Nothing for some seconds, once the chat is idle."""

    do: Literal["wait"] = "wait"
    seconds: float


class Press(_Step):
    """A key, by prompt_toolkit's name, once the chat is idle."""

    do: Literal["press"] = "press"
    key: str


class Speed(_Step):
    """How fast is typed from here on."""

    do: Literal["speed"] = "speed"
    characters_per_s: float
    """0 for all at once."""


Step = Annotated[Say | Queue | Answer | Interrupt | Wait | Press | Speed, Field(discriminator="do")]
STEPS: TypeAdapter[tuple[Step, ...]] = TypeAdapter(tuple[Step, ...])


class Conversation(Protocol):
    """The chat, as far as a script plays it."""

    async def settled(self) -> None:
        """Wait until the next line would be taken at once: nothing runs, or a question is open."""
        ...

    @property
    def asks(self) -> bool:
        """Whether a question is open."""
        ...

    def typed(self, text: str) -> None: ...

    def skip(self) -> None:
        """Leave the open question unanswered."""
        ...

    def interrupt(self) -> bool: ...


class Keyboard(Protocol):
    """What is typed into, where there is such a thing."""

    async def enter(self, text: str, speed: float | None) -> bool:
        """Type a line and enter it; False where there is nothing to type into."""
        ...

    async def press(self, key: str) -> None: ...


def read_script(path: Path) -> tuple[Step, ...]:
    """Read a script.

    Raises:
        InputError: `WET-INPUT-SCRIPT` with file and line: a directive that there is not, a number that is none, a block
            that does not end; `WET-INPUT-MISSING`, `WET-INPUT-UNREADABLE`, `WET-INPUT-ENCODING`.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise InputError("WET-INPUT-MISSING", f"{path} does not exist.", "Check the path.") from None
    except OSError as error:
        raise InputError(
            "WET-INPUT-UNREADABLE", f"{path} cannot be read ({error.strerror}).", "Check the path and its rights."
        ) from None
    if len(raw) > MAX_BYTES:
        raise _wrong(path.name, 1, f"the file is larger than {MAX_BYTES // 1_000_000} MB")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise InputError(
            "WET-INPUT-ENCODING", f"{path.name}, line {line}: the text is not UTF-8.", "Save the file as UTF-8."
        ) from None
    return parse_script(text, path.name)


def parse_script(text: str, name: str = "script") -> tuple[Step, ...]:
    """The steps of a script; `name` is what errors call it.

    Raises:
        InputError: see `read_script`.
    """
    steps: list[Step] = []
    for number, line, plain in _lines(text, name):
        directive = None if plain else re.match(r"\s*@\s*([\w-]*)(.*)", line, re.S)
        step: Step
        if directive is None:
            step = Say(line=number, text=line if plain else _unescaped(line))
        else:
            step = _directive(directive[1].lower(), directive[2].strip(), number, name)
        if isinstance(step, Queue | Interrupt) and not any(isinstance(one, Say | Queue) for one in steps):
            raise _wrong(name, number, f"nothing runs yet at @{step.do}", "Put it below the line whose turn it is of.")
        steps.append(step)
    return tuple(steps)


async def play(steps: Sequence[Step], chat: Conversation, keyboard: Keyboard) -> None:
    """Do what the steps say, to the end of the last turn. A question that the script does not answer is skipped."""
    speed: float | None = None

    async def enter(text: str) -> None:
        if not await keyboard.enter(text, speed):
            chat.typed(text)

    for step in steps:
        match step:
            case Speed():
                speed = step.characters_per_s or None
            case Queue():
                await enter(step.text)
            case Interrupt():
                await asyncio.sleep(step.after_s)
                chat.interrupt()
            case Answer():
                await chat.settled()
                if chat.asks:
                    await enter(step.text)
            case Wait():
                await chat.settled()
                await asyncio.sleep(step.seconds)
            case Press():
                await chat.settled()
                await keyboard.press(step.key)
            case Say():
                await _idle(chat)
                await enter(step.text)
    await _idle(chat)


async def _idle(chat: Conversation) -> None:
    await chat.settled()
    while chat.asks:
        chat.skip()
        await asyncio.sleep(0.01)  # whoever asked takes the answer in a step of its own
        await chat.settled()


def _lines(text: str, name: str) -> Iterator[tuple[int, str, bool]]:
    """Line number, text, and whether it is a block, for all that counts."""
    lines = list(enumerate(re.split(r"\r\n|\r|\n", text), 1))
    for number, line in lines:
        found = re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", line)
        if found:
            raise _wrong(name, number, "there is a control character", "For a key, write @key NAME.")
    rest = iter(lines)
    for number, line in rest:
        if line.strip() == '"""':
            yield number, "\n".join(_block(rest, number, name)), True
            continue
        whole = line.strip()
        if not whole or whole.startswith("#"):
            continue
        while _goes_on(whole):
            _, following = next(rest, (0, None))
            if following is None:
                raise _wrong(name, number, "the last line ends with a backslash", "Take it away.")
            whole = f"{whole[:-1].rstrip()}\n{following.strip()}"
        yield number, whole, False


def _block(rest: Iterator[tuple[int, str]], number: int, name: str) -> list[str]:
    block: list[str] = []
    for _, line in rest:
        if line.strip() == '"""':
            if not "".join(block).strip():
                raise _wrong(name, number, "the block is empty")
            return block
        block.append(line.rstrip())
    raise _wrong(name, number, "the block does not end", 'Close it with a line of """.')


def _goes_on(line: str) -> bool:
    # an even number of backslashes are backslashes
    return (len(line) - len(line.rstrip("\\"))) % 2 == 1


def _unescaped(line: str) -> str:
    return re.sub(r"\A\\(?=[@#\\\"])", "", line)


def _directive(word: str, rest: str, line: int, name: str) -> Step:
    made: dict[str, Callable[[], Step]] = {
        "answer": lambda: Answer(line=line, text=_text(rest, word, line, name)),
        "interrupt": lambda: Interrupt(line=line, after_s=_after(rest, line, name)),
        "key": lambda: Press(line=line, key=_key(rest, line, name)),
        "queue": lambda: Queue(line=line, text=_text(rest, word, line, name)),
        "speed": lambda: Speed(line=line, characters_per_s=_number(rest, "characters a second", word, line, name)),
        "wait": lambda: Wait(line=line, seconds=_number(rest, "seconds", word, line, name)),
    }
    if word not in made:
        hint = nearest(f"@{word}", [f"@{known}" for known in DIRECTIVES])
        raise _wrong(name, line, f"there is no directive '@{word[:40]}'", f"{hint} For the character, write \\@.")
    return made[word]()


def _text(rest: str, word: str, line: int, name: str) -> str:
    if not rest:
        raise _wrong(name, line, f"@{word} has no text", f"Write {DIRECTIVES[word].partition(':')[0]}.")
    return rest


def _after(rest: str, line: int, name: str) -> float:
    if not rest:
        return 0.0
    found = re.fullmatch(r"after\s+(.*)", rest)
    if found is None:
        raise _wrong(name, line, "@interrupt is written otherwise", "Write @interrupt, or @interrupt after SECONDS.")
    return _number(found[1], "seconds", "interrupt", line, name)


def _number(rest: str, what: str, word: str, line: int, name: str) -> float:
    if not re.fullmatch(r"\d+(\.\d+)?|\.\d+", rest) or float(rest) > MAX_WAIT_S:
        raise _wrong(
            name, line, f"@{word} takes a number of {what}, up to {MAX_WAIT_S:g}", f"Write @{word} 1.5, for example."
        )
    return float(rest)


def _key(rest: str, line: int, name: str) -> str:
    from prompt_toolkit.keys import ALL_KEYS, KEY_ALIASES

    aliases = {**KEY_ALIASES, "esc": "escape", "pgup": "pageup", "pgdn": "pagedown", "return": "c-m"}
    key = aliases.get(rest.lower(), rest.lower())
    if key not in ALL_KEYS or key.startswith("<"):
        known = [one for one in (*ALL_KEYS, *aliases) if not one.startswith("<")]
        close = nearest(rest.lower(), known)
        hint = close if close.startswith("Did") else "Write f2, pageup, enter, c-l, for example."
        raise _wrong(name, line, f"no key is called '{rest[:40]}'", hint)
    return key


def _wrong(name: str, line: int, message: str, hint: str = "") -> InputError:
    return InputError("WET-INPUT-SCRIPT", f"{name}, line {line}: {message}.", hint)
