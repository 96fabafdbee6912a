"""The phantom's truth is where the picture shows it, and its files are read as they are meant."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wetread.imaging.bank import ImageBank
from wetread.study_reading import read_study
from wetread.testing.phantom import Finding, FindingKind, PatientSide, Phantom, chest_phantom
from wetread.vocabulary import View

KINDS: tuple[FindingKind, ...] = ("effusion", "pneumothorax", "nodule", "mass", "consolidation", "catheter")


@pytest.fixture(scope="module")
def clear() -> Phantom:
    return chest_phantom(512, seed=3)


def test_the_same_seed_gives_the_same_picture(clear: Phantom) -> None:
    again, other = chest_phantom(512, seed=3), chest_phantom(512, seed=4)
    assert (clear.pixels == again.pixels).all()
    assert (clear.pixels != other.pixels).mean() > 0.2


@given(st.floats(0.32, 0.7), st.integers(0, 50))
@settings(deadline=None, max_examples=8)
def test_the_heart_is_as_wide_as_asked(ratio: float, seed: int) -> None:
    phantom = chest_phantom(400, seed=seed, cardiothoracic_ratio=ratio)
    assert phantom.cardiothoracic_ratio == pytest.approx(ratio, abs=0.012)


def test_structures_are_where_they_belong(clear: Phantom) -> None:
    centres = {
        name: np.array(np.nonzero(mask)).mean(axis=1)[::-1] / clear.pixels.shape[::-1]
        for name, mask in clear.structures.items()
    }
    assert centres["right lung"][0] < 0.45 < 0.55 < centres["left lung"][0]
    assert centres["heart"][0] > 0.5  # to the patient's left
    lungs = (clear.structures["right lung"] | clear.structures["left lung"]) > 0
    heart = clear.structures["heart"] > 0
    assert not (lungs & heart).any()
    assert clear.pixels[lungs].mean() < 0.6 * clear.pixels[heart].mean()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("side", ["right", "left"])
def test_a_finding_changes_the_picture_where_it_lies(clear: Phantom, kind: FindingKind, side: PatientSide) -> None:
    phantom = chest_phantom(512, seed=3, findings=[Finding(kind, side, down=0.35)])
    (placed,) = phantom.findings
    inside = placed.mask > 0
    change = phantom.pixels.astype(int) - clear.pixels
    assert abs(change[inside].mean()) > 8
    assert (change[inside].mean() < 0) == (kind == "pneumothorax")
    ys, xs = np.nonzero(inside)
    assert (placed.box.x_min, placed.box.y_min) == (xs.min(), ys.min())
    assert (placed.box.x_max, placed.box.y_max) == (xs.max() + 1, ys.max() + 1)
    if kind != "catheter":
        assert (xs.mean() < 256) == (side == "right")
    far = np.ones_like(inside)
    far[max(0, ys.min() - 40) : ys.max() + 40, max(0, xs.min() - 40) : xs.max() + 40] = False
    assert abs(change[far].mean()) < 2


def test_a_mass_lies_where_it_is_asked_for_and_is_as_large() -> None:
    phantom = chest_phantom(800, findings=[Finding("mass", "right", across=0.5, down=0.4, size=0.12)])
    box = phantom.findings[0].box
    assert box.x_max - box.x_min == pytest.approx(0.12 * 800, rel=0.12)
    lung = np.argwhere(phantom.structures["right lung"])
    top, bottom = lung[:, 0].min(), lung[:, 0].max()
    assert (box.y_min + box.y_max) / 2 == pytest.approx(top + 0.4 * (bottom - top), abs=16)


def test_a_mirrored_picture_is_the_mirror_image(clear: Phantom) -> None:
    mirrored = chest_phantom(512, seed=3, patient_right_on="right")
    assert (mirrored.pixels == clear.pixels[:, ::-1]).all()
    assert (mirrored.structures["right lung"] == clear.structures["right lung"][:, ::-1]).all()


def test_a_lateral_picture() -> None:
    findings = [Finding("effusion"), Finding("nodule", across=0.3, down=0.3)]
    phantom = chest_phantom(400, view="lateral", findings=findings)
    assert set(phantom.structures) == {"lungs", "heart"}
    assert len(phantom.findings) == 2
    with pytest.raises(ValueError, match="frontal"):
        phantom.cardiothoracic_ratio  # noqa: B018
    with pytest.raises(ValueError, match="catheter"):
        chest_phantom(400, view="lateral", findings=[Finding("catheter")])


def test_the_chest_fills_the_central_square() -> None:
    wide, square = chest_phantom(256, 300), chest_phantom(256)
    assert wide.pixels.shape == (256, 300)
    assert (wide.structures["heart"][:, 22:278] == square.structures["heart"]).all()


def test_what_cannot_be_drawn() -> None:
    with pytest.raises(ValueError, match="64"):
        chest_phantom(20)
    with pytest.raises(ValueError, match="ratio"):
        chest_phantom(cardiothoracic_ratio=1.2)
    with pytest.raises(ValueError, match="fractions"):
        Finding("mass", across=2)
    with pytest.raises(ValueError, match="size"):
        Finding("mass", size=0)


@pytest.mark.parametrize(("view", "expected"), [("frontal", View.PA), ("lateral", View.LATERAL)])
def test_a_written_phantom_says_what_it_is(tmp_path: Path, view: str, expected: View) -> None:
    phantom = chest_phantom(128, view=view)  # type: ignore[arg-type]
    study = read_study([phantom.write_dicom(tmp_path / "x.dcm")])
    (image,) = study.images
    assert (image.view, image.modality, image.patient_right_on) == (expected, "DX", phantom.patient_right_on)
    assert (ImageBank(study).pixels_now("image_1") == phantom.pixels).all()
    again = phantom.write_dicom(tmp_path / "y.dcm")
    assert again.read_bytes() == (tmp_path / "x.dcm").read_bytes()


def test_bits_out_of_range(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="8 to 16"):
        chest_phantom(64).write_dicom(tmp_path / "x.dcm", bits=7)
