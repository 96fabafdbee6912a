"""Bad input: one line that says what, where and what to do, with a code of its own, and never a header's words."""

from __future__ import annotations

import logging
import os
import struct
import warnings
import zlib
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from wetread.errors import InputError
from wetread.imaging.bank import ImageBank
from wetread.study_reading import read_study
from wetread.testing.dicom import COMPRESSIONS, write_dicom
from wetread.testing.phantom import Phantom, chest_phantom

NAMED = {"PatientName": "Quibblewick^Zebedee", "PatientID": "ZX-4471-QQ"}


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return chest_phantom(96, 80)


@pytest.fixture
def dicom(phantom: Phantom, tmp_path: Path) -> Path:
    return phantom.write_dicom(tmp_path / "image.dcm", elements=NAMED)


def refused(*paths: Path, **options: object) -> InputError:
    with pytest.raises(InputError) as caught:
        read_study(list(paths), **options)  # type: ignore[arg-type]
    line = caught.value.line()
    assert "\n" not in line
    # A mistake in a YAML value says what is expected there; all others say what to do.
    assert caught.value.hint or caught.value.code == "WET-INPUT-YAML"
    assert not any(word in line.lower() for word in ("quibblewick", "zebedee", "4471"))
    return caught.value


def changed(path: Path, change: Callable[[pydicom.FileDataset], None]) -> Path:
    dataset = pydicom.dcmread(path)
    change(dataset)
    dataset.save_as(path)
    return path


def test_missing(tmp_path: Path) -> None:
    error = refused(tmp_path / "none.dcm")
    assert error.code == "WET-INPUT-MISSING"
    assert "none.dcm" in error.message
    assert refused(tmp_path / "none.dcm" / "x").code == "WET-INPUT-MISSING"
    assert refused(tmp_path / "bad\0name").code in ("WET-INPUT-MISSING", "WET-INPUT-UNREADABLE")
    assert refused().code == "WET-INPUT-EMPTY"


def test_empty(tmp_path: Path) -> None:
    (tmp_path / "empty.dcm").touch()
    assert refused(tmp_path / "empty.dcm").code == "WET-INPUT-EMPTY"
    (tmp_path / "folder" / "deeper").mkdir(parents=True)
    assert refused(tmp_path / "folder").code == "WET-INPUT-EMPTY"


