"""The command `wetread`: options, dispatch, exit codes. A command's module is imported when it is called, not before.

`argparse` rather than a larger library: with it `wetread --help` costs little more than starting Python.

Exit codes: 0 done, 1 a scenario differed or the store is not as it was written, 2 bad input or configuration or a
review that is refused, 3 no report could be drafted, 4 not exported or not sent, 130 cancelled. Reports and JSON go
to stdout; progress, notices and errors to stderr.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from wetread import DISCLAIMER, __version__
from wetread.apps import cli_deidentify, cli_export, cli_pacs
from wetread.apps.cli_cast import add_record_cast
from wetread.apps.cli_chat import add_chat
from wetread.apps.cli_review import add_commands
from wetread.apps.cli_template import add_template

OK, DIFFERED, BAD_INPUT, NO_REPORT, NOT_EXPORTED, CANCELLED, BROKEN_PIPE = 0, 1, 2, 3, 4, 130, 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code. The console script's entry point."""
    _write_what_can_be_written()
    debug = "--debug" in (sys.argv[1:] if argv is None else argv)
    try:
        options = _parser().parse_args(argv)
        if "command" not in options:
            _parser().print_help()
            return BAD_INPUT
        _set_up_logs(debug)
        code: int = import_module(f"wetread.apps.{options.module}").run(options)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        _say("Cancelled.")
        return CANCELLED
    except BrokenPipeError:
        # whoever read the output has had enough; the interpreter's own flush at exit must not complain
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except Exception as error:
        if debug:
            raise
        return _tell(error)


def _tell(error: Exception) -> int:
    """One line on stderr about an error, and its exit code."""
    from wetread.errors import (
        ConfigError,
        DeidentifyError,
        ExportError,
        InputError,
        PacsError,
        ReviewError,
        StoreError,
        WetreadError,
    )

    if isinstance(error, WetreadError):
        _say(error.line())
        if isinstance(error, ExportError) or (isinstance(error, PacsError) and error.sending):
            return NOT_EXPORTED
        bad = ConfigError | DeidentifyError | InputError | PacsError | ReviewError | StoreError
        return BAD_INPUT if isinstance(error, bad) else NO_REPORT
    # the text of an unforeseen error may hold what must not be shown: its kind and place are enough to report it
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}" if trace else "an unknown place"
    _say(
        f"WET-FAULT: a fault of wetread itself ({type(error).__name__} at {place})."
        " Please report it; --debug shows where it happened."
    )
    return NO_REPORT


def _set_up_logs(debug: bool) -> None:
    """Logs are for whoever embeds wetread; a person at a terminal sees them with --debug only."""
    import logging

    if debug:
        logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    else:
        logging.getLogger().addHandler(logging.NullHandler())


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _write_what_can_be_written() -> None:
    """A terminal that cannot show a character gets a substitute, not a traceback."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors have the one form that all errors have, with the nearest right word."""

    def error(self, message: str) -> NoReturn:
        end = "" if message.endswith(("?", ".")) else "."
        _say(f"WET-INPUT-OPTION: {message}{end} See `{self.prog} --help`.")
        raise SystemExit(BAD_INPUT)

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        # what stands behind `--` is another command's, for one that has a place for it
        behind: list[str] = []
        if args is not None and "--" in args and self.get_default("rest") is not None:
            cut = list(args).index("--")
            args, behind = args[:cut], list(args[cut + 1 :])
        # each command tells of its own options; left to argparse, the main parser would, which knows none of them
        known, rest = super().parse_known_args(args, namespace)
        if rest:
            options = [name for action in self._actions for name in action.option_strings]
            wrong = next((word for word in rest if word.startswith("-")), "").partition("=")[0]
            self.error(f"unrecognized arguments: {' '.join(rest)}{_nearest(wrong, options)}")
        if behind:
            known.rest = tuple(behind)
        return known, rest

    def _check_value(self, action: argparse.Action, value: object) -> None:
        choices = [] if action.choices is None else [str(choice) for choice in action.choices]
        if choices and value not in choices:
            hint = _nearest(str(value), choices) or f". Known: {', '.join(choices)}"
            raise argparse.ArgumentError(action, f"invalid choice: {str(value)!r}{hint}")


