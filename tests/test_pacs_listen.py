"""A listening node: what it takes in, what it refuses and how, and that nothing it acknowledged is lost."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from wetread.apps.cli import main
from wetread.apps.pacs import node as node_module
from wetread.apps.pacs.destination import NodeDestination
from wetread.apps.pacs.drafting import Orders, work
from wetread.apps.pacs.node import Node, transfer_syntaxes
from wetread.apps.pacs.results import Outgoing, SendResult, Sent
from wetread.apps.pacs.spool import Full, Instance, OtherPatient, Spool
from wetread.config import Settings
from wetread.errors import PacsError
from wetread.scenarios.scenario import BUILT_IN
from wetread.testing.dicom import COMPRESSIONS, write_dicom
from wetread.testing.phantom import chest_phantom

pytest.importorskip("pynetdicom", reason="the extra pacs is not installed")

RUN = [sys.executable, "-c", "import sys; from wetread.apps.cli import main; sys.exit(main())"]
RG1 = BUILT_IN / "studies" / "rg1" / "rg1.dcm"
ROE = {"PatientName": "Roe^Jane", "PatientID": "MRN-4711", "PatientBirthDate": "19600102"}
DOE = {"PatientName": "Doe^John", "PatientID": "MRN-0815", "PatientBirthDate": "19500304"}


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder and no settings."""
    for name in [name for name in os.environ if name.startswith(("WETREAD_", "OPENAI_", "AZURE_", "HLS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def radiograph(folder: Path, study: str, seed: int = 1, **elements: Any) -> Dataset:
    """A frontal chest radiograph of a study."""
    pixels = np.asarray(chest_phantom(seed=seed).pixels, dtype=np.uint16)
    path = folder / f"{study}-{seed}.dcm"
    write_dicom(path, pixels, view="PA", bits=16, elements={**ROE, "StudyInstanceUID": study, **elements})
    return dcmread(path)


class Sender:
    """Another node that stores instances."""

    def __init__(self, port: int) -> None:
        self.port = port

    @contextmanager
    def association(self, *datasets: Dataset, calling: str = "MODALITY") -> Iterator[Any]:
        from pynetdicom import AE

        entity = AE(calling)
        entity.add_requested_context("1.2.840.10008.1.1")
        for dataset in datasets:
            entity.add_requested_context(dataset.SOPClassUID, dataset.file_meta.TransferSyntaxUID)
        made = entity.associate("127.0.0.1", self.port)
        try:
            yield made
        finally:
            if made.is_established:
                made.release()

    def send(self, *datasets: Dataset) -> list[int]:
        with self.association(*datasets) as made:
            return [made.send_c_store(dataset).Status for dataset in datasets]


class Running:
    def __init__(self, spool: Spool, sender: Sender, said: list[str]) -> None:
        self.spool, self.sender, self.said = spool, sender, said


@pytest.fixture
def start(bare: Path) -> Iterator[Callable[..., Running]]:
    """Starts a node with a spool."""
    nodes: list[tuple[Node, Spool]] = []

    def begin(*, allow: tuple[str, ...] = (), **limits: Any) -> Running:
        spool = Spool(bare / "spool", **{"quiet_s": 0.3, **limits})
        said: list[str] = []
        node = Node(spool, title="WETREAD", allow=allow, tell=said.append)
        nodes.append((node, spool))
        return Running(spool, Sender(node.start("127.0.0.1", 0)), said)

    yield begin
    for node, spool in nodes:
        node.stop()
        spool.close()


def orders(bare: Path, **other: Any) -> Orders:
    given: dict[str, Any] = {
        "settings": Settings(),
        "workspace": bare,
        "simulated": True,
        "template": None,
        "view": None,
        "out": bare / "out",
        "store": None,
        "send_to": None,
        "keep": False,
    }
    return Orders(**{**given, **other})


async def drafts(running: Running, told: Orders, studies: int) -> list[str]:
    """Draft until so many studies are done with; returns what was said."""
    said: list[str] = []
    task = asyncio.create_task(work(running.spool, told, said.append))
    try:
        async with asyncio.timeout(120):
            while sum(("drafted" in line or "Its files are in" in line) for line in said) < studies:
                assert not task.done(), task.exception()
                await asyncio.sleep(0.05)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    return said


# --- what it takes in


def test_it_answers_an_echo_and_takes_every_syntax_that_can_be_decoded(
    start: Callable[..., Running], bare: Path
) -> None:
    running = start()
    stored = np.arange(64 * 64, dtype=np.uint8).reshape(64, 64)
    sent = []
    for number, compression in enumerate(COMPRESSIONS, 1):
        path = write_dicom(bare / f"{number}.dcm", stored, bits=8, compression=compression)
        sent.append(dcmread(path))
    with running.sender.association() as made:
        assert made.send_c_echo().Status == 0x0000
    for dataset in sent:
        assert running.sender.send(dataset) == [0x0000], dataset.file_meta.TransferSyntaxUID.name
    files = list((bare / "spool" / "incoming").rglob("*.dcm"))
    assert {str(dcmread(file).file_meta.TransferSyntaxUID) for file in files} <= set(transfer_syntaxes())
    assert len(files) == len({str(dataset.SOPInstanceUID) for dataset in sent})


@pytest.mark.slow
async def test_two_studies_at_once_are_two_reports(start: Callable[..., Running], bare: Path) -> None:
    running = start()
    first = [radiograph(bare, "1.2.1", seed) for seed in (1, 2)]
    second = [radiograph(bare, "1.2.2", seed, **DOE) for seed in (3, 4)]

    def interleaved() -> None:
        with running.sender.association(first[0]) as one, running.sender.association(second[0]) as other:
            for mine, theirs in zip(first, second, strict=True):
                assert one.send_c_store(mine).Status == other.send_c_store(theirs).Status == 0x0000

    await asyncio.to_thread(interleaved)
    said = await drafts(running, orders(bare, store=str(bare / "s.db")), 2)
    reports = [json.loads(path.read_bytes()) for path in (bare / "out").rglob("report.json")]
    assert [len(report["images"]) for report in reports] == [2, 2]
    assert main(["reports", "--store", str(bare / "s.db")]) == 0
    assert not [path for path in (bare / "spool").rglob("*") if path.name != ".lock" and path.is_file()]
    text = " ".join(said + running.said)
    assert all(word not in text for word in ("Roe", "Doe", "MRN", "1.2.1", "1.2.2"))


@pytest.mark.slow
async def test_a_study_may_be_kept_and_results_sent_on(start: Callable[..., Running], bare: Path) -> None:
    from pynetdicom import AE, AllStoragePresentationContexts, evt

    running = start()
    got: list[Dataset] = []

    def take(event: Any) -> int:
        got.append(event.dataset)
        return 0x0000

    pacs = AE("PACS")
    pacs.supported_contexts = AllStoragePresentationContexts
    server = pacs.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, take)])
    try:
        assert await asyncio.to_thread(running.sender.send, dcmread(RG1)) == [0x0000]
        to = NodeDestination("127.0.0.1", server.socket.getsockname()[1], "PACS")
        said = await drafts(running, orders(bare, keep=True, send_to=to), 1)
    finally:
        pacs.shutdown()
    assert "5 objects stored at 127.0.0.1" in said[-1]
    assert sorted(dataset.Modality for dataset in got) == ["DOC", "PR", "SEG", "SR", "SR"]
    assert {dataset.StudyInstanceUID for dataset in got} == {dcmread(RG1).StudyInstanceUID}
    (kept,) = (bare / "spool" / "kept").rglob("*.dcm")
    assert dcmread(kept) == dcmread(RG1)


