"""What is drawn of an image, an evidence and a statement, and what is said where there is nothing to draw."""

from __future__ import annotations

import asyncio
import re
import threading
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from wetread.apps.pictures.painters import Blocks, Graphics
from wetread.apps.pictures.views import TINT_WORDS, View, view_of_evidence, view_of_image, view_of_statement
from wetread.artifacts import ArtifactStore
from wetread.evidence import Ledger
from wetread.imaging.bank import ImageBank
from wetread.reports.model import Report
from wetread.reports.view import TINTS
from wetread.scenarios.runner import run_scenario
from wetread.scenarios.scenario import find_scenarios
from wetread.session import Session
from wetread.study import Study
from wetread.study_reading import read_study

SIZE = (240, 240)


@dataclass
class Shown:
    """What a view needs, with parts of a session left out or exchanged."""

    study: Study
    images: ImageBank
    artifacts: ArtifactStore = field(default_factory=ArtifactStore)
    ledger: Ledger = field(default_factory=Ledger)
    report: Report | None = None


def replayed(name: str) -> Session:
    (scenario,) = find_scenarios([name])
    session = asyncio.run(run_scenario(scenario)).session
    assert session is not None
    return session


@pytest.fixture(scope="module")
def rg1() -> Session:
    return replayed("rg1-protocol")


@pytest.fixture(scope="module")
def follow_up() -> Session:
    return replayed("follow-up-comparison")


def tinted(pixels: NDArray[np.uint8], tint: int) -> NDArray[np.bool_]:
    """Where a picture has the colour of a line, near enough."""
    colour = [int(TINTS[tint][i : i + 2], 16) for i in (1, 3, 5)]
    near: NDArray[np.bool_] = np.abs(pixels.astype(int) - colour).sum(axis=2) < 60
    return near


def has(view: View) -> NDArray[np.uint8]:
    assert view.pixels is not None, view.caption
    assert view.pixels.dtype == np.uint8 and view.pixels.shape[2] == 3
    assert view.pixels.shape[0] == SIZE[1] or view.pixels.shape[1] == SIZE[0]
    for label in view.labels:
        assert -1 <= label.x <= view.pixels.shape[1] and -1 <= label.y <= view.pixels.shape[0]
    return view.pixels


def test_an_image_shows_all_that_the_report_points_at(rg1: Session) -> None:
    view = view_of_image(rg1, "image_1", size=SIZE)
    pixels = has(view)
    assert {"S2 S3", "heart", "left lung", "right lung"} <= {label.text for label in view.labels}
    assert view.caption.splitlines() == [
        "image_1 · CR PA · current, the patient's right on the left",
        "amber boxes: S1, S2, S3, S4, S5; blue outline: heart; pink outline: left lung; green outline: right lung",
    ]
    for tint in (0, 1, 2, 3):
        assert tinted(pixels, tint).any()


def test_an_image_is_shown_before_there_is_a_report(rg1: Session) -> None:
    view = view_of_image(Shown(rg1.study, rg1.images), "image_1", size=SIZE)
    assert np.ptp(has(view), axis=2).max() == 0
    assert view.labels == ()


def test_priors_and_laterals_are_shown(follow_up: Session) -> None:
    views = {image.handle: view_of_image(follow_up, image.handle, size=SIZE) for image in follow_up.study.images}
    assert len(views) == 3
    for view in views.values():
        has(view)
    assert "lateral · current" in views["image_2"].caption
    assert "prior, 2025-12-01" in views["image_3"].caption
    assert views["image_2"].caption.endswith("Nothing points at it.")


def test_an_evidence_is_shown_with_numbers_for_what_it_says(rg1: Session) -> None:
    view = view_of_evidence(rg1, "E2", size=SIZE)
    pixels = has(view)
    assert {label.text for label in view.labels} == {"1", "2", "3", "4", "5"}
    assert "1 (7 amber boxes): Multiple rounded masses are seen in both lungs" in view.caption.splitlines()
    assert "5 (yellow box): A left subclavian central venous catheter is in place" in view.caption.splitlines()
    # the catheter's box, where it is: 985 to 1556 of 1841 across, 361 to 582 of 1955 down
    ys, xs = np.nonzero(tinted(pixels, 4))
    scale = pixels.shape[0] / 1955
    assert (xs.min() / scale, xs.max() / scale) == pytest.approx((985, 1556), abs=3 / scale)
    assert (ys.min() / scale, ys.max() / scale) == pytest.approx((361, 582), abs=3 / scale)


def test_masks_are_outlined(rg1: Session) -> None:
    view = view_of_evidence(rg1, "E3", size=SIZE)
    pixels = has(view)
    assert view.caption.splitlines()[2:] == [
        "1 (amber outline): left lung",
        "2 (blue outline): right lung",
        "3 (pink outline): heart",
    ]
    # the patient's right is on the left of this picture
    assert np.nonzero(tinted(pixels, 1))[1].mean() < pixels.shape[1] / 2 < np.nonzero(tinted(pixels, 0))[1].mean()


def test_a_measurement_shows_what_it_was_computed_from(rg1: Session) -> None:
    view = view_of_evidence(rg1, "E4", size=SIZE)
    has(view)
    assert view.caption.startswith("E4 · measure: cardiothoracic ratio 0.47, computed from E3, shown here")
    assert "heart" in view.caption


