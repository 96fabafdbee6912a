"""`wetread record-cast`: a scripted chat in a terminal of its own, as an asciicast."""

from __future__ import annotations

import argparse
import sys
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

from wetread.apps.cast import record
from wetread.apps.chat.script import read_script
from wetread.apps.output import check_folder
from wetread.apps.terminal import note
from wetread.errors import InputError

DEMO = Path(str(files("wetread.apps.chat"))) / "demo.txt"
DEMO_STUDY = ("--scenario", "rg1-protocol")

_WETREAD = (sys.executable, "-c", "import sys; from wetread.apps.cli import main; sys.exit(main())")


def run(options: argparse.Namespace) -> int:
    """Run the command; see `apps.cli_cast` for its options. The exit code is the chat's."""
    out = Path(options.out)
    if out.is_dir():
        raise InputError("WET-INPUT-OUT", f"{out} is a folder.", "Name a file, such as chat.cast.")
    check_folder(out.parent)
    script = Path(options.script) if options.script else DEMO
    read_script(script)  # a mistake in it is told here, not in the picture
    columns, rows = options.size
    chat = options.rest
    if any(word == "--script" or word.startswith("--script=") for word in chat):
        raise InputError("WET-INPUT-OPTION", "--script stands behind the --.", "Put it before.")
    note(f"Recording wetread chat at {columns}x{rows}; Ctrl-C gives it up.")
    with TemporaryDirectory(prefix="wetread-cast-") as empty:
        if not chat and options.script is None:
            # the demo leaves no session in the workspace that one happens to stand in, and shows none of it
            chat = (*DEMO_STUDY, "--workspace", empty)
        done = record(
            [*_WETREAD, "chat", "--script", str(script.absolute()), *chat],
            out,
            columns=columns,
            rows=rows,
            idle_limit=options.idle_limit,
            speed=options.speed,
            title=options.title,
        )
    if done.code:
        note(f"The chat ended with {done.code}; nothing is written. It showed last:", "bold red")
        note("\n".join(line for line in done.text.splitlines()[-12:] if line.strip()))
        return done.code
    note(f"Written: {out} ({done.seconds:.1f} s, {done.events} pieces)")
    for leak in done.leaks:
        note(f"It holds your {leak}: look before you publish it.", "bold yellow")
    return 0