@pytest.mark.slow
async def test_what_cannot_be_sent_or_drafted_is_set_aside_and_the_next_study_goes_on(
    start: Callable[..., Running], bare: Path
) -> None:
    running = start()
    unseen = radiograph(bare, "1.2.1", ViewPosition=None)
    assert await asyncio.to_thread(running.sender.send, unseen) == [0x0000]
    (line,) = [one for one in await drafts(running, orders(bare), 1) if "WET-" in one]
    assert "WET-INPUT-TEMPLATE: " in line
    assert await asyncio.to_thread(running.sender.send, dcmread(RG1)) == [0x0000]
    nobody = NodeDestination("127.0.0.1", 9, "PACS")
    said = await drafts(running, orders(bare, send_to=nobody), 1)
    assert "WET-PACS-CONNECT: " in said[-1]
    assert len(list((bare / "out").rglob("report.json"))) == 1
    aside = sorted((bare / "spool" / "failed").iterdir())
    assert len(aside) == 2
    read = ["read", str(aside[0]), "--view", "PA", "--simulated"]
    assert await asyncio.to_thread(main, read) == 0
    (report,) = (bare / "out").rglob("report.json")
    assert main(["export", str(report), "--to", "dicom-sr", "--study", str(aside[1])]) == 0


@pytest.mark.slow
async def test_a_view_is_given_to_what_has_none_and_to_nothing_else(start: Callable[..., Running], bare: Path) -> None:
    running = start()
    for one in (radiograph(bare, "1.2.1", ViewPosition=None), radiograph(bare, "1.2.2", ViewPosition="AP")):
        assert await asyncio.to_thread(running.sender.send, one) == [0x0000]
    said = await drafts(running, orders(bare, view="PA"), 2)
    assert not [line for line in said if "WET-" in line]
    reports = [json.loads(path.read_bytes()) for path in (bare / "out").rglob("report.json")]
    assert sorted(report["images"][0]["view"] for report in reports) == ["AP", "PA"]


