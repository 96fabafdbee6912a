"""Phrases found in tokens by one trie, longest match first: linear in the number of tokens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Generic, TypeVar

Label = TypeVar("Label")
_END = ""


class Phrases(Generic[Label]):
    """A set of phrases, each with a label.

    Where a phrase is given twice the first label stays. Articles, hyphens and the blanks of de-identified texts (`___`,
    `XXXX`) are passed over inside a phrase, so that `costophrenic angle blunting` needs no variants; phrases are given
    without them.
    """

    def __init__(self, phrases: Iterable[tuple[Sequence[str], Label]]) -> None:
        self._root: dict[str, Any] = {}
        self._longest = 0
        for words, label in phrases:
            node = self._root
            for word in [word for word in words if word not in _SKIPPED] or words:
                node = node.setdefault(word, {})
            node.setdefault(_END, label)
            self._longest = max(self._longest, len(words))

    def find(self, words: Sequence[str]) -> list[tuple[Label, int, int]]:
        """All phrases in the words of tokens, longest first at each place, without overlaps.

        Returns:
            Label, first and last-plus-one token of each.
        """
        found: list[tuple[Label, int, int]] = []
        count = len(words)
        index = 0
        root = self._root
        while index < count:
            node = root.get(words[index])
            if node is None:
                index += 1
                continue
            best: tuple[Label, int] | None = None
            at = index + 1
            while True:
                if _END in node:
                    best = (node[_END], at)
                while at < count and words[at] in _SKIPPED and at - index < 16:
                    at += 1
                follow = node.get(words[at]) if at < count else None
                if follow is None:
                    break
                node, at = follow, at + 1
            if best is None:
                index += 1
            else:
                found.append((best[0], index, best[1]))
                index = best[1]
        return found


_SKIPPED = frozenset(("the", "a", "an", "-", "_", "xxxx"))
