"""What was made quicker says what the plain way says: hints of patterns, breaks of sentences, masks as runs."""

from __future__ import annotations

import re
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from wetread.evidence import Evidence, ModelVersion, Observation
from wetread.imaging.geometry import Frame, Rectangle
from wetread.imaging.masks import assess, examine, largest_component
from wetread.imaging.parts import in_one_column, parts
from wetread.imaging.png import _adler32, _deflate_runs, encode_runs
from wetread.imaging.runs import Runs, coarsened, outline_cells, runs_of, to_image
from wetread.reports.checks import cod, dem, phi, pri, sec, unc
from wetread.reports.checks.document import Hints, Line
from wetread.reports.grounding import _agrees, _opposes, is_normal, opposing
from wetread.reports.language import lexicon, system_of
from wetread.reports.language.words import _BREAK
from wetread.reports.model import Claim
from wetread.vocabulary import Assertion, Origin, Side

quick = settings(deadline=None, max_examples=80)
bool_arrays = hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, max_side=40))

HINTED = [
    (dem._WOMAN, dem._HINTS_WOMAN),
    (dem._MAN, dem._HINTS_MAN),
    (unc._HEDGE, unc._HEDGE_HINTS),
    (unc._VAGUE, unc._VAGUE_HINTS),
    (sec._PLACEHOLDER, sec._HINTS),
    (cod._SNOMED, cod._HINTS),
    (cod._LOINC, cod._HINTS),
    (cod._RADLEX, cod._HINTS),
    (pri._CUES, pri._HINTS),
    *((form, phi._HINTS) for _, _, _, form in phi._FORMS),
]


@pytest.mark.parametrize(("pattern", "hints"), HINTED)
def test_hints_stand_wherever_a_pattern_finds_something(pattern: re.Pattern[str], hints: Hints) -> None:
    @given(st.from_regex(pattern), st.sampled_from(["", "The heart is large. ", "x", "\n"]))
    @settings(deadline=None, max_examples=250, database=None)
    def look(found: str, before: str) -> None:
        text = before + found
        if pattern.search(text) is not None:
            assert Line("findings", "findings", 0, text).may_hold(hints)

    look()
    assert not Line("findings", "findings", 0, "The lungs are clear.").may_hold(hints)
    # a long s is an s to a pattern that does not look at the case
    assert Line("findings", "findings", 0, "\N{LATIN SMALL LETTER LONG S}").may_hold(hints)


@given(st.text(alphabet="aB.!?\n \t\"')1é", max_size=30))
@settings(deadline=None, max_examples=500)
def test_a_sentence_breaks_where_it_did(text: str) -> None:
    plain = re.compile(r"(?<=\S)[.!?](?=[\s\"')\]]|$)|\n|(?<=[A-Za-z])\.(?=[A-Z][a-z])")
    assert [match.span() for match in _BREAK.finditer(text)] == [match.span() for match in plain.finditer(text)]


def test_kin_and_systems_are_those_of_the_lexicon() -> None:
    known = lexicon()
    names = [*known.findings, "nothing_known", ""]
    for one in names:
        for other in names:
            plain = one in known.broader(other) or other in known.broader(one)
            assert known.related(one, other) == plain
    for finding, entry in known.findings.items():
        assert is_normal(finding) == (entry.kind in ("normal", "normal_variant"))
        assert system_of(finding) == entry.system
        for anatomy, site in known.anatomies.items():
            claim = Claim(finding=finding, anatomy=anatomy, assertion=Assertion.PRESENT, start=0, end=1)
            assert system_of(claim) == (entry.system or site.system)
    assert not is_normal("nothing_known")


