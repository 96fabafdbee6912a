"""What an MRRT document holds: sections, form elements, codes and metadata, read without running or fetching a thing.

`html.parser` of the standard library builds no tree, follows no reference and runs no script; its own stack is bounded
here. The XML of `template_attributes` is read by the same parser, so that no entity is ever expanded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

from wetread.reports.plain import shown

MAX_ELEMENTS = 2000
"""Sections and form elements that a document may have."""

MAX_DEPTH = 40
"""Sections within sections."""

MAX_CHOICES = 200
MAX_TEXT = 200
"""Characters kept of a title or a choice."""

Attributes = dict[str, str]


class TooLarge(ValueError):
    """The document has more than a template can have."""


@dataclass(slots=True)
class Element:
    """A form element.

    Attributes:
        kind: The HTML element: input, select or textarea.
        attributes: As written, names in lower case.
        options: Of a select: attributes and text of each option.
        before: The text that stood before it, after the last form element or block.
        after: The text behind it, up to the next element.
    """

    kind: str
    attributes: Attributes
    options: list[tuple[Attributes, str]] = field(default_factory=list)
    before: str = ""
    after: str = ""
    label: str = ""

    def get(self, name: str) -> str:
        return self.attributes.get(name, "")


@dataclass(slots=True)
class Part:
    """A section with what stands in it, in order."""

    attributes: Attributes
    header: str = ""
    content: list[Part | Element] = field(default_factory=list)

    @property
    def title(self) -> str:
        return cut(self.attributes.get("data-section-name", "")) or cut(self.header)


@dataclass(slots=True)
class Document:
    """An MRRT document.

    Attributes:
        body: A part without attributes that holds the top-level sections and loose form elements.
        meta: Content of `meta` elements by name, in lower case.
        title: The text of `title`.
        xml: The texts of the `script` elements of type text/xml.
        lists: Options of `datalist` elements by id.
        labels: Texts of `label for=...` by that id.
        scripts: How many other scripts there were.
    """

    body: Part
    meta: dict[str, str] = field(default_factory=dict)
    title: str = ""
    xml: list[str] = field(default_factory=list)
    lists: dict[str, list[tuple[Attributes, str]]] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    scripts: int = 0


@dataclass(frozen=True, slots=True)
class Code:
    """A code with what it codes: the id of an element, or nothing where it is the template's own."""

    entry: str
    meaning: str
    value: str
    scheme: str


def read_document(text: str) -> Document:
    """Read a document.

    Raises:
        TooLarge: more sections, elements or choices than a template can have.
    """
    reader = _Reader()
    reader.feed(text)
    reader.close()
    reader.finish()
    return reader.document


def read_codes(xml: str) -> tuple[list[Code], str]:
    """The codes of `template_attributes`, and the template's version.

    Raises:
        TooLarge: more codes than a template can have.
    """
    reader = _Codes()
    reader.feed(xml)
    reader.close()
    return reader.codes, cut("".join(reader.version))


