"""The three simulated models behind one door: a request in, rows in the wire's own form out. No waiting, no faults.

Refuses what the real ones refuse: missing columns, ragged rows, pictures that are none or of the wrong size.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from wetread.imaging.payload import Payload
from wetread.testing.simulated_embeddings import SCALING_FACTOR, embed_picture, embed_text
from wetread.testing.simulated_findings import write_findings
from wetread.testing.simulated_masks import class_of, draw_masks
from wetread.testing.simulated_picture import BadPicture, Picture, look_at
from wetread.testing.simulated_rows import Row, embedding_row, findings_row, masks_row
from wetread.tools.endpoints.envelope import MAX_ROWS
from wetread.tools.endpoints.medimageparse import SIDE, prompts_of
from wetread.tools.endpoints.port import Cell, EndpointName, EndpointRequest

COLUMNS: dict[EndpointName, tuple[str, ...]] = {
    "cxrreportgen": (
        "frontal_image",
        "lateral_image",
        "prior_image",
        "indication",
        "technique",
        "comparison",
        "prior_report",
    ),
    "medimageparse": ("image", "text"),
    "medimageinsight": ("image", "text"),
}
IMAGE_COLUMNS = frozenset({"image", "frontal_image", "lateral_image", "prior_image"})
REQUIRED: dict[EndpointName, tuple[str, ...]] = {
    "cxrreportgen": ("frontal_image",),
    "medimageparse": ("image", "text"),
    "medimageinsight": (),
}
_KEPT_PICTURES = 256
_KEPT_ANSWERS = 12


class Refused(ValueError):
    """A request that the model does not take; becomes a 424 with the inner status 400."""


class SimulatedModels:
    """Answers every request, the same one always in the same way. Usable from several threads.

    Args:
        seed: Another seed, other answers.
    """

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._pictures: OrderedDict[str, Picture] = OrderedDict()
        self._answers: OrderedDict[tuple[object, ...], list[Row]] = OrderedDict()
        self._lock = Lock()

    def answer(self, request: EndpointRequest) -> list[Row]:
        """The rows for a request.

        Raises:
            Refused: what no model of that name would take.
        """
        key = _key(request)
        with self._lock:
            known = self._answers.get(key)
        if known is None:
            known = self._work_out(request)
            with self._lock:
                self._answers[key] = known
                while len(self._answers) > _KEPT_ANSWERS:
                    self._answers.popitem(last=False)
        return [dict(row) for row in known]

    def knows(self, request: EndpointRequest) -> bool:
        """Whether answering takes no time to speak of, since the request or all its pictures were seen before."""
        with self._lock:
            if _key(request) in self._answers:
                return True
            cells = (cell for row in request.rows for cell in row if isinstance(cell, Payload))
            return request.endpoint != "medimageparse" and all(cell.pixel_sha256 in self._pictures for cell in cells)

    def remember(self, payload: Payload, picture: Picture) -> None:
        """Spare a later decoding of a picture."""
        with self._lock:
            self._pictures[payload.pixel_sha256] = picture
            while len(self._pictures) > _KEPT_PICTURES:
                self._pictures.popitem(last=False)

    def _work_out(self, request: EndpointRequest) -> list[Row]:
        name = request.endpoint
        missing = [column for column in REQUIRED[name] if column not in request.columns]
        if missing or not request.columns or set(request.columns) - set(COLUMNS[name]):
            raise Refused("the columns are not those of the model")
        if len(request.rows) > MAX_ROWS[name] or any(len(row) != len(request.columns) for row in request.rows):
            raise Refused("the rows do not fit the columns")
        tables = [dict(zip(request.columns, row, strict=True)) for row in request.rows]
        match name:
            case "cxrreportgen":
                return [self._findings(table) for table in tables]
            case "medimageparse":
                return [self._masks(table) for table in tables]
            case "medimageinsight":
                return self._embeddings(tables, bool(request.params.get("get_scaling_factor")))

    def _findings(self, table: dict[str, Cell]) -> Row:
        frontal = self._picture(table["frontal_image"])
        for column in ("lateral_image", "prior_image"):
            if table.get(column):
                self._picture(table[column])
        prior = bool(table.get("prior_image") or table.get("prior_report"))
        lateral = bool(table.get("lateral_image"))
        return findings_row(write_findings(frontal.sha256, self._seed, lateral=lateral, prior=prior))

    def _masks(self, table: dict[str, Cell]) -> Row:
        picture = self._picture(table["image"])
        if (picture.rows, picture.columns) != (SIDE, SIDE):
            raise Refused("the picture is not 1024 x 1024")
        text = table["text"]
        if not isinstance(text, str) or not text.strip():
            raise Refused("there is no prompt")
        request = EndpointRequest("medimageparse", ("text",), ((text,),))
        prompts = prompts_of(request)
        return masks_row(draw_masks(picture, prompts, self._seed), [class_of(prompt) for prompt in prompts])

    def _embeddings(self, tables: list[dict[str, Cell]], scaling: bool) -> list[Row]:
        rows = []
        given = {tuple(column for column, cell in table.items() if cell) for table in tables}
        if len(given) != 1 or given == {()}:
            raise Refused("the rows do not all have the same columns filled")
        for table in tables:
            image, text = table.get("image"), table.get("text")
            if text is not None and not isinstance(text, str):
                raise Refused("the text is none")
            rows.append(
                embedding_row(
                    embed_picture(self._picture(image), self._seed) if image else None,
                    embed_text(text, self._seed) if text else None,
                    SCALING_FACTOR if scaling else None,
                )
            )
        return rows

    def _picture(self, cell: Cell) -> Picture:
        if not isinstance(cell, Payload):
            raise Refused("a picture is missing")
        with self._lock:
            picture = self._pictures.get(cell.pixel_sha256)
        if picture is None:
            try:
                picture = look_at(cell.png)
            except BadPicture as error:
                raise Refused(str(error)) from error
            self.remember(cell, picture)
        return picture


def _key(request: EndpointRequest) -> tuple[object, ...]:
    cells = tuple(tuple(map(_identity, row)) for row in request.rows)
    return request.endpoint, request.columns, cells, bool(request.params.get("get_scaling_factor"))


def _identity(cell: Cell) -> str | None:
    return f"image {cell.pixel_sha256}" if isinstance(cell, Payload) else cell