@pytest.mark.parametrize("assertion", [Assertion.UNCERTAIN, Assertion.HISTORICAL])
def test_what_is_uncertain_or_past_opposes_nothing(assertion: Assertion) -> None:
    evidence = Evidence(
        id="E1",
        tool="classify",
        model=ModelVersion(name="m"),
        origin=Origin.CODE,
        status="ok",
        observations=(
            Observation(text="None.", finding="pneumothorax", assertion=Assertion.ABSENT),
            Observation(text="Normal.", finding="normal", system="lungs"),
        ),
    )
    claim = Claim(finding="pneumothorax", assertion=assertion, start=0, end=1)
    assert opposing(claim, evidence) is None
    assert opposing(claim.model_copy(update={"assertion": Assertion.PRESENT}), evidence) is not None


_FINDINGS = st.sampled_from([None, *sorted(lexicon().findings)[::7], "normal", "pneumothorax", "pleural_effusion"])
_SIDES = st.sampled_from([None, *Side])
_SITES = st.sampled_from([None, "lung", "heart", "pleura"])


@given(
    st.builds(Claim, finding=_FINDINGS, anatomy=_SITES, side=_SIDES, start=st.just(0), end=st.just(1)),
    st.lists(
        st.builds(
            Observation,
            text=st.just("Said."),
            finding=_FINDINGS,
            system=st.sampled_from([None, "lungs", "heart", "pleura"]),
            side=_SIDES,
            assertion=st.sampled_from(Assertion),
        ),
        max_size=5,
    ),
    st.sampled_from(Assertion),
)
@settings(deadline=None, max_examples=300)
def test_what_opposes_is_the_first_of_what_opposes_where_nothing_agrees(
    claim: Claim, observations: list[Observation], assertion: Assertion
) -> None:
    claim = claim.model_copy(update={"assertion": assertion})
    evidence = Evidence(
        id="E1",
        tool="classify",
        model=ModelVersion(name="m"),
        origin=Origin.CODE,
        status="ok",
        observations=tuple(observations),
    )
    plain = None
    if assertion in (Assertion.PRESENT, Assertion.ABSENT) and not any(_agrees(claim, one) for one in observations):
        plain = next((one for one in observations if _opposes(claim, one)), None)
    assert opposing(claim, evidence) is plain


def blocks(present: NDArray[np.bool_], factor: int) -> NDArray[np.bool_]:
    rows, columns = present.shape
    padded = np.pad(present, ((0, -rows % factor), (0, -columns % factor)))
    shape = (padded.shape[0] // factor, factor, padded.shape[1] // factor, factor)
    return padded.reshape(shape).any(axis=(1, 3))


@given(bool_arrays, st.integers(1, 9))
@quick
def test_coarse_runs_are_those_of_the_blocks(present: NDArray[np.bool_], factor: int) -> None:
    coarse, plain = coarsened(runs_of(present), factor), runs_of(blocks(present, factor))
    assert coarse.shape == plain.shape
    for made, expected in ((coarse.rows, plain.rows), (coarse.starts, plain.starts), (coarse.ends, plain.ends)):
        assert made.tolist() == expected.tolist()


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(1, 12)), min_size=1, max_size=20), st.integers(0, 5))
@quick
def test_one_column_of_runs_is_one_part(spans: list[tuple[int, int]], gap: int) -> None:
    starts = np.array([start for start, _ in spans])
    ends = starts + np.array([length for _, length in spans])
    rows = np.arange(len(spans)) + 3
    runs = Runs((40, 30), rows, starts, ends)
    if in_one_column(runs):
        assert set(parts(runs).tolist()) == {0}
        assert set(parts(coarsened(runs, 1 + gap)).tolist()) == {0}
    else:
        assert len(set(parts(runs).tolist())) > 1


def test_what_is_in_no_column() -> None:
    assert not in_one_column(runs_of(np.zeros((4, 4), np.bool_)))
    assert not in_one_column(runs_of(np.array([[1], [0], [1]], np.bool_)))
    assert not in_one_column(runs_of(np.array([[1, 0, 1]], np.bool_)))
    assert in_one_column(runs_of(np.array([[1, 0], [0, 1]], np.bool_)))
    mask = np.zeros((600, 600), np.uint8)
    mask[100:300, 50:90] = 200
    assert (assess(mask).components, assess(mask).largest) == (1, 1.0)
    assert (largest_component(mask) == mask).all()


