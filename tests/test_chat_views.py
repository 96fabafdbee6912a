"""What the chat shows, as text: compared to tests/data/screens/, at 60 and 100 columns, without colour.

`RENEW_SCREENS=1 pytest tests/test_chat_views.py` writes them anew; read the difference before you keep it.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from wetread.agents.prices import Price, Prices
from wetread.agents.spec import load_agents
from wetread.apps.chat import views
from wetread.apps.chat.commands import help_rows
from wetread.apps.chat.markdownish import MAX_WAITING, Streamed
from wetread.apps.chat.views_evidence import chain_tree, evidence_card, evidence_table
from wetread.apps.chat.views_report import changes, issues_list, report_panel, statement_lines
from wetread.apps.chat.views_tables import (
    agents_table,
    cost_table,
    help_table,
    models_table,
    sessions_table,
    templates_table,
    tools_table,
    welcome,
)
from wetread.dialogue.costs import Tally
from wetread.errors import ReviewError
from wetread.events import (
    BudgetReached,
    CriticalResultFound,
    Event,
    ModelAnswered,
    Notice,
    QuestionAnswered,
    QuestionAsked,
    ReportReady,
    TextDelta,
    ToolFinished,
    ToolStarted,
    TurnEnded,
    TurnStarted,
)
from wetread.evidence import Evidence, ModelVersion, Observation, Reason
from wetread.reports.chain import evidence_chain
from wetread.reports.model import Report
from wetread.reports.template import load_template
from wetread.review import Edit, Reject, conclude
from wetread.store.sessions import SessionEntry
from wetread.study import ImageSource, PriorReport, Study, StudyImage
from wetread.tools.registry import built_in_tools
from wetread.vocabulary import Origin, Side, View

SCREENS = Path(__file__).parent / "data" / "screens"
WIDTHS = (60, 100)
NOW = datetime(2030, 5, 6, 9, 0, tzinfo=UTC)
HOSTILE = "a\x1b[31mred\x1b]8;;http://x\x07link\u202egnp.exe\x00\x9b2J"

TEXT = """\
## What I see
The **left** effusion is *new* [E2], and the heart is not enlarged: `CTR 0.44` [E4, E5].

- There are hazy opacities at both bases [S1], which a longer sentence explains so that it wraps.
- No pneumothorax [S3]
  1. nested

