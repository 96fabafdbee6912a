"""The case library: earlier cases with their embeddings, searched exactly, on one's own machine.

One SQLite file; vectors are stored as 16-bit floats, which keeps the ranking of 32-bit ones, and are searched as a
32-bit matrix in memory (16-bit arithmetic is many times slower). The search looks at every case: no build, no tuning,
filters that are exact, and the same answer every time.

Vectors of another model, another version of it or another preparation of the image lie in another space and mean
something else: each `VectorSpace` is a partition of its own, and a search never leaves its own.
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
from pydantic import Field

from wetread.errors import InputError
from wetread.insight.library_file import connect, corrupt, prepare, reporting
from wetread.values import Value

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SIMILARITY_DIGITS = 6


class VectorSpace(Value):
    """What made a vector: model, version, and the recipe by which the image was prepared."""

    model: str = Field(min_length=1)
    version: str = Field(min_length=1)
    recipe: str = Field(min_length=1)

    def __str__(self) -> str:
        return f"{self.model} {self.version}, {self.recipe}"


class Case(Value):
    """One earlier case. Nothing in it may identify a person: the id is the library's own, the snippet a few lines."""

    id: str = Field(min_length=1, max_length=200)
    space: VectorSpace
    vector: tuple[float, ...] = Field(min_length=1, repr=False)
    """Any length but zero; stored at unit length."""
    patient: str = Field(default="", repr=False)
    """Opaque key of the patient, kept only as a hash; empty where it is not known."""
    image_sha256: str = ""
    """Hash of the prepared pixels, so that a picture does not find itself."""
    modality: str = "unknown"
    view: str = "unknown"
    labels: tuple[str, ...] = ()
    snippet: str = Field(default="", max_length=2000)


class Match(Value):
    """A case that a search found. `similarity` is the cosine, 1 for the same direction."""

    id: str
    similarity: float
    modality: str
    view: str
    labels: tuple[str, ...]
    snippet: str


@dataclass(frozen=True, slots=True)
class _Partition:
    """The cases of one space in memory, in the order of their ids."""

    ids: NDArray[np.str_]
    patients: NDArray[np.str_]
    images: NDArray[np.str_]
    modalities: NDArray[np.str_]
    views: NDArray[np.str_]
    matrix: NDArray[np.float32]