def plain_png(present: NDArray[np.bool_]) -> bytes:
    """The pixels that a PNG of these bits holds before they are deflated, made of the picture itself."""
    rows, columns = present.shape
    lines = np.zeros((rows, 1 + (columns + 7) // 8), np.uint8)
    lines[:, 1:] = np.packbits(present, axis=1)
    lines[1:, 1:] -= lines[:-1, 1:].copy()
    lines[:, 0] = 2
    return lines.tobytes()


@given(
    st.integers(1, 40),
    st.integers(1, 600),
    st.integers(0, 2**32 - 1),
    st.sampled_from([1, 3, 8]),
)
@quick
def test_a_mask_anywhere_in_its_picture_is_filtered_as_the_picture_would_be(
    rows: int, columns: int, seed: int, grain: int
) -> None:
    rng = np.random.default_rng(seed)
    coarse = rng.random((-(-rows // grain), -(-columns // grain))) < rng.choice([0.02, 0.5, 1.0])
    present = np.kron(coarse, np.ones((grain, grain), np.bool_))[:rows, :columns].astype(np.bool_)
    top, left = rng.integers(0, rows), rng.integers(0, columns)
    present[:top], present[:, :left] = False, False
    png = encode_runs(runs_of(present))
    size = int.from_bytes(png[33:37], "big")
    assert png[37:41] == b"IDAT"
    assert zlib.decompress(png[41 : 41 + size]) == plain_png(present)


def plain_deflate(runs: list[tuple[int, int]]) -> bytes:
    """RFC 1951 3.2.6, code by code: each byte as a literal, then matches at distance 1, a literal or two at the end."""
    bits: list[int] = [1, 1, 0]

    def huffman(symbol: int) -> None:
        for low, high, first, size in ((0, 144, 0x30, 8), (144, 256, 0x190, 9), (256, 280, 0, 7), (280, 288, 0xC0, 8)):
            if low <= symbol < high:
                bits.extend(int(bit) for bit in f"{first + symbol - low:0{size}b}")

    def match(length: int) -> None:
        if length == 258:
            symbol, extra, offset = 285, 0, 0
        else:
            extra = max(0, (length - 3).bit_length() - 3)
            symbol, offset = 257 + 4 * extra + (length - 3 >> extra), (length - 3) & ((1 << extra) - 1)
        huffman(symbol)
        bits.extend(offset >> place & 1 for place in range(extra))
        bits.extend([0] * 5)

    for value, length in runs:
        huffman(value)
        left = length - 1
        while left >= 3:
            match(min(left, 258))
            left -= min(left, 258)
        for _ in range(left):
            huffman(value)
    huffman(256)
    bits.extend([0] * (-len(bits) % 8))
    return bytes(sum(bit << place for place, bit in enumerate(bits[at : at + 8])) for at in range(0, len(bits), 8))


@given(st.lists(st.tuples(st.integers(0, 255), st.one_of(st.integers(1, 8), st.integers(1, 900))), min_size=1))
@quick
def test_runs_of_bytes_are_deflated_code_by_code(runs: list[tuple[int, int]]) -> None:
    made = _deflate_runs(*(np.array(column, np.int64) for column in zip(*runs, strict=True)))
    assert made == plain_deflate(runs)
    assert zlib.decompress(made, -15) == b"".join(bytes([value]) * length for value, length in runs)


@given(st.lists(st.tuples(st.integers(0, 255), st.integers(1, 900)), min_size=1))
@quick
def test_runs_of_bytes_have_the_check_value_of_the_bytes(runs: list[tuple[int, int]]) -> None:
    values, lengths = (np.array(column, np.int64) for column in zip(*runs, strict=True))
    starts = np.cumsum(lengths) - lengths
    plain = zlib.adler32(b"".join(bytes([value]) * length for value, length in runs))
    assert _adler32(starts, lengths, values, int(lengths.sum())) == plain


@pytest.mark.parametrize("size", [(1 << 27) - 5, 1 << 27, (1 << 27) + 5, 1 << 29])
def test_the_check_value_of_many_bytes_does_not_run_over(size: int) -> None:
    # n bytes of 255: 1 + 255 n, and n + 255 n (n + 1) / 2
    plain = (size + 255 * size * (size + 1) // 2) % 65521 << 16 | (1 + 255 * size) % 65521
    assert _adler32(*(np.array([one]) for one in (0, size, 255)), size) == plain


@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=60)), st.integers(0, 255))
@quick
def test_what_is_told_of_a_mask_by_words_is_true_of_its_pixels(mask: NDArray[np.uint8], least: int) -> None:
    mask = np.where(mask >= least, mask, 0).astype(np.uint8)
    inside = mask[mask >= 128]
    quality, runs = examine(mask)
    assert quality.area == inside.size
    if inside.size == 0:
        assert quality.box is None and runs.area == 0
        return
    assert quality.probability == int(inside.sum(dtype=np.int64)) / inside.size / 255
    rows, columns = np.nonzero(mask >= 128)
    box = quality.box
    assert box is not None
    assert (box.x_min, box.y_min) == (columns.min(), rows.min())
    assert (box.x_max, box.y_max) == (columns.max() + 1, rows.max() + 1)
    within = mask[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] >= 128
    assert (runs.drawn() == within).all()


def test_a_bright_mask_does_not_run_over() -> None:
    assert examine(np.full((900, 1300), 255, np.uint8))[0].probability == 1.0


@given(st.integers(0, 2**32 - 1), st.booleans())
@quick
def test_an_outline_from_known_runs_is_that_of_the_pixels(seed: int, whole: bool) -> None:
    rng = np.random.default_rng(seed)
    left, top, columns, rows = (int(rng.integers(low, high)) for low, high in ((0, 5), (0, 5), (1, 36), (1, 36)))
    content = Rectangle(left=left, top=top, columns=columns, rows=rows)
    source = Rectangle(left=3, top=2, columns=int(rng.integers(1, 60)), rows=int(rng.integers(1, 60)))
    frame = Frame(image_rows=70, image_columns=70, rows=40, columns=40, source=source, content=content)
    values = rng.choice(np.array([0, 40, 127, 128, 200, 255], np.uint8), (14, 14))
    mask = np.kron(values, np.ones((3, 3)))[:40, :40].astype(np.uint8)
    if whole:  # nothing lies in the padding, so that the known runs are those of the window
        within = np.zeros_like(mask)
        within[top : top + rows, left : left + columns] = mask[top : top + rows, left : left + columns]
        mask = within
    quality, inside = examine(mask)
    assert quality == assess(mask)
    plain, known = to_image(mask, frame), to_image(mask, frame, quality.box, inside)
    for made, expected in ((known.rows, plain.rows), (known.starts, plain.starts), (known.ends, plain.ends)):
        assert made.tolist() == expected.tolist()


@given(bool_arrays)
@quick
def test_cells_of_an_outline_are_those_whose_corners_differ(present: NDArray[np.bool_]) -> None:
    picture = np.pad(present, ((0, 0), (1, 1)))
    corners = np.stack([picture[:-1, :-1], picture[:-1, 1:], picture[1:, :-1], picture[1:, 1:]])
    rows, columns = np.nonzero(corners.any(axis=0) & ~corners.all(axis=0))
    made = outline_cells(runs_of(picture))
    assert (made[0].tolist(), made[1].tolist()) == (rows.tolist(), columns.tolist())