class Killed(BaseException):
    pass


@dataclass
class Dying:
    """A destination that has stored everything when the node is killed, and then lives."""

    dead: bool = True
    stored: list[str] = field(default_factory=list)

    def send(self, objects: Sequence[Outgoing], settings: Any) -> SendResult:
        self.stored += [one.sop_instance for one in objects]
        if self.dead:
            raise Killed
        return SendResult(to="pacs", objects=tuple(Sent(name=one.name, outcome="stored") for one in objects))


@pytest.mark.slow
async def test_killed_while_results_are_sent_it_sends_the_same_ones_again(
    start: Callable[..., Running], bare: Path
) -> None:
    running = start()
    assert await asyncio.to_thread(running.sender.send, dcmread(RG1)) == [0x0000]
    to: Any = Dying()
    with pytest.raises(Killed):
        await work(running.spool, orders(bare, send_to=to), lambda line: None)
    first = json.loads(next((bare / "out").rglob("report.json")).read_bytes())
    to.dead = False
    said = await drafts(running, orders(bare, send_to=to), 1)
    assert "drafted before, 5 objects stored at pacs" in said[-1]
    assert len(to.stored) == 10 and set(to.stored[:5]) == set(to.stored[5:])
    assert json.loads(next((bare / "out").rglob("report.json")).read_bytes()) == first
    assert not [path for path in (bare / "spool").rglob("*") if path.name != ".lock" and path.is_file()]


# --- what it refuses


def test_another_patient_in_the_same_study_is_refused(start: Callable[..., Running], bare: Path) -> None:
    running = start()
    mine, theirs = radiograph(bare, "1.2.1", 1), radiograph(bare, "1.2.1", 2, **DOE)
    nameless = radiograph(bare, "1.2.1", 3, PatientName=None, PatientID=None, PatientBirthDate=None)
    assert running.sender.send(mine, theirs, nameless) == [0x0000, 0xA900, 0x0000]
    assert len(list((bare / "spool").rglob("*.dcm"))) == 2
    assert running.said == ["An instance was refused: it names another patient than its study (A900)."]


def test_what_cannot_be_understood_is_refused(start: Callable[..., Running], bare: Path) -> None:
    running = start()
    lacking = radiograph(bare, "1.2.1")
    del lacking.StudyInstanceUID
    wrong = radiograph(bare, "1.2.1", 2)
    with pytest.warns(UserWarning, match="UI"):
        wrong.StudyInstanceUID = "../../etc"
    assert running.sender.send(lacking, wrong) == [0xC000, 0xC000]
    assert not list((bare / "spool").rglob("*.dcm"))


