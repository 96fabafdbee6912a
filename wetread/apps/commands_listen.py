"""`wetread listen`: a DICOM node that takes in studies by C-STORE and drafts the report of each."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
from pathlib import Path

from wetread.apps.output import check_folder
from wetread.apps.stores import check_store
from wetread.apps.terminal import note
from wetread.apps.wiring import open_endpoints, settings_for
from wetread.config import STORE_FILE, Settings
from wetread.errors import InputError

SIMULATED = "SIMULATED: the answers are made up by wetread's simulator and mean nothing about a patient."
_LONGEST_QUIET_S = 86_400.0


def run(options: argparse.Namespace) -> int:
    """Run the command; see `apps.cli` for its options and exit codes. It ends when it is interrupted."""
    try:
        asyncio.run(_listen(options))
    except asyncio.CancelledError:  # by SIGTERM
        raise KeyboardInterrupt from None
    return 0


async def _listen(options: argparse.Namespace) -> None:
    from wetread.apps.pacs.destination import send_to
    from wetread.apps.pacs.drafting import Orders, work
    from wetread.apps.pacs.extra import need_pynetdicom
    from wetread.apps.pacs.node import Node
    from wetread.apps.pacs.place import title
    from wetread.apps.pacs.spool import Spool

    need_pynetdicom(sending=False)
    workspace = Path(options.workspace)
    settings = settings_for(workspace, options.model)
    own = title(options.aet, "--aet")
    to = send_to(options.send_to, calling=own, allow_http=options.allow_http) if options.send_to else None
    allow = [title(text, "--allow") for text in options.allow]
    if not 0 < options.quiet <= _LONGEST_QUIET_S or not 0 < options.spool_limit <= 1e6:
        raise InputError("WET-INPUT-OPTION", "--quiet and --spool-limit are numbers above 0.", "Such as --quiet 30.")
    await _check(options, settings, workspace)
    orders = Orders(
        settings=settings,
        workspace=workspace,
        simulated=options.simulated,
        template=options.template,
        view=options.view,
        out=Path(options.out),
        store=options.store,
        send_to=to,
        keep=options.keep,
    )
    folder = Path(options.spool) if options.spool else (workspace / STORE_FILE).parent / "spool"
    spool = Spool(folder, quiet_s=options.quiet, max_bytes=int(options.spool_limit * 1e9))
    node = Node(spool, title=own, allow=allow, tell=lambda line: note(line, "yellow"))
    task = asyncio.current_task()
    assert task is not None
    with contextlib.suppress(NotImplementedError):  # a service is ended by SIGTERM, and just as cleanly
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        port = node.start(options.host, options.port)
        if options.simulated:
            note(SIMULATED, "bold yellow")
        coming, waiting = spool.waiting()
        note(f"Listening as {own} at {options.host}:{port}; studies go through {folder}.")
        if coming or waiting:
            note(f"Found there from before: {waiting} complete, {coming} that may still be coming.")
        await work(spool, orders, note)
    finally:
        node.stop()
        coming, waiting = spool.waiting()
        if coming or waiting:
            note(f"Left in {folder} for the next start: {coming + waiting} of the studies that came.")
        spool.close()


async def _check(options: argparse.Namespace, settings: Settings, workspace: Path) -> None:
    """What would keep every study from being drafted is told at once."""
    check_folder(Path(options.out))
    await asyncio.to_thread(check_store, options.store, settings, workspace)
    if options.template:
        from wetread.reports.template import load_template

        load_template(options.template, workspace)
    await open_endpoints(settings, simulated=options.simulated).aclose()
