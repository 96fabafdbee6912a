"""The options of `wetread deidentify`. Light: it is imported for every command."""

from __future__ import annotations

import argparse
from collections.abc import Callable


def add_command(command: Callable[[str, str, str], argparse.ArgumentParser]) -> None:
    """Add the command.

    Args:
        command: Makes a command from its name, its module and its help.
    """
    deidentify = command("deidentify", "commands_deidentify", "write a study without what identifies the patient")
    deidentify.add_argument(
        "study", nargs="+", metavar="STUDY", help="DICOM files or folders, pictures, or a folder with study.yaml"
    )
    deidentify.add_argument("--out", metavar="DIR", required=True, help="folder to make; it must be new or empty")
    deidentify.add_argument(
        "--key-file", metavar="FILE", help="secret that gives the same UIDs each time; a random one by default"
    )
    deidentify.add_argument("--shift-dates", action="store_true", help="move dates, each patient's alike; else they go")
    deidentify.add_argument(
        "--keep-characteristics", action="store_true", help="keep age (to 89), sex, size, weight and the like"
    )
    deidentify.add_argument("--keep-uids", action="store_true", help="keep UIDs: they lead back to the original")
    deidentify.add_argument(
        "--drop-descriptors", action="store_true", help="drop descriptions and comments instead of cleaning them"
    )
    deidentify.add_argument("--strict", action="store_true", help="refuse images that may have text burned in")
    deidentify.add_argument("--mapping", metavar="FILE", help="write which UID and patient became which: it undoes all")
    deidentify.add_argument("--json", action="store_true", help="print the outcome as JSON")