class CaseLibrary:
    """A library of earlier cases in one file. Safe to use from several threads.

    Open one with `open`; it is a context manager and closes itself.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path, *, read_only: bool) -> None:
        self._connection = connection
        self._path = path
        self._read_only = read_only
        self._lock = threading.RLock()
        self._partitions: dict[VectorSpace, _Partition] = {}
        self._seen = -1
        self._closed = False

    @classmethod
    def open(cls, path: Path, *, read_only: bool = False) -> CaseLibrary:
        """Open a library; without `read_only` it is made where there is none.

        Args:
            path: The file.
            read_only: For libraries that are shipped and do not change: nothing is written beside the file, so that
                it may lie in a folder that cannot be written to.

        Raises:
            InputError: `WET-INPUT-LIBRARY` where there is no such file, or it cannot be opened;
                `WET-INPUT-LIBRARY-CORRUPT` for a file that is damaged or no case library.
        """
        path = Path(path)
        if read_only and not path.is_file():
            raise InputError(
                "WET-INPUT-LIBRARY", f"There is no case library {path}.", "Make one with `wetread index add`."
            )
        with reporting(path):
            connection = connect(path, read_only)
            try:
                prepare(connection, path, read_only)
            except BaseException:
                connection.close()
                raise
        return cls(connection, path, read_only=read_only)

    def __enter__(self) -> CaseLibrary:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file, leaving it whole in one piece."""
        with self._lock, reporting(self._path):
            if self._closed:
                return
            self._closed = True
            if not self._read_only:
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._connection.close()

    def __len__(self) -> int:
        with self._lock, reporting(self._path):
            return int(self._connection.execute("SELECT count(*) FROM cases").fetchone()[0])

    def add(self, case: Case) -> bool:
        """Add one case; see `add_many`. Returns whether it is new."""
        return self.add_many([case]) == 1

    def add_many(self, cases: Iterable[Case]) -> int:
        """Add cases in one transaction, all or none. A case that is there is written over, so adding is repeatable.

        Returns:
            How many were new.

        Raises:
            InputError: `WET-INPUT-VECTOR` for a vector that is zero, not finite, or of another length than the others
                of its space; `WET-INPUT-LIBRARY-READ-ONLY`.
        """
        if self._read_only:
            raise InputError("WET-INPUT-LIBRARY-READ-ONLY", f"The case library {self._path} is open for reading only.")
        with self._lock, reporting(self._path):
            # A generator may run for long: nobody else's writing waits for it.
            rows = [_row(case) for case in cases]
            before = len(self)
            with self._transaction():
                self._connection.executemany(_INSERT, rows)
                self._check_one_length(rows)
            return len(self) - before

    def remove(self, id: str) -> int:
        """Remove a case from every space. Returns in how many it was."""
        with self._lock, reporting(self._path):
            return self._connection.execute("DELETE FROM cases WHERE id = ?", (id,)).rowcount

    def spaces(self) -> tuple[tuple[VectorSpace, int], ...]:
        """The spaces there are vectors of, and how many."""
        query = "SELECT model, version, recipe, count(*) FROM cases GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
        with self._lock, reporting(self._path):
            return tuple(
                (VectorSpace(model=model, version=version, recipe=recipe), count)
                for model, version, recipe, count in self._connection.execute(query)
            )

    def labels(self) -> dict[str, int]:
        """How many cases carry each label, the most frequent first."""
        query = (
            "SELECT label, count(*) AS n FROM"
            " (SELECT DISTINCT c.id, e.value AS label FROM cases AS c, json_each(c.labels) AS e)"
            " GROUP BY 1 ORDER BY n DESC, 1"
        )
        with self._lock, reporting(self._path):
            return {str(label): int(count) for label, count in self._connection.execute(query)}

    def search(
        self,
        vector: NDArray[np.float32] | tuple[float, ...],
        k: int,
        *,
        space: VectorSpace,
        not_patient: str | None = None,
        not_image: str | None = None,
        modalities: Iterable[str] | None = None,
        views: Iterable[str] | None = None,
    ) -> list[Match]:
        """The k cases of that space that are most alike, the most alike first; equally alike ones by id.

        Args:
            vector: The embedding, one dimension.
            k: How many at most.
            space: What made the vector.
            not_patient: Key of the patient whose own cases are left out, as given to `Case.patient`.
            not_image: Hash of prepared pixels that are left out.
            modalities: Only cases of these modalities.
            views: Only cases of these views.

        Returns:
            At most k matches; none where the space has no vectors or the filters leave none.

        Raises:
            InputError: `WET-INPUT-VECTOR` for a vector that is zero, not finite or of another length than the others.
        """
        import numpy as np

        if k < 1:
            return []
        with self._lock, reporting(self._path):
            partition = self._partition(space)
            if partition is None:
                return []
            query = _unit(vector, f"the vector searched for in {self._path}")
            if query.shape[0] != partition.matrix.shape[1]:
                raise InputError(
                    "WET-INPUT-VECTOR",
                    f"The vector searched for has {query.shape[0]} numbers, those of {space} in {self._path} have"
                    f" {partition.matrix.shape[1]}.",
                )
            kept = np.ones(len(partition.ids), dtype=bool)
            if not_patient:
                kept &= partition.patients != _pseudonym(not_patient)
            if not_image:
                kept &= partition.images != not_image
            if modalities is not None:
                kept &= _among(partition.modalities, modalities)
            if views is not None:
                kept &= _among(partition.views, views)
            rows = np.flatnonzero(kept)
            # Copying a few rows costs less than multiplying them all; copying many costs more.
            few = len(rows) * 4 < len(kept)
            scores = partition.matrix[rows] @ query if few else (partition.matrix @ query)[rows]
            # Rounded, because a row's last bits depend on its place in the matrix, and equals are put in order by id.
            scores = np.round(scores, _SIMILARITY_DIGITS)
            best = rows[np.argsort(-scores, kind="stable")[:k]]
            found = dict(zip(rows.tolist(), scores.tolist(), strict=True))
            return [self._match(space, str(partition.ids[row]), found[row]) for row in best.tolist()]

    def _match(self, space: VectorSpace, id: str, similarity: float) -> Match:
        modality, view, labels, snippet = self._connection.execute(
            "SELECT modality, view, labels, snippet FROM cases"
            " WHERE model = ? AND version = ? AND recipe = ? AND id = ?",
            (space.model, space.version, space.recipe, id),
        ).fetchone()
        try:
            return Match(
                id=id,
                similarity=min(1.0, max(-1.0, round(similarity, _SIMILARITY_DIGITS))),
                modality=modality,
                view=view,
                labels=tuple(orjson.loads(labels)),
                snippet=snippet,
            )
        except (TypeError, ValueError):
            raise corrupt(self._path) from None

    def _partition(self, space: VectorSpace) -> _Partition | None:
        import numpy as np

        # `data_version` tells of other connections' changes, `total_changes` of this one's.
        seen = hash((self._connection.execute("PRAGMA data_version").fetchone()[0], self._connection.total_changes))
        if seen != self._seen:
            self._partitions.clear()
            self._seen = seen
        if space in self._partitions:
            return self._partitions[space]
        rows = self._connection.execute(
            "SELECT id, patient, image, modality, view, dimensions, vector FROM cases"
            " WHERE model = ? AND version = ? AND recipe = ? ORDER BY id",
            (space.model, space.version, space.recipe),
        ).fetchall()
        if not rows:
            return None
        ids, patients, images, modalities, views, dimensions, vectors = zip(*rows, strict=True)
        if len(set(dimensions)) != 1 or any(len(vector) != 2 * dimensions[0] for vector in vectors):
            raise corrupt(self._path)
        matrix = np.frombuffer(b"".join(vectors), dtype="<f2").reshape(len(rows), dimensions[0]).astype(np.float32)
        norms = np.linalg.norm(matrix, axis=1, keepdims=True)
        if not np.isfinite(norms).all() or not norms.all():
            raise corrupt(self._path)
        matrix /= norms
        partition = _Partition(
            np.array(ids), np.array(patients), np.array(images), np.array(modalities), np.array(views), matrix
        )
        self._partitions[space] = partition
        return partition

    def _check_one_length(self, rows: list[tuple[object, ...]]) -> None:
        for model, version, recipe in {row[:3] for row in rows}:
            lengths = self._connection.execute(
                "SELECT DISTINCT dimensions FROM cases WHERE model = ? AND version = ? AND recipe = ?",
                (model, version, recipe),
            ).fetchall()
            if len(lengths) > 1:
                raise InputError(
                    "WET-INPUT-VECTOR",
                    f"The vectors of {model} {version}, {recipe} in {self._path} would differ in length:"
                    f" {', '.join(str(length) for (length,) in sorted(lengths))}.",
                    "Nothing was added. Name another recipe or version for other vectors.",
                )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")


