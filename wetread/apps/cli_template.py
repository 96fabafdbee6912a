"""The options of `wetread template`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any


def add_template(add: Callable[[str, str, str], argparse.ArgumentParser], workspace: Callable[[Any], None]) -> None:
    """Add the command.

    Args:
        add: Makes a command of its name, its module and its help.
        workspace: Adds the option `--workspace`.
    """
    command = add("template", "commands_template", "list, import and export report templates")
    actions = command.add_subparsers(title="actions", metavar="ACTION", required=True, dest="action")
    listed = actions.add_parser("list", help="list the templates there are", allow_abbrev=False)
    listed.add_argument("--json", action="store_true", help="print them as JSON")
    taken = actions.add_parser("import", help="make a template of an IHE MRRT document", allow_abbrev=False)
    taken.add_argument("file", metavar="FILE", help="HTML5 as IHE MRRT describes it")
    taken.add_argument("--name", metavar="NAME", help="the template's name; made of its title by default")
    taken.add_argument("--like", metavar="TEMPLATE", help="take the reading protocol and tools of this template")
    taken.add_argument("--replace", action="store_true", help="replace a template of that name in the workspace")
    given = actions.add_parser("export", help="write a template as an IHE MRRT document", allow_abbrev=False)
    given.add_argument("name", metavar="NAME", help="the template")
    given.add_argument("--out", metavar="FILE", help="where to; stdout by default")
    for action in (listed, taken, given):
        action.add_argument("--debug", action="store_true", help="show where an error happened")
        workspace(action)
