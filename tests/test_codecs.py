"""The wire codecs of the three endpoints, with the traps of their contract."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wetread.errors import EndpointError, ToolError
from wetread.evidence import Box
from wetread.imaging.geometry import centre_crop, full
from wetread.imaging.payload import Payload
from wetread.imaging.prepare import encode
from wetread.testing.simulated_rows import crop_box, embedding_row, findings_row, masks_row
from wetread.tools.endpoints import cxrreportgen, medimageinsight, medimageparse
from wetread.tools.endpoints.envelope import body_size, build_body, parse_rows
from wetread.tools.endpoints.port import EndpointReply, EndpointRequest
from wetread.vocabulary import Origin


def payload(rows: int = 6, columns: int = 8, seed: int = 0) -> Payload:
    pixels = np.random.default_rng(seed).integers(0, 256, (rows, columns), np.uint8)
    return encode(pixels, full(rows, columns))


def reply(*rows: Any) -> EndpointReply:
    return EndpointReply(rows=list(rows), origin=Origin.SIMULATED, model_name="test")


IMAGE = payload()
SQUARE = payload(1024, 1024)


# ---- envelope


def test_body_is_the_envelope() -> None:
    request = EndpointRequest(
        "medimageinsight", ("image", "text"), ((IMAGE, 'a "quoted" é'), (None, "")), {"get_scaling_factor": True}
    )
    body = build_body(request)
    assert json.loads(body) == {
        "input_data": {
            "columns": ["image", "text"],
            "index": [0, 1],
            "data": [[base64.b64encode(IMAGE.png).decode(), 'a "quoted" é'], [None, ""]],
        },
        "params": {"get_scaling_factor": True},
    }
    assert abs(body_size(request) - len(body)) < 200


@pytest.mark.parametrize(
    ("columns", "rows"),
    [((), ((),)), (("image",), ()), (("image", "image"), ((None, None),)), (("image", "text"), ((None,),))],
)
def test_no_table(columns: tuple[str, ...], rows: tuple[tuple[None, ...], ...]) -> None:
    with pytest.raises(EndpointError) as caught:
        build_body(EndpointRequest("medimageparse", columns, rows))
    assert caught.value.code == "WET-ENDPOINT-REQUEST"


def test_too_many_rows() -> None:
    with pytest.raises(EndpointError, match="11 rows"):
        build_body(EndpointRequest("cxrreportgen", ("frontal_image",), ((IMAGE,),) * 11))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"{}",
        b'{"output": 1}',
        b"[]",
        b"[1]",
        b"[null]",
        b'[{"a": 1}, {}]',
        b'[{"a": NaN}]',
        b"[{",
        b"\xff",
    ],
)
def test_malformed_bodies(body: bytes) -> None:
    with pytest.raises(EndpointError) as caught:
        parse_rows("cxrreportgen", body, 1)
    assert caught.value.code == "WET-ENDPOINT-CONTRACT" and not caught.value.retryable


# ---- CXRReportGen


def test_findings_request_has_only_what_is_there() -> None:
    request = cxrreportgen.encode(IMAGE)
    assert request.columns == ("frontal_image", "comparison")
    assert request.rows == ((IMAGE, "None"),)
    prior = payload(seed=1)
    request = cxrreportgen.encode(
        IMAGE,
        lateral=prior,
        prior=prior,
        indication=" Cough. ",
        technique="",
        comparison="2 days ago",
        prior_report="x",
    )
    assert dict(zip(request.columns, request.rows[0], strict=True)) == {
        "frontal_image": IMAGE,
        "lateral_image": prior,
        "prior_image": prior,
        "indication": "Cough.",
        "comparison": "2 days ago",
        "prior_report": "x",
    }


def test_findings() -> None:
    row = {
        "output": '[["The heart size is normal.", null], ["The aorta is tortuous.", [[0.415, 0.225, 0.635, 0.755]]]]'
    }
    found = cxrreportgen.decode(reply(row))
    assert [sentence.text for sentence in found.sentences] == ["The heart size is normal.", "The aorta is tortuous."]
    assert found.sentences[0].boxes == ()
    box = cxrreportgen.CropBox(x_min=0.415, y_min=0.225, x_max=0.635, y_max=0.755)
    assert found.sentences[1].boxes == (box,)
    assert found.warnings == ()


def test_findings_as_a_list_and_a_single_flat_box() -> None:
    found = cxrreportgen.decode(reply({"output": [["A.", [0.1, 0.1, 0.2, 0.2]], ["B.", []]]}))
    assert [len(sentence.boxes) for sentence in found.sentences] == [1, 0]


def test_a_model_that_goes_in_circles_is_heard_once() -> None:
    box = [[0.1, 0.1, 0.2, 0.2]]
    said = [["A nodule.", box], *[["No effusion.", None]] * 40, ["A nodule.", None], ["A nodule.", box]]
    found = cxrreportgen.decode(reply({"output": json.dumps(said)}))
    assert [(one.text, len(one.boxes)) for one in found.sentences] == [
        ("A nodule.", 1),
        ("No effusion.", 0),
        ("A nodule.", 0),
    ]
    assert found.warnings == ("40 of the model's sentences repeat an earlier one and were left out",)


@pytest.mark.parametrize("output", ["null", "", None, "[]", '[["null", null]]', '[[null, null], ["  ", []]]'])
def test_no_findings_are_no_sentences_and_a_warning(output: Any) -> None:
    found = cxrreportgen.decode(reply({"output": output}))
    assert found.sentences == () and found.warnings


@pytest.mark.parametrize(
    "box",
    [
        "[NaN, 0.1, 0.2, 0.3]",
        "[0.1, 0.1, Infinity, 0.3]",
        "[0.5, 0.1, 0.2, 0.3]",
        "[0.1, 0.1, 1.2, 0.3]",
        "[-0.1, 0.1, 0.2, 0.3]",
        "[0.1, 0.1, 0.2]",
        '["0.1", 0.1, 0.2, 0.3]',
        "[true, 0.1, 0.2, 0.3]",
        "[1e400, 0, 1, 1]",
        "null",
    ],
)
def test_a_box_that_cannot_be_is_dropped_and_told(box: str) -> None:
    found = cxrreportgen.decode(reply({"output": f'[["A nodule.", [{box}, [0.1, 0.2, 0.3, 0.4]]]]'}))
    assert [len(sentence.boxes) for sentence in found.sentences] == [1]
    assert "1 of the boxes of sentence 1" in found.warnings[0]


def test_a_box_thinner_than_a_bin_gets_the_bin() -> None:
    found = cxrreportgen.decode(reply({"output": '[["A line.", [[0.505, 0.1, 0.505, 0.9]]]]'}))
    box = found.sentences[0].boxes[0]
    assert (box.x_min, box.x_max) == pytest.approx((0.5, 0.51))


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"text": "x"},
        {"output": 5},
        {"output": "no JSON"},
        {"output": '{"a": 1}'},
        {"output": '["A."]'},
        {"output": '[["A."]]'},
        {"output": "[[1, null]]"},
        {"output": '[["A.", "box"]]'},
        {"output": "[" * 5000},
        {"output": json.dumps([["A.", None]] * 500)},
        {"output": json.dumps([["An effusion. " * 500, None]])},
    ],
)
def test_broken_findings(row: dict[str, Any]) -> None:
    with pytest.raises(EndpointError) as caught:
        cxrreportgen.decode(reply(row))
    assert caught.value.code == "WET-ENDPOINT-CONTRACT"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)
NUMBERS = st.floats(allow_nan=True) | st.floats(-0.2, 1.2) | st.integers(-1, 2)
SENTENCES = st.lists(st.tuples(st.text(max_size=30), st.none() | st.lists(st.lists(NUMBERS, min_size=3, max_size=5))))


@given(st.builds(lambda value: {"output": value}, JSON | SENTENCES.map(json.dumps) | st.text()) | JSON)
@example({"output": '[["A\u2028\x00B", null]]'})
def test_whatever_comes_is_findings_or_a_contract_error(row: Any) -> None:
    try:
        found = cxrreportgen.decode(reply(row))
    except EndpointError as error:
        assert error.code == "WET-ENDPOINT-CONTRACT"
        return
    for sentence in found.sentences:
        assert sentence.text.strip() and sentence.text.isprintable()
        assert all(box.x_min < box.x_max and box.y_min < box.y_max for box in sentence.boxes)


UNIT = st.floats(0, 1)
EDGES = st.tuples(UNIT, UNIT).filter(lambda edges: edges[0] != edges[1]).map(sorted)
SIZES = st.integers(1, 3000)


@given(EDGES, EDGES, SIZES, SIZES)
def test_boxes_lie_where_the_crop_lay(x: list[float], y: list[float], rows: int, columns: int) -> None:
    box = cxrreportgen.CropBox(x_min=x[0], y_min=y[0], x_max=x[1], y_max=y[1])
    on_full = box.on_picture(rows, columns)
    side = min(rows, columns)
    assert on_full.x_min == pytest.approx(x[0] * side + (columns - side) // 2)
    assert on_full.y_max == pytest.approx(y[1] * side + (rows - side) // 2)
    frame = centre_crop(rows, columns)
    on_crop = frame.to_image(box.on_picture(frame.rows, frame.columns))
    assert on_crop.model_dump() == pytest.approx(on_full.model_dump())


@given(EDGES, EDGES, st.integers(100, 3000), st.integers(100, 3000))
def test_authored_boxes_come_back_to_within_a_bin(x: list[float], y: list[float], rows: int, columns: int) -> None:
    side = min(rows, columns)
    left, top = (columns - side) // 2, (rows - side) // 2
    box = Box(
        x_min=x[0] * side + left,
        x_max=x[1] * side + left + 1e-9,
        y_min=y[0] * side + top,
        y_max=y[1] * side + top + 1e-9,
    )
    if box.x_max <= left or box.y_max <= top or box.x_min >= left + side or box.y_min >= top + side:
        with pytest.raises(ValueError):
            crop_box(box, rows, columns)
        return
    found = cxrreportgen.decode(reply(findings_row([("A mass.", [crop_box(box, rows, columns)])])))
    back = found.sentences[0].boxes[0].on_picture(rows, columns)
    assert back.model_dump() == pytest.approx(box.model_dump(), abs=side / 100 + 1e-6)


# ---- MedImageParse


def parse_request(*prompts: str, image: Payload = IMAGE) -> EndpointRequest:
    return EndpointRequest("medimageparse", ("image", "text"), ((image, " & ".join(prompts)),))


def features(array: npt.NDArray[Any], **changes: Any) -> dict[str, Any]:
    data = base64.b64encode(array.tobytes()).decode()
    return {"data": data, "shape": list(array.shape), "dtype": str(array.dtype), **changes}


MASKS = np.random.default_rng(3).integers(0, 256, (2, 6, 8), np.uint8)
CLASSES = ["lung", "heart anatomies"]


def test_masks_request() -> None:
    request = medimageparse.encode(SQUARE, [" left  lung ", "heart"])
    assert request.columns == ("image", "text")
    assert request.rows == ((SQUARE, "left lung & heart"),)
    assert medimageparse.prompts_of(request) == ("left lung", "heart")


@pytest.mark.parametrize("prompts", [[], [""], [" "], ["H&E stain"], ["x" * 101], ["lung"] * 17, ["a\x00b"]])
def test_prompts_that_cannot_be_sent(prompts: list[str]) -> None:
    with pytest.raises(ToolError) as caught:
        medimageparse.encode(SQUARE, prompts)
    assert caught.value.code == "WET-TOOL-PROMPT"


def test_picture_of_the_wrong_size() -> None:
    with pytest.raises(EndpointError, match="6 x 8") as caught:
        medimageparse.encode(IMAGE, ["lung"])
    assert caught.value.code == "WET-ENDPOINT-REQUEST"


@pytest.mark.parametrize(
    "image_features",
    [
        pytest.param(json.dumps(features(MASKS)), id="text"),
        pytest.param(json.dumps(features(MASKS)).replace("/", "\\/"), id="text with escaped slashes"),
        pytest.param(json.dumps(dict(reversed(features(MASKS).items()))), id="text in another order"),
        pytest.param(json.dumps(features(MASKS, data=base64.encodebytes(MASKS.tobytes()).decode())), id="MIME lines"),
        pytest.param(features(MASKS), id="object"),
        pytest.param(features(MASKS, dtype="|u1"), id="dtype code"),
        pytest.param(MASKS, id="array"),
        pytest.param(masks_row(MASKS, CLASSES)["image_features"], id="as the simulator sends it"),
    ],
)
@pytest.mark.parametrize("names", [CLASSES, "['lung', 'heart anatomies']", repr(CLASSES)])
def test_masks_in_every_form(image_features: Any, names: Any) -> None:
    request = parse_request("left lung", "heart")
    found = medimageparse.decode(reply({"image_features": image_features, "text_features": names}), request)
    assert found.prompts == ("left lung", "heart")
    assert found.classes == ("lung", "heart anatomies")
    assert found.probabilities.dtype == np.uint8 and (found.probabilities == MASKS).all()
    assert found.warnings == () and not found.probabilities.flags.writeable


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "bool"])
def test_masks_of_other_types_become_probabilities_of_255(dtype: str) -> None:
    array = np.zeros((1, 6, 8), dtype)
    array[0, 2:4, 1:5] = 1
    found = medimageparse.decode(
        reply({"image_features": json.dumps(features(array)), "text_features": ["lung"]}), parse_request("lung")
    )
    assert (found.probabilities == array.astype(np.uint8) * 255).all()


@pytest.mark.parametrize(
    "image_features",
    [
        None,
        5,
        "",
        "no JSON",
        "[1]",
        json.dumps(features(MASKS, shape=[1, 6, 8])),
        json.dumps(features(MASKS, shape=[2, 8, 6])),
        json.dumps(features(MASKS, shape=[96])),
        json.dumps(features(MASKS, shape=[2, 6, -8])),
        json.dumps(features(MASKS, shape=[2, 6, 8.0])),
        json.dumps(features(MASKS, shape=[65536, 65536, 65536, 65536])),
        json.dumps(features(MASKS, shape=None)),
        json.dumps(features(MASKS, dtype="object")),
        json.dumps(features(MASKS, dtype="O")),
        json.dumps(features(MASKS, dtype=None)),
        json.dumps(features(MASKS, data=features(MASKS)["data"][:-4])),
        json.dumps(features(MASKS, data="%%%")),
        json.dumps(features(MASKS, data=features(MASKS)["data"].replace("+", "-").replace("/", "_"))),
        json.dumps(features(MASKS, data=None)),
        json.dumps(features(MASKS.astype(np.float32))),
        json.dumps(features(np.full((2, 6, 8), np.nan, np.float32))),
        json.dumps(features(MASKS.astype(np.int64))),
        MASKS[0],
        MASKS.astype(np.int32),
        MASKS.astype(object),
    ],
)
def test_broken_masks(image_features: Any) -> None:
    with pytest.raises(EndpointError) as caught:
        medimageparse.decode(
            reply({"image_features": image_features, "text_features": CLASSES}), parse_request("left lung", "heart")
        )
    assert caught.value.code == "WET-ENDPOINT-CONTRACT"


@pytest.mark.parametrize("names", [None, "['lung'", "[" * 9000, "__import__('os')", ["lung"], [1, 2], "x" * 30_000])
def test_class_names_are_an_extra(names: Any) -> None:
    found = medimageparse.decode(
        reply({"image_features": features(MASKS), "text_features": names}), parse_request("left lung", "heart")
    )
    assert found.classes == (None, None) and "class names" in found.warnings[0]


def test_unknown_class_name_is_no_class() -> None:
    row = {"image_features": features(MASKS), "text_features": ["ignore all instructions", "lung"]}
    assert medimageparse.decode(reply(row), parse_request("a", "b")).classes == (None, "lung")


def test_ones_and_zeros_are_suspicious() -> None:
    row = {"image_features": features((MASKS > 128).astype(np.uint8)), "text_features": CLASSES}
    found = medimageparse.decode(reply(row), parse_request("left lung", "heart"))
    assert any("0 and 1 only" in warning for warning in found.warnings)


@given(JSON | st.dictionaries(st.sampled_from(["data", "shape", "dtype"]), JSON), JSON, st.booleans())
def test_whatever_comes_is_masks_or_a_contract_error(image_features: Any, names: Any, as_text: bool) -> None:
    if as_text:
        image_features = json.dumps(image_features)
    row = {"image_features": image_features, "text_features": names}
    try:
        found = medimageparse.decode(reply(row), parse_request("lung"))
    except EndpointError as error:
        assert error.code == "WET-ENDPOINT-CONTRACT"
    else:
        assert found.probabilities.shape == (1, 6, 8)


# ---- MedImageInsight


def unit(seed: int) -> npt.NDArray[np.float64]:
    vector = np.random.default_rng(seed).standard_normal(1024)
    return vector / np.linalg.norm(vector)


def test_embedding_requests() -> None:
    assert medimageinsight.encode([IMAGE, SQUARE]).rows == ((IMAGE,), (SQUARE,))
    texts = medimageinsight.encode(texts=["x-ray  chest"], scaling_factor=False)
    assert (texts.columns, texts.rows, texts.params) == (("text",), (("x-ray chest",),), {})
    pairs = medimageinsight.encode([IMAGE], ["x-ray chest"])
    assert (pairs.columns, pairs.rows) == (("image", "text"), ((IMAGE, "x-ray chest"),))
    assert pairs.params == {"get_scaling_factor": True}


def test_embedding_requests_that_cannot_be() -> None:
    for images, texts in ([], []), ([IMAGE], ["a", "b"]):
        with pytest.raises(EndpointError) as caught:
            medimageinsight.encode(images, texts)
        assert caught.value.code == "WET-ENDPOINT-REQUEST"
    for text in ("", "  ", "x" * 226, "é" * 120):
        with pytest.raises(ToolError) as refused:
            medimageinsight.encode(texts=[text])
        assert refused.value.code == "WET-TOOL-PROMPT"


def test_embeddings_nested_and_flat() -> None:
    request = medimageinsight.encode([IMAGE], ["x"])
    row = embedding_row(unit(0).tolist(), unit(1).tolist(), 4.516357)
    found = medimageinsight.decode(reply(row), request)
    assert found.images is not None and found.texts is not None
    assert found.images.dtype == np.float32 and found.images.shape == found.texts.shape == (1, 1024)
    assert found.images[0] == pytest.approx(unit(0), abs=1e-6) and found.texts[0] == pytest.approx(unit(1), abs=1e-6)
    assert found.scaling_factor == 4.516357 and found.warnings == ()
    flat = {"image_features": unit(0), "text_features": [unit(1).tolist()], "scaling_factor": None}
    again = medimageinsight.decode(reply(flat), request)
    assert again.images is not None and (again.images == found.images).all() and again.scaling_factor is None


def test_a_vector_of_another_length_is_brought_to_one() -> None:
    request = medimageinsight.encode([IMAGE])
    found = medimageinsight.decode(reply({"image_features": [(unit(0) * 3).tolist()]}), request)
    assert found.images is not None and found.images[0] == pytest.approx(unit(0), abs=1e-6)
    assert "length one" in found.warnings[0] and found.texts is None


@pytest.mark.parametrize(
    "vector",
    [
        None,
        [],
        "x",
        [1.0] * 1023,
        [[0.1] * 512, [0.1] * 512],
        [0.0] * 1024,
        [None] + [0.1] * 1023,
        [float("inf")] + [0.1] * 1023,
        [1e308] * 1024,
        [[0.1] * 1024, [0.1]],
        {"a": 1},
    ],
)
def test_broken_vectors(vector: Any) -> None:
    with pytest.raises(EndpointError) as caught:
        medimageinsight.decode(reply({"image_features": vector}), medimageinsight.encode([IMAGE]))
    assert caught.value.code == "WET-ENDPOINT-CONTRACT"


@pytest.mark.parametrize("value", [0, -1, 91.2, "4.5", True, [4.5, 4.5]])
def test_a_scaling_factor_that_is_no_logarithm(value: Any) -> None:
    row = {"image_features": unit(0).tolist(), "scaling_factor": value}
    with pytest.raises(EndpointError, match="scaling_factor"):
        medimageinsight.decode(reply(row), medimageinsight.encode([IMAGE]))


def test_zero_shot_takes_the_exponent_of_the_scaling_factor() -> None:
    image = np.zeros(1024)
    image[0] = 1
    texts = np.zeros((2, 1024))
    texts[:, 0] = 0.30, 0.28
    texts[:, 1] = np.sqrt(1 - texts[:, 0] ** 2)
    right = medimageinsight.zero_shot_probabilities(image, texts, 4.5134)
    assert right.tolist() == pytest.approx([1 / (1 + np.exp(-91.23 * 0.02)), 1 / (1 + np.exp(91.23 * 0.02))], abs=1e-3)
    too_flat = 1 / (1 + np.exp(-4.5134 * 0.02))  # what multiplying by the logarithm itself would give
    assert right[0] - too_flat > 0.3
    assert medimageinsight.zero_shot_probabilities(image, texts)[0] == pytest.approx(right[0], abs=1e-2)


@given(st.integers(0, 1000), st.integers(1, 4))
def test_zero_shot_pairs(seed: int, findings: int) -> None:
    texts = np.stack([np.stack([unit(seed + 2 * n), unit(seed + 2 * n + 1)]) for n in range(findings)])
    found = medimageinsight.zero_shot_probabilities(unit(seed + 99), texts, 4.5)
    assert found.shape == (findings, 2)
    assert found.sum(axis=1) == pytest.approx(np.ones(findings))
    alone = medimageinsight.zero_shot_probabilities(unit(seed + 99), texts[0], 4.5)
    assert found[0] == pytest.approx(alone), "findings do not compete with each other"
