"""The tape as a file: records, where each came from, reading and writing. Readable JSON, in a stable order.

`<scenario>/tape.json` holds the records, `<scenario>/blobs/` the arrays they refer to (`tape_blobs`). Chat records
stand in the order of asking, endpoint records by endpoint and key: recording again changes only what changed.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import orjson
from pydantic import Field, ValidationError, model_validator

from wetread.agents.chat import Usage
from wetread.errors import TapeError, WetreadError
from wetread.scenarios.canonical import key_of
from wetread.scenarios.tape_blobs import BlobReader, names_in
from wetread.values import Value
from wetread.yamlfile import parse_yaml

TAPE_VERSION = 1
MAX_BYTES = 64_000_000
"""A tape larger than this is refused unread."""

Seam = Literal["chat", "endpoints"]
OriginKind = Literal["recorded", "simulated", "authored"]


class Provenance(Value):
    """Where a record came from. `source`: the endpoint's host or the chat model's name; `at`: when it was recorded."""

    kind: OriginKind
    source: str = ""
    at: datetime | None = None


class RecordedError(Value):
    """A fault that was recorded instead of an answer: what `EndpointError` and `ModelError` are made of."""

    code: str
    message: str
    hint: str = ""
    retryable: bool = False
    status: int | None = None


class KeptToolUse(Value):
    """A tool use of a chat reply. `arguments` as `tape_replies` writes texts."""

    id: str
    name: str
    arguments: Any


class KeptChat(Value):
    """A chat reply as it stands on the tape. `text` as `tape_replies` writes texts."""

    text: Any = ""
    tool_uses: tuple[KeptToolUse, ...] = ()
    usage: Usage = Usage()
    model: str
    finish: Literal["stop", "tool_calls", "length", "content_filter"] = "stop"


class KeptRows(Value):
    """An endpoint reply as it stands on the tape. `rows` as `tape_blobs` packs them."""

    model_name: str
    model_version: str = "unknown"
    warnings: tuple[str, ...] = ()
    rows: list[Any]


class Record(Value):
    """One answered request at one seam. `request` is canonical, `key` its hash; `reply` or `error` came of it."""

    key: str = Field(pattern=r"^[0-9a-f]{64}$")
    origin: Provenance
    latency_ms: float = Field(default=0.0, ge=0)
    request: dict[str, Any]
    reply: KeptChat | KeptRows | None = None
    error: RecordedError | None = None

    @model_validator(mode="after")
    def _whole(self) -> Record:
        if (self.reply is None) == (self.error is None):
            raise ValueError("a record has either a reply or an error")
        if key_of(self.request) != self.key:
            raise ValueError("the key is not the hash of the request (was it edited?)")
        return self


class ChatRecord(Record):
    """A record of the chat-model seam."""

    reply: KeptChat | None = None


class EndpointRecord(Record):
    """A record of the endpoint seam."""

    reply: KeptRows | None = None


class _Document(Value):
    version: Literal[1]
    model: str | None = None
    configured: tuple[str, ...] = ()
    chat: tuple[ChatRecord, ...] = ()
    endpoints: tuple[EndpointRecord, ...] = ()


@dataclass(frozen=True)
class TapeContent:
    """Everything on one tape. Shared by all replays of it in a process; the arrays are decoded once.

    Attributes:
        model: Name of the chat model whose answers are recorded; None where there are none.
        configured: The endpoints that could be called when it was recorded.
    """

    model: str | None = None
    configured: tuple[str, ...] = ()
    chat: tuple[ChatRecord, ...] = ()
    endpoints: tuple[EndpointRecord, ...] = ()
    blobs: BlobReader = field(default_factory=lambda: BlobReader(Path("blobs")), compare=False)

    @property
    def origins(self) -> frozenset[str]:
        """The kinds of origin on it: recorded, simulated, authored."""
        return frozenset(record.origin.kind for record in (*self.chat, *self.endpoints))


_loaded: dict[Path, tuple[tuple[int, int], TapeContent]] = {}


def load_tape(path: Path) -> TapeContent:
    """Read a tape; the same unchanged file is read once per process.

    Raises:
        TapeError: `WET-TAPE-MISSING`, `-VERSION`, or `-CORRUPT` with file and line.
    """
    try:
        facts = path.stat()
        stamp = (facts.st_mtime_ns, facts.st_size)
        kept = _loaded.get(path)
        if kept is not None and kept[0] == stamp:
            return kept[1]
        if facts.st_size > MAX_BYTES:
            raise TapeError("WET-TAPE-CORRUPT", f"{path} is larger than {MAX_BYTES // 1_000_000} MB.", _AGAIN)
        data = path.read_bytes()
    except OSError as error:
        raise TapeError("WET-TAPE-MISSING", f"{path} cannot be read ({error.strerror}).", _AGAIN) from None
    content = _parse(data, path)
    _loaded[path] = (stamp, content)
    return content


def save_tape(content: TapeContent, path: Path, blobs: dict[str, bytes], *, secrets: Collection[str] = ()) -> None:
    """Write a tape and its blobs, each file whole or not at all, and remove blobs that nothing refers to any more.

    Args:
        blobs: The bytes of blobs that are new; others that the records refer to are there already.
        secrets: Keys and tokens known to this process: none may be on the tape.

    Raises:
        TapeError: `WET-TAPE-SECRET`, something on it looks like a key; `WET-TAPE-WRITE`, it cannot be written.
    """
    document = _Document(
        version=TAPE_VERSION,
        model=content.model,
        configured=content.configured,
        chat=content.chat,
        endpoints=tuple(sorted(content.endpoints, key=lambda record: (record.request["endpoint"], record.key))),
    )
    plain = document.model_dump(mode="json", exclude_defaults=True)
    refuse_secrets(plain, secrets)
    folder = path.parent / "blobs"
    wanted = names_in(plain)
    try:
        for name in sorted(wanted & set(blobs)):
            write_atomically(folder / name, blobs[name])
        write_atomically(path, (json.dumps(plain, indent=1, ensure_ascii=False) + "\n").encode())
        if folder.is_dir():
            for stale in folder.iterdir():
                if re.fullmatch(r"[0-9a-f]{16}\.(png|npy)", stale.name) and stale.name not in wanted:
                    stale.unlink()
    except OSError as error:
        raise TapeError(
            "WET-TAPE-WRITE", f"{path} cannot be written ({error.strerror}).", "Check its folder."
        ) from None


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or, if anything fails, as it was before.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}.tmp")
    try:
        draft.write_bytes(data)
        os.replace(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


_SECRET = re.compile(
    r"""Bearer\s+[\w.~+/=-]{12,}             # an authorization header
      | \bsk-[\w-]{16,}                      # keys of chat model vendors
      | \beyJ[\w-]{8,}\.eyJ[\w-]{8,}         # JSON web tokens
      | [?&](?:sig|code|key|token|api-key)=[^&\s"]{8,}
      | (?:Account|Shared\ Access\ )Key=\S{16,}
      | (?i:(?:api[_-]?key|authorization|password|secret)["']?\s*[:=]\s*["']?[\w.~+/=-]{12,})
    """,
    re.VERBOSE,
)
_FREE_KEY = re.compile(r"(?=[^\s]*[0-9])(?=[^\s]*[a-z])(?=[^\s]*[A-Z])[A-Za-z0-9+/_-]{32,}={0,2}")


def refuse_secrets(plain: Any, known: Collection[str] = ()) -> None:
    """Make sure that no text in plain data is, or looks like, a key, a token or an authorization header.

    Raises:
        TapeError: `WET-TAPE-SECRET`, naming the place and never the text.
    """
    for place, text in _texts(plain, ""):
        if _SECRET.search(text) or _FREE_KEY.fullmatch(text) or any(len(key) > 5 and key in text for key in known):
            raise TapeError(
                "WET-TAPE-SECRET",
                f"What was to be recorded holds something that looks like a key or token, at {place}.",
                "Nothing was written: take it out of the prompt, the study or the reply, and record again.",
            )


def _texts(plain: Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(plain, str):
        yield place, plain
    elif isinstance(plain, dict):
        for key, item in plain.items():
            yield place, str(key)
            yield from _texts(item, f"{place}.{key}".lstrip("."))
    elif isinstance(plain, list):
        for index, item in enumerate(plain):
            yield from _texts(item, f"{place}[{index + 1}]")


_AGAIN = "Record the scenario again with `wetread run --record`."


def _parse(data: bytes, path: Path) -> TapeContent:
    try:
        plain = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise TapeError(
            "WET-TAPE-CORRUPT", f"{path}, line {error.lineno}: not valid JSON ({error.msg}).", _AGAIN
        ) from None
    version = plain.get("version") if isinstance(plain, dict) else None
    if isinstance(version, int) and version != TAPE_VERSION:
        raise TapeError("WET-TAPE-VERSION", f"{path} has version {version}; this wetread reads {TAPE_VERSION}.", _AGAIN)
    try:
        document = _Document.model_validate(plain)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        message = first["msg"].removeprefix("Value error, ")
        place = ".".join(str(part + 1) if isinstance(part, int) else part for part in first["loc"]) or "the file"
        line = _line(data, path, first["loc"])
        raise TapeError("WET-TAPE-CORRUPT", f"{path}{line}: {place}: {message}.", _AGAIN) from None
    return TapeContent(
        model=document.model,
        configured=document.configured,
        chat=document.chat,
        endpoints=document.endpoints,
        blobs=BlobReader(path.parent / "blobs"),
    )


def _line(data: bytes, path: Path, loc: tuple[int | str, ...]) -> str:
    """`, line n` of a place in the JSON, which YAML's parser can tell; empty where it cannot."""
    try:
        return f", line {parse_yaml(data.decode(), str(path)).line(*loc)}"
    except WetreadError:
        return ""
