"""`wetread deidentify`: writes a study without what identifies the patient."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from pathlib import Path

from wetread.apps.output import print_json
from wetread.apps.terminal import console, note
from wetread.deidentification import Options, Outcome, Pseudonyms, deidentify
from wetread.errors import InputError

SHOWN = 10


def run(options: argparse.Namespace) -> int:
    """Run the command; see `apps.cli` for its options and exit codes."""
    out = Path(options.out)
    mapping = Path(options.mapping) if options.mapping else None
    if mapping is not None:
        _check_mapping(mapping, out)
    pseudonyms = Pseudonyms.of_file(Path(options.key_file)) if options.key_file else Pseudonyms()
    chosen = Options(
        descriptors=not options.drop_descriptors,
        shift_dates=options.shift_dates,
        characteristics=options.keep_characteristics,
        uids=options.keep_uids,
    )
    outcome = deidentify(options.study, out, options=chosen, pseudonyms=pseudonyms, strict=options.strict)
    if mapping is not None:
        _write_mapping(mapping, pseudonyms)
    if options.json:
        print_json(_plain(outcome, chosen))
    else:
        _show(outcome, chosen)
    _tell(outcome)
    note(f"Written to {out}: {_number(len(outcome.written), 'file')}, each searched for what the headers name.")
    if mapping is not None:
        note("The mapping leads back to the patients. Keep it apart from the result, and as safe.", "bold yellow")
    return 0


def _plain(outcome: Outcome, options: Options) -> dict[str, object]:
    return {
        "written": list(outcome.written),
        "options": [{"code": code, "meaning": meaning} for code, meaning in options.codes()],
        "counts": outcome.counts,
        "burned_in": [{"file": risk.file, "why": risk.why} for risk in outcome.risks],
        "left_out": [{"what": one.what, "why": one.why} for one in outcome.left_out],
    }


def _show(outcome: Outcome, options: Options) -> None:
    from rich.table import Table

    table = Table("Done", "How often", box=None, pad_edge=False)
    for what, count in sorted(outcome.counts.items()):
        if count:
            table.add_row(what, str(count))
    out = console(sys.stdout)
    out.print(table)
    for code, meaning in options.codes():
        out.print(f"{code}  {meaning}")


def _tell(outcome: Outcome) -> None:
    """What a person must look at: left out, and perhaps burned in."""
    for one in outcome.left_out[:SHOWN]:
        note(f"Left out: {one.what} {one.why}.", "yellow")
    if len(outcome.left_out) > SHOWN:
        note(f"Left out: {len(outcome.left_out) - SHOWN} more; --json lists them.", "yellow")
    why = Counter(risk.why for risk in outcome.risks)
    for reason, count in why.most_common():
        note(f"LOOK AT THE PIXELS of {_number(count, 'file')}: {reason}.", "bold yellow")
    note("Pixels are as they were. Text burned into them is looked for in no image, and no header rules it out.")


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _check_mapping(path: Path, out: Path) -> None:
    """See that the mapping can be made, before anything is written.

    Raises:
        InputError: `WET-INPUT-OUT`, it cannot, or would lie in the result.
    """
    why = None
    if path.absolute().is_relative_to(out.absolute()):
        why = "would lie in the result"
    elif path.exists():
        why = "is there already"
    elif not path.absolute().parent.is_dir() or not os.access(path.absolute().parent, os.W_OK):
        why = "cannot be written"
    if why is not None:
        raise InputError("WET-INPUT-OUT", f"The mapping {path} {why}.", "Name another file with --mapping.")


def _write_mapping(path: Path, pseudonyms: Pseudonyms) -> None:
    content = {"patients": pseudonyms.patients, "uids": pseudonyms.uids}
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
            json.dump(content, stream, indent=1)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise InputError(
            "WET-INPUT-OUT",
            f"The mapping {path} cannot be written ({error.strerror}); the result is there without it.",
            "With --key-file the same command gives the same UIDs again.",
        ) from None
