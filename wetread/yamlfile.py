"""YAML files that people write: read safely, checked by a model, mistakes told with file, line and nearest right key.

Used by templates, agents, scenarios, settings and `study.yaml`. Values are never repeated in an error: a study's file
may hold what must not reach a log.
"""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from wetread.errors import ConfigError, InputError, WetreadError

MAX_BYTES = 4_000_000
"""A file larger than this is refused unread."""

MAX_NODES = 100_000
"""Values a file may come to after its aliases are followed; guards against alias bombs."""

MAX_DEPTH = 60
"""Nesting a file may have."""

Kind = type[ConfigError] | type[InputError]
ModelT = TypeVar("ModelT", bound=BaseModel)
Path_ = tuple[str | int, ...]

_TAGS = frozenset({"str", "int", "float", "bool", "null", "timestamp", "seq", "map"})
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class YamlFile:
    """A parsed YAML document that remembers the line of each value.

    Attributes:
        name: How the file is called in errors.
        data: Plain data: mappings with text keys, lists, texts, numbers, booleans, dates, None.
    """

    def __init__(self, name: str, data: Any, lines: Mapping[Path_, int], kind: Kind) -> None:
        self.name = name
        self.data = data
        self._lines = lines
        self._kind = kind

    def line(self, *path: str | int) -> int:
        """The line (from 1) of the value at a path of keys and indices, or of what encloses it if it is absent."""
        while path not in self._lines and path:
            path = path[:-1]
        return self._lines.get(path, 1)

    def mistake(self, message: str, *path: str | int, hint: str = "") -> WetreadError:
        """The error for something wrong at a path: `<file>, line <n>: <message>.`"""
        return _error(self._kind, f"{self.name}, line {self.line(*path)}: {message.rstrip('.')}.", hint)

    def parse(self, model: type[ModelT]) -> ModelT:
        """The document as an instance of `model`.

        Raises:
            ConfigError | InputError: code `...-YAML`, the first mistake by line, with the nearest right key for a typo.
        """
        if not isinstance(self.data, dict):
            raise self.mistake("a mapping of keys to values is expected here", hint="Write `key: value` lines.")
        try:
            return model.model_validate(self.data)
        except ValidationError as error:
            entries = error.errors(include_url=False, include_input=False)
        # a list is also "too short" where its items are wrong, and a key missing where it is misspelt: the cause first
        entries.sort(
            key=lambda entry: (entry["type"] in ("missing", "too_short"), self.line(*self._data_path(entry["loc"])))
        )
        found = [self._explain(entry, model) for entry in entries]
        line, message, hint = found[0]
        more = f" ({len(found) - 1} more after this one.)" if len(found) > 1 else ""
        raise _error(self._kind, f"{self.name}, line {line}: {message}.{more}", hint)

    def _explain(self, entry: Any, model: type[BaseModel]) -> tuple[int, str, str]:
        where = self._data_path(entry["loc"])
        shown = _shown(where)
        if entry["type"] == "extra_forbidden":
            key = str(entry["loc"][-1])
            known = sorted(_keys_at(model, entry["loc"][:-1]))
            inside = f" in {_shown(where[:-1])}" if len(where) > 1 else ""
            return self.line(*where), f"unknown key '{key}'{inside}", nearest(key, known)
        if entry["type"] == "missing":
            inside = f" in {shown}" if where else ""
            return self.line(*where), f"key '{entry['loc'][-1]}' is missing{inside}", "Add it."
        message = entry["msg"].removeprefix("Value error, ").rstrip(".")
        return self.line(*where), f"{shown or 'the file'}: {message[:1].lower()}{message[1:]}", ""

    def _data_path(self, loc: Sequence[str | int]) -> Path_:
        # pydantic puts union tags and "[key]" between the keys of a location: only what leads on in the data counts
        path: Path_ = ()
        for part in loc:
            if (*path, part) in self._lines:
                path = (*path, part)
        return path


def load_yaml(path: Path, kind: Kind = ConfigError, name: str | None = None) -> YamlFile:
    """Read a YAML file.

    Args:
        path: The file.
        kind: The family of the errors, `ConfigError` or `InputError`.
        name: How to call the file in errors; its path as given by default.

    Raises:
        ConfigError | InputError: codes `...-FILE` (cannot be read) and `...-YAML` (not valid).
    """
    shown = name or str(path)
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise _error(kind, f"{shown} does not exist.", "Check the path.", "FILE") from None
    except OSError as error:
        raise _error(
            kind, f"{shown} cannot be read ({error.strerror}).", "Check the path and its rights.", "FILE"
        ) from None
    if len(raw) > MAX_BYTES:
        raise _error(kind, f"{shown} is larger than {MAX_BYTES // 1_000_000} MB.", "Is it the right file?")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise _error(kind, f"{shown}, line {line}: the text is not UTF-8.", "Save the file as UTF-8.") from None
    return parse_yaml(text, shown, kind)


