"""The tape: canonical requests, strict replay, recording, arrays in files, secrets, broken files."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wetread.agents.chat import ChatMessage, ChatReply, ChatRequest, OnText, ToolSpec, ToolUse, Usage
from wetread.errors import EndpointError, ModelError, TapeError
from wetread.imaging.prepare import Preparation, encode, prepare
from wetread.scenarios import canonical
from wetread.scenarios.tape import Mode, Tape, TapedEndpoints, TapedModel, TapeMiss
from wetread.scenarios.tape_blobs import BlobReader, names_in, pack, unpack
from wetread.scenarios.tape_file import TapeContent, load_tape, refuse_secrets, write_atomically
from wetread.tools.endpoints.port import EndpointName, EndpointReply, EndpointRequest
from wetread.vocabulary import Origin

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)


class Endpoints:
    """Answers with a function of the request, and counts."""

    def __init__(self, answer: Callable[[EndpointRequest], EndpointReply]) -> None:
        self._answer = answer
        self.asked = 0

    async def score(self, request: EndpointRequest) -> EndpointReply:
        self.asked += 1
        return self._answer(request)

    def configured(self, endpoint: EndpointName) -> bool:
        return endpoint != "medimageparse"

    async def aclose(self) -> None:
        pass


class Model:
    """Answers with the next of its replies."""

    name = "openai:some-model"

    def __init__(self, *replies: ChatReply | ModelError) -> None:
        self._replies = list(replies)

    async def complete(self, request: ChatRequest, on_text: OnText | None = None) -> ChatReply:
        reply = self._replies.pop(0)
        if isinstance(reply, ModelError):
            raise reply
        return reply

    async def aclose(self) -> None:
        pass


def reply(rows: list[Any], origin: Origin = Origin.ENDPOINT, latency_ms: float = 1234.56) -> EndpointReply:
    return EndpointReply(rows=rows, origin=origin, model_name="some-model", model_version="7", latency_ms=latency_ms)


def findings(prompt: str = "none") -> EndpointRequest:
    return EndpointRequest("cxrreportgen", ("indication",), ((prompt,),))


def chat(text: str = "Draft the report.", *, agent: str = "orchestrator", **more: Any) -> ChatRequest:
    return ChatRequest(agent=agent, messages=(ChatMessage(role="user", text=text),), **more)


def mask_text(masks: np.ndarray) -> str:
    data = base64.b64encode(masks.tobytes()).decode()
    return json.dumps({"data": data, "shape": list(masks.shape), "dtype": "uint8"})


def discs(count: int = 3, side: int = 1024) -> np.ndarray:
    y, x = np.mgrid[:side, :side]
    masks = [255 / (1 + np.exp((np.hypot(x - side / 2, y - side / (n + 2)) - side / 5) / 3)) for n in range(count)]
    return np.stack(masks).astype(np.uint8)


def files_in(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


async def record(path: Path, *requests: EndpointRequest, answer: Callable[[EndpointRequest], EndpointReply]) -> Tape:
    tape = Tape(mode=Mode.RECORD)
    port = TapedEndpoints(tape, Endpoints(answer), source=lambda name: "cxr.example.org", clock=lambda: NOON)
    for request in requests:
        await port.score(request)
    tape.save(path)
    return tape


# --- canonical requests


def test_an_image_stands_as_its_pixel_hash_and_never_as_bytes() -> None:
    array = np.arange(63 * 47, dtype=np.uint32).reshape(63, 47).astype(np.uint8)
    payload = encode(*prepare(array, Preparation.FULL))
    found = canonical.of_endpoint_request(EndpointRequest("cxrreportgen", ("frontal_image",), ((payload,),)))
    assert found["rows"] == [[{"image": payload.pixel_sha256, "rows": 63, "columns": 47}]]
    assert payload.base64.decode() not in json.dumps(found)


def test_ids_of_tool_uses_do_not_count_but_which_answers_which_does() -> None:
    def talk(first: str, second: str, answers: str) -> ChatRequest:
        uses = (ToolUse(id=first, name="a", arguments="{}"), ToolUse(id=second, name="b", arguments="{}"))
        return ChatRequest(
            agent="x",
            messages=(
                ChatMessage(role="assistant", tool_uses=uses),
                ChatMessage(role="tool", text="ok", tool_use_id=answers),
            ),
        )

    key = canonical.key_of(canonical.of_chat_request(talk("p", "q", "p")))
    assert canonical.key_of(canonical.of_chat_request(talk("r", "s", "r"))) == key
    assert canonical.key_of(canonical.of_chat_request(talk("r", "s", "s"))) != key


@pytest.mark.parametrize(
    "other",
    [
        chat("Draft the Report."),
        chat(agent="reviewer"),
        chat(tool_choice="required"),
        chat(json_schema={"type": "object"}),
        chat(tools=(ToolSpec(name="segment", description="d", parameters={}),)),
    ],
)
def test_every_part_of_a_chat_request_counts(other: ChatRequest) -> None:
    assert canonical.key_of(canonical.of_chat_request(other)) != canonical.key_of(canonical.of_chat_request(chat()))


def test_a_changed_tool_card_counts() -> None:
    keys = {
        canonical.key_of(canonical.of_chat_request(chat(tools=(ToolSpec(name="t", description=card, parameters={}),))))
        for card in ("one", "two")
    }
    assert len(keys) == 2


def test_a_difference_shows_the_line_that_differs_and_is_bounded() -> None:
    before = canonical.of_chat_request(chat("line one\nline two\nline three"))
    after = canonical.of_chat_request(chat("line one\nline 2\nline three"))
    shown = canonical.difference(after, before)
    assert '-    "line two",' in shown
    assert '+    "line 2",' in shown
    endless = canonical.of_chat_request(chat("\n".join(str(n) for n in range(10_000))))
    assert len(canonical.difference(endless, before).split("\n")) <= 61


# --- replay


async def test_a_replay_answers_as_recorded(tmp_path: Path) -> None:
    rows = [{"output": '[["The heart size is normal.", null]]'}]
    await record(tmp_path / "tape.json", findings(), answer=lambda request: reply(rows))
    tape = Tape.open(tmp_path / "tape.json")
    port = TapedEndpoints(tape)
    answered = await port.score(findings())
    assert answered.rows == rows
    assert (answered.origin, answered.model_name, answered.model_version) == (Origin.RECORDED, "some-model", "7")
    assert answered.latency_ms == 1234.6
    assert tape.faults() == []
    assert [port.configured(name) for name in ("cxrreportgen", "medimageparse", "medimageinsight")] == [
        True,
        False,
        True,
    ]
    assert tape.content.endpoints[0].origin.model_dump() == {
        "kind": "recorded",
        "source": "cxr.example.org",
        "at": NOON,
    }


async def test_the_same_request_many_times_is_a_queue(tmp_path: Path) -> None:
    count = iter(range(9))
    await record(tmp_path / "t.json", *[findings()] * 3, answer=lambda request: reply([{"n": next(count)}]))
    tape = Tape.open(tmp_path / "t.json")
    port = TapedEndpoints(tape)
    assert [(await port.score(findings())).rows[0]["n"] for _ in range(3)] == [0, 1, 2]
    with pytest.raises(TapeError, match="more often than was recorded") as caught:
        await port.score(findings())
    assert caught.value.code == "WET-TAPE-SPENT"


async def test_a_request_that_is_not_on_the_tape_is_shown_against_the_nearest(tmp_path: Path) -> None:
    await record(
        tmp_path / "t.json",
        findings("cough and fever"),
        EndpointRequest("medimageinsight", ("text",), (("cough",),)),
        answer=lambda request: reply([{}]),
    )
    tape = Tape.open(tmp_path / "t.json")
    with pytest.raises(TapeMiss) as caught:
        await TapedEndpoints(tape).score(findings("cough, no fever"))
    assert '-   "cough and fever"' in caught.value.diff
    assert '+   "cough, no fever"' in caught.value.diff
    assert "\n" not in caught.value.line()
    # the run fails by it even if whoever asked went on
    assert [fault.code for fault in tape.faults()] == ["WET-TAPE-MISS", "WET-TAPE-UNUSED"]


async def test_records_that_nobody_asked_for_fail_the_run(tmp_path: Path) -> None:
    await record(tmp_path / "t.json", findings(), findings("cough"), answer=lambda request: reply([{}]))
    tape = Tape.open(tmp_path / "t.json")
    await TapedEndpoints(tape).score(findings())
    assert [fault.code for fault in tape.faults()] == ["WET-TAPE-UNUSED"]
    assert "cxrreportgen" in tape.faults()[0].message


async def test_two_replays_of_one_tape_do_not_disturb_each_other(tmp_path: Path) -> None:
    await record(tmp_path / "t.json", findings(), answer=lambda request: reply([{"n": 1}]))
    for _ in range(2):
        tape = Tape.open(tmp_path / "t.json")
        assert (await TapedEndpoints(tape).score(findings())).rows == [{"n": 1}]
        assert tape.faults() == []


async def test_a_fault_is_replayed_as_the_same_error(tmp_path: Path) -> None:
    def fail(request: EndpointRequest) -> EndpointReply:
        raise EndpointError("WET-ENDPOINT-BUSY", "cxrreportgen is busy.", "Wait.", retryable=True, status=429)

    tape = Tape(mode=Mode.RECORD)
    with pytest.raises(EndpointError):
        await TapedEndpoints(tape, Endpoints(fail)).score(findings())
    tape.save(tmp_path / "t.json")
    with pytest.raises(EndpointError) as caught:
        await TapedEndpoints(Tape.open(tmp_path / "t.json")).score(findings())
    error = caught.value
    assert (error.code, error.message, error.hint, error.retryable, error.status) == (
        "WET-ENDPOINT-BUSY",
        "cxrreportgen is busy.",
        "Wait.",
        True,
        429,
    )


async def test_a_chat_answer_is_replayed_to_the_letter_and_streamed(tmp_path: Path) -> None:
    spaced = ToolUse(id="call_x9", name="segment", arguments='{ "image": "image_1",\n  "structures": ["heart"] }')
    compact = ToolUse(id="call_x8", name="measure", arguments='{"image":"image_1"}')
    said = ChatReply(
        text="I will look.\n\nFirst the heart. ",
        tool_uses=(spaced, compact),
        usage=Usage(prompt_tokens=10, completion_tokens=5),
        model="some-model-2026",
        finish="tool_calls",
    )
    tape = Tape(mode=Mode.RECORD)
    live = await TapedModel(tape, Model(said)).complete(chat())
    tape.save(tmp_path / "t.json")
    pieces: list[str] = []
    replayed = TapedModel(Tape.open(tmp_path / "t.json"))
    again = await replayed.complete(chat(), pieces.append)
    assert again == live
    assert replayed.name == "openai:some-model"
    assert (again.text, again.usage, again.finish, again.model) == (said.text, said.usage, "tool_calls", said.model)
    assert [(use.name, use.arguments) for use in again.tool_uses] == [
        (use.name, use.arguments) for use in said.tool_uses
    ]
    assert len({use.id for use in again.tool_uses}) == 2
    assert "".join(pieces) == said.text
    assert len(pieces) > 3


async def test_a_chat_fault_is_replayed(tmp_path: Path) -> None:
    tape = Tape(mode=Mode.RECORD)
    with pytest.raises(ModelError):
        await TapedModel(tape, Model(ModelError("WET-MODEL-BUSY", "Busy.", "Wait."))).complete(chat())
    tape.save(tmp_path / "t.json")
    with pytest.raises(ModelError, match="Busy"):
        await TapedModel(Tape.open(tmp_path / "t.json")).complete(chat())


async def test_recording_twice_writes_the_same_file(tmp_path: Path) -> None:
    requests = [findings("b"), findings("a"), EndpointRequest("medimageinsight", ("text",), (("x",),))]
    await record(tmp_path / "1.json", *requests, answer=lambda request: reply([{"n": request.rows[0][0]}]))
    await record(tmp_path / "2.json", *requests[::-1], answer=lambda request: reply([{"n": request.rows[0][0]}]))
    assert (tmp_path / "1.json").read_bytes() == (tmp_path / "2.json").read_bytes()


# --- refresh


async def both(path: Path, mode: Mode, answer: int) -> Tape:
    tape = Tape(mode=mode) if mode is Mode.RECORD else Tape.open(path, mode)
    model = TapedModel(tape, Model(ChatReply(text=f"t{answer}", model="m")))
    port = TapedEndpoints(tape, Endpoints(lambda request: reply([{"n": answer}])))
    await model.complete(chat())
    await port.score(findings())
    tape.save(path)
    return tape


@pytest.mark.parametrize(
    ("mode", "text", "number"),
    [(Mode.REFRESH_LLM, "t2", 1), (Mode.REFRESH_TOOLS, "t1", 2), (Mode.RECORD, "t2", 2), (Mode.REPLAY, "t1", 1)],
)
async def test_a_refresh_asks_one_seam_and_keeps_the_other(tmp_path: Path, mode: Mode, text: str, number: int) -> None:
    path = tmp_path / "t.json"
    await both(path, Mode.RECORD, 1)
    await both(path, mode, 2)
    tape = Tape.open(path)
    assert (await TapedModel(tape).complete(chat())).text == text
    assert (await TapedEndpoints(tape).score(findings())).rows == [{"n": number}]
    assert tape.faults() == []


async def test_a_refresh_drops_what_is_no_longer_asked(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    await record(path, findings("a"), findings("b"), answer=lambda request: reply([{}]))
    tape = Tape.open(path, Mode.REFRESH_LLM)
    await TapedEndpoints(tape).score(findings("a"))
    assert [entry.request["rows"] for entry in tape.save(path).endpoints] == [[["a"]]]


def test_a_live_seam_needs_something_to_ask() -> None:
    with pytest.raises(TapeError, match="nothing to ask"):
        TapedModel(Tape(mode=Mode.RECORD))


# --- arrays


async def test_masks_come_back_as_arrays_and_the_tape_stays_small(tmp_path: Path) -> None:
    masks = discs()
    rows = [{"image_features": mask_text(masks), "text_features": ["lung", "lung", "heart anatomies"]}]
    request = EndpointRequest("medimageparse", ("text",), (("left lung & right lung & heart",),))
    await record(tmp_path / "tape.json", request, answer=lambda asked: reply(rows))
    files = [tmp_path / "tape.json", *(tmp_path / "blobs").iterdir()]
    assert len(files) == 4
    assert sum(file.stat().st_size for file in files) < 300_000
    answered = await TapedEndpoints(Tape.open(tmp_path / "tape.json")).score(request)
    assert answered.rows[0]["text_features"] == ["lung", "lung", "heart anatomies"]
    np.testing.assert_array_equal(answered.rows[0]["image_features"], masks)


async def test_a_recording_session_gets_what_a_replay_will_give(tmp_path: Path) -> None:
    vectors = np.random.default_rng(5).normal(size=(2, 1024))
    rows = [
        {"image_features": [vectors[0].tolist()], "scaling_factor": 4.5},
        {"text_features": vectors[1].tolist(), "scaling_factor": 4.5},
    ]
    request = EndpointRequest("medimageinsight", ("text",), (("a",), ("b",)))
    tape = Tape(mode=Mode.RECORD)
    live = await TapedEndpoints(tape, Endpoints(lambda asked: reply(rows))).score(request)
    tape.save(tmp_path / "tape.json")
    replayed = await TapedEndpoints(Tape.open(tmp_path / "tape.json")).score(request)
    for one, other in zip(live.rows, replayed.rows, strict=True):
        assert set(one) == set(other)
        for key in one:
            np.testing.assert_array_equal(one[key], other[key])
    assert np.asarray(replayed.rows[0]["image_features"]).shape == (1, 1024)
    np.testing.assert_allclose(np.asarray(replayed.rows[1]["text_features"]), vectors[1], rtol=1e-6)


async def test_blobs_that_nothing_refers_to_are_removed_and_other_files_stay(tmp_path: Path) -> None:
    request = EndpointRequest("medimageparse", ("text",), (("heart",),))
    path = tmp_path / "tape.json"
    await record(path, request, answer=lambda asked: reply([{"image_features": mask_text(discs(1, 64))}]))
    (tmp_path / "blobs" / "note.txt").write_text("mine")
    await record(path, request, answer=lambda asked: reply([{"image_features": mask_text(discs(2, 64)[1:])}]))
    names = {file.name for file in (tmp_path / "blobs").iterdir()}
    assert names == {"note.txt", *names_in(orjson.loads(path.read_bytes()))}
    assert len(names) == 2


async def test_a_missing_or_changed_blob_is_a_clear_error(tmp_path: Path) -> None:
    request = EndpointRequest("medimageparse", ("text",), (("heart",),))
    path = tmp_path / "tape.json"
    await record(path, request, answer=lambda asked: reply([{"image_features": mask_text(discs(1, 64))}]))
    (blob,) = (tmp_path / "blobs").iterdir()
    blob.write_bytes(blob.read_bytes() + b"\0")
    with pytest.raises(TapeError, match="does not hold what was recorded"):
        await TapedEndpoints(Tape.open(path)).score(request)
    blob.unlink()
    path.write_bytes(path.read_bytes() + b"\n")  # another file: not the one that was loaded before
    with pytest.raises(TapeError, match=f"{blob.name}.*cannot be read"):
        await TapedEndpoints(Tape.open(path)).score(request)


@pytest.mark.parametrize(
    "text",
    [
        '{"data": "AAAA", "shape": [3, 1024, 1024], "dtype": "uint8"}' + " " * 300,
        '{"data": "****", "shape": [1, 1, 1], "dtype": "uint8"}' + " " * 300,
        '{"data": "AAAA", "shape": [1, 1, "x"], "dtype": "uint8"}' + " " * 300,
        '{"data": "AAAA", "shape": [1, 1, 3], "dtype": "object"}' + " " * 300,
        "[[]",
        "null",
    ],
)
def test_a_broken_answer_is_kept_as_it_came(text: str) -> None:
    packed, blobs = pack([{"image_features": text}])
    assert blobs == {}
    assert unpack(packed, BlobReader(Path(), blobs)) == [{"image_features": text}]


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(json_values, st.booleans())
def test_packing_loses_nothing(value: Any, spaced: bool) -> None:
    inside = json.dumps(value) if spaced else orjson.dumps(value).decode()
    rows = [{"output": inside, "value": value}]
    packed, blobs = pack(rows)
    kept = orjson.loads(orjson.dumps(packed))
    assert unpack(kept, BlobReader(Path(), blobs)) == rows


def test_an_endpoint_that_answers_with_our_own_marks_is_not_misread() -> None:
    rows = [{"$masks": ["../x.png"], "$json": [1]}, {"deep": {"$array": "x", "at": 0}}]
    packed, blobs = pack(rows)
    assert names_in(packed) == set()
    assert unpack(packed, BlobReader(Path(), blobs)) == rows


# --- the file


@pytest.fixture
async def tape_file(tmp_path: Path) -> Path:
    path = tmp_path / "tape.json"
    await record(path, findings("a"), findings("b"), answer=lambda request: reply([{}]))
    return path


def test_a_file_that_is_no_tape_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "tape.json"
    with pytest.raises(TapeError, match=r"tape\.json cannot be read") as caught:
        load_tape(path)
    assert caught.value.code == "WET-TAPE-MISSING"
    path.write_text('{\n "version": 1,\n "chat": [,]\n}')
    with pytest.raises(TapeError, match=r"tape\.json, line 3: not valid JSON"):
        load_tape(path)
    path.write_text("[1]")
    with pytest.raises(TapeError, match="the file"):
        load_tape(path)
    path.write_text('{"version": 99}')
    with pytest.raises(TapeError, match="version 99") as caught:
        load_tape(path)
    assert caught.value.code == "WET-TAPE-VERSION"


def test_an_edited_request_is_told_with_its_line(tape_file: Path) -> None:
    lines = tape_file.read_text().split("\n")
    (place,) = [number for number, line in enumerate(lines) if line.strip() == '"b"']
    lines[place] = lines[place].replace("b", "c")
    tape_file.write_text("\n".join(lines))
    with pytest.raises(TapeError, match=r"line \d+: endpoints\.\d: the key is not the hash") as caught:
        load_tape(tape_file)
    number = int(caught.value.message.split("line ")[1].split(":")[0])
    assert abs(number - place) < 20


def test_an_unknown_field_is_told(tape_file: Path) -> None:
    tape_file.write_text(tape_file.read_text().replace('"latency_ms"', '"latency"', 1))
    with pytest.raises(TapeError, match=r"line \d+: endpoints\.1\.latency: "):
        load_tape(tape_file)


@given(st.binary(max_size=300))
def test_no_bytes_make_the_reader_fail_otherwise(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_bytes(data)
    try:
        assert isinstance(load_tape(path), TapeContent)
    except TapeError as error:
        assert error.code.startswith("WET-TAPE-")


def test_an_unchanged_tape_is_read_once(tape_file: Path) -> None:
    assert load_tape(tape_file) is load_tape(tape_file)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "tape.json"
    write_atomically(path, b"old")

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", refuse)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer abcDEF123456.789",
        "my key is sk-proj-abcdefghij0123456789",
        "https://x.example.org/score?sig=abcdefgh12345678",
        "AccountKey=abcdefghijklmnop1234567890==",
        "api_key = 0123456789abcdef",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.x",
        "Zx8fQ2mK1nB7vC3aS9dF4gH6jK0lP5oI2uY8tR1eW3q",
    ],
)
async def test_what_looks_like_a_secret_is_never_written(tmp_path: Path, text: str) -> None:
    with pytest.raises(TapeError) as caught:
        await record(tmp_path / "tape.json", findings(text), answer=lambda request: reply([{}]))
    assert caught.value.code == "WET-TAPE-SECRET"
    assert text not in str(caught.value)
    assert files_in(tmp_path) == []


async def test_a_known_secret_is_never_written(tmp_path: Path) -> None:
    tape = Tape(mode=Mode.RECORD)
    await TapedModel(tape, Model(ChatReply(text="as plain as hunter2hunter2", model="m"))).complete(chat())
    with pytest.raises(TapeError, match="looks like a key"):
        tape.save(tmp_path / "tape.json", secrets=["hunter2hunter2"])
    assert files_in(tmp_path) == []


@pytest.mark.parametrize(
    "text",
    [
        "Multiple rounded masses in both lungs, the largest 34 mm.",
        "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "The secret: there is no token economy; see https://example.org/?page=12345678901",
        "sk-1",
    ],
)
def test_ordinary_text_is_no_secret(text: str) -> None:
    refuse_secrets({"a": [{"b": text}]})