def cut(text: str) -> str:
    """One line of text, cut to what a title may have."""
    return shown(text)[:MAX_TEXT].strip()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.document = Document(Part({}))
        self._parts = [self.document.body]
        self._count = 0
        self._skipped = 0
        self._select: Element | None = None
        self._last: Element | None = None
        self._list: list[tuple[Attributes, str]] | None = None
        self._option: tuple[Attributes, list[str]] | None = None
        self._label: tuple[str, list[str], int] | None = None
        self._heading: list[str] | None = None
        self._title: list[str] | None = None
        self._script: list[str] | None = None
        self._raw = ""
        self._text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name.lower(): value or "" for name, value in attrs}
        match tag:
            case "script" | "style":
                self._raw = tag
                self._script = [] if given.get("type", "").strip().lower() in ("text/xml", "application/xml") else None
                self.document.scripts += tag == "script" and self._script is None
            case "meta" if "name" in given:
                self.document.meta[given["name"].strip().lower()] = cut(given.get("content", ""))
            case "title":
                self._title = []
            case "section":
                self._open(given)
            case "header" | "h1" | "h2" | "h3":
                self._heading = []
            case "label":
                self._end_label()
                self._label = (given.get("for", ""), [], self._count)
            case "datalist":
                self._list = self.document.lists.setdefault(given.get("id", ""), [])
            case "option":
                self._end_option()
                self._option = (given, [])
            case "input" | "select" | "textarea":
                self._element(tag, given)
                # what stands in it is a default value
                self._raw = "textarea" if tag == "textarea" else self._raw
            case "p" | "div" | "br" | "li" | "tr":
                self._break()

    def handle_endtag(self, tag: str) -> None:
        match tag:
            case "textarea" if self._raw == "textarea":
                self._raw = ""
            case "script" | "style":
                if self._script is not None:
                    self.document.xml.append("".join(self._script))
                self._raw, self._script = "", None
            case "title" if self._title is not None:
                self.document.title = self.document.title or cut("".join(self._title))
                self._title = None
            case "section":
                if self._skipped:
                    self._skipped -= 1
                elif len(self._parts) > 1:
                    self._parts.pop()
                self._break()
            case "header" | "h1" | "h2" | "h3" if self._heading is not None:
                part = self._parts[-1]
                part.header = part.header or cut("".join(self._heading))
                self._heading = None
                self._break()
            case "label":
                self._end_label()
            case "datalist":
                self._end_option()
                self._list = None
            case "option":
                self._end_option()
            case "select":
                self._end_option()
                self._select = None
            case "p" | "div" | "li" | "tr":
                self._break()

    def handle_data(self, data: str) -> None:
        if self._raw:
            if self._script is not None:
                self._script.append(data)
        elif self._option is not None:
            self._option[1].append(data)
        elif self._title is not None:
            self._title.append(data)
        elif self._heading is not None:
            self._heading.append(data)
        elif self._label is not None:
            self._label[1].append(data)
        else:
            self._text.append(data)

    def finish(self) -> None:
        """End what was left open."""
        self._end_option()
        self._end_label()
        self._break()

    def _open(self, given: Attributes) -> None:
        self._break()
        self._counted()
        if len(self._parts) > MAX_DEPTH:
            self._skipped += 1
            return
        part = Part(given)
        self._parts[-1].content.append(part)
        self._parts.append(part)

    def _element(self, tag: str, given: Attributes) -> None:
        if tag == "input" and given.get("type", "").lower() in ("hidden", "button", "submit", "reset", "image", "file"):
            return
        self._counted()
        element = Element(tag, given, before=self._said())
        self._parts[-1].content.append(element)
        self._last = element
        if tag == "select":
            self._select = element

    def _end_option(self) -> None:
        if self._option is None:
            return
        given, words = self._option
        self._option = None
        options = self._select.options if self._select is not None else self._list
        if options is None:
            return
        if len(options) >= MAX_CHOICES:
            raise TooLarge(f"a list has more than {MAX_CHOICES} choices")
        options.append((given, cut("".join(words))))

    def _end_label(self) -> None:
        if self._label is None:
            return
        target, words, count = self._label
        self._label = None
        text = cut("".join(words))
        if target:
            self.document.labels.setdefault(target, text)
        elif self._last is not None and self._count > count:
            self._last.label = text
        else:
            self._text.append(text)

    def _said(self) -> str:
        text = cut("".join(self._text))
        self._text = []
        if self._last is not None and not self._last.after:
            self._last.after = text
        return text

    def _break(self) -> None:
        self._said()
        self._last = None

    def _counted(self) -> None:
        self._count += 1
        if self._count > MAX_ELEMENTS:
            raise TooLarge(f"it has more than {MAX_ELEMENTS} sections and form elements")


class _Codes(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.codes: list[Code] = []
        self.version: list[str] = []
        self._entry = ""
        self._in_version = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name.lower(): value or "" for name, value in attrs}
        if tag == "entry":
            self._entry = given.get("origtxt", "")
        elif tag == "code":
            if len(self.codes) >= MAX_ELEMENTS:
                raise TooLarge(f"it has more than {MAX_ELEMENTS} codes")
            scheme = re.sub(r"[^A-Z]", "", given.get("scheme", "").upper())
            self.codes.append(Code(self._entry, cut(given.get("meaning", "")), cut(given.get("value", "")), scheme))
        elif tag == "template-version":
            self._in_version = True

    def handle_endtag(self, tag: str) -> None:
        if tag == "entry":
            self._entry = ""
        elif tag == "template-version":
            self._in_version = False

    def handle_data(self, data: str) -> None:
        if self._in_version and sum(map(len, self.version)) < MAX_TEXT:
            self.version.append(data)
