"""Pixels as displayed: every transfer syntax, every look-up table, each frame by itself; payloads once each."""

from __future__ import annotations

import asyncio
import base64
import io
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut

from wetread.errors import InputError
from wetread.imaging.bank import ImageBank
from wetread.imaging.pixels import read_dicom_frame
from wetread.imaging.png import encode_gray
from wetread.imaging.prepare import Preparation, encode, pixel_sha256
from wetread.study import ImageSource, Study, StudyImage
from wetread.study_reading import read_study
from wetread.testing.dicom import COMPRESSIONS, LOSSY, Compression, write_dicom
from wetread.testing.phantom import Phantom, chest_phantom


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return chest_phantom(181, 160, seed=5)


def stored(path: Path, array: NDArray[Any], **options: Any) -> NDArray[np.uint8]:
    """Write stored values, read them as displayed."""
    return read_dicom_frame(write_dicom(path / "image.dcm", array, **options), 0)


def ramp(bits: int, signed: bool = False) -> NDArray[Any]:
    """An image that holds every value of up to 12 bits, or a spread of more."""
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    dtype = np.dtype(f"{'i' if signed else 'u'}{1 if bits <= 8 else 2}")
    return np.linspace(low, high, 64 * 64).round().astype(dtype).reshape(64, 64)


FORMS = [(8, "MONOCHROME2"), (12, "MONOCHROME1"), (15, "MONOCHROME1"), (16, "MONOCHROME2"), (8, "RGB")]
MOST_BITS = {"jpeg": 8, "jpeg extended": 12}


@pytest.mark.parametrize(
    ("compression", "bits", "photometric"),
    [(c, bits, photometric) for c in COMPRESSIONS for bits, photometric in FORMS if bits <= MOST_BITS.get(c, 16)],
)
def test_every_transfer_syntax_shows_the_same_picture(
    phantom: Phantom, tmp_path: Path, compression: Compression, bits: int, photometric: Any
) -> None:
    if (compression == "jpeg" and bits != 8) or (compression == "jpeg extended" and bits > 12):
        pytest.skip("the syntax does not know these bits")
    path = phantom.write_dicom(tmp_path / "x.dcm", bits=bits, photometric=photometric, compression=compression)
    difference = np.abs(read_dicom_frame(path, 0).astype(int) - phantom.pixels)
    if compression in LOSSY:
        assert difference.mean() < 2
        assert difference.max() < 20
    else:
        assert difference.max() == 0


@pytest.mark.parametrize("compression", [c for c in COMPRESSIONS if c not in LOSSY and c != "jpeg lossless"])
def test_signed_values(tmp_path: Path, compression: Compression) -> None:
    values = ramp(16, signed=True)
    shown = stored(
        tmp_path, values, bits=16, compression=compression, elements={"WindowCenter": 0, "WindowWidth": 65536}
    )
    assert shown[0, 0] == 0
    assert shown[-1, -1] == 255
    assert (np.diff(shown.ravel().astype(int)) >= 0).all()


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_windows_agree_with_pydicom(tmp_path: Path, signed: bool, function: str) -> None:
    values = ramp(12, signed)
    elements = {
        "RescaleSlope": "0.5",
        "RescaleIntercept": "-100",
        "WindowCenter": ["200", "40"],
        "WindowWidth": ["700", "400"],
        "VOILUTFunction": function,
    }
    shown = stored(tmp_path, values, bits=12, elements=elements)
    reference = Dataset()
    for keyword, value in elements.items():
        setattr(reference, keyword, value)
    reference.PhotometricInterpretation = "MONOCHROME2"
    reference.BitsStored, reference.PixelRepresentation = 12, int(signed)
    expected = apply_voi_lut(apply_modality_lut(values, reference), reference)
    low, high = (-2048, 2047) if signed else (0, 4095)
    scaled = (expected - (low * 0.5 - 100)) / ((high - low) * 0.5) * 255
    # pydicom's output range has a step more at the top than there are values.
    assert np.abs(shown - scaled).max() < 1.0


