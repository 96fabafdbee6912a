"""The options of `wetread chat`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TypeVar

ParserT = TypeVar("ParserT", bound=argparse.ArgumentParser)


def add_chat(
    make: Callable[[str, str, str], ParserT], workspace: Callable[[ParserT], None], view: Callable[[str], str]
) -> None:
    """Add the command to the command line.

    Args:
        make: Makes a command of a name, module and help.
        workspace: Adds the option `--workspace`.
        view: Reads a view's name.
    """
    command = make("chat", "commands_chat", "talk about a study in the terminal")
    command.add_argument(
        "study", nargs="*", metavar="STUDY", help="as for `wetread read`; without one, choose or drop one in"
    )
    command.add_argument(
        "--resume", nargs="?", const="", metavar="ID", help="go on with a session; the last by default"
    )
    command.add_argument("--indication", metavar="TEXT", help="why the exam was ordered")
    command.add_argument("--history", metavar="TEXT", help="clinical history")
    command.add_argument("--view", type=view, choices=("PA", "AP", "frontal", "lateral"), help="view of pictures")
    command.add_argument("--prior", metavar="PATH", action="append", default=[], help="an earlier image")
    command.add_argument("--prior-report", metavar="FILE", help="the text of an earlier report")
    command.add_argument("--scenario", metavar="NAME", help="a recorded scenario's study, answered from its tape")
    command.add_argument("--template", metavar="NAME", help="report template; chosen from the study by default")
    command.add_argument("--model", metavar="MODEL", help="protocol, openai:NAME, azure:DEPLOYMENT, compatible:NAME")
    command.add_argument("--simulated", action="store_true", help="simulated endpoints: findings mean nothing")
    command.add_argument("--reader", metavar="NAME", help="your name: whose corrections these are")
    command.add_argument(
        "--images", choices=("auto", "kitty", "iterm", "sixel", "blocks", "off"), default="auto",
        help="how pictures are drawn (%(default)s)",
    )  # fmt: skip
    command.add_argument("--budget-usd", metavar="USD", type=float, help="most that one turn may cost, in US dollars")
    command.add_argument("--script", metavar="FILE", help="play a conversation from a file")
    command.add_argument(
        "--store", metavar="WHERE", help="where the session is kept (WETREAD_STORE, .wetread/store.db)"
    )
    workspace(command)