@pytest.mark.parametrize("name", ["x.dcm", "x.txt"])
def test_not_an_image(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("hello " * 100)
    assert refused(tmp_path / name).code == "WET-INPUT-NOTIMAGE"
    assert refused(tmp_path).code == ("WET-INPUT-NOTIMAGE" if name == "x.dcm" else "WET-INPUT-NOIMAGE")


def test_names_in_folders_are_not_shown(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "Quibblewick_Zebedee.dcm").write_text("hello " * 100)
    assert "file 1 of 1" in refused(tmp_path / "a").message


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_truncated_anywhere(phantom: Phantom, tmp_path: Path, compression: str) -> None:
    path = phantom.write_dicom(
        tmp_path / "x.dcm",
        bits=8 if compression == "jpeg" else 12,
        compression=compression,  # type: ignore[arg-type]
        elements=NAMED,
    )
    whole = path.read_bytes()
    for share in (0.97, 0.8, 0.5, 0.1, 0.01):
        path.write_bytes(whole[: int(len(whole) * share)])
        assert refused(path).code in (
            "WET-INPUT-TRUNCATED",
            "WET-INPUT-NOPIXELS",
            "WET-INPUT-DICOM",
            "WET-INPUT-NOTIMAGE",
        )
    path.write_bytes(whole[:-40])
    assert refused(path).code in ("WET-INPUT-TRUNCATED", "WET-INPUT-DICOM")


def test_damaged_where_only_decoding_can_tell(phantom: Phantom, tmp_path: Path) -> None:
    path = phantom.write_dicom(tmp_path / "x.dcm", compression="jpeg-ls", elements=NAMED)
    data = bytearray(path.read_bytes())
    start = data.index(b"\xff\xd8\xff") + 60
    data[start : start + 400] = b"\xff\xfe" * 200
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        ImageBank(read_study([path])).pixels_now("image_1")
    assert caught.value.code == "WET-INPUT-DECODE"


def test_no_pixels(dicom: Path) -> None:
    changed(dicom, lambda dataset: dataset.__delattr__("PixelData"))
    assert refused(dicom).code == "WET-INPUT-NOPIXELS"
    assert refused(dicom.parent).code == "WET-INPUT-NOPIXELS"
    changed(dicom, lambda dataset: dataset.__delattr__("Rows"))
    assert refused(dicom).code == "WET-INPUT-NOPIXELS"


def test_a_wrong_size_in_the_header(dicom: Path) -> None:
    changed(dicom, lambda dataset: setattr(dataset, "Rows", 4000))
    assert refused(dicom).code == "WET-INPUT-TRUNCATED"


def test_a_compression_nobody_decodes(dicom: Path) -> None:
    data = dicom.read_bytes().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.9\0")
    dicom.write_bytes(data)
    assert refused(dicom).code == "WET-INPUT-SYNTAX"


def test_too_small(tmp_path: Path) -> None:
    write_dicom(tmp_path / "x.dcm", np.zeros((1, 1), np.uint16))
    Image.new("L", (1, 1)).save(tmp_path / "x.png")
    assert refused(tmp_path / "x.dcm").code == "WET-INPUT-SMALL"
    assert refused(tmp_path / "x.png").code == "WET-INPUT-SMALL"


def bomb(rows: int, columns: int) -> bytes:
    """A PNG that says it is huge, and is a few bytes long."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", columns, rows, 8, 0, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("side", [9_500, 30_000, 65_000])
def test_decompression_bombs_are_refused_by_their_header(tmp_path: Path, dicom: Path, side: int) -> None:
    (tmp_path / "x.png").write_bytes(bomb(side, side))
    assert refused(tmp_path / "x.png").code == "WET-INPUT-LARGE"

    def grow(dataset: pydicom.FileDataset) -> None:
        dataset.Rows = dataset.Columns = side

    assert refused(changed(dicom, grow)).code == "WET-INPUT-LARGE"


def test_too_many_frames(tmp_path: Path) -> None:
    write_dicom(tmp_path / "x.dcm", np.zeros((513, 16, 16), np.uint16))
    pages = [Image.new("L", (16, 16)) for _ in range(513)]
    pages[0].save(tmp_path / "x.tiff", save_all=True, append_images=pages[1:])
    assert refused(tmp_path / "x.dcm").code == "WET-INPUT-FRAMES"
    assert refused(tmp_path / "x.tiff").code == "WET-INPUT-FRAMES"


@pytest.mark.parametrize("suffix", ["png", "jpg", "tiff"])
def test_damaged_pictures(phantom: Phantom, tmp_path: Path, suffix: str) -> None:
    path = phantom.write_png(tmp_path / f"x.{suffix}")
    path.write_bytes(path.read_bytes()[:-600])
    assert refused(path).code == "WET-INPUT-PICTURE"


def test_a_corrupt_jpeg(phantom: Phantom, tmp_path: Path) -> None:
    path = phantom.write_png(tmp_path / "x.jpg")
    data = bytearray(path.read_bytes())
    data[2:] = b"\xff\xc0" + bytes(len(data) - 4)
    path.write_bytes(data)
    assert refused(path).code == "WET-INPUT-PICTURE"


def test_values_that_are_no_numbers(tmp_path: Path) -> None:
    values = np.zeros((30, 30), np.float32)
    values[3, 3] = np.nan
    Image.fromarray(values).save(tmp_path / "x.tiff")
    with pytest.raises(InputError) as caught:
        ImageBank(read_study([tmp_path / "x.tiff"])).pixels_now("image_1")
    assert caught.value.code == "WET-INPUT-PIXELS"


@pytest.mark.parametrize(
    "elements",
    [
        {"PatientID": "ZX-4471-RR"},
        {"PatientID": "ZX-4471-QQ", "PatientBirthDate": "19500101"},
        {"PatientID": None, "PatientName": "Sneddleworth^Ada"},
    ],
)
def test_two_patients(phantom: Phantom, tmp_path: Path, elements: dict[str, str | None]) -> None:
    phantom.write_dicom(tmp_path / "a.dcm", elements={**NAMED, "PatientBirthDate": "19401231"})
    other = chest_phantom(64).write_dicom(tmp_path / "b.dcm", elements={**NAMED, **elements})
    assert refused(tmp_path).code == "WET-INPUT-PATIENTS"
    assert refused(tmp_path / "a.dcm", prior=[other]).code == "WET-INPUT-PATIENTS"


def test_who_is_not_named_may_be_somebody_else(phantom: Phantom, tmp_path: Path) -> None:
    phantom.write_dicom(tmp_path / "a.dcm", elements=NAMED)
    assert read_study([tmp_path]).warnings == ()
    chest_phantom(64).write_dicom(tmp_path / "b.dcm", elements={"PatientID": None, "PatientName": None})
    assert [one for one in read_study([tmp_path]).warnings if "whether the images are of one" in one]


def test_two_studies_of_days_that_are_not_known(phantom: Phantom, tmp_path: Path) -> None:
    phantom.write_dicom(tmp_path / "a.dcm")
    undated = {"StudyDate": None, "AcquisitionDate": None, "SeriesDate": None, "ContentDate": None}
    chest_phantom(64).write_dicom(tmp_path / "b.dcm", elements={**undated, "StudyInstanceUID": "2.25.9"})
    assert read_study([tmp_path]).warnings == ("The images belong to 2 studies, whose days are not all known.",)


def test_two_studies(phantom: Phantom, tmp_path: Path) -> None:
    phantom.write_dicom(tmp_path / "a.dcm")
    phantom.write_dicom(tmp_path / "b.dcm", study_date=date(2024, 1, 1))
    error = refused(tmp_path)
    assert error.code == "WET-INPUT-STUDIES"
    assert "--prior" in error.hint


def test_text_that_is_not_utf8(dicom: Path, tmp_path: Path) -> None:
    report = tmp_path / "prior.txt"
    for data, code in (
        ("Größe".encode("latin-1"), "WET-INPUT-ENCODING"),
        (b"abc\0def", "WET-INPUT-ENCODING"),
        (b" \n ", "WET-INPUT-EMPTY"),
        (b"", "WET-INPUT-EMPTY"),
        (b"x" * 1_000_001, "WET-INPUT-LONG"),
    ):
        report.write_bytes(data)
        assert refused(dicom, prior_report=report).code == code
    assert refused(dicom, prior_report=tmp_path / "none.txt").code == "WET-INPUT-MISSING"
    assert refused(dicom, prior_report=tmp_path).code == "WET-INPUT-UNREADABLE"


def test_views(phantom: Phantom, tmp_path: Path) -> None:
    one, two = phantom.write_png(tmp_path / "1.png"), phantom.write_png(tmp_path / "2.png")
    assert "lateral" in refused(one, view="sideways").hint
    assert "study.yaml" in refused(one, two, view="PA").hint


YAML_MISTAKES = [
    ("indicaton: cough", "line 1", "indication"),
    ("exam: x\nimages:\n  - {file: image.dcm, vew: PA}", "line 3", "view"),
    ("exam: [", "line", ""),
    ("- a\n- b", "line 1", ""),
    ("", "study.yaml", ""),
    ("images: [{view: PA}]", "line 1", "file"),
    ("images: [{file: image.dcm, view: sideways}]", "line 1", "lateral"),
    ("images: [{file: image.dcm, role: older}]", "line 1", "current"),
    ("images: [{file: image.dcm, modality: '../x'}]", "line 1", ""),
    ("images: [{file: image.dcm, date: yesterday}]", "line 1", "date"),
    ("age: old", "line 1", ""),
    ("age: 400", "line 1", ""),
    ("sex: Q", "line 1", ""),
    ("exam: a\nexam: b", "line 2", "twice"),
    ("prior_report: {date: 2020-01-01}", "line 1", "file"),
    ("prior_report: {file: a, text: b}", "line 1", "file"),
    ("exam: !!python/object/apply:os.system [ls]", "line 1", ""),
    ("a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nexam: *c", "line", ""),
    ("exam: &a [*a]", "line 1", ""),
    ("[" * 3000, "study.yaml", ""),
]


@pytest.mark.parametrize(("text", "place", "word"), YAML_MISTAKES)
def test_mistakes_in_study_yaml(dicom: Path, text: str, place: str, word: str) -> None:
    (dicom.parent / "study.yaml").write_text(text)
    error = refused(dicom.parent)
    assert error.code == "WET-INPUT-YAML"
    assert "study.yaml" in error.message
    assert place in error.message
    assert word in str(error)


def test_a_study_yaml_in_another_encoding(dicom: Path) -> None:
    (dicom.parent / "study.yaml").write_bytes("indication: Größe".encode("latin-1"))
    assert refused(dicom.parent).code == "WET-INPUT-YAML"


def test_files_listed_and_not_there(dicom: Path) -> None:
    sheet = dicom.parent / "study.yaml"
    sheet.write_text("images:\n  - {file: none.png}")
    error = refused(dicom.parent)
    assert error.code == "WET-INPUT-MISSING"
    assert "line 2" in error.message
    sheet.write_text("prior_report: {file: none.txt}")
    assert refused(dicom.parent).code == "WET-INPUT-MISSING"


@pytest.mark.parametrize("name", ["../outside.png", "/etc/hostname", "link.png", "a/../../outside.png"])
@pytest.mark.parametrize("form", ["images: [{{file: '{}'}}]", "prior_report: {{file: '{}'}}"])
def test_files_outside_the_folder(phantom: Phantom, tmp_path: Path, name: str, form: str) -> None:
    folder = tmp_path / "study"
    folder.mkdir()
    phantom.write_png(tmp_path / "outside.png")
    (folder / "link.png").symlink_to(tmp_path / "outside.png")
    (folder / "study.yaml").write_text(form.format(name))
    assert refused(folder).code == "WET-INPUT-ESCAPE"


def test_a_study_yaml_and_other_paths(dicom: Path, phantom: Phantom, tmp_path: Path) -> None:
    (dicom.parent / "study.yaml").write_text("exam: Chest")
    assert refused(dicom.parent, phantom.write_png(tmp_path / "x.png")).code == "WET-INPUT-YAML"


def test_loops_of_links(dicom: Path, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "self").symlink_to(tmp_path / "self")
    (tmp_path / "dangling.dcm").symlink_to(tmp_path / "nowhere")
    assert len(read_study([tmp_path]).images) == 1
    assert refused(tmp_path / "self").code in ("WET-INPUT-MISSING", "WET-INPUT-UNREADABLE")
    assert refused(tmp_path / "dangling.dcm").code == "WET-INPUT-MISSING"


def test_a_file_that_may_not_be_read(dicom: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(self: Path, *args: object, **kwargs: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", denied)
    assert refused(dicom).code == "WET-INPUT-UNREADABLE"


def test_no_plain_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert refused(tmp_path / "pipe").code == "WET-INPUT-UNREADABLE"


def test_a_folder_of_thousands_of_files(tmp_path: Path) -> None:
    for number in range(2001):
        (tmp_path / str(number)).touch()
    assert refused(tmp_path).code == "WET-INPUT-MANY"


@given(st.data())
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_damage_is_an_input_error_or_a_picture(
    dicom: Path, caplog: pytest.LogCaptureFixture, data: st.DataObject
) -> None:
    """Bytes turned over anywhere: either a study comes out and shows a picture, or an InputError; nothing is logged."""
    caplog.set_level(logging.DEBUG)
    whole = bytearray(dicom.read_bytes())
    for _ in range(data.draw(st.integers(1, 12))):
        # Most of the damage into the header, where it does most harm.
        place = data.draw(st.integers(0, 1500) | st.integers(0, len(whole) - 1))
        whole[place] = data.draw(st.integers(0, 255))
    damaged = dicom.parent / "damaged.bin"
    damaged.write_bytes(whole[: data.draw(st.just(len(whole)) | st.integers(1, len(whole)))])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            study = read_study([damaged])
            for image in study.images:
                pixels = ImageBank(study).pixels_now(image.handle)
                assert pixels.shape == (image.rows, image.columns)
        except InputError as error:
            assert "quibblewick" not in str(error).lower()
    assert "uibblewick" not in caplog.text


@given(st.binary(min_size=1, max_size=400))
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_an_input_error(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x"
    for head in (b"", b"\x08\0\x05\0CS", bytes(128) + b"DICM", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\0"):
        path.write_bytes(head + data)
        with pytest.raises(InputError):
            read_study([path])