@pytest.mark.parametrize("width", [1, 2])
def test_a_voi_table_is_followed(tmp_path: Path, width: int) -> None:
    """Entries of 8 bits come one to a byte or one to a word."""
    item = Dataset()
    item.LUTDescriptor = [256, 1000, 8]
    item.LUTData = np.arange(255, -1, -1).astype(f"<u{width}").tobytes()
    values = np.array([[0, 1000, 1100, 1255, 4000]] * 20, np.uint16).repeat(4, axis=1)
    shown = stored(tmp_path, values, bits=12, elements={"VOILUTSequence": [item], "WindowCenter": 1, "WindowWidth": 2})
    assert shown[0, ::4].tolist() == [255, 255, 155, 0, 0]


def test_a_modality_table_comes_before_the_window(tmp_path: Path) -> None:
    item = Dataset()
    item.LUTDescriptor = [4, 0, 16]
    item.LUTData = np.array([0, 1000, 0, 4000], "<u2").tobytes()
    values = np.array([[0, 1, 2, 3]] * 20, np.uint16).repeat(5, axis=1)
    elements = {
        "ModalityLUTSequence": [item],
        "WindowCenter": 2000,
        "WindowWidth": 4000,
        "VOILUTFunction": "LINEAR_EXACT",
    }
    assert stored(tmp_path, values, bits=16, elements=elements)[0, ::5].tolist() == [0, 64, 0, 255]


def test_a_table_shorter_than_its_descriptor_is_refused(tmp_path: Path) -> None:
    item = Dataset()
    item.LUTDescriptor = [500, 0, 16]
    item.LUTData = np.array([1, 2, 3], "<u2").tobytes()
    with pytest.raises(InputError, match="contradicts its own descriptor"):
        stored(tmp_path, ramp(12), elements={"VOILUTSequence": [item]})


@pytest.mark.parametrize(
    ("photometric", "shape", "inverted"),
    [
        ("MONOCHROME2", None, False),
        ("MONOCHROME1", None, True),
        ("MONOCHROME1", "INVERSE", True),
        ("MONOCHROME2", "INVERSE", True),
        ("MONOCHROME2", "IDENTITY", False),
    ],
)
def test_inverted_once(tmp_path: Path, photometric: Any, shape: str | None, inverted: bool) -> None:
    elements = {"WindowCenter": 2048, "WindowWidth": 4096, "PresentationLUTShape": shape}
    shown = stored(tmp_path, ramp(12), photometric=photometric, elements=elements)
    assert (shown[0, 0], shown[-1, -1]) == ((255, 0) if inverted else (0, 255))


