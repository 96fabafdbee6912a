"""The options of `wetread record-cast`."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable


def add_record_cast(make: Callable[[str, str, str], argparse.ArgumentParser]) -> None:
    """Add the command to the command line.

    Args:
        make: Makes a command of a name, module and help.
    """
    command = make("record-cast", "commands_cast", "record a scripted chat as an asciicast")
    command.usage = "%(prog)s OUT [options] [-- options and study of `wetread chat`]"
    command.set_defaults(rest=())
    command.add_argument("out", metavar="OUT", help="the cast, such as chat.cast")
    command.add_argument("--script", metavar="FILE", help="the conversation; a shipped one by default")
    command.add_argument(
        "--size", metavar="100x30", type=_size, default="100x30", help="columns and rows (%(default)s)"
    )
    command.add_argument(
        "--idle-limit", metavar="SECONDS", type=_positive, default=2.0, help="longest silence in it (%(default)s)"
    )
    command.add_argument(
        "--speed", metavar="TIMES", type=_positive, default=1.0, help="so many times as fast (%(default)s)"
    )
    command.add_argument("--title", metavar="TEXT", default="wetread chat", help="the cast's title (%(default)s)")


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,4})[xX×](\d{1,4})", text.strip())
    if found is None or not (20 <= int(found[1]) <= 500 and 5 <= int(found[2]) <= 200):
        raise argparse.ArgumentTypeError(f"{text!r} is no size: write COLUMNSxROWS, from 20x5 to 500x200")
    return int(found[1]), int(found[2])


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0, up to 3600")
    return number