def parse_yaml(text: str, name: str, kind: Kind = ConfigError) -> YamlFile:
    """Parse YAML text; `name` is what errors call it.

    Raises:
        ConfigError | InputError: code `...-YAML`: bad syntax, a key twice, tags, too many aliases or levels.
    """
    try:
        _check_depth(text, name, kind)
        loader = _Loader(text)
        try:
            root = loader.get_single_node()
            builder = _Builder(loader, name, kind)
            data = builder.build(root, (), 0) if root is not None else None
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        problem = error.problem or error.context or "not valid YAML"
        raise _error(kind, f"{name}, line {line}: {problem}.", "Mend the YAML there.") from None
    except (yaml.YAMLError, RecursionError, ValueError):
        raise _error(kind, f"{name} is not valid YAML.", "Is it a text file?") from None
    return YamlFile(name, data, builder.lines, kind)


def read_yaml(path: Path, model: type[ModelT], kind: Kind = ConfigError, name: str | None = None) -> ModelT:
    """Read a YAML file as an instance of `model`: `load_yaml`, then `YamlFile.parse`."""
    return load_yaml(path, kind, name).parse(model)


def nearest(word: str, known: Sequence[str]) -> str:
    """The hint for a word that is none of `known`: the nearest of them, or all if they are few."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if close:
        return f"Did you mean '{close[0]}'?"
    return f"Known: {', '.join(known)}." if known else ""


def _check_depth(text: str, name: str, kind: Kind) -> None:
    # libyaml composes by recursion without a limit of its own: deep nesting must be found before
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                line = event.start_mark.line + 1 if event.start_mark else 1
                raise _error(kind, f"{name}, line {line}: more than {MAX_DEPTH} levels.", "Is it the right file?")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


class _Builder:
    """Plain data and line marks from YAML's nodes; the loader is asked for scalars only."""

    def __init__(self, loader: Any, name: str, kind: Kind) -> None:
        self.lines: dict[Path_, int] = {}
        self._loader = loader
        self._name = name
        self._kind = kind
        self._open: set[int] = set()
        self._count = 0

    def build(self, node: Any, path: Path_, depth: int) -> Any:
        self._count += 1
        if self._count > MAX_NODES or depth > MAX_DEPTH or id(node) in self._open:
            raise self._error(node, "too many values, levels or aliases", "Write the values out.")
        if node.tag.removeprefix("tag:yaml.org,2002:") not in _TAGS:
            raise self._error(node, "tags are not understood", "Leave the tag out.")
        self.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                return [self.build(child, (*path, index), depth + 1) for index, child in enumerate(node.value)]
            return self._mapping(node, path, depth)
        finally:
            self._open.discard(id(node))

    def _mapping(self, node: Any, path: Path_, depth: int) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise self._error(key_node, "a key must be a plain word")
            # the text as written: YAML 1.1 would make `on:` and `no:` truth values
            key = key_node.value
            if key in data:
                raise self._error(key_node, f"key '{key}' stands here twice", "Keep one of them.")
            self.lines[(*path, key)] = key_node.start_mark.line + 1
            data[key] = self.build(value_node, (*path, key), depth + 1)
        return data

    def _scalar(self, node: Any) -> Any:
        try:
            return self._loader.construct_object(node)
        except (ValueError, OverflowError, yaml.YAMLError):
            raise self._error(node, "a value of that kind cannot be read", "Put it into quotes.") from None

    def _error(self, node: Any, message: str, hint: str = "") -> WetreadError:
        return _error(self._kind, f"{self._name}, line {node.start_mark.line + 1}: {message}.", hint)


def _error(kind: Kind, message: str, hint: str, name: str = "YAML") -> WetreadError:
    return kind(f"{kind.family}-{name}", message, hint)


def _shown(path: Path_) -> str:
    text = ""
    for part in path:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _keys_at(model: type[BaseModel], loc: Sequence[str | int]) -> set[str]:
    """The field names allowed at a pydantic location, every member of a union counted."""
    here: set[Any] = {model}
    for part in loc:
        following = {found for annotation in here for found in _step(annotation, part)}
        here = following or here
    return {
        field.alias or name
        for annotation in here
        if isinstance(annotation, type) and issubclass(annotation, BaseModel)
        for name, field in annotation.model_fields.items()
    }


def _step(annotation: Any, part: str | int) -> Iterator[Any]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, field in annotation.model_fields.items():
            if part in (name, field.alias):
                yield from _members(field.annotation)
        return
    arguments = get_args(annotation)
    origin = get_origin(annotation)
    if origin in (dict, Mapping) and len(arguments) == 2:
        yield from _members(arguments[1])
    elif origin in (list, tuple, set, frozenset, Sequence) and isinstance(part, int):
        for argument in arguments:
            if argument is not Ellipsis:
                yield from _members(argument)


def _members(annotation: Any) -> Iterator[Any]:
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _members(get_args(annotation)[0])
    elif origin in (Union, types.UnionType):
        for argument in get_args(annotation):
            yield from _members(argument)
    elif annotation is not None:
        yield annotation