def test_without_a_window_percentiles(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(500, 1500, (100, 100)).astype(np.uint16)
    values[0, :10] = 4095
    values[1, :10] = 0
    shown = stored(tmp_path, values)
    low, high = np.percentile(values.astype(float), (0.5, 99.5), method="inverted_cdf")
    expected = np.rint(np.clip((values - low) / (high - low), 0, 1) * 255)
    assert np.abs(shown - expected).max() <= 1


def test_padding_does_not_count_for_percentiles(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(500, 1500, (100, 100)).astype(np.uint16)
    padded = values.copy()
    padded[:60] = 4000
    with_padding = stored(tmp_path, padded, elements={"PixelPaddingValue": 4000})
    without = stored(tmp_path, padded)
    assert np.ptp(with_padding[60:]) == 255
    assert np.ptp(without[60:]) < 120


@pytest.mark.parametrize("value", [0, 7, 4095])
def test_a_constant_image_is_black(tmp_path: Path, value: int) -> None:
    assert not stored(tmp_path, np.full((20, 20), value, np.uint16)).any()


def test_two_values_of_which_one_is_rare_still_show(tmp_path: Path) -> None:
    values = np.zeros((100, 100), np.uint16)
    values[50, 50] = 9
    shown = stored(tmp_path, values)
    assert shown[50, 50] == 255
    assert shown.sum() == 255


@pytest.mark.parametrize(("centre", "width"), [("nan", "100"), ("5", "0"), ("5", "-3"), ("inf", "10")])
def test_an_unusable_window_is_left_out(tmp_path: Path, centre: str, width: str) -> None:
    elements = {"WindowCenter": float(centre), "WindowWidth": float(width)}
    path = write_dicom(tmp_path / "x.dcm", ramp(12), view="PA", elements=elements)
    assert (read_dicom_frame(path, 0) == stored(tmp_path, ramp(12))).all()
    assert "window cannot be used" in read_study([path]).images[0].notes[0]


@pytest.mark.parametrize("slope", [float("nan"), float("inf"), 0.0, 1e300])
def test_an_absurd_rescale_is_refused_when_the_study_is_read(tmp_path: Path, slope: float) -> None:
    path = write_dicom(tmp_path / "x.dcm", ramp(12), elements={"RescaleSlope": slope, "RescaleIntercept": 0})
    with pytest.raises(InputError) as caught:
        read_study([path])
    assert caught.value.code == "WET-INPUT-RESCALE"


def test_palette_colours_become_luminance(tmp_path: Path) -> None:
    reds, greens, blues = [255, 0, 0, 10], [0, 255, 0, 10], [0, 0, 255, 10]
    elements: dict[str, Any] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for colour, entries in (("Red", reds), ("Green", greens), ("Blue", blues)):
        elements[f"{colour}PaletteColorLookupTableDescriptor"] = [4, 0, 8]
        elements[f"{colour}PaletteColorLookupTableData"] = bytes(entries)
    values = np.array([[0, 1, 2, 3]] * 20, np.uint8).repeat(5, axis=1)
    assert stored(tmp_path, values, bits=8, elements=elements)[0, ::5].tolist() == [76, 150, 29, 10]


def test_colour_jpeg_in_luminance_and_chrominance(tmp_path: Path) -> None:
    import imagecodecs
    from pydicom.encaps import encapsulate

    rgb = np.zeros((32, 32, 3), np.uint8)
    rgb[:16, :, 0], rgb[16:, :, 2] = 200, 200
    path = write_dicom(tmp_path / "x.dcm", rgb, bits=8, photometric="RGB", compression="jpeg", modality="US")
    import pydicom

    dataset = pydicom.dcmread(path)
    dataset.PixelData = encapsulate([imagecodecs.jpeg8_encode(rgb, level=95)])
    dataset.PhotometricInterpretation = "YBR_FULL_422"
    dataset.save_as(path)
    shown = read_dicom_frame(path, 0)
    assert abs(int(shown[4, 4]) - 60) <= 3
    assert abs(int(shown[28, 28]) - 23) <= 3


def test_each_frame_by_itself(tmp_path: Path) -> None:
    frames = np.stack([np.full((40, 30), 100 * (n + 1), np.uint16) for n in range(5)])
    frames[:, 0, 0] = 0
    for compression in ("none", "rle", "jpeg 2000", "deflated"):
        path = write_dicom(
            tmp_path / "x.dcm",
            frames,
            compression=compression,  # type: ignore[arg-type]
            elements={"WindowCenter": 250, "WindowWidth": 500, "VOILUTFunction": "LINEAR_EXACT"},
        )
        study = read_study([path])
        assert [(image.handle, image.frame, image.frames) for image in study.images] == [
            (f"image_{n + 1}", n, 5) for n in range(5)
        ]
        bank = ImageBank(study)
        assert [int(bank.pixels_now(image.handle)[9, 9]) for image in study.images] == [51, 102, 153, 204, 255]


def test_a_damaged_frame_leaves_the_others(tmp_path: Path) -> None:
    import pydicom
    from pydicom.encaps import encapsulate, generate_frames

    frames = np.stack([ramp(12), ramp(12)[::-1]])
    path = write_dicom(tmp_path / "x.dcm", frames, compression="jpeg-ls")
    dataset = pydicom.dcmread(path)
    first, _ = generate_frames(dataset.PixelData, number_of_frames=2)
    dataset.PixelData = encapsulate([first, b"\xff\xd8" + b"rubbish " * 40])
    dataset.save_as(path)
    bank = ImageBank(read_study([path]))
    assert bank.pixels_now("image_1").shape == (64, 64)
    with pytest.raises(InputError, match="image_2: The pixel data are damaged") as caught:
        bank.pixels_now("image_2")
    assert caught.value.code == "WET-INPUT-DECODE"


def test_windows_of_enhanced_objects_are_by_frame(tmp_path: Path) -> None:
    def group(centre: float) -> Dataset:
        voi = Dataset()
        voi.WindowCenter, voi.WindowWidth, voi.VOILUTFunction = centre, 200, "LINEAR_EXACT"
        item = Dataset()
        item.FrameVOILUTSequence = [voi]
        return item

    rescale = Dataset()
    rescale.RescaleSlope, rescale.RescaleIntercept = 2, 0
    shared = Dataset()
    shared.PixelValueTransformationSequence = [rescale]
    frames = np.full((2, 20, 20), 50, np.uint16)
    path = write_dicom(
        tmp_path / "x.dcm",
        frames,
        elements={
            "PerFrameFunctionalGroupsSequence": [group(100), group(150)],
            "SharedFunctionalGroupsSequence": [shared],
        },
    )
    assert [int(read_dicom_frame(path, n)[0, 0]) for n in (0, 1)] == [128, 64]


@pytest.mark.parametrize("suffix", ["png", "jpg", "tiff"])
def test_pictures(phantom: Phantom, tmp_path: Path, suffix: str) -> None:
    path = phantom.write_png(tmp_path / f"x.{suffix}")
    shown = ImageBank(read_study([path], view="PA")).pixels_now("image_1")
    difference = np.abs(shown.astype(int) - phantom.pixels)
    assert difference.mean() < 2 if suffix == "jpg" else not difference.any()


def test_pictures_of_16_bits_go_through_percentiles(phantom: Phantom, tmp_path: Path) -> None:
    deep = phantom.pixels.astype(np.uint16) * 16
    Image.fromarray(deep).save(tmp_path / "x.png")
    shown = ImageBank(read_study([tmp_path / "x.png"])).pixels_now("image_1").astype(float)
    assert np.corrcoef(shown.ravel(), phantom.pixels.ravel())[0, 1] > 0.999
    assert shown.min() == 0
    assert shown.max() == 255


def test_white_is_zero_in_a_deep_tiff(tmp_path: Path) -> None:
    values = (ramp(16)).astype(np.uint16)
    Image.fromarray(values).save(tmp_path / "x.tiff", tiffinfo={262: 0})
    shown = ImageBank(read_study([tmp_path / "x.tiff"])).pixels_now("image_1")
    assert shown[0, 0] == 255
    assert shown[-1, -1] == 0


@pytest.mark.parametrize(
    ("suffix", "options"), [("png", {}), ("jpg", {}), ("tiff", {}), ("tiff", {"compression": "tiff_lzw"})]
)
def test_a_camera_picture_is_turned_upright(tmp_path: Path, suffix: str, options: dict[str, str]) -> None:
    array = np.zeros((40, 64), np.uint8)
    array[:16, :] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned right by a quarter
    Image.fromarray(array).save(tmp_path / f"x.{suffix}", exif=exif, **options)
    study = read_study([tmp_path / f"x.{suffix}"])
    assert (study.images[0].rows, study.images[0].columns) == (64, 40)
    shown = ImageBank(study).pixels_now("image_1")
    assert shown[:, -8:].min() > 250
    assert shown[:, :16].max() < 5


def test_pages_of_a_tiff_are_images(tmp_path: Path) -> None:
    pages = [Image.fromarray(np.full((30 + n, 40), 50 * n, np.uint8)) for n in (1, 2, 3)]
    pages[0].save(tmp_path / "x.tiff", save_all=True, append_images=pages[1:])
    study = read_study([tmp_path / "x.tiff"])
    bank = ImageBank(study)
    assert [(image.rows, int(bank.pixels_now(image.handle)[0, 0])) for image in study.images] == [
        (31, 50),
        (32, 100),
        (33, 150),
    ]


def test_colours_and_transparency_of_a_picture(tmp_path: Path) -> None:
    Image.new("RGBA", (20, 20), (255, 0, 0, 255)).save(tmp_path / "x.png")
    assert ImageBank(read_study([tmp_path / "x.png"])).pixels_now("image_1")[0, 0] == 76


@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=40)))
@settings(deadline=None)
def test_png_keeps_every_pixel(array: NDArray[np.uint8]) -> None:
    with Image.open(io.BytesIO(encode_gray(array))) as picture:
        assert picture.mode == "L"
        assert (np.asarray(picture) == array).all()