def test_a_statement_is_shown_with_its_place_enlarged(rg1: Session) -> None:
    view = view_of_statement(rg1, "S5", size=(480, 240))
    assert view.pixels is not None
    wide = view.pixels.shape[1]
    assert "left: image_1, right: the place enlarged" in view.caption.splitlines()
    found = tinted(view.pixels, 0)
    left, right = found[:, : wide // 2], found[:, wide // 2 :]
    extents = [int(np.ptp(np.nonzero(half.any(axis=0))[0])) for half in (left, right)]
    assert extents[1] > 5 * extents[0] > 0
    tall = view_of_statement(rg1, "S5", size=(200, 480))
    assert tall.pixels is not None and tall.pixels.shape[0] > tall.pixels.shape[1]
    assert "above: image_1, below: the place enlarged" in tall.caption.splitlines()


def test_what_fills_the_image_is_not_enlarged(rg1: Session) -> None:
    view = view_of_statement(rg1, "S2", size=SIZE)
    has(view)
    assert "enlarged" not in view.caption
    assert "7 amber boxes" in view.caption.splitlines()


def test_regions_on_two_images_are_shown_on_both(follow_up: Session) -> None:
    assert follow_up.report is not None
    one = next(statement for statement in follow_up.report.statements() if statement.regions)
    region = one.regions[0]
    both = one.model_copy(update={"regions": (region, region.model_copy(update={"image": "image_3", "mask": None}))})
    report = follow_up.report.model_copy(update={"findings": (), "impression": (both,), "recommendations": ()})
    source = Shown(follow_up.study, follow_up.images, follow_up.artifacts, report=report)
    view = view_of_statement(source, one.id, size=(480, 240))
    assert view.pixels is not None
    assert "left: image_1, right: image_3" in view.caption.splitlines()
    wide = view.pixels.shape[1]
    assert tinted(view.pixels[:, : wide // 2], 0).any() and tinted(view.pixels[:, wide // 2 :], 0).any()


def test_what_has_no_place_says_so(rg1: Session) -> None:
    bare = Shown(rg1.study, rg1.images)
    for view, said in (
        (view_of_evidence(rg1, "E1", size=SIZE), "E1 · study_context has no place on an image: indication, history"),
        (view_of_evidence(rg1, "E99", size=SIZE), "There is no evidence E99."),
        (view_of_statement(rg1, "S7", size=SIZE), "S7 · No pleural effusion or pneumothorax. It points at no place"),
        (view_of_statement(rg1, "S99", size=SIZE), "There is no statement S99."),
        (view_of_statement(bare, "S1", size=SIZE), "There is no report yet."),
        (view_of_image(rg1, "image_9", size=SIZE), "There is no image_9. There are: image_1."),
    ):
        assert view.pixels is None and view.labels == ()
        assert view.caption.startswith(said)
        assert "\n" not in view.caption


def test_an_evidence_that_failed_says_why() -> None:
    session = replayed("endpoint-down")
    failed = [evidence for evidence in session.ledger if evidence.status != "ok"]
    assert failed
    for evidence in failed:
        view = view_of_evidence(session, evidence.id, size=SIZE)
        assert view.pixels is None
        assert evidence.status in view.caption
        assert evidence.reason is not None and evidence.reason.message in view.caption


def test_masks_that_are_gone_are_named(rg1: Session) -> None:
    source = Shown(rg1.study, rg1.images, report=rg1.report)
    view = view_of_evidence(source, "E3", size=SIZE)
    assert np.ptp(has(view), axis=2).max() == 0
    assert "Not kept, hence not drawn: heart, left lung, right lung." in view.caption


def test_an_image_that_cannot_be_decoded_is_told(tmp_path: Path) -> None:
    path = tmp_path / "frontal.png"
    from wetread.testing import chest_phantom

    chest_phantom(seed=7).write_png(path)
    study = read_study(path, view="PA")
    path.write_bytes(path.read_bytes()[:2000])
    view = view_of_image(Shown(study, ImageBank(study)), "image_1", size=SIZE)
    assert view.pixels is None
    assert "WET-INPUT-" in view.caption and str(tmp_path) not in view.caption


def test_captions_come_without_decoding_where_pictures_are_off(rg1: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageBank, "pixels_now", lambda *_: pytest.fail("decoded"))
    view = view_of_evidence(rg1, "E3", size=(0, 0))
    assert view.pixels is None and "heart" in view.caption


def test_many_threads_may_draw_at_once(rg1: Session) -> None:
    expected = has(view_of_image(rg1, "image_1", size=SIZE))
    seen: list[bool] = []

    def draw() -> None:
        seen.append(np.array_equal(has(view_of_image(rg1, "image_1", size=SIZE)), expected))

    threads = [threading.Thread(target=draw) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [True] * 6


def test_colours_have_words() -> None:
    assert len(TINT_WORDS) == len(TINTS) == len(set(TINT_WORDS))


def test_few_cells_show_crisp_lines_and_readable_labels(rg1: Session) -> None:
    painter = Blocks()
    view = view_of_image(rg1, "image_1", size=painter.resolution(60, 30))
    assert view.pixels is not None
    exact = np.array([int(TINTS[1][i : i + 2], 16) for i in (1, 3, 5)])
    assert (view.pixels == exact).all(axis=2).sum() > 40  # the heart's outline, not thinned out
    text = painter.paint(view.pixels, columns=60, rows=30, labels=view.labels)
    plain = re.sub(r"\x1b\[[\d;]*m", "", text)
    assert len(plain.splitlines()) == 30
    for label in ("S1", "S2 S3", "heart", "left lung", "right lung"):
        assert label in plain
    graphics = Graphics("sixel")
    view = view_of_image(rg1, "image_1", size=graphics.resolution(60, 30))
    assert graphics.paint(view.pixels, columns=60, rows=30, labels=view.labels)
