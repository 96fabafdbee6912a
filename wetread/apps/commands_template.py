"""`wetread template list|import|export`: the report templates there are, from and to IHE MRRT."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from wetread.apps.output import print_json
from wetread.apps.terminal import console, note
from wetread.errors import InputError

if TYPE_CHECKING:
    from wetread.reports.template import ReportTemplate


def run(options: argparse.Namespace) -> int:
    """Run the command; see `apps.cli` for its options and exit codes."""
    actions = {"list": _list, "import": _import, "export": _export}
    return actions[options.action](options)


def _list(options: argparse.Namespace) -> int:
    from rich.table import Table

    from wetread.reports.template import load_template, template_folder, template_names

    workspace = Path(options.workspace)
    rows = []
    for name in template_names(workspace):
        template = load_template(name, workspace)
        own = template_folder(name, workspace) != _built_in_folder(name)
        rows.append(
            {
                "name": name,
                "title": template.title,
                "for": _for(template),
                "fields": len(template.fields),
                "from": "workspace" if own else "wetread",
            }
        )
    if options.json:
        print_json(rows)
        return 0
    table = Table("Name", "Title", "For", "Fields", "From", box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    console(sys.stdout).print(table)
    return 0


def _import(options: argparse.Namespace) -> int:
    from wetread.reports.mrrt_import import read_mrrt, template_yaml
    from wetread.reports.template import load_template

    workspace, source = Path(options.workspace), Path(options.file)
    like = load_template(options.like, workspace) if options.like else None
    made = read_mrrt(source, name=options.name, like=like)
    path = workspace / "prompts" / "reports" / made.template.name / "template.yaml"
    if path.exists() and not options.replace:
        raise InputError(
            "WET-INPUT-OUT", f"{path} is there already.", "Name the template with --name, or add --replace."
        )
    _write(path, template_yaml(made.template, source.name))
    for line in made.notes:
        note(line)
    note(f"Written to {path}. Use it with: wetread read STUDY --template {made.template.name}")
    return 0


def _export(options: argparse.Namespace) -> int:
    from datetime import UTC, datetime

    from wetread.reports.mrrt import to_mrrt
    from wetread.reports.template import load_template

    text = to_mrrt(load_template(options.name, Path(options.workspace)), today=datetime.now(UTC).date())
    if options.out is None:
        sys.stdout.write(text)
        return 0
    _write(Path(options.out), text)
    note(f"Written to {options.out}.")
    return 0


def _built_in_folder(name: str) -> Path | None:
    from wetread.reports.template import template_folder, template_names

    return template_folder(name) if name in template_names() else None


def _for(template: ReportTemplate) -> str:
    """What a template is chosen for."""
    if not template.modalities:
        return "by name" if template.name != "generic" else "what no other is for"
    parts = [" ".join(template.modalities), " ".join(template.body_parts), " ".join(template.views)]
    return ", ".join(filter(None, parts))


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError("WET-INPUT-OUT", f"{path} cannot be written ({error.strerror}).", "Name another.") from None