@given(st.integers(1, 50), st.integers(1, 50))
@settings(deadline=None, max_examples=30)
def test_a_pixel_hash_tells_shape_and_pixels(rows: int, columns: int) -> None:
    array = np.zeros((rows, columns), np.uint8)
    other = array.copy()
    other[-1, -1] = 1
    hashes = {pixel_sha256(array), pixel_sha256(other)}
    if rows != columns:
        hashes.add(pixel_sha256(array.T))
        assert len(hashes) == 3
    assert len(hashes) >= 2


def test_a_payload_is_the_prepared_picture(phantom: Phantom) -> None:
    array, frame = phantom.pixels, Preparation.FULL.frame(*phantom.pixels.shape)
    payload = encode(array, frame)
    assert base64.b64decode(payload.base64, validate=True) == payload.png
    assert (payload.rows, payload.columns) == array.shape
    assert payload.pixel_sha256 == pixel_sha256(array)


class Counting:
    """Counts decodings, and holds them until told to go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, array: NDArray[np.uint8]) -> None:
        self.calls = 0
        self.began, self.go = threading.Event(), threading.Event()
        self.array = array
        self.fail = False
        monkeypatch.setattr("wetread.imaging.bank.read_pixels", self)

    def __call__(self, image: StudyImage) -> NDArray[np.uint8]:
        self.calls += 1
        self.began.set()
        self.go.wait(10)
        if self.fail:
            raise InputError("WET-INPUT-DECODE", "no")
        return self.array.copy()


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch, phantom: Phantom) -> Counting:
    return Counting(monkeypatch, phantom.pixels)


@pytest.fixture
def study(phantom: Phantom) -> Study:
    rows, columns = phantom.pixels.shape
    source = ImageSource(path=Path("none.dcm"), kind="dicom")
    return Study(images=(StudyImage(handle="image_1", rows=rows, columns=columns, source=source),))


async def test_callers_share_one_decoding_and_one_payload(study: Study, counted: Counting) -> None:
    bank = ImageBank(study)
    waiting = [asyncio.ensure_future(bank.payload("image_1", Preparation.PAD_1024)) for _ in range(8)]
    waiting.append(asyncio.ensure_future(bank.payload("image_1", Preparation.SQUARE_512)))
    await asyncio.sleep(0)
    counted.go.set()
    payloads = await asyncio.gather(*waiting)
    assert counted.calls == 1
    assert all(payload is payloads[0] for payload in payloads[:8])
    assert await bank.payload("image_1", Preparation.PAD_1024) is payloads[0]
    assert await bank.sha256("image_1") == (await bank.payload("image_1", Preparation.FULL)).pixel_sha256


async def test_a_cancelled_caller_does_not_take_the_picture_away(study: Study, counted: Counting) -> None:
    bank = ImageBank(study)
    first = asyncio.ensure_future(bank.pixels("image_1"))
    second = asyncio.ensure_future(bank.pixels("image_1"))
    assert await asyncio.to_thread(counted.began.wait, 10)
    first.cancel()
    counted.go.set()
    assert (await second).shape == counted.array.shape
    with pytest.raises(asyncio.CancelledError):
        await first
    assert counted.calls == 1


def test_a_bank_outlives_an_event_loop(study: Study, counted: Counting) -> None:
    counted.go.set()
    bank = ImageBank(study)
    first = asyncio.run(bank.pixels("image_1"))
    assert asyncio.run(bank.pixels("image_1")) is first
    assert bank.pixels_now("image_1") is first
    assert not first.flags.writeable


async def test_a_failed_decoding_is_tried_again(study: Study, counted: Counting) -> None:
    counted.go.set()
    counted.fail = True
    bank = ImageBank(study)
    with pytest.raises(InputError):
        await bank.load()
    counted.fail = False
    await bank.load()
    assert counted.calls == 2


async def test_an_unknown_handle(study: Study) -> None:
    with pytest.raises(InputError, match="There are: image_1"):
        await ImageBank(study).pixels("image_9")


async def test_a_file_that_changed_since_the_study_was_read(phantom: Phantom, tmp_path: Path) -> None:
    path = phantom.write_dicom(tmp_path / "x.dcm")
    study = read_study([path])
    chest_phantom(90).write_dicom(path)
    with pytest.raises(InputError, match="Read the study again"):
        await ImageBank(study).pixels("image_1")