> quoted
"""


def study() -> Study:
    source = ImageSource(path=Path("x.dcm"), kind="dicom")
    frontal = StudyImage(handle="image_1", modality="DX", view=View.PA, rows=2000, columns=1600, source=source)
    prior = frontal.model_copy(update={"handle": "image_2", "role": "prior", "days_before": 90, "notes": ("Lossy.",)})
    return Study(
        images=(frontal, prior),
        exam="XR Chest PA",
        history="Smoker.",
        age_years=61,
        sex="F",
        prior_report=PriorReport(text="Normal.", acquired=date(2030, 2, 3)),
        warnings=("1 file that is no image left out.",),
    )


def started(tool: str, evidence: str | None = "E1", agent: str = "orchestrator", **arguments: object) -> ToolStarted:
    return ToolStarted(agent=agent, call=tool, tool=tool, arguments=arguments, evidence=evidence)


def ended(
    tool: str, status: str = "ok", summary: str = "", evidence: str | None = "E1", **more: object
) -> ToolFinished:
    made = None
    if evidence is not None:
        outcome = status if status in ("ok", "failed", "abstained") else "failed"
        made = {
            "id": evidence,
            "tool": tool,
            "model": ModelVersion(name="Some model"),
            "origin": Origin.SIMULATED,
            "status": outcome,
            "latency_ms": 1234.0,
        }
    return ToolFinished.model_validate(
        {"agent": "orchestrator", "call": tool, "tool": tool, "status": status, "summary": summary}
        | {"latency_ms": 125_000.0, "evidence": made, **more}
    )


MEASURE = started("measure", "E4", quantities=["cardiothoracic_ratio"], image="image_1")
SEGMENT = started("segment", "E3", structures=["left lung", "right lung", "heart"], image="image_1")
COMPARE = started("report_findings", "E2", image="image_1", prior="image_2")
ASKED = QuestionAsked(agent="orchestrator", question="What is the exam for?", options=("Cough", "Dyspnoea"))
END = TurnEnded(
    turn=2,
    outcome="cancelled",
    model_calls=2,
    tool_calls=6,
    prompt_tokens=12345,
    completion_tokens=321,
    wall_ms=34567.0,
)


def edited(report: Report) -> Report:
    first, *_, last = [one.id for one in report.statements()]
    actions = [
        Edit(statement=first, text="There is a nodule in the left upper lung zone."),
        Reject(statement=last, reason="Not seen."),
    ]
    return conclude(report, by="Ada Example", at=NOW, actions=actions)


def tally() -> Tally:
    counted = Tally(Prices({"openai:some": Price(prompt=Decimal(2), completion=Decimal(8))}))
    answered = ModelAnswered(
        agent="orchestrator", model="openai:some", prompt_tokens=12000, completion_tokens=300, latency_ms=2300
    )
    events: list[Event] = [TurnStarted(turn=1), ended("segment"), ended("measure", "failed", evidence=None)]
    events += [TurnStarted(turn=2), answered, answered.model_copy(update={"agent": "historian", "model": "azure:own"})]
    return counted.add_all(events)


def entries() -> list[SessionEntry]:
    one = SessionEntry(
        id="3fa4b2c1d0e0f001",
        created="2030-05-06T07:08:09Z",
        template="chest-xray",
        language_model="openai:some",
        modes=("simulated",),
        turns=3,
        status="partial",
        title="XR Chest PA",
    )
    return [one, one.model_copy(update={"id": "9" * 16, "modes": (), "turns": 1, "status": None, "title": None})]


def agents() -> RenderableType:
    known = load_agents()
    return agents_table(known, [name for name, spec in known.items() if name != "historian"], "openai:some")


def chain(report: Report, id: str) -> RenderableType:
    found = evidence_chain(report, report.evidence, id)
    assert found is not None
    return chain_tree(found)


def templates() -> RenderableType:
    names = ("chest-xray", "mr-brain-lesion")
    return templates_table(
        [(load_template(name), "It is for MR." if name[0] == "m" else "") for name in names], names[0]
    )


Make = Callable[[Report, Report, int], list[RenderableType]]
VIEWS: dict[str, Make] = {
    "welcome": lambda draft, critical, width: [
        welcome(study(), template="chest-xray", model="protocol", modes=("simulated", "replay"), session="3fa4b2c1")
    ],
    "calls": lambda draft, critical, width: [
        *(views.running_line(one, 1.2 * n, n) for n, one in enumerate((SEGMENT, MEASURE, COMPARE), start=1)),
        views.running_line(started("consult_historian", "E7", agent="orchestrator", question="What was said?"), 75.2),
        views.tool_line(ended("segment", "ok", "left lung, right lung, heart", "E3"), views.what_for(SEGMENT)),
        views.tool_line(ended("measure", "ok", "cardiothoracic ratio 0.44", "E4"), views.what_for(MEASURE)),
        views.tool_line(ended("find_similar", "abstained", "There is no case library to search.", "E6")),
        views.tool_line(
            ended("study_context", "failed", "No answer within 120 s, asked three times.", None, agent="historian"),
            "order and prior report",
        ),
        views.tool_line(ended("measure", "cancelled", "cancelled", None), "areas"),
    ],
    "said": lambda draft, critical, width: [
        views.said("Read this.\nAnd tell me about the heart."),
        views.markdownish(TEXT),
        views.question(ASKED),
        views.notice(Notice(code="WET-REVIEW-KEPT", message="[S3] keeps the reader's words.")),
        views.notice(BudgetReached(limit="tokens", message="The limit of 200,000 tokens was reached.")),
        views.failure(ReviewError("WET-REVIEW-STATEMENT", "There is no statement S77.", "There are: S1 to S9.")),
        views.note("Changes are by Ada Example."),
        views.critical(CriticalResultFound(result=critical.critical[0])),
        views.report_line(draft),
        views.turn_end(END, "$0.0312"),
    ],
    "panel": lambda draft, critical, width: [
        report_panel(None, width, 5),
        report_panel(draft, width, 14),
        report_panel(critical.model_copy(update={"modes": ("simulated",)}), width, 8, 2),
    ],
    "issues": lambda draft, critical, width: [
        issues_list(critical),
        issues_list(draft.model_copy(update={"issues": ()})),
    ],
    "changes": lambda draft, critical, width: [
        changes(draft, edited(draft)),
        statement_lines(edited(draft), edited(draft).statements()[0]),
    ],
    "evidence": lambda draft, critical, width: [
        *(evidence_card(one, draft) for one in draft.evidence[:2]),
        evidence_table(edited(draft).evidence, draft),
        evidence_table([]),
    ],
    "chain": lambda draft, critical, width: [chain(draft, "S4"), chain(edited(draft), "S1"), chain(draft, "E2")],
    "cost": lambda draft, critical, width: [cost_table(tally()), cost_table(Tally(Prices()))],
    "lists": lambda draft, critical, width: [
        sessions_table(entries(), "9" * 16),
        sessions_table([]),
        agents(),
        tools_table(built_in_tools(("segment", "classify")), ("medimageparse",)),
        templates(),
        models_table({"protocol": "rules, no language model", "openai:some": "the settings"}, "protocol"),
    ],
    "help": lambda draft, critical, width: [help_table(help_rows())],
}


def shown(parts: list[RenderableType], width: int, *, colour: bool = False) -> str:
    out = io.StringIO()
    console = Console(
        file=out,
        width=width,
        force_terminal=colour,
        color_system="truecolor" if colour else None,
        highlight=False,
        markup=False,
        emoji=False,
    )
    for part in parts:
        console.print(part)
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_is_as_kept(name: str, draft: Report, critical_draft: Report) -> None:
    found = "".join(f"=== {width}\n{shown(VIEWS[name](draft, critical_draft, width), width)}" for width in WIDTHS)
    path = SCREENS / f"{name}.txt"
    if os.environ.get("RENEW_SCREENS"):
        path.write_text(found, encoding="utf-8")
    assert found == path.read_text(encoding="utf-8")


def test_every_kept_screen_is_a_view() -> None:
    # terminal-*.txt are whole terminals, of test_chat_screens.py
    assert {path.stem for path in SCREENS.glob("*.txt") if not path.stem.startswith("terminal-")} == set(VIEWS)


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
@pytest.mark.parametrize("name", VIEWS)
def test_no_line_is_wider_than_the_terminal(name: str, width: int, draft: Report, critical_draft: Report) -> None:
    lines = shown(VIEWS[name](draft, critical_draft, width), width).splitlines()
    assert max(map(len, lines)) <= width


@pytest.mark.parametrize("height", [3, 4, 7, 12, 30])
@pytest.mark.parametrize("scroll", [0, 3, 99, -5])
def test_the_panel_keeps_to_its_height(critical_draft: Report, height: int, scroll: int) -> None:
    lines = shown([report_panel(critical_draft, 60, height, scroll)], 60).splitlines()
    assert len(lines) <= height
    if scroll == 0:
        assert "CRITICAL" in lines[1]


def test_a_citation_looks_the_same_everywhere(draft: Report, critical_draft: Report) -> None:
    bold_cyan = "\x1b[1;36m"
    for name in ("calls", "said", "panel", "issues", "changes", "evidence", "chain"):
        text = shown(VIEWS[name](draft, critical_draft, 100), 100, colour=True)
        assert f"{bold_cyan}[" in text, name
        assert "\x1b[36m[E" not in text and "\x1b[36m[S" not in text, name


def test_outside_text_never_drives_the_terminal(draft: Report) -> None:
    one = draft.findings[1].statements[0]
    hostile = one.model_copy(update={"text": HOSTILE})
    system = draft.findings[1].model_copy(update={"statements": (hostile,), "title": HOSTILE})
    report = draft.model_copy(update={"findings": (draft.findings[0], system, *draft.findings[2:])})
    report = report.model_copy(
        update={"issues": tuple(issue.model_copy(update={"message": HOSTILE}) for issue in draft.issues)}
    )
    evidence = Evidence(
        id="E1",
        tool=HOSTILE,
        model=ModelVersion(name=HOSTILE, version=HOSTILE),
        origin=Origin.ENDPOINT,
        status="failed",
        reason=Reason(code="WET-TOOL-FAULT", message=HOSTILE),
        warnings=(HOSTILE,),
        summary=HOSTILE,
        inputs={HOSTILE: ""},
        observations=(Observation(text=HOSTILE, side=Side.LEFT),),
    )
    hostile_study = study().model_copy(update={"exam": HOSTILE, "indication": HOSTILE, "warnings": (HOSTILE,)})
    parts: list[RenderableType] = [
        report_panel(report, 60, 20),
        issues_list(report),
        changes(draft, report),
        statement_lines(report, hostile),
        evidence_card(evidence, report),
        evidence_table([evidence], report),
        chain(report.model_copy(update={"evidence": (evidence,)}), hostile.id),
        views.markdownish(f"# {HOSTILE}\n- {HOSTILE}\n{HOSTILE}\n```\n{HOSTILE}\n```\n> {HOSTILE}"),
        views.said(HOSTILE),
        views.question(QuestionAsked(agent=HOSTILE, question=HOSTILE, options=(HOSTILE,))),
        views.notice(Notice(code="WET-FAULT", message=HOSTILE)),
        views.note(HOSTILE),
        views.running_line(started(HOSTILE, question=HOSTILE), 1.0),
        views.tool_line(ended(HOSTILE, "failed", HOSTILE), HOSTILE),
        welcome(hostile_study, template=HOSTILE, model=HOSTILE, session=HOSTILE),
        sessions_table([entries()[0].model_copy(update={"title": HOSTILE})]),
        models_table({HOSTILE: HOSTILE}),
    ]
    text = shown(parts, 100)
    assert not set(text) & {"\x1b", "\x07", "\x00", "\x9b", "\u202e"}
    assert "red" in text


def test_a_mode_cannot_be_overlooked_without_colour(draft: Report) -> None:
    assert "▓▓ SIMULATED ▓▓" in shown([views.band(("simulated",))], 60)
    assert "SIMULATED" in shown([report_panel(draft.model_copy(update={"modes": ("simulated",)}), 60, 5)], 60)
    assert "\x1b[1;7;33m" in shown([views.band(("replay",))], 60, colour=True)


def test_markdown_that_is_none_stands_as_it_is() -> None:
    text = "2 * 3 * 4, a_b_c, [link](http://x) and ![picture](x.png) stay; [E3]: too."
    assert shown([views.markdownish(text)], 120) == f"{text}\n"


WRITTEN = """# Findings