_INSERT = """
INSERT INTO cases (model, version, recipe, id, patient, image, modality, view, labels, snippet, dimensions, vector)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (model, version, recipe, id) DO UPDATE SET
    patient = excluded.patient, image = excluded.image, modality = excluded.modality, view = excluded.view,
    labels = excluded.labels, snippet = excluded.snippet, dimensions = excluded.dimensions, vector = excluded.vector
"""


def _row(case: Case) -> tuple[object, ...]:
    vector = _unit(case.vector, f"the vector of case {case.id!r}")
    space = case.space
    return (
        space.model,
        space.version,
        space.recipe,
        case.id,
        _pseudonym(case.patient) if case.patient else "",
        case.image_sha256,
        case.modality,
        case.view,
        orjson.dumps(case.labels).decode(),
        case.snippet,
        vector.shape[0],
        vector.astype("<f2").tobytes(),
    )


def _pseudonym(patient: str) -> str:
    # A hash, so that no key stands in the file; whoever knows a key can still find its cases, and is meant to.
    return hashlib.sha256(b"wetread case library patient\0" + patient.encode()).hexdigest()


def _among(column: NDArray[np.str_], words: Iterable[str]) -> NDArray[np.bool_]:
    """Where a column has one of a few words; `np.isin` would sort the column for it."""
    import numpy as np

    found = np.zeros(len(column), dtype=bool)
    for word in words:
        found |= column == word
    return found


def _unit(vector: NDArray[np.float32] | tuple[float, ...], what: str) -> NDArray[np.float32]:
    import numpy as np

    array = np.asarray(vector, dtype=np.float64)
    norm = float(np.linalg.norm(array)) if array.ndim == 1 and array.size else 0.0
    if not np.isfinite(norm) or norm == 0.0:
        raise InputError("WET-INPUT-VECTOR", f"{what[0].upper()}{what[1:]} is empty, zero or not finite.")
    return (array / norm).astype(np.float32)
