"""Agents' text for a terminal: the little Markdown that models write, and citations that stand out.

Not a Markdown library: a model's text is outside text, and none of it becomes a link, a picture or a rule of its own.
"""

from __future__ import annotations

import re

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from wetread.reports.plain import printable

CITED = "bold cyan"
"""How an evidence or statement id looks, everywhere."""

CITATION = re.compile(r"\[(?:[ES]\d{1,6}\??(?:\s*[,;]\s*)?)+\]")

_ITEM = re.compile(r"(?P<indent>\s*)(?P<sign>[-*•–]|\d{1,3}[.)])\s+(?P<text>\S.*)")
_HEADING = re.compile(r"#{1,6}\s+(?P<text>.*?)\s*#*")
_FENCE = re.compile(r"\s*(?:```|~~~)")
_INLINE = re.compile(
    r"\*\*(?P<bold>\S(?:.*?\S)?)\*\*|`(?P<code>[^`]+)`|(?<![\w*])\*(?P<italic>[^\s*](?:[^*]*[^\s*])?)\*"
)


def markdownish(text: str) -> RenderableType:
    """An agent's text: headings, lists, bold, italic, code; citations highlighted; all else as it stands."""
    blocks: list[RenderableType] = []
    paragraph: list[str] = []
    fenced = False

    def end() -> None:
        if paragraph:
            blocks.append(_inline(" ".join(paragraph)))
            paragraph.clear()

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
        elif line.startswith(("|", ">")):
            end()
            blocks.append(_inline(line))
        else:
            paragraph.append(line.strip())
    end()
    while blocks and isinstance(blocks[-1], Text) and not blocks[-1].plain:
        blocks.pop()
    return Group(*blocks)


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