- **Heart**: normal [E4]
- lungs: `clear`

| what | side |
|:---|---:|
| mass | right |
| a\\|b | left | too much |

```
| no table |

x = 1
```

That is *all*."""


@pytest.mark.parametrize("size", [1, 7, 40, 1000])
def test_text_in_pieces_stands_as_if_it_had_come_at_once(size: int) -> None:
    streamed = Streamed()
    parts = [streamed.add(WRITTEN[at : at + size]) for at in range(0, len(WRITTEN), size)]
    assert len([one for one in parts if one is not None]) > (0 if size == 1000 else 2), "it is shown as it comes"
    text = shown([one for one in (*parts, streamed.end()) if one is not None], 60)
    assert text == shown([views.prose(WRITTEN)], 60)
    assert streamed.rest == "" and streamed.end() is None


def test_a_table_is_one_and_rows_without_a_rule_are_none() -> None:
    text = shown([views.markdownish(WRITTEN)], 60)
    assert "what   side\nmass  right\na|b    left\n" in text
    assert shown([views.markdownish("| a | b |\n| c | d |")], 60) == "| a | b |\n| c | d |\n"


def test_a_block_without_an_end_is_not_held_back_for_ever() -> None:
    streamed = Streamed()
    given = [streamed.add(f"{'x' * 99}\n") for _ in range(3)] + [streamed.add("```\n")]
    given += [streamed.add(f"{'x' * 99}\n") for _ in range(200)]
    assert given[2] is not None and given[3] is None
    assert len(streamed.rest) <= MAX_WAITING + 100


def test_a_story_tells_what_stays(draft: Report) -> None:
    story = views.Story()
    happened: list[Event] = [
        TurnStarted(turn=1),
        MEASURE,
        TextDelta(agent="orchestrator", text="The heart "),
        TextDelta(agent="historian", text="{"),
        TextDelta(agent="orchestrator", text="is normal [E4]."),
        ended("measure", "ok", "ratio 0.44", "E4"),
        ASKED,
        QuestionAnswered(question="What is the exam for?", answer="Cough"),
        QuestionAnswered(question="Else?", answer=None),
        Notice(code="WET-FAULT", message="Survived."),
        ReportReady(report=draft),
        END.model_copy(update={"text": "said before"}),
        TurnStarted(turn=2),
        END.model_copy(update={"text": "The report is drafted."}),
        TextDelta(agent="orchestrator", text="left over"),
    ]
    text = shown([part for event in happened for part in story(event)] + story.flush(), 100)
    for words in ("The heart is normal [E4].", "cardiothoracic ratio on image_1", "› Cough", "Skipped.", "Survived."):
        assert words in text
    assert "The report is drafted." in text and "said before" not in text and "{" not in text
    assert text.rstrip().endswith("left over")
