"""Commands that write files: the report in other formats, and the folder that `wetread read` leaves."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from wetread.apps.chat.asking import conversation, paths_of, report_of, wrong
from wetread.apps.chat.views import failure, note
from wetread.apps.chat.views_tables import help_table
from wetread.errors import ExportError

if TYPE_CHECKING:
    from wetread.apps.chat.desk import Desk

OUT = Path("wetread-out")


async def do_export(desk: Desk, words: str) -> None:
    """The report in other formats."""
    from wetread.apps.commands_export import ALL, LIST, formats_of
    from wetread.reports.export import FORMATS, ExportedFile, Source, export_from, write_files

    formats, _, rest = words.partition(" ")
    if formats in ("", LIST):
        desk.screen.show(help_table((one.name, one.help) for one in FORMATS.values()))
        return
    wanted = formats_of(formats, "/export")
    folder = _folder(desk, rest)
    report = report_of(desk)
    dialogue = conversation(desk)
    session = dialogue.session
    paths = desk.files.paths if desk.files is not None else ()
    original = Path(paths[0]) if len(paths) == 1 else None
    source = Source(session.study, session.images, session.artifacts, original, desk.workspace)
    made: list[ExportedFile] = []
    for name in wanted:
        try:
            made += await asyncio.to_thread(export_from, source, report, name)
        except ExportError as error:
            if formats != ALL:
                raise
            desk.screen.show(failure(error))
    names = [path.name for path in await asyncio.to_thread(write_files, made, folder)]
    desk.screen.show(note(f"Written to {folder}: {', '.join(names)}"))


async def do_save(desk: Desk, words: str) -> None:
    """The report's page, its Markdown and JSON, and its pictures."""
    from wetread.apps.output import write_files

    report_of(desk)
    folder = _folder(desk, words)
    names = await write_files(conversation(desk).session, folder, desk.workspace)
    desk.screen.show(note(f"Written to {folder}: {', '.join(names)}"))


def _folder(desk: Desk, words: str) -> Path:
    from wetread.apps.output import check_folder

    paths = paths_of(words)
    if len(paths) > 1:
        raise wrong("One folder, please.", "A path with blanks stands in quotation marks.")
    folder = Path(paths[0]) if paths else OUT / conversation(desk).id
    check_folder(folder)
    return folder
