"""Lines that came at once from a terminal that marks no paste."""

from __future__ import annotations

import pytest

from wetread.apps.chat.input import UnmarkedPastes

BEGINS, ENDS, CURSOR = "\x1b[200~", "\x1b[201~", "\x1b[12;3R"
LINES = "one\rtwo\rthree\rfour\rfive"


@pytest.mark.parametrize(
    ("keys", "taken"),
    [
        (LINES, f"{BEGINS}{LINES}{ENDS}"),
        (f"{CURSOR}{LINES}", f"{CURSOR}{BEGINS}{LINES}{ENDS}"),
        (f"one\r{CURSOR}two\rthree\rfour\rfive", f"{CURSOR}{BEGINS}{LINES}{ENDS}"),
        ("one\r", "one\r"),
        (f"up \x1b[A{LINES}", f"up \x1b[A{LINES}"),
        (f"{BEGINS}{LINES}{ENDS}", f"{BEGINS}{LINES}{ENDS}"),
    ],
)
def test_lines_that_came_at_once_are_a_paste(keys: str, taken: str) -> None:
    assert UnmarkedPastes()(keys) == taken


def test_a_marked_paste_in_pieces_is_not_marked_again() -> None:
    mark = UnmarkedPastes()
    for piece in (f"{BEGINS}{LINES}", LINES, f"{LINES}{ENDS}"):
        assert mark(piece) == piece
    assert mark(LINES) == f"{BEGINS}{LINES}{ENDS}"
