"""The case library: exact search, filters, partitions, and files that are not what they should be."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from wetread.errors import InputError
from wetread.insight.library import Case, CaseLibrary, VectorSpace

SPACE = VectorSpace(model="medimageinsight", version="1", recipe="square_512")
OTHER = VectorSpace(model="medimageinsight", version="2", recipe="square_512")


def make_case(id: str, vector: tuple[float, ...] = (1.0, 0.0, 0.0), **fields: Any) -> Case:
    return Case(id=id, vector=vector, **{"space": SPACE, "modality": "DX", "view": "PA", **fields})


@pytest.fixture
def library(tmp_path: Path) -> Iterator[CaseLibrary]:
    with CaseLibrary.open(tmp_path / "cases.db") as opened:
        yield opened


def ids(library: CaseLibrary, vector: tuple[float, ...] = (1.0, 0.0, 0.0), k: int = 10, **filters: Any) -> list[str]:
    return [match.id for match in library.search(vector, k, **{"space": SPACE, **filters})]


def test_most_alike_come_first(library: CaseLibrary) -> None:
    library.add_many(
        [
            make_case("far", (0.0, 1.0, 0.0), labels=("mass",)),
            make_case("near", (3.0, 0.3, 0.0), labels=("effusion", "nodule"), snippet="Small left effusion."),
            make_case("opposite", (-1.0, 0.0, 0.0)),
        ]
    )
    first, second, third = library.search((2.0, 0.0, 0.0), 3, space=SPACE)
    assert [first.id, second.id, third.id] == ["near", "far", "opposite"]
    assert first.similarity == pytest.approx(3 / np.hypot(3, 0.3), abs=1e-3)
    assert second.similarity == pytest.approx(0, abs=1e-3) and third.similarity == pytest.approx(-1, abs=1e-3)
    assert first.labels == ("effusion", "nodule") and first.snippet == "Small left effusion."
    assert ids(library, k=1) == ["near"]
    assert ids(library, k=0) == []


def test_equally_alike_come_by_id(library: CaseLibrary) -> None:
    library.add_many(make_case(id, (0.6, 0.8, 0.0)) for id in ("c", "a", "b", "d"))
    assert ids(library, (0.3, 0.9, 0.1), k=3) == ["a", "b", "c"]


def test_the_same_patient_is_left_out(library: CaseLibrary) -> None:
    library.add_many([make_case("own", patient="key-1"), make_case("other", patient="key-2"), make_case("unknown")])
    assert ids(library, not_patient="key-1") == ["other", "unknown"]
    assert ids(library, not_patient=None) == ["other", "own", "unknown"]
    assert ids(library, not_patient="") == ["other", "own", "unknown"]


def test_the_same_picture_is_left_out(library: CaseLibrary) -> None:
    library.add_many([make_case("itself", image_sha256="ab" * 32), make_case("other", image_sha256="cd" * 32)])
    assert ids(library, not_image="ab" * 32) == ["other"]


def test_filters_are_exact(library: CaseLibrary) -> None:
    library.add_many(
        [make_case("pa"), make_case("ap", view="AP"), make_case("side", view="lateral"), make_case("ct", modality="CT")]
    )
    assert ids(library, modalities=("DX", "CR"), views=("PA", "AP")) == ["ap", "pa"]
    assert ids(library, modalities=("CT",)) == ["ct"]
    assert ids(library, modalities=("MR",)) == []


def test_no_patient_key_stands_in_the_file(library: CaseLibrary, tmp_path: Path) -> None:
    library.add(make_case("a", patient="MRN-0012345"))
    library.close()
    assert b"MRN-0012345" not in (tmp_path / "cases.db").read_bytes()
    assert "MRN-0012345" not in repr(make_case("a", patient="MRN-0012345"))


def test_spaces_never_mix(library: CaseLibrary) -> None:
    library.add(make_case("one"))
    assert ids(library, space=OTHER) == []
    library.add(make_case("one", (0.0, 1.0), space=OTHER))
    assert ids(library, (1.0, 0.0), space=OTHER) == ["one"]
    assert len(library) == 2
    assert library.spaces() == ((SPACE, 1), (OTHER, 1))


def test_vectors_of_one_space_have_one_length(library: CaseLibrary) -> None:
    library.add(make_case("one"))
    with pytest.raises(InputError, match="differ in length") as caught:
        library.add_many([make_case("two"), make_case("three", (1.0, 0.0))])
    assert caught.value.code == "WET-INPUT-VECTOR"
    assert len(library) == 1
    with pytest.raises(InputError, match="has 2 numbers"):
        library.search((1.0, 0.0), 3, space=SPACE)


@pytest.mark.parametrize("vector", [(0.0, 0.0, 0.0), (float("inf"), 0.0, 0.0)])
def test_vectors_without_direction_are_refused(library: CaseLibrary, vector: tuple[float, ...]) -> None:
    library.add(make_case("one"))
    with pytest.raises((InputError, ValidationError)):
        library.add(make_case("two", vector))
    with pytest.raises(InputError, match="zero or not finite"):
        library.search(vector, 3, space=SPACE)
    assert len(library) == 1


def test_adding_is_repeatable_and_corrects(library: CaseLibrary) -> None:
    assert library.add(make_case("one", snippet="Old."))
    assert not library.add(make_case("one", snippet="Old."))
    assert not library.add(make_case("one", (0.0, 1.0, 0.0), snippet="New."))
    assert len(library) == 1
    (match,) = library.search((0.0, 1.0, 0.0), 5, space=SPACE)
    assert match.snippet == "New." and match.similarity == pytest.approx(1, abs=1e-3)


def test_many_rows_are_all_or_none(library: CaseLibrary) -> None:
    def failing() -> Iterator[Case]:
        yield make_case("one")
        raise RuntimeError("the source broke")

    with pytest.raises(RuntimeError):
        library.add_many(failing())
    assert len(library) == 0
    assert library.add_many(make_case(f"case-{number}") for number in range(300)) == 300


def test_removing(library: CaseLibrary) -> None:
    library.add_many([make_case("one"), make_case("two")])
    assert ids(library) == ["one", "two"]
    assert library.remove("one") == 1 and library.remove("one") == 0
    assert ids(library) == ["two"]


def test_labels_are_counted(library: CaseLibrary) -> None:
    library.add_many(
        [make_case("a", labels=("mass", "effusion")), make_case("b", labels=("mass",)), make_case("c", labels=())]
    )
    assert list(library.labels().items()) == [("mass", 2), ("effusion", 1)]


def test_another_connection_s_changes_are_seen(library: CaseLibrary, tmp_path: Path) -> None:
    library.add(make_case("one"))
    assert ids(library) == ["one"]
    with CaseLibrary.open(tmp_path / "cases.db") as second:
        second.add(make_case("two"))
        assert ids(library) == ["one", "two"]
        assert ids(second) == ["one", "two"]


def test_it_survives_closing(tmp_path: Path) -> None:
    path = tmp_path / "cases.db"
    with CaseLibrary.open(path) as first:
        first.add(make_case("one", labels=("mass",)))
    with CaseLibrary.open(path) as second:
        assert len(second) == 1 and ids(second) == ["one"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["cases.db"]


def test_read_only_writes_nothing_beside_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a folder" / "cases #1?.db"
    path.parent.mkdir()
    with CaseLibrary.open(path) as first:
        first.add(make_case("one"))
    before = path.read_bytes()
    with CaseLibrary.open(path, read_only=True) as shipped:
        assert ids(shipped) == ["one"] and len(shipped) == 1
        assert [entry.name for entry in path.parent.iterdir()] == [path.name]
        with pytest.raises(InputError, match="for reading only") as caught:
            shipped.add(make_case("two"))
        assert caught.value.code == "WET-INPUT-LIBRARY-READ-ONLY"
        with pytest.raises(InputError):
            shipped.remove("one")
    assert path.read_bytes() == before


def test_read_only_sees_what_is_still_in_the_log(tmp_path: Path) -> None:
    path = tmp_path / "cases.db"
    with CaseLibrary.open(path) as writer:
        writer.add(make_case("one"))
        with CaseLibrary.open(path, read_only=True) as reader:
            assert ids(reader) == ["one"]


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"not a database at all, just some text" * 40, id="text"),
        pytest.param(b"\x89PNG\r\n\x1a\n", id="png"),
    ],
)
def test_a_file_that_is_no_library(tmp_path: Path, content: bytes, read_only: bool) -> None:
    path = tmp_path / "cases.db"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        CaseLibrary.open(path, read_only=read_only)
    assert caught.value.code == "WET-INPUT-LIBRARY-CORRUPT"
    assert path.read_bytes() == content


def test_another_program_s_database(tmp_path: Path) -> None:
    path = tmp_path / "cases.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE cases (id TEXT)")
    connection.close()
    with pytest.raises(InputError, match="no case library"):
        CaseLibrary.open(path)


def test_a_later_format(tmp_path: Path) -> None:
    path = tmp_path / "cases.db"
    CaseLibrary.open(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(InputError, match="format 99"):
        CaseLibrary.open(path)


def test_a_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / "cases.db"
    with CaseLibrary.open(path) as library:
        library.add_many(make_case(f"case-{number}", tuple(np.eye(64)[number % 64] + 0.1)) for number in range(400))
    data = bytearray(path.read_bytes())
    for page in range(1, len(data) // 4096):
        data[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    path.write_bytes(data)
    with CaseLibrary.open(path, read_only=True) as library, pytest.raises(InputError) as caught:
        library.search(tuple(np.eye(64)[0]), 3, space=SPACE)
    assert caught.value.code == "WET-INPUT-LIBRARY-CORRUPT"


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE cases SET vector = x'0000'",
        "UPDATE cases SET vector = zeroblob(6)",
        "UPDATE cases SET labels = '[not json'",
    ],
)
def test_rows_that_were_tampered_with(tmp_path: Path, change: str) -> None:
    path = tmp_path / "cases.db"
    with CaseLibrary.open(path) as library:
        library.add(make_case("one"))
    connection = sqlite3.connect(path)
    connection.execute(change)
    connection.commit()
    connection.close()
    with CaseLibrary.open(path) as library, pytest.raises(InputError) as caught:
        library.search((1.0, 0.0, 0.0), 3, space=SPACE)
    assert caught.value.code == "WET-INPUT-LIBRARY-CORRUPT"


def test_a_library_that_is_missing_or_cannot_be_made(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no case library") as caught:
        CaseLibrary.open(tmp_path / "none.db", read_only=True)
    assert caught.value.code == "WET-INPUT-LIBRARY"
    with pytest.raises(InputError) as caught:
        CaseLibrary.open(tmp_path / "no" / "folder" / "cases.db")
    assert caught.value.code == "WET-INPUT-LIBRARY"


def test_an_empty_file_becomes_a_library(tmp_path: Path) -> None:
    path = tmp_path / "cases.db"
    path.touch()
    with pytest.raises(InputError, match="no case library"):
        CaseLibrary.open(path, read_only=True)
    with CaseLibrary.open(path) as library:
        assert len(library) == 0


def test_threads_share_it(library: CaseLibrary) -> None:
    library.add_many(make_case(f"case-{number:03}", tuple(np.eye(50)[number])) for number in range(50))
    wrong: list[int] = []

    def work(number: int) -> None:
        for step in range(10):
            wanted = (number * 10 + step) % 50
            if ids(library, tuple(np.eye(50)[wanted]), k=1) != [f"case-{wanted:03}"]:
                wrong.append(wanted)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


vectors = st.lists(st.integers(-5, 5), min_size=4, max_size=4).filter(any).map(lambda v: tuple(float(x) for x in v))


@settings(max_examples=40, deadline=None)
@given(stored=st.lists(vectors, min_size=1, max_size=12), query=vectors, k=st.integers(1, 6), patient=st.integers(0, 2))
def test_search_agrees_with_the_definition(
    stored: list[tuple[float, ...]], query: tuple[float, ...], k: int, patient: int
) -> None:
    with CaseLibrary.open(Path(":memory:")) as library:
        library.add_many(
            make_case(f"{number:02}", vector, patient=str(number % 3)) for number, vector in enumerate(stored)
        )
        found = library.search(query, k, space=SPACE, not_patient=str(patient))
    unit = np.asarray(query) / np.linalg.norm(query)
    exact = {
        f"{number:02}": float(np.asarray(vector) @ unit / np.linalg.norm(vector))
        for number, vector in enumerate(stored)
        if number % 3 != patient
    }
    assert len(found) == min(k, len(exact))
    for match in found:
        assert match.similarity == pytest.approx(exact[match.id], abs=2e-3)
    # Sixteen bits keep the ranking but for what differs by less than they can hold.
    worst = min((exact[match.id] for match in found), default=-1.0)
    left_out = [value for id, value in exact.items() if id not in {match.id for match in found}]
    assert all(value <= worst + 4e-3 for value in left_out)
    keys = [(-match.similarity, match.id) for match in found]
    assert keys == sorted(keys)


def test_many_may_make_the_same_library_at_once(tmp_path: Path) -> None:
    path = tmp_path / "cases.db"
    start = threading.Barrier(6)
    errors: list[Exception] = []

    def work(number: int) -> None:
        start.wait()
        try:
            with CaseLibrary.open(path) as library:
                library.add(make_case(f"case-{number}"))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with CaseLibrary.open(path) as library:
        assert len(library) == 6
