"""A drafted report that review, store and audit are tried on, and the databases that a store may be in."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from wetread.artifacts import ArtifactStore
from wetread.errors import ExportError
from wetread.evidence import Box, Evidence, Ledger, Measurement, ModelVersion, Observation, Region
from wetread.reports.checks import check_report
from wetread.reports.compose import compose, with_issues
from wetread.reports.model import Draft, DraftImpression, DraftStatement, Report
from wetread.reports.template import load_template
from wetread.store import Store
from wetread.study import ImageSource, Study, StudyImage
from wetread.vocabulary import Assertion, Origin, Side, View

# how long something takes is no matter for a test: machines are busy, and tests run side by side
settings.register_profile("wetread", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("wetread")

DRAFTED = datetime(2030, 5, 6, 7, 8, tzinfo=UTC)
MASK = b"\x89PNG not looked at"

NODULE = "There is a nodule in the right upper lung zone."
PNEUMOTHORAX = "There is a large right pneumothorax."
STUDY = Study(
    images=(
        StudyImage(
            handle="image_1",
            modality="DX",
            view=View.PA,
            patient_right_on="left",
            rows=100,
            columns=80,
            source=ImageSource(path=Path("x.dcm"), kind="dicom"),
        ),
    ),
    exam="XR Chest PA",
    indication="Cough.",
)


def saw(text: str, finding: str, system: str, assertion: Assertion, side: Side | None = None) -> Observation:
    box = Region(image="image_1", box=Box(x_min=1, y_min=1, x_max=9, y_max=9), side=side)
    regions = (box,) if assertion is Assertion.PRESENT else ()
    return Observation(text=text, finding=finding, system=system, assertion=assertion, side=side, regions=regions)


def make_draft(*, pneumothorax: bool = False, number: int = 0) -> Report:
    """The draft: S1 lungs, S2 pleura, S3 and S4 heart, S5 impression; E1 a model's, E2 measured by code, E3 a model's.

    `pneumothorax` makes the pleura's statement a critical result; another `number` makes another report.
    """
    ledger = Ledger()
    pleura = PNEUMOTHORAX if pneumothorax else "No pleural effusion or pneumothorax."
    artifacts = make_artifacts(number)
    (mask,) = artifacts.all()

    def close(tool: str, origin: Origin, **fields: object) -> Evidence:
        model = ModelVersion(name="Some model", version="1")
        return ledger.open(tool, {}).close(model=model, origin=origin, status="ok", latency_ms=1.0, **fields)

    close(
        "report_findings",
        Origin.ENDPOINT,
        observations=(
            saw(NODULE, "nodule", "lungs", Assertion.PRESENT, Side.RIGHT),
            saw(pleura, "pneumothorax", "pleura", Assertion.PRESENT, Side.RIGHT)
            if pneumothorax
            else saw(pleura, "pneumothorax", "pleura", Assertion.ABSENT),
            saw("The heart is not enlarged.", "cardiomegaly", "heart", Assertion.ABSENT),
        ),
    )
    close(
        "measure",
        Origin.CODE,
        measurements=(Measurement(name="cardiothoracic_ratio", value=0.4712, unit="1", digits=2),),
        uses=("E1",),
    )
    close("classify", Origin.ENDPOINT, artifacts=(mask.handle,))
    lines = [DraftImpression(text="Nodule in the right upper lung zone.", evidence=("E1",))]
    if pneumothorax:
        lines.insert(0, DraftImpression(text="Large right pneumothorax.", evidence=("E1",)))
    draft = Draft(
        findings=(
            DraftStatement(system="lungs", text=NODULE, evidence=("E1",)),
            DraftStatement(system="pleura", text=pleura, evidence=("E1",)),
            DraftStatement(system="heart", text="The heart is not enlarged.", evidence=("E1",)),
            DraftStatement(
                system="heart", text="The cardiothoracic ratio is {E2.cardiothoracic_ratio}.", evidence=("E2",)
            ),
        ),
        impression=tuple(lines),
        not_assessed=dict.fromkeys(("lines_and_tubes", "mediastinum_and_hila", "bones"), "Nothing looked at it."),
    )
    report = compose(
        draft,
        study=STUDY,
        template=load_template("chest-xray"),
        ledger=ledger,
        artifacts=artifacts,
        now=DRAFTED.replace(second=number % 60, microsecond=number),
        language_model="some-chat-model",
    )
    return with_issues(report, check_report(report, STUDY))


@pytest.fixture(scope="session")
def drafts() -> Callable[[int], tuple[Report, ArtifactStore]]:
    """Makes the draft of a number, another one for each, with its artifacts."""
    return lambda number: (make_draft(number=number), make_artifacts(number))


@pytest.fixture(scope="session")
def draft() -> Report:
    """The draft, without anything that stands against signing it."""
    return make_draft()


@pytest.fixture(scope="session")
def critical_draft() -> Report:
    """The draft with a critical result that nobody was told of."""
    return make_draft(pneumothorax=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server of our own, without a database's name, which the tests add."""
    initdb, pg_ctl = _postgres_program("initdb"), _postgres_program("pg_ctl")
    if initdb is None or pg_ctl is None:
        pytest.skip("no PostgreSQL server is installed (Debian: postgresql)")
    pytest.importorskip("psycopg", reason="psycopg is not installed (extra postgres)")
    # it refuses to run as root; nobody can read the folder of pytest
    owner = {"user": 65534, "group": 65534, "extra_groups": []} if os.getuid() == 0 else {}
    with tempfile.TemporaryDirectory(prefix="wetread-pg-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if owner:
            os.chown(folder, 65534, 65534)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        data = str(folder / "data")
        run = partial(subprocess.run, check=True, capture_output=True, cwd=folder, **owner)
        run([initdb, "-D", data, "-U", "wetread", "--auth=trust", "--no-sync"])
        settings = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder}"
        # its output goes to a file: a pipe would stay open as long as the server runs
        run([pg_ctl, "-D", data, "-o", settings, "-l", str(folder / "log"), "-w", "start"], capture_output=False)
        try:
            yield f"postgresql://wetread@127.0.0.1:{port}"
        finally:
            run([pg_ctl, "-D", data, "-m", "immediate", "stop"])


def _postgres_program(name: str) -> str | None:
    found = shutil.which(name)
    return found or next(map(str, sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)), None)


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where an empty store can be made, on each database in turn."""
    if request.param == "sqlite":
        return str(tmp_path / "store" / "store.db")
    import psycopg

    server = request.getfixturevalue("postgres")
    name = f"t{secrets.token_hex(6)}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"{server}/{name}"


@pytest.fixture
def store(place: str, tmp_path: Path) -> Iterator[Store]:
    """An empty store."""
    with Store.open(place, artifacts=tmp_path / "artifacts") as opened:
        yield opened


def make_artifacts(number: int = 0) -> ArtifactStore:
    """The artifacts of `make_draft(number=number)`."""
    artifacts = ArtifactStore()
    artifacts.put("mask", MASK + bytes([number % 256, number // 256]), "image/png", "right lung")
    return artifacts


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Iterator[None]:
    """The PDF export needs a library of the system's: its tests are skipped where that is not installed."""
    try:
        return (yield)
    except ExportError as error:
        if error.code == "WET-EXPORT-PANGO":
            pytest.skip(str(error))
        raise
