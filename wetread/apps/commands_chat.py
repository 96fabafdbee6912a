"""`wetread chat`: a conversation about a study, at a terminal or through pipes."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys

from wetread.apps.chat.options import chat_options
from wetread.errors import InputError


def run(options: argparse.Namespace) -> int:
    """Run the command; see `apps.cli_chat` for its options."""
    asked = chat_options(options)
    if asked.study.get("scenario") and options.study:
        raise InputError("WET-INPUT-OPTION", "A scenario brings its own study.", "Give --scenario or STUDY.")
    if asked.script is not None:
        from wetread.apps.chat.script import read_script

        read_script(asked.script)  # a mistake in it is told before anything is opened
    if sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM") != "dumb":
        from wetread.apps.chat.app import TerminalChat

        chat = TerminalChat(asked)
        error = asyncio.run(chat.run())
        if error is None and chat.ended_by is not None:
            return 128 + chat.ended_by
    else:
        from wetread.apps.chat.pipe import PipeChat

        error = PipeChat(asked).run()
    if error is not None:
        raise error
    return 0
