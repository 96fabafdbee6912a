"""Kills a process that writes to a store at random points, again and again. Run by `test_store_killed.py`.

The writers are forked from one process that has everything imported, so that each is killed while it writes and not
while it starts. Prints one JSON object: how often it killed, what was acknowledged, what was kept, what was wrong.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import sys
import time
from datetime import timedelta
from pathlib import Path

from conftest import DRAFTED, make_draft

from wetread.artifacts import ArtifactStore
from wetread.reports.model import Report
from wetread.review import conclude
from wetread.store import Store

MOST_PER_LIFE = 25


def draft_of(base: Report, number: int) -> tuple[Report, ArtifactStore]:
    """Another draft for each number, with an artifact of its own."""
    artifacts = ArtifactStore()
    mask = artifacts.put("mask", f"mask {number} ".encode() * 2000, "image/png", "a mask")
    evidence = tuple(one.model_copy(update={"artifacts": (mask.handle,)}) for one in base.evidence)
    created = DRAFTED + timedelta(microseconds=number)
    return base.model_copy(update={"created": created, "evidence": evidence}).sealed(), artifacts


def write(place: Path, base: Report, first: int, out: int) -> None:
    """Keep drafts and sign them; say each hash once it is acknowledged."""
    os.write(out, b"ready\n")
    with Store.open(place) as store:
        for number in range(first, first + MOST_PER_LIFE):
            report, artifacts = draft_of(base, number)
            store.keep(report, artifacts=artifacts)
            os.write(out, f"{report.sha256}\n".encode())
            final = conclude(report, by="Ada Example", at=DRAFTED, outcome="sign")
            store.reports.put(final)
            os.write(out, f"{final.sha256}\n".encode())


def kill_one(place: Path, base: Report, life: int, after: float) -> list[str]:
    """One writer's life, killed so many seconds after it began; returns what it had acknowledged."""
    read, out = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        try:
            write(place, base, life * MOST_PER_LIFE, out)
        finally:
            os._exit(0)
    os.close(out)
    said = b""
    while b"\n" not in said:
        said += os.read(read, 4096)
    time.sleep(after)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while select.select([read], [], [], 0)[0] and (more := os.read(read, 65536)):
        said += more
    os.close(read)
    # a line that was cut off was said, but not to its end: it counts as not acknowledged
    return said.decode().split("\n")[1:-1]


def main(place: Path, times: int) -> int:
    base = make_draft()
    with Store.open(place.with_name("warm.db")) as store:  # imports what is imported late
        store.keep(*draft_of(base, 0)[:1])
        store.reports.put(conclude(draft_of(base, 0)[0], by="Ada Example", at=DRAFTED, outcome="sign"))
        began = time.perf_counter()
        store.keep(*draft_of(base, 1)[:1])
        longest = 20 * (time.perf_counter() - began)
    chance = random.Random(20300506)
    acknowledged: list[str] = []
    wrong: list[str] = []
    middle = 0
    for life in range(times):
        said = kill_one(place, base, life, chance.uniform(0, longest))
        acknowledged += said
        middle += 0 < len(said) < 2 * MOST_PER_LIFE
        with Store.open(place) as store:
            wrong += [f"life {life}: {sha} is another one" for sha in said if store.reports.get(sha).sha256 != sha]
    with Store.open(place, create=False) as store:
        entries = store.reports.latest()
        kept = [one for entry in entries for one in store.reports.versions(entry.id)]
        for entry in entries:
            wrong += [f"{entry.id}: {problem}" for problem in store.reports.verify(entry.id)]
            report = store.reports.get(entry.id)
            if len(store.artifacts.load(report).all()) != 1:
                wrong.append(f"{entry.id}: its artifact is not there")
            session = store.reports.entry(f"{entry.id}@1").session or ""
            if len(store.sessions.evidence(session)) != len(report.evidence):
                wrong.append(f"{entry.id}: its evidence is not whole")
        check = store.audit.verify()
        wrong += check.problems
    lost = set(acknowledged) - {one.sha256 for one in kept}
    print(  # noqa: T201
        json.dumps(
            {
                "killed": times,
                "in_the_middle": middle,
                "acknowledged": len(acknowledged),
                "kept": len(kept),
                "lost": len(lost),
                "wrong": wrong,
            }
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
