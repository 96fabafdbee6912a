"""Review and signature: what stands against it is shown, what it needs is asked for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.text import Text

from wetread.apps.chat.asking import conversation, named, report_of, wrong
from wetread.apps.chat.commands_change import changed
from wetread.apps.chat.views import failure, note
from wetread.apps.chat.views_report import issues_list
from wetread.apps.review_walk import Answers, Attempt, choose, tell, walk
from wetread.errors import ReviewError

if TYPE_CHECKING:
    from wetread.apps.chat.desk import Desk
    from wetread.reports.model import Report

YES, NO = "yes", "no"


async def do_review(desk: Desk, words: str) -> None:
    """Go through the report: statements, critical results, then how it ends."""
    report = report_of(desk)
    by = await named(desk)
    answers = await walk(report, desk.screen, _attempt(desk, report, by), by=by)
    await _keep(desk, report, answers)


async def do_sign(desk: Desk, words: str) -> None:
    """Sign the report, or release it as preliminary."""
    report = report_of(desk)
    if words.lower() not in ("", "preliminary"):
        raise wrong(f"/sign takes nothing or “preliminary”, not “{words[:40]}”.", "/reader NAME says who signs.")
    by = await named(desk)
    if words:
        await _keep(desk, report, Answers(outcome="preliminary"))
        return
    attempt = _attempt(desk, report, by)
    answers = Answers(outcome="sign")
    for result in report.critical:
        await tell(result, desk.screen, answers, attempt, by=by)
    status = await _ready(desk, report, answers, attempt)
    question = f"Sign version {report.version + 1} as {status}, in the name of {by}?"
    if await choose(desk.screen, question, (YES, NO)) == NO:
        desk.screen.show(note("Not signed. Nothing was changed."))
        return
    await _keep(desk, report, answers)


async def _ready(desk: Desk, report: Report, answers: Answers, attempt: Attempt) -> str:
    """See that nothing stands against signing, or have it overridden; returns the status that follows.

    Raises:
        ReviewError: it cannot be signed.
    """
    from wetread.review import blocking

    try:
        attempt(answers)
    except ReviewError as error:
        if error.code != "WET-REVIEW-BLOCKED":
            raise
        if blocks := blocking(report):
            desk.screen.show(Text("This stands against signing:", "bold red"))
            desk.screen.show(issues_list(report.model_copy(update={"issues": blocks})))
        else:
            desk.screen.show(failure(error))
        why = await desk.screen.ask("Reason to sign all the same (empty: do not sign)")
        if not (why or "").strip():
            raise ReviewError(
                "WET-REVIEW-BLOCKED", "Not signed. Nothing was changed.", "/edit, /drop or /add."
            ) from None
        answers.override = (why or "").strip()
        attempt(answers)
    from wetread.reports.states import SIGNED

    return "amended" if report.status in SIGNED else "final"


def _attempt(desk: Desk, report: Report, by: str) -> Attempt:
    from wetread.review import conclude

    session = conversation(desk).session

    def attempt(answers: Answers) -> Report:
        return conclude(
            report,
            by=by,
            at=datetime.now(UTC),
            actions=answers.actions,
            outcome=answers.outcome,
            override=answers.override,
            study=session.study,
            template=session.template,
        )

    return attempt


async def _keep(desk: Desk, before: Report, answers: Answers) -> None:
    dialogue = conversation(desk)
    after = await dialogue.correct(answers.actions, outcome=answers.outcome, override=answers.override)
    changed(desk, before, after)
