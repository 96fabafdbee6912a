"""The options of `wetread listen`. Light: it is imported for every command."""

from __future__ import annotations

import argparse
from collections.abc import Callable


def add_commands(command: Callable[[str, str, str], argparse.ArgumentParser], workspace: Callable[..., None]) -> None:
    """Add the command.

    Args:
        command: Makes a command from its name, its module and its help.
        workspace: Adds the option `--workspace` to a command.
    """
    listen = command("listen", "commands_listen", "take in studies as a DICOM node and draft each")
    listen.add_argument("--host", default="127.0.0.1", help="address to listen at; 0.0.0.0 for all (%(default)s)")
    listen.add_argument("--port", type=int, default=11112, help="port to listen at (%(default)s)")
    listen.add_argument("--aet", metavar="TITLE", default="WETREAD", help="our application entity title (%(default)s)")
    listen.add_argument(
        "--allow",
        metavar="TITLE",
        action="append",
        default=[],
        help="a title that may call (all); may be repeated",
    )
    listen.add_argument(
        "--quiet",
        metavar="SECONDS",
        type=float,
        default=30.0,
        help="a study is complete when nothing came for so long (%(default)g)",
    )
    listen.add_argument("--out", metavar="DIR", default="wetread-out", help="a folder of its own in it for each report")
    listen.add_argument(
        "--store",
        metavar="WHERE",
        help="keep them in this store too (WETREAD_STORE, .wetread/store.db)",
    )
    listen.add_argument(
        "--send-to", metavar="ARCHIVE", help="send results there: dicomweb+https://HOST/PATH, or TITLE@HOST:PORT"
    )
    listen.add_argument("--allow-http", action="store_true", help="send over plain http, which others can read")
    listen.add_argument("--spool", metavar="DIR", help="where studies wait; .wetread/spool by default")
    listen.add_argument(
        "--spool-limit", metavar="GB", type=float, default=10.0, help="what may lie there (%(default)g)"
    )
    listen.add_argument("--keep", action="store_true", help="keep a study's files when it is drafted")
    listen.add_argument("--template", metavar="NAME", help="report template; chosen from each study by default")
    listen.add_argument(
        "--view", choices=("PA", "AP", "frontal", "lateral"), help="of the one radiograph of a study that names none"
    )
    listen.add_argument("--model", metavar="MODEL", help="as for `wetread read` (WETREAD_MODEL)")
    listen.add_argument("--simulated", action="store_true", help="simulated endpoints: findings mean nothing")
    workspace(listen)
