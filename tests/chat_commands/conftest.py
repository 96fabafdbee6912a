"""Chats at a desk: without a study, with one, and after a reading."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from chat_desk import Chat, files, opened, sources

from wetread.dialogue.dialogue import Dialogue
from wetread.store import Store
from wetread.testing.phantom import chest_phantom


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    chest_phantom(512, seed=41).write_png(folder / "frontal.png")
    chest_phantom(256, seed=9).write_png(folder / "earlier film.png")
    (folder / "report.txt").write_text("The heart was normal.", encoding="utf-8")
    return folder


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Chat]:
    """A chat with no study."""
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", "WETREAD_MODEL_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    with Store.open(tmp_path / "store.db") as store:
        yield Chat(tmp_path, store, None)


@pytest.fixture
async def chat(bare: Chat, pictures: Path) -> AsyncIterator[Chat]:
    """A chat about a phantom, read by the protocol with simulated endpoints; nothing was said yet."""
    async with await opened(bare, pictures) as dialogue:
        bare.desk.dialogue = dialogue
        yield bare


@pytest.fixture(scope="module")
def drafted(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the store of a session whose report was drafted."""
    folder = tmp_path_factory.mktemp("drafted")

    async def draft(store: Store) -> None:
        chat = Chat(folder, store, None)
        async with await opened(chat, pictures) as dialogue:
            chat.desk.dialogue = dialogue
            await chat.read()

    with Store.open(folder / "store.db") as store:
        asyncio.run(draft(store))
    return folder


@pytest.fixture
async def read(drafted: Path, pictures: Path, bare: Chat) -> AsyncIterator[Chat]:
    """The same, after the report was drafted: that session, gone on with."""
    shutil.copytree(drafted, bare.folder / "kept")
    with Store.open(bare.folder / "kept" / "store.db") as store:
        bare.desk.store, bare.desk.files = store, files(pictures)
        (entry,) = store.sessions.all()
        study, folder = bare.desk.files.read(), bare.folder / "sessions"
        async with await Dialogue.resume(entry.id, study, sources(bare), store=store, folder=folder) as dialogue:
            bare.desk.dialogue = dialogue
            yield bare
