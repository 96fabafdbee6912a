"""Agents' text for a terminal: the little Markdown that models write, and citations that stand out.

Not a Markdown library: a model's text is outside text, and none of it becomes a link, a picture or a rule of its own.
"""

from __future__ import annotations

import re

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from wetread.reports.plain import printable

CITED = "bold cyan"
"""How an evidence or statement id looks, everywhere."""

MAX_WAITING = 8000
"""Characters of a block that is not complete, after which it is shown as far as it has come."""

CITATION = re.compile(r"\[(?:[ES]\d{1,6}\??(?:\s*[,;]\s*)?)+\]")

_ITEM = re.compile(r"(?P<indent>\s*)(?P<sign>[-*•–]|\d{1,3}[.)])\s+(?P<text>\S.*)")
_HEADING = re.compile(r"#{1,6}\s+(?P<text>.*?)\s*#*")
_FENCE = re.compile(r"\s*(?:```|~~~)")
_CELL = re.compile(r"(?<!\\)\|")
_RULE = re.compile(r":?-+:?")
_INLINE = re.compile(
    r"\*\*(?P<bold>\S(?:.*?\S)?)\*\*|`(?P<code>[^`]+)`|(?<![\w*])\*(?P<italic>[^\s*](?:[^*]*[^\s*])?)\*"
)


def markdownish(text: str) -> RenderableType:
    """An agent's text: headings, lists, tables, bold, italic, code; citations highlighted; all else as it stands."""
    blocks: list[RenderableType] = []
    paragraph: list[str] = []
    table: list[str] = []
    fenced = False

    def end() -> None:
        if paragraph:
            blocks.append(_inline(" ".join(paragraph)))
            paragraph.clear()
        if table:
            blocks.append(_table(table))
            table.clear()

    for raw in text.splitlines():
        line = printable(raw.expandtabs(4)).rstrip()
        if _FENCE.match(line):
            end()
            fenced = not fenced
        elif fenced:
            blocks.append(Text(line, "dim", no_wrap=True, overflow="fold"))
        elif not line:
            end()
            if blocks and not (isinstance(blocks[-1], Text) and not blocks[-1].plain):
                blocks.append(Text())
        elif item := _ITEM.fullmatch(line):
            end()
            blocks.append(_item(item["sign"], item["text"], len(item["indent"])))
        elif heading := _HEADING.fullmatch(line):
            end()
            title = _inline(heading["text"])
            title.stylize_before("bold")
            blocks.append(title)
        elif line.startswith("|"):
            if paragraph:
                end()
            table.append(line)
        elif line.startswith(">"):
            end()
            blocks.append(_inline(line))
        else:
            if table:
                end()
            paragraph.append(line.strip())
    end()
    while blocks and isinstance(blocks[-1], Text) and not blocks[-1].plain:
        blocks.pop()
    return Group(*blocks)


def prose(text: str, *, apart: bool = False) -> RenderableType:
    """`markdownish`, as it stands in the conversation.

    Args:
        text: What an agent says.
        apart: Whether an empty line sets it off from what came before.
    """
    return Padding(markdownish(text), (int(apart), 0, 0, 2))


class Streamed:
    """An agent's text that comes in pieces: whole blocks are given out as soon as they are there, empty lines between
    them as they were written, so that in the end it stands as if it had come at once."""

    def __init__(self) -> None:
        self.rest = ""
        """What was not given out yet."""
        self._gap = False
        self._begun = False

    def add(self, piece: str) -> RenderableType | None:
        """Take the next piece; returns what can be shown for good."""
        self.rest += piece
        if "\n" not in piece:
            return None
        return self._give(_whole(self.rest))

    def end(self) -> RenderableType | None:
        """What is left, as far as it has come; what comes next begins anew."""
        left = self._give(len(self.rest))
        self._begun = self._gap = False
        return left

    def _give(self, count: int) -> RenderableType | None:
        text, self.rest = self.rest[:count], self.rest[count:]
        if not text.strip():
            self._gap = self._gap or "\n" in text
            return None
        lines = text.split("\n")
        apart = self._begun and (self._gap or not lines[0].strip())
        # the text ends with a line break: the last of the lines is what follows it
        self._gap = len(lines) > 1 and not "".join(lines[-2:]).strip()
        self._begun = True
        return prose(text, apart=apart)


def _whole(text: str) -> int:
    """How many characters of a text make whole lines, and whole blocks where a block is more than its lines."""
    end = at = 0
    fenced = False
    for line in text.split("\n")[:-1]:
        at += len(line) + 1
        if _FENCE.match(line):
            fenced = not fenced
        if not fenced and not line.startswith("|"):
            end = at
    return at if at - end > MAX_WAITING else end


def cited(text: str, style: str = "") -> Text:
    """A printable text with its citations highlighted."""
    made = Text(text, style)
    made.highlight_regex(CITATION, CITED)
    return made


def _item(sign: str, text: str, indent: int) -> Table:
    grid = Table.grid(padding=(0, 1, 0, 0), expand=True)
    grid.add_column(width=min(indent, 8) + max(len(sign), 1), justify="right")
    grid.add_column(ratio=1)
    grid.add_row(Text("•" if not sign[0].isdigit() else sign, "dim"), _inline(text))
    return grid


def _table(lines: list[str]) -> RenderableType:
    """Rows between bars; as they stand where they are no table."""
    rows = [
        [cell.strip().replace("\\|", "|") for cell in _CELL.split(line.strip().removeprefix("|").removesuffix("|"))]
        for line in lines
    ]
    if len(rows) < 2 or not all(_RULE.fullmatch(cell) for cell in rows[1]):
        return Group(*map(_inline, lines))
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    for title, rule in zip(rows[0], rows[1], strict=False):
        table.add_column(_inline(title), justify="right" if rule.endswith("-:") and rule[0] == "-" else "left")
    for row in rows[2:]:
        table.add_row(*map(_inline, row[: len(table.columns)]))
    return table


def _inline(text: str) -> Text:
    made = Text()
    at = 0
    for match in _INLINE.finditer(text):
        made.append(text[at : match.start()])
        kind = match.lastgroup or ""
        made.append(match[kind], {"code": "green"}.get(kind, kind))
        at = match.end()
    made.append(text[at:])
    made.highlight_regex(CITATION, CITED)
    return made
