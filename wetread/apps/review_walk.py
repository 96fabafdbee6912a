"""The questions of a review, whoever puts them: statement by statement, critical results, then how it ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from wetread.errors import InputError, ReviewError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from wetread.reports.model import Communication, CriticalResult, Report, Statement
    from wetread.review import Action
    from wetread.review.conclude import Outcome

STATEMENT = ("accept", "edit", "reject", "skip", "quit")
UNSIGNED = ("sign", "preliminary", "keep", "quit")
SIGNED_AGAIN = ("sign the change", "correct an error", "quit")

_AT_THE_END = ("WET-REVIEW-BLOCKED", "WET-REVIEW-CRITICAL", "WET-REVIEW-FIELD", "WET-REVIEW-SIGNED")
"""What stands against signing, and is for the end."""
_TOLD = {"to": "Told to", "by": "Told by", "at": "When (2026-01-31T14:05)", "how": "How (telephone, in person, ...)"}
_RECORD = "to whom, by whom, when (2026-01-31T14:05) and how"


class Asker(Protocol):
    """Who puts the questions to the person."""

    def show(self, what: RenderableType) -> None: ...

    async def ask(self, question: str, *, options: Sequence[str] = (), initial: str = "") -> str | None:
        """The answer; None where the person leaves."""
        ...


@dataclass
class Answers:
    """What a reader said in a review."""

    actions: list[Action] = field(default_factory=list)
    outcome: Outcome = "keep"
    override: str | None = None


Attempt = Callable[["Answers"], object]
"""Makes the next version of what was answered so far, without keeping it; raises what refuses it."""


async def walk(report: Report, asker: Asker, attempt: Attempt, *, by: str = "") -> Answers:
    """Go through a report with its reader.

    Args:
        report: The report.
        asker: Who asks.
        attempt: What refuses an answer is shown, and asked about again.
        by: The reader, who most likely told of a critical result.

    Raises:
        ReviewError: `WET-REVIEW-NOTHING`, the reader left without doing anything; what makes the end impossible.
    """
    from wetread.reports.states import SIGNED

    answers = Answers(outcome="sign" if report.status in SIGNED else "keep")
    for statement in report.statements():
        if not await _statement(report, statement, asker, answers, attempt):
            break
    while text := await _asked(asker, "Add a statement (PLACE: TEXT, empty for none)"):
        place, colon, words = text.replace("=", ":", 1).partition(":") if ":" not in text else text.partition(":")
        if not colon or not place.strip() or not words.strip():
            _refused(asker, InputError("WET-INPUT-OPTION", "That is no PLACE: TEXT.", "bones: The bones are normal."))
            continue
        from wetread.review import Add

        _taken(asker, answers, Add(place=place.strip(), text=words.strip()), attempt)
    for result in report.critical:
        await tell(result, asker, answers, attempt, by=by)
    return await _end(report, asker, answers, attempt)


async def tell(result: CriticalResult, asker: Asker, answers: Answers, attempt: Attempt, *, by: str = "") -> None:
    """Ask who was told of a critical result, until the record can be entered or the reader gives none.

    Args:
        result: The result; nothing is asked where its record is complete.
        asker, answers, attempt: See `walk`.
        by: Who most likely told.
    """
    from rich.text import Text

    from wetread.review import Tell

    if not result.communication.missing:
        return
    now = datetime.now().astimezone().isoformat(timespec="minutes")
    likely = {"by": by, "at": now} if by else {}
    while True:
        asker.show(Text(f"Critical result: {result.name}. Who was told?", "bold red"))
        given = {}
        for name in result.communication.missing:
            if said := await _asked(asker, _TOLD[name], initial=likely.get(name, "")):
                given[name] = said
        likely = {**likely, **given}
        # by and at stand in the input line already: entering those alone tells nothing
        if not given or (given.keys() <= {"by", "at"} and {"to", "how"} & set(result.communication.missing)):
            return
        try:
            record = record_of(given)
        except InputError as error:
            _refused(asker, error)
            continue
        if _taken(asker, answers, Tell(finding=result.finding, side=result.side, record=record), attempt):
            return


def record_of(given: Mapping[str, str]) -> Communication:
    """A record of communication from what a person typed.

    Args:
        given: `to`, `by`, `at` (ISO 8601; this machine's zone where none is given), `how`; any of them may be missing.

    Raises:
        InputError: `WET-INPUT-OPTION`, the time is none.
    """
    from wetread.reports.model import Communication

    record: dict[str, object] = dict(given)
    if "at" in given:
        try:
            at = datetime.fromisoformat(given["at"])
        except ValueError:
            raise InputError("WET-INPUT-OPTION", "That is no time.", f"The record says {_RECORD}.") from None
        record["at"] = (at if at.tzinfo is not None else at.astimezone()).astimezone(UTC)
    return Communication.model_validate(record)


def chosen(answer: str, options: Sequence[str]) -> str | None:
    """The option that an answer means, by itself, its number or its beginning; None for none or several."""
    said = answer.strip().lower()
    if said.isdigit() and 1 <= int(said) <= len(options):
        return options[int(said) - 1]
    if said in options:
        return said
    found = [option for option in options if said and option.startswith(said)]
    return found[0] if len(found) == 1 else None


async def choose(asker: Asker, question: str, options: Sequence[str]) -> str:
    """Ask until one of the options is meant.

    Raises:
        ReviewError: `WET-REVIEW-NOTHING`, the reader left.
    """
    while (option := chosen(await _asked(asker, question, options=options), options)) is None:
        continue
    return option


async def _statement(report: Report, statement: Statement, asker: Asker, answers: Answers, attempt: Attempt) -> bool:
    """Ask about one statement; False where the reader wants no more."""
    from wetread.apps.chat.views_report import statement_lines
    from wetread.review import Accept, Edit, Reject

    asker.show(statement_lines(report, statement))
    match await choose(asker, statement.id, STATEMENT):
        case "accept":
            answers.actions.append(Accept(statement=statement.id))
        case "reject":
            answers.actions.append(Reject(statement=statement.id))
        case "edit":
            while text := await _asked(asker, "New text (empty: as it is)", initial=statement.text):
                if text == statement.text or _taken(asker, answers, Edit(statement=statement.id, text=text), attempt):
                    break
        case "quit":
            return False
    return True


async def _end(report: Report, asker: Asker, answers: Answers, attempt: Attempt) -> Answers:
    from wetread.reports.states import SIGNED

    ends: dict[str, Outcome] = {
        "sign": "sign",
        "preliminary": "preliminary",
        "keep": "keep",
        "sign the change": "sign",
        "correct an error": "correct",
    }
    while True:
        end = await choose(asker, "How does it end?", SIGNED_AGAIN if report.status in SIGNED else UNSIGNED)
        if end == "quit":
            raise ReviewError("WET-REVIEW-NOTHING", "You left. Nothing was changed.")
        answers.outcome = ends[end]
        try:
            attempt(answers)
        except ReviewError as error:
            _refused(asker, error)
            if error.code != "WET-REVIEW-BLOCKED":
                raise
            if not (why := await _asked(asker, "Reason to sign all the same (empty: no)")):
                continue
            answers.override = why
        return answers


def _taken(asker: Asker, answers: Answers, action: Action, attempt: Attempt) -> bool:
    """Put an action to the others, unless it cannot be done; then say why."""
    answers.actions.append(action)
    try:
        attempt(answers)
    except (ReviewError, InputError) as error:
        if error.code not in _AT_THE_END:
            _refused(asker, error)
            answers.actions.pop()
            return False
    return True


def _refused(asker: Asker, error: ReviewError | InputError) -> None:
    from wetread.apps.chat.views import failure

    asker.show(failure(error))


async def _asked(asker: Asker, question: str, *, options: Sequence[str] = (), initial: str = "") -> str:
    answer = await asker.ask(question, options=options, initial=initial)
    if answer is None:
        raise ReviewError("WET-REVIEW-NOTHING", "You left. Nothing was changed.")
    return answer.strip()