def _nearest(word: str, known: Sequence[str]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(word, known, n=1)
    return f". Did you mean '{close[0]}'?" if close else ""


_VIEWS = ("PA", "AP", "frontal", "lateral")


def _view(text: str) -> str:
    """A view in any case; one that there is not stays as it was typed."""
    return {view.lower(): view for view in _VIEWS}.get(text.lower(), text)


class _Help(argparse.HelpFormatter):
    """Room enough for the names of commands and options."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=28)


class _Version(argparse.Action):
    def __call__(self, *_: object) -> NoReturn:
        sys.stdout.write(f"wetread {__version__}\n{DISCLAIMER}\n")
        raise SystemExit(OK)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="wetread",
        description="Drafts structured radiology reports in which every statement carries its evidence.",
        epilog=DISCLAIMER,
        formatter_class=_Help,
    )
    parser.add_argument("-V", "--version", action=_Version, nargs=0, help="show the version and leave")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    _read(commands)
    add_chat(lambda name, module, help: _command(commands, name, module, help), _workspace, _view)
    add_record_cast(lambda name, module, help: _command(commands, name, module, help))
    _run(commands)
    _scenarios(commands)
    _simulate(commands)
    _check(commands)
    _doctor(commands)
    _index(commands)
    cli_export.add_commands(lambda name, module, help: _command(commands, name, module, help), _workspace)
    cli_pacs.add_commands(lambda name, module, help: _command(commands, name, module, help), _workspace)
    cli_deidentify.add_command(lambda name, module, help: _command(commands, name, module, help))
    add_template(lambda name, module, help: _command(commands, name, module, help), _workspace)
    add_commands(lambda name, module, help: _command(commands, name, module, help), _workspace)
    return parser


Commands = argparse._SubParsersAction  # the type has no public name


def _command(commands: Commands[_Parser], name: str, module: str, help: str) -> _Parser:
    command = commands.add_parser(
        name, help=help, description=f"{help[:1].upper()}{help[1:]}.", allow_abbrev=False, formatter_class=_Help
    )
    command.set_defaults(command=name, module=module)
    command.add_argument("--debug", action="store_true", help="show where an error happened")
    return command


def _workspace(command: _Parser) -> None:
    command.add_argument(
        "--workspace",
        metavar="DIR",
        default=".",
        help="folder with wetread.toml and your own agents, prompts, scenarios",
    )


def _read(commands: Commands[_Parser]) -> None:
    command = _command(commands, "read", "commands_read", "draft the report of a study")
    command.add_argument(
        "study",
        nargs="+",
        metavar="STUDY",
        help="DICOM files or a folder of them, pictures, a folder with study.yaml, or dicomweb+https://HOST/PATH?study=UID",
    )
    command.add_argument("--indication", metavar="TEXT", help="why the exam was ordered")
    command.add_argument("--history", metavar="TEXT", help="clinical history")
    command.add_argument("--view", type=_view, choices=_VIEWS, help="view of pictures without a header")
    command.add_argument(
        "--prior", metavar="PATH", action="append", default=[], help="an earlier image or study; may be repeated"
    )
    command.add_argument("--prior-report", metavar="FILE", help="the text of an earlier report")
    command.add_argument("--template", metavar="NAME", help="report template; chosen from the study by default")
    command.add_argument(
        "--model", metavar="MODEL", help="protocol, openai:NAME, azure:DEPLOYMENT or compatible:NAME (WETREAD_MODEL)"
    )
    command.add_argument("--out", metavar="DIR", help="folder for the report; wetread-out/<study> by default")
    command.add_argument(
        "--store", metavar="WHERE", help="keep it in this store too, made if need be (WETREAD_STORE, .wetread/store.db)"
    )
    command.add_argument("--simulated", action="store_true", help="simulated endpoints: findings mean nothing")
    command.add_argument(
        "--allow-http", action="store_true", help="fetch from an archive over plain http, which others can read"
    )
    command.add_argument("--json", action="store_true", help="print the report as JSON")
    _workspace(command)


def _run(commands: Commands[_Parser]) -> None:
    command = _command(commands, "run", "commands_run", "replay scenarios and compare what comes out")
    command.add_argument("scenario", nargs="*", metavar="SCENARIO", help="names; all by default")
    modes = command.add_mutually_exclusive_group()
    for mode, help in (
        ("record", "ask the scenario's sources anew: new tape, new expected report"),
        ("refresh-llm", "ask the chat model anew, endpoints from the tape"),
        ("refresh-tools", "ask the endpoints anew, the chat model from the tape"),
    ):
        modes.add_argument(f"--{mode}", dest="mode", action="store_const", const=mode, default="replay", help=help)
    command.add_argument("--show", action="store_true", help="print each report")
    command.add_argument("--out", metavar="DIR", help="folder for the report (several: one folder each)")
    command.add_argument("--json", action="store_true", help="print the outcome as JSON")
    command.add_argument("--model", metavar="MODEL", help="chat model of a recording (WETREAD_MODEL)")
    _workspace(command)


def _scenarios(commands: Commands[_Parser]) -> None:
    _workspace(_command(commands, "scenarios", "commands_run", "list the scenarios"))


def _simulate(commands: Commands[_Parser]) -> None:
    command = _command(commands, "simulate", "commands_setup", "serve simulated endpoints and a scripted chat model")
    command.add_argument("--host", default="127.0.0.1", help="address to listen at (%(default)s)")
    command.add_argument("--port", type=int, default=8800, help="port to listen at (%(default)s)")
    command.add_argument("--seed", type=int, default=0, help="another seed gives other answers (%(default)s)")
    command.add_argument(
        "--latency",
        metavar="SECONDS",
        action="append",
        default=[],
        help="cxrreportgen=2, or =0.5 for all; may be repeated",
    )
    command.add_argument("--cold-start", metavar="SECONDS", type=float, default=0.0, help="added to first answers")
    command.add_argument(
        "--fault",
        metavar="FAULT",
        action="append",
        default=[],
        help="such as cxrreportgen:status=503,times=2; may be repeated",
    )
    command.add_argument("--limits", action="store_true", help="answer 429 above the real deployments' limits")
    command.add_argument("--key", help="ask for this key; needed to listen beyond this machine")


def _check(commands: Commands[_Parser]) -> None:
    command = _command(commands, "check", "commands_check", "check reports, drafted ones or plain texts")
    command.add_argument(
        "file", nargs="*", metavar="FILE", help="a report.json, its folder, or a plain text; - for standard input"
    )
    command.add_argument("--jsonl", metavar="IN", help="read one object a line, write one line each; - for stdin")
    command.add_argument("--study", metavar="DIR", help="the study: its order and priors, as for `wetread read`")
    command.add_argument("--json", action="store_true", help="print the issues as JSON")


def _doctor(commands: Commands[_Parser]) -> None:
    command = _command(commands, "doctor", "commands_setup", "say what is configured, reachable and missing")
    command.add_argument("--json", action="store_true", help="print the findings as JSON")
    _workspace(command)


def _index(commands: Commands[_Parser]) -> None:
    command = _command(commands, "index", "commands_index", "keep a library of earlier cases")
    actions = command.add_subparsers(title="actions", metavar="ACTION", required=True, dest="action")
    add = actions.add_parser("add", help="embed a study and add it", allow_abbrev=False)
    search = actions.add_parser("search", help="find the cases most like a study", allow_abbrev=False)
    for action in (add, search):
        action.add_argument("study", nargs="+", metavar="STUDY", help="as for `wetread read`")
        action.add_argument("--view", type=_view, choices=_VIEWS, help="view of pictures")
        action.add_argument("--library", metavar="FILE", help="the library; WETREAD_LIBRARY by default")
        action.add_argument("--simulated", action="store_true", help="simulated embeddings")
        action.add_argument("--debug", action="store_true", help="show where an error happened")
        _workspace(action)
    add.add_argument("--id", required=True, help="the case's id in the library; no identifier of a person")
    add.add_argument("--label", action="append", default=[], help="a label of the case; may be repeated")
    add.add_argument("--snippet", default="", help="a line of its report")
    search.add_argument("-k", type=int, default=5, help="how many (%(default)s)")
