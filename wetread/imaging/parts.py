"""Connected parts of a mask, told from its runs: what scipy's `label` does, without taking scipy's time to load."""

from __future__ import annotations

import numpy as np

from wetread.imaging.runs import Integers, Runs


def in_one_column(runs: Runs) -> bool:
    """Whether each row from the first to the last has one run, and each run touches the one before: most masks are so,
    and of one part on any coarser grid too."""
    rows, starts, ends = runs.rows, runs.starts, runs.ends
    return bool(
        rows.size
        and (rows[1:] - rows[:-1] == 1).all()
        and (starts[1:] <= ends[:-1]).all()
        and (starts[:-1] <= ends[1:]).all()
    )


def parts(runs: Runs) -> Integers:
    """The part that each run belongs to, from 0 on in the order of their first runs. Pixels that touch, also by their
    corners, are of one part (8 neighbours)."""
    count = runs.rows.size
    # The runs of the row before that a run touches stand side by side: first to last.
    width = runs.shape[1] + 2
    line = runs.rows * width
    first = np.searchsorted(line + runs.ends, line - width + runs.starts)
    last = np.searchsorted(line + runs.starts, line - width + runs.ends, side="right")
    first, last = np.minimum(first, np.arange(count)), np.minimum(last, np.arange(count))
    # A run joins the first of them at once; what the others join to is settled after that.
    root = _settled(np.where(last > first, first, np.arange(count)))
    more = np.maximum(last - first - 1, 0)
    one = np.repeat(np.arange(count), more)
    other = np.arange(one.size) + np.repeat(first + 1 - np.cumsum(more) + more, more)
    # Runs of one row that touch are of one part too.
    beside = np.flatnonzero((runs.rows[1:] == runs.rows[:-1]) & (runs.starts[1:] == runs.ends[:-1]))
    one, other = np.concatenate((one, beside + 1)), np.concatenate((other, beside))
    while one.size:
        low, high = np.minimum(root[one], root[other]), np.maximum(root[one], root[other])
        apart = np.flatnonzero(low != high)
        one, other = one[apart], other[apart]
        np.minimum.at(root, high[apart], low[apart])
        root = _settled(root)
    numbers = np.cumsum(root == np.arange(count)) - 1
    return numbers[root]


def _settled(root: Integers) -> Integers:
    """Each run's own root, given a run of its part that comes before it."""
    while True:
        further = root[root]
        if np.array_equal(further, root):
            return root
        root = further