def test_no_room_is_said_so_and_later_there_is(
    start: Callable[..., Running], bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = radiograph(bare, "1.2.1")
    running = start(max_bytes=1000)
    assert running.sender.send(image) == [0xA700]
    running.spool._max_bytes = 10**9

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("wetread.apps.pacs.spool.os.fsync", full)
        assert running.sender.send(image) == [0xA700]
    assert [path for path in (bare / "spool" / "incoming").rglob("*") if path.is_file()] == []
    assert running.sender.send(image) == [0x0000]
    assert all("room" in line or "written" in line for line in running.said)


def test_an_instance_without_end_ends_the_association(
    start: Callable[..., Running], bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_module, "MAX_INSTANCE_BYTES", 200_000)
    running = start()
    big = write_dicom(bare / "big.dcm", np.zeros((2000, 2000), np.uint16), elements=ROE)
    small = write_dicom(bare / "small.dcm", np.zeros((100, 100), np.uint16), elements=ROE)
    with running.sender.association(dcmread(big)) as made:
        answer = made.send_c_store(dcmread(big))
        assert "Status" not in answer
    assert running.sender.send(dcmread(small), dcmread(small)) == [0x0000, 0x0000]
    assert len(list((bare / "spool").rglob("*.dcm"))) == 1


def test_only_those_on_the_list_may_call(start: Callable[..., Running], bare: Path) -> None:
    running = start(allow=("MODALITY",))
    with running.sender.association(calling="STRANGER") as made:
        assert made.is_rejected
    assert running.sender.send(radiograph(bare, "1.2.1")) == [0x0000]
    (line,) = running.said
    assert line.startswith("An association of 'STRANGER' was refused: ")


# --- the spool


def instance(study: str = "1.2", number: str = "1", size: int = 10, **patient: str) -> Instance:
    return Instance(study, f"1.2.{number}", patient, bytes(size))


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_study_is_complete_when_it_was_quiet_after_its_association_ended(tmp_path: Path) -> None:
    clock = Clock()
    spool = Spool(tmp_path / "spool", quiet_s=10, clock=clock)
    spool.add(instance(), "a")
    clock.now = 100
    assert spool.complete() == [], "its association goes on"
    spool.add(instance(number="2"), "b")
    spool.ended("b")
    spool.ended("a")
    clock.now = 109
    assert spool.complete() == []
    spool.add(instance(number="3"), "c")
    clock.now = 111
    spool.ended("c")
    clock.now = 120
    assert spool.complete() == []
    clock.now = 121
    (name,) = spool.complete()
    study = spool.next()
    assert study is not None and (study.name, study.instances) == (name, 3)
    spool.add(instance(number="4"), "d")  # comes late: it waits by itself
    spool.drafted(study, keep=False)
    assert spool.next() is None and spool.waiting() == (1, 0)
    spool.close()


def test_what_was_left_by_a_killed_process_is_taken_up_and_parts_are_not(tmp_path: Path) -> None:
    clock = Clock()
    spool = Spool(tmp_path / "spool", quiet_s=10, clock=clock)
    spool.add(instance("1.2", patient="x"), "a")
    spool.add(instance("1.3"), "a")
    spool.ended("a")
    clock.now = 20
    assert len(spool.complete()) == 2
    spool.add(instance("1.4", patient="x"), "b")
    part = next((tmp_path / "spool" / "incoming").iterdir()) / ".x.dcm.part"
    part.write_bytes(b"half")
    spool.close()
    again = Spool(tmp_path / "spool", quiet_s=10, clock=clock)
    assert not part.exists() and again.waiting() == (1, 2)
    assert again.complete() == []
    with pytest.raises(OtherPatient):
        again.add(instance("1.4", "9", patient="y"), "c")
    clock.now = 31
    assert len(again.complete()) == 1 and again.waiting() == (0, 3)
    again.close()


def test_killed_while_a_done_study_is_removed_nothing_of_it_is_drafted_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    spool = Spool(tmp_path / "spool", quiet_s=1, clock=clock)
    for number in "123":
        spool.add(instance(number=number), "a")
    spool.ended("a")
    clock.now = 5
    spool.complete()
    study = spool.next()
    assert study is not None

    def killed(folder: Path) -> None:
        next(folder.glob("*.dcm")).unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("wetread.apps.pacs.spool.shutil.rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            spool.drafted(study, keep=False)
    spool.close()
    again = Spool(tmp_path / "spool", quiet_s=1, clock=clock)
    assert again.next() is None and again.waiting() == (0, 0)
    assert not list((tmp_path / "spool").rglob("*.dcm"))
    again.close()


def test_a_folder_is_used_by_one_alone_and_closed_to_others(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", quiet_s=1)
    assert (tmp_path / "spool").stat().st_mode & 0o077 == 0
    with pytest.raises(PacsError) as error:
        Spool(tmp_path / "spool", quiet_s=1)
    assert error.value.code == "WET-PACS-SPOOL"
    spool.close()
    Spool(tmp_path / "spool", quiet_s=1).close()
    (tmp_path / "file").write_text("x")
    with pytest.raises(PacsError):
        Spool(tmp_path / "file", quiet_s=1)


def test_limits_are_of_what_is_there_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    spool = Spool(tmp_path / "spool", quiet_s=1, max_bytes=1000, clock=clock)
    spool.add(instance(size=600), "a")
    spool.add(instance(size=400), "a")  # the same again, in its place
    with pytest.raises(Full):
        spool.add(instance(number="2", size=700), "a")
    spool.add(instance(number="2", size=500), "a")
    spool.ended("a")
    clock.now = 5
    spool.complete()
    study = spool.next()
    assert study is not None
    spool.drafted(study, keep=False)
    spool.add(instance("1.3", size=1000), "a")
    monkeypatch.setattr("wetread.apps.pacs.spool.MAX_STUDIES", 1)
    with pytest.raises(Full):
        spool.add(instance("1.4", size=0), "a")
    spool.close()


# --- the command


@pytest.fixture
def listening(bare: Path) -> Iterator[Callable[..., tuple[subprocess.Popen[str], int, list[str]]]]:
    running: list[subprocess.Popen[str]] = []

    def begin(*options: str) -> tuple[subprocess.Popen[str], int, list[str]]:
        process = subprocess.Popen(
            [*RUN, "listen", "--simulated", "--port", "0", "--out", "out", *options],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        running.append(process)
        lines: list[str] = []
        ready = threading.Event()

        def follow() -> None:
            assert process.stderr is not None
            for line in process.stderr:
                lines.append(line)
                if "Listening as" in line:
                    ready.set()
            ready.set()

        threading.Thread(target=follow, daemon=True).start()
        assert ready.wait(60) and process.poll() is None, lines
        line = next(line for line in lines if "Listening as" in line)
        return process, int(line.partition(" at 127.0.0.1:")[2].partition(";")[0]), lines

    yield begin
    for process in running:
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


def wait_for(lines: list[str], words: str) -> None:
    pause = threading.Event()
    for _ in range(1200):
        if any(words in line for line in lines):
            return
        pause.wait(0.05)
    raise AssertionError(lines)


@pytest.mark.slow
def test_killed_half_way_it_drafts_what_it_had_acknowledged_when_it_is_started_anew(
    listening: Callable[..., tuple[subprocess.Popen[str], int, list[str]]], bare: Path
) -> None:
    process, port, _ = listening("--quiet", "3600")
    assert Sender(port).send(radiograph(bare, "1.2.77")) == [0x0000]
    process.kill()
    process.wait()
    process, _, lines = listening("--quiet", "0.2", "--store", "s.db")
    wait_for(lines, ": drafted")
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    wait_for(lines, "Cancelled.")
    (report,) = (bare / "out").rglob("report.json")
    assert len(json.loads(report.read_bytes())["images"]) == 1
    said = "".join(lines)
    assert "Found there from before: 0 complete, 1 that may still be coming." in said
    assert "Traceback" not in said
    assert all(word not in said for word in ("Roe", "MRN", "1.2.77", "1960"))


@pytest.mark.slow
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_ended_while_a_study_waits_it_leaves_it_for_the_next_start(
    listening: Callable[..., tuple[subprocess.Popen[str], int, list[str]]], bare: Path, ending: signal.Signals
) -> None:
    process, port, lines = listening("--quiet", "3600")
    with Sender(port).association(radiograph(bare, "1.2.77")) as made:
        assert made.send_c_store(radiograph(bare, "1.2.77")).Status == 0x0000
        process.send_signal(ending)
        assert process.wait(60) == 130
    wait_for(lines, "Left in .wetread/spool for the next start: 1")
    assert len(list((bare / ".wetread" / "spool" / "incoming").rglob("*.dcm"))) == 1


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--quiet", "0"], "WET-INPUT-OPTION"),
        (["--aet", "a title that is too long"], "WET-INPUT-PACS"),
        (["--send-to", "https://pacs.example.org"], "WET-INPUT-PACS"),
        (["--send-to", "dicomweb+http://pacs.example.org"], "WET-INPUT-PACS"),
        (["--port", "99999"], "WET-INPUT-ADDRESS"),
        (["--host", "256.0.0.1"], "WET-INPUT-ADDRESS"),
        (["--out", "file/below"], "WET-INPUT-OUT"),
        (["--template", "no-such"], "WET-CONFIG-TEMPLATE"),
    ],
)
def test_what_cannot_work_is_told_at_the_start(
    bare: Path, capsys: pytest.CaptureFixture[str], options: list[str], code: str
) -> None:
    (bare / "file").write_text("x")
    assert main(["listen", "--simulated", "--port", "0", *options]) == 2
    out, err = capsys.readouterr()
    assert out == "" and code in err and "Traceback" not in err


def test_without_endpoints_it_does_not_even_listen(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["listen", "--port", "0"]) == 2
    assert capsys.readouterr().err.startswith("WET-CONFIG-ENDPOINTS: ")
