"""Commands that show: the report, its issues, evidence, the chain behind a statement, pictures."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rich.console import Group

from wetread.apps.chat.asking import conversation, one_id, report_of, wrong
from wetread.apps.chat.ids import as_id
from wetread.apps.chat.views_evidence import chain_tree, evidence_card, evidence_table
from wetread.apps.chat.views_report import issues_list

if TYPE_CHECKING:
    from wetread.apps.chat.desk import Desk
    from wetread.apps.pictures.views import View


async def do_report(desk: Desk, words: str) -> None:
    """The report as it stands; `full`: with each evidence in full."""
    from wetread.reports.render import to_terminal

    report = report_of(desk)
    if words.lower() not in ("", "full"):
        raise wrong(f"/report takes nothing or “full”, not “{words[:40]}”.")
    desk.screen.show(to_terminal(report))
    if words:
        desk.screen.show(Group(*(evidence_card(one, report) for one in report.evidence)))


async def do_issues(desk: Desk, words: str) -> None:
    """What the checks say."""
    desk.screen.show(issues_list(report_of(desk)))


async def do_evidence(desk: Desk, words: str) -> None:
    """One evidence in full, or all of it."""
    dialogue = conversation(desk)
    ledger = list(dialogue.session.ledger)
    if not words:
        desk.screen.show(evidence_table(ledger, dialogue.report))
        return
    id = one_id(words, [one.id for one in ledger], "evidence")
    desk.screen.show(evidence_card(next(one for one in ledger if one.id == id), dialogue.report))


async def do_why(desk: Desk, words: str) -> None:
    """What a statement stands on."""
    from wetread.reports.chain import evidence_chain

    dialogue = conversation(desk)
    ledger = list(dialogue.session.ledger)
    statements = [one.id for one in dialogue.report.statements()] if dialogue.report is not None else []
    is_evidence = (as_id(words) or "").startswith("E")
    id = one_id(
        words, [one.id for one in ledger] if is_evidence else statements, "evidence" if is_evidence else "statement"
    )
    chain = evidence_chain(dialogue.report, ledger, id)
    assert chain is not None
    desk.screen.show(chain_tree(chain))


async def do_show(desk: Desk, words: str) -> None:
    """A picture: of an image, an evidence, a statement."""
    from wetread.apps.pictures.views import view_of_evidence, view_of_image, view_of_statement

    session = conversation(desk).session
    handles = [image.handle for image in session.study.images]
    id = as_id(words) if words else handles[0]
    make: Callable[[tuple[int, int]], View]
    if id is not None and id.startswith("E"):
        evidence = one_id(id, [one.id for one in session.ledger], "evidence")
        make = lambda size: view_of_evidence(session, evidence, size=size)  # noqa: E731
    elif id is not None and id.startswith("S"):
        statement = one_id(id, [one.id for one in report_of(desk).statements()], "statement")
        make = lambda size: view_of_statement(session, statement, size=size)  # noqa: E731
    else:
        handle = one_id(words or handles[0], handles, "image")
        make = lambda size: view_of_image(session, handle, size=size)  # noqa: E731
    await desk.screen.picture(make)
